"""The clients that people have: redis-cli, redis-benchmark, redis-py, nc."""

import json
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from raftlab.real import RealCluster

CLI = shutil.which("redis-cli")
BENCHMARK = shutil.which("redis-benchmark")
NC = shutil.which("nc")

needs_cli = pytest.mark.skipif(CLI is None, reason="there is no redis-cli here")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RealCluster]:
    three = RealCluster(3)
    try:
        three.start()
        three.leader()
        yield three
    finally:
        three.stop()


def follower(cluster: RealCluster) -> int:
    leader = cluster.leader()
    return next(node for node in cluster.nodes if node != leader)


def cli(cluster: RealCluster, node: int, *arguments: str, said: str = "") -> str:
    done = subprocess.run(
        [str(CLI), "-p", str(cluster.client_ports[node]), *arguments],
        input=said,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_cli
def test_redis_cli_speaks_to_the_leader(cluster: RealCluster) -> None:
    leader = cluster.leader()
    assert cli(cluster, leader, "SET", "cli", "1") == "OK"
    assert cli(cluster, leader, "GET", "cli") == "1"
    assert cli(cluster, leader, "-n", "0", "GET", "cli") == "1"
    assert "cli" in cli(cluster, leader, "--scan", "--pattern", "cli*").split()
    lines = cli(cluster, leader, said="SET x 1\nINCR x\nFOO\nGET x\n").splitlines()
    assert lines[:2] == ["OK", "2"] and lines[-1] == "2"


@needs_cli
def test_redis_cli_c_follows_to_the_leader(cluster: RealCluster) -> None:
    behind = follower(cluster)
    assert cli(cluster, behind, "SET", "moved", "1").startswith("MOVED 0 127.0.0.1:")
    assert cli(cluster, behind, "-c", "SET", "moved", "1") == "OK"
    assert cli(cluster, behind, "-c", "GET", "moved") == "1"


@needs_cli
def test_redis_cli_pipe_loads_many_keys(cluster: RealCluster) -> None:
    said = "".join(f"SET pipe{number} {number}\r\n" for number in range(5000))
    answer = cli(cluster, cluster.leader(), "--pipe", said=said)
    assert "errors: 0, replies: 5000" in answer


@pytest.mark.skipif(BENCHMARK is None, reason="there is no redis-benchmark here")
@pytest.mark.parametrize("pipeline", ["1", "16"])
def test_redis_benchmark_runs_without_an_error(
    cluster: RealCluster, pipeline: str
) -> None:
    done = subprocess.run(
        [
            *(str(BENCHMARK), "-p", str(cluster.client_ports[cluster.leader()])),
            *("-t", "ping,set,get,incr,mset", "-P", pipeline, "-n", "4000", "-q"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"[\d.]+ requests per second, p50", done.stdout)) == 6
    assert "rror" not in done.stdout + done.stderr


@pytest.mark.skipif(NC is None, reason="there is no nc here")
def test_nc_speaks_both_languages(cluster: RealCluster) -> None:
    line = '{"jsonrpc":"2.0","id":1,"method":"raft.status"}\n'
    for said, check in (
        (line, lambda text: json.loads(text)["result"]["role"] == "leader"),
        ("PING\r\n", lambda text: text == "+PONG\n"),
    ):
        done = subprocess.run(
            [str(NC), "-N", "127.0.0.1", str(cluster.client_ports[cluster.leader()])],
            input=said,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0 and check(done.stdout)


def test_redis_py_reads_and_writes(cluster: RealCluster) -> None:
    redis = pytest.importorskip("redis", reason="there is no redis-py here")
    port = cluster.client_ports[cluster.leader()]
    with redis.Redis("127.0.0.1", port, client_name="tester") as client:
        assert client.ping() and client.set("py", "1", ex=100, nx=True)
        assert client.set("py", "2", nx=True) is None
        assert client.get("py") == b"1" and 90 < client.ttl("py") <= 100
        assert client.incr("py") == 2 and client.append("py", "0") == 2
        assert client.mset({"py1": "a", "py2": b"\0\xff"}) is True
        assert client.mget("py1", "py2", "none") == [b"a", b"\0\xff", None]
        assert sorted(client.scan_iter("py?")) == [b"py1", b"py2"]
        assert client.client_getname() == "tester"
        assert client.info("raft")["raft_role"] == "leader"
        assert client.config_get("save") == {"save": ""}
        assert client.command_count() > 30 and "get" in client.command()
        with client.pipeline(transaction=False) as pipe:
            for number in range(100):
                pipe.set("pipelined", number).get("pipelined")
            replies = pipe.execute()
        assert replies[1::2] == [str(number).encode() for number in range(100)]
        assert client.delete("py", "py1", "py2") == 3


def test_redis_py_is_told_where_the_leader_is(cluster: RealCluster) -> None:
    redis = pytest.importorskip("redis", reason="there is no redis-py here")
    leader = cluster.client_ports[cluster.leader()]
    with redis.Redis("127.0.0.1", cluster.client_ports[follower(cluster)]) as client:
        with pytest.raises(redis.ResponseError, match=f"MOVED 0 127.0.0.1:{leader}"):
            client.set("py", "1")


def test_the_readme_of_clients_names_every_method() -> None:
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    text = (root / "docs" / "clients.md").read_text(encoding="utf-8")
    source = (root / "kvserver" / "json_call.c").read_text(encoding="utf-8")
    names = re.findall(r'\{"((?:kv|session|raft)\.\w+)"', source)
    assert len(names) > 5
    assert [name for name in names if f"`{name}`" not in text] == []
