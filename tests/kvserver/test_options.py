"""What raftkv is told at its start, and what it says where that cannot be."""

import pathlib
import shutil
import subprocess
import time

import pytest

from raftlab import build
from raftlab.real import Process, free_ports, scratch_directory
from raftlab.resp import RespClient, RespError
from raftlab.single import single

THREE = "1=127.0.0.1:7101/7001,2=127.0.0.1:7102/7002,3=127.0.0.1:7103/7003"


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(build.program("raftkv")), *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--nonsense", "1"], "unknown flag '--nonsense'"),
        (["data"], "'data' is not a flag"),
        (["--dir"], "--dir needs a value"),
        (["--dir", ""], "--dir '' is empty"),
        (["--id", "one"], "--id 'one' is not a number"),
        (["--id", "0"], "--id '0' is not between 1 and 4294967295"),
        (["--id", "-1"], "--id '-1' is not a number"),
        (["--port", "70000"], "--port '70000' is not between 0 and 65535"),
        (["--fsync", "maybe"], "--fsync 'maybe' is neither yes nor no"),
        (["--log-bytes-max", "12q"], "--log-bytes-max '12q' is not a number"),
        (["--log-bytes-max", "99999999999999999999"], "is not a number"),
        (["--heartbeat-ms", "200"], "more than half of --election-timeout-ms"),
        (["--cluster", THREE], "--cluster needs --id"),
        (["--id", "4", "--cluster", THREE], "--id 4 is not a member of --cluster"),
        (["--id", "1", "--port", "7001", "--cluster", THREE], "--port is for a single"),
        (["--id", "1", "--cluster", "1=127.0.0.1:7101"], "is not id=host:peer-port/"),
        (["--id", "1", "--cluster", "1=127.0.0.1:0/7001"], "is not id=host:peer-port/"),
        (["--id", "1", "--cluster", "1=:7101/7001"], "is not id=host:peer-port/"),
        (["--id", "1", "--cluster", "1=h:1/2,1=h:3/4"], "names member 1 twice"),
        (["--id", "1", "--cluster", "1=h:1/2,2=h:3/2"], "1 and 2 share a port of h"),
        (["--id", "1", "--cluster", "1=h:5/5"], "member 1 uses port 5 twice"),
        (["--join", "h:1"], "--join needs --id"),
        (["--id", "4", "--join", "h:1"], "--join needs --peer-listen"),
        (["--id", "4", "--join", "h", "--peer-listen", "h:2"], "is not host:port"),
        (["--peer-listen", "h:99999"], "--peer-listen 'h:99999' is not host:port"),
        (["--peer-listen", "h:5", "--port", "5"], "--peer-listen and --port are both 5"),
        (["--id", "1", "--cluster", THREE, "--join", "h:1"], "without --cluster"),
        (["--lease-drift-percent", "5", "--check-quorum", "no"], "needs --check-quorum"),
        (["--config", "/nonexistent/file"], "cannot read /nonexistent/file: No such"),
    ],
)
def test_a_bad_flag_gets_one_line_and_exit_code_2(
    arguments: list[str], said: str
) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("raftkv: ") and said in done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""


@pytest.mark.parametrize(
    "line, said",
    [
        ("nonsense 1", ":2: unknown setting 'nonsense'"),
        ("config other", ":2: unknown setting 'config'"),
        ("id = x", ":2: id 'x' is not a number"),
        ("fsync", ":2: fsync '' is neither yes nor no"),
        ("dir " + "x" * 5000, "is too long"),
        ("dir " + "x" * 20000, ":2: the line is too long"),
    ],
)
def test_a_bad_line_in_the_file_is_named(
    tmp_path: pathlib.Path, line: str, said: str
) -> None:
    path = tmp_path / "raftkv.conf"
    path.write_text(f"# a comment\n{line}\n")
    done = run("--config", str(path))
    assert done.returncode == 2 and said in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unreadable_file_is_refused(tmp_path: pathlib.Path) -> None:
    done = run("--config", str(tmp_path))  # a directory
    assert done.returncode == 2 and "cannot read" in done.stderr


def test_help_and_version_go_to_stdout() -> None:
    done = run("--help")
    assert done.returncode == 0 and done.stderr == ""
    for flag in ("--id", "--cluster", "--dir", "--config", "--fsync", "--bind"):
        assert flag in done.stdout
    for shown in ("absent (data)", "--cluster (7001)", "stops (yes)", "campaign (300)"):
        assert shown in done.stdout
    for shown in ("in bytes (512m)", "word (1m)", "in entries (1048576)"):
        assert shown in done.stdout
    done = run("--dir", "data", "--version")
    assert done.returncode == 0 and done.stdout.startswith("raftkv ")


def test_the_file_sets_what_flags_do_not(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "raftkv.conf"
    path.write_text("fsync no # for a test\n\nmax-clients = 17\nvalue-bytes-max 2m\n")
    with single("--config", str(path), "--max-clients", "18") as server:
        with server.client() as client:
            assert client.do("CONFIG", "GET", "appendfsync") == [b"appendfsync", b"no"]
            assert client.do("CONFIG", "GET", "maxclients") == [b"maxclients", b"18"]
            reply = client.do("CONFIG", "GET", "proto-max-bulk-len")
            assert reply == [b"proto-max-bulk-len", b"2097152"]
        assert "WARNING: --fsync no" in server.text()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    port = str(free_ports(1)[0])
    done = run("--dir", str(tmp_path / "file" / "data"), "--port", port)
    assert done.returncode == 1 and "cannot start" in done.stderr
    named = f"{tmp_path / 'file' / 'data'}: cannot create the directory: Not a directory"
    assert named in done.stderr


def test_a_directory_in_use_is_refused() -> None:
    with single("--fsync", "no") as server:
        port = str(free_ports(1)[0])
        done = run("--dir", str(server.directory / "data"), "--port", port)
        assert done.returncode == 1 and "cannot start" in done.stderr


def test_a_port_in_use_is_named_and_nothing_is_left_behind(tmp_path: pathlib.Path) -> None:
    with single("--fsync", "no") as server:
        done = run("--dir", str(tmp_path / "data"), "--port", str(server.port))
        assert done.returncode == 1
        assert f"cannot listen for clients on 127.0.0.1:{server.port}" in done.stderr
        assert not (tmp_path / "data").exists()


def test_a_log_of_another_cluster_is_refused() -> None:
    with single("--fsync", "no") as server:
        assert server.terminate() == 0
        data = str(server.directory / "data")
        port = str(free_ports(1)[0])
        done = run("--dir", data, "--port", port, "--cluster-id", "2")
        assert done.returncode == 1 and "cannot start" in done.stderr


def test_members_may_be_named_by_host_names() -> None:
    """One member of a cluster of two, which therefore has no leader.

    127.1 is not an address to libuv, so that the resolver is asked, which knows it even
    where no /etc/hosts tells what localhost is."""
    ports = free_ports(4)
    members = ",".join(f"{n}=127.1:{ports[n]}/{ports[n + 1]}" for n in (0, 2))
    members = members.replace("0=", "1=")
    flags = ("--id", "1", "--cluster", members, "--fsync", "no")
    directory = scratch_directory(durable=False)
    process = Process(
        [str(build.program("raftkv")), *flags, "--dir", str(directory / "data")],
        directory / "log",
    )
    try:
        limit = time.monotonic() + 30
        while "serves clients on 127.1" not in (directory / "log").read_text():
            assert process.running() and time.monotonic() < limit
            time.sleep(0.01)
        with RespClient(ports[1], host="127.0.0.1") as client:
            with pytest.raises(RespError, match="^CLUSTERDOWN No raft leader$"):
                client.do("SET", "k", "v")
        assert process.terminate() == 0
    finally:
        process.kill()
        shutil.rmtree(directory)
