"""Snapshots of real processes: taken while clients write, found again at the start, sent
to whoever is too far behind; and a disk that fills up and is freed again."""

import pathlib
import random
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from raftlab import build
from raftlab.history import Clients, Load, verdict
from raftlab.real import LOOPBACK, Process, RealCluster, free_ports
from raftlab.resp import RespClient, RespError

# Small enough for a test to see all of it: a snapshot every few hundred entries, and log
# files that hold about as many.
SMALL = (
    *("--snapshot-entries", "300", "--snapshot-tail", "20", "--segment-bytes-max", "16k"),
    *("--snapshot-chunk-bytes", "4k"),
)


def fill(cluster: RealCluster, count: int, value: str) -> dict[str, str]:
    """Keys written in pipelines, each acknowledged."""
    written = {f"{value}:{number}": f"{value}{number}" for number in range(count)}
    items = list(written.items())
    for first in range(0, count, 200):
        part = items[first : first + 200]
        with cluster.client(cluster.leader()) as client:
            replies = client.pipeline(*(["SET", key, text] for key, text in part))
        assert replies == ["OK"] * len(part)
    return written


def check_holds(cluster: RealCluster, written: dict[str, str]) -> None:
    with cluster.client(cluster.leader()) as client:
        found = client.do("MGET", *written)
    assert [value.decode() for value in found] == list(written.values())


def raw(cluster: RealCluster, node: int, name: str) -> int:
    return cluster.raw_status(node)[name]


def test_a_cluster_starts_again_from_its_snapshots() -> None:
    with RealCluster(3, flags=SMALL, fsync=True) as cluster:
        cluster.leader()
        written = fill(cluster, 2000, "a")

        def dropped() -> bool:  # the log stays on the disk from the older one on
            written.update(fill(cluster, 400, f"a{len(written)}"))
            removed = [raw(cluster, n, "disk_segments_removed") for n in cluster.nodes]
            return min(removed) > 0

        cluster.wait(dropped, "all nodes drop log files")
        for node in cluster.nodes:
            files = list((cluster.directory / str(node)).glob("*.snapshot"))
            assert 1 <= len(files) <= 2, files
        for node in cluster.nodes:
            cluster.crash(node)
        for node in cluster.nodes:
            cluster.restart(node)
        check_holds(cluster, written)
        cluster.wait_applied_equal()
        assert len(cluster.hashes()) == 1
        assert min(raw(cluster, node, "first_index") for node in cluster.nodes) > 1


def test_a_follower_that_was_away_too_long_gets_a_snapshot() -> None:
    with RealCluster(3, flags=SMALL, cables=False) as cluster:
        leader = cluster.leader()
        away = next(node for node in cluster.nodes if node != leader)
        last = raw(cluster, away, "last_index")
        cluster.crash(away)
        written = fill(cluster, 1500, "b")
        for node in cluster.up():  # whoever leads by then
            cluster.wait(lambda: raw(cluster, node, "first_index") > last + 1, "it shortens")
        cluster.restart(away)
        cluster.wait_applied_equal()
        assert raw(cluster, away, "snapshots_received") >= 1
        assert len(cluster.hashes()) == 1
        check_holds(cluster, written)


@pytest.mark.timeout(300)
def test_a_node_that_needs_a_snapshot_joins_under_load(tmp_path: pathlib.Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    with RealCluster(3, flags=SMALL, cables=False) as cluster:
        cluster.leader()
        fill(cluster, 1000, "c")
        load = Load(ports=list(cluster.client_ports.values()), seed=seed)
        with Clients(load) as clients:
            clients.wait_more(cluster, 100)
            node = cluster.join()
            cluster.wait_voters(*cluster.nodes)
            clients.wait_more(cluster, 200)
            assert raw(cluster, node, "snapshots_received") >= 1
        assert set(clients.refusals()) <= {"MOVED"}, clients.refusals()
        cluster.wait_applied_equal()
        assert len(cluster.hashes()) == 1
    history = tmp_path / "history.jsonl"
    clients.history.write(history)
    judged = verdict(history)
    assert judged["linearizable"] == "yes", judged


def test_any_node_takes_a_snapshot_when_it_is_told_to() -> None:
    with RealCluster(3, cables=False) as cluster:
        cluster.set("k", "v")
        cluster.wait_applied_equal()
        for node in cluster.nodes:
            assert raw(cluster, node, "snapshot_index") == 0
            assert cluster.snapshot(node) == raw(cluster, node, "applied_index")
        with cluster.rpc(cluster.nodes[0]) as rpc:
            assert rpc.call("raft.snapshot") == {"ok": True}


def test_a_joined_member_is_known_from_a_snapshot_alone() -> None:
    """The entries that told of it are gone from the log."""
    with RealCluster(1, flags=SMALL, cables=False, fsync=True) as cluster:
        node = cluster.join()
        cluster.wait_voters(1, node)
        written = fill(cluster, 2000, "d")
        for each in (1, node):
            cluster.wait(lambda: raw(cluster, each, "first_index") > 300, "it shortens")
        for each in (1, node):
            cluster.crash(each)
        for each in (node, 1):
            cluster.restart(each)
        check_holds(cluster, written)
        assert sorted(cluster.members(node)) == [1, node]


def test_a_damaged_snapshot_is_named_and_the_one_before_it_used() -> None:
    with RealCluster(1, flags=SMALL, cables=False, fsync=True) as cluster:
        written = fill(cluster, 1200, "e")
        cluster.wait(lambda: raw(cluster, 1, "snapshots_taken") >= 2, "two snapshots")
        cluster.wait(lambda: not raw(cluster, 1, "snapshot_underway"), "none is written")
        cluster.crash(1)
        newest = max((cluster.directory / "1").glob("*.snapshot"))
        content = bytearray(newest.read_bytes())
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)
        cluster.restart(1)
        check_holds(cluster, written)
        assert f"{newest.name}: damaged" in cluster.log_path(1).read_text()


# ---- a full disk ---------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A file system of 8 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"needs a small file system: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def until(condition: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit, f"not in time: {what}"
        time.sleep(0.02)


def test_a_full_disk_refuses_writes_serves_reads_and_goes_on(
    small_disk: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    port = free_ports(1)[0]
    flags = ("--snapshot-entries", "0", "--snapshot-bytes", "0")
    server = Process(
        [
            *(str(build.program("raftkv")), "--dir", str(small_disk / "data")),
            *("--port", str(port), "--segment-bytes-max", "1m", *flags),
        ],
        tmp_path / "log",
    )
    ballast = small_disk / "ballast"
    try:
        until(lambda: "leads term" in (tmp_path / "log").read_text(), "it leads")
        ballast.write_bytes(bytes(4 << 20))
        with RespClient(port, LOOPBACK, seconds=30) as client:
            assert client.do("SET", "k", "v") == "OK"
            acknowledged = 0
            with pytest.raises(RespError, match="^(ERR the disk is full|TIMEOUT)"):
                for acknowledged in range(10_000):
                    client.do("SET", "big", f"{acknowledged}:" + "x" * 10_000)
            with pytest.raises(RespError, match="^ERR the disk is full: writes are"):
                client.do("SET", "k", "refused")
            assert client.do("GET", "k") == b"v"
            assert b"raft_disk_full:1" in client.do("INFO", "raft")
            ballast.unlink()
            until(
                lambda: b"raft_disk_full:0" in client.do("INFO", "raft"), "it goes on"
            )
            assert client.do("SET", "k", "after") == "OK"
            found = int(client.do("GET", "big").split(b":")[0])
            assert found >= acknowledged - 1
        server.kill()
        server = Process(server.child.args, tmp_path / "log")
        until(
            lambda: (tmp_path / "log").read_text().count("leads term") == 2, "it leads"
        )
        with RespClient(port, LOOPBACK, seconds=30) as client:
            assert client.do("GET", "k") == b"after"
    finally:
        server.kill()
