"""`raftkv recover`: what is left is told and not touched; a lost majority is replaced."""

import pathlib
import re
import struct
import subprocess
from typing import Optional

import pytest

from raftlab import build
from raftlab.real import LOOPBACK, Process, RealCluster
from raftlab.single import Single, single

SEGMENT = "00000000000000000001.log"
KEYS = 200


def recover(*words: object) -> subprocess.CompletedProcess:
    program = build.program("raftkv", sanitized=True)
    command = [str(program), "recover", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def contents(directory: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def write_keys(server: Single) -> None:
    with server.client() as client:
        for number in range(KEYS):
            assert client.do("SET", f"key{number}", f"value{number}") == "OK"


def damage(path: pathlib.Path, share: float) -> int:
    """One bit of a file, somewhere in it; where."""
    data = bytearray(path.read_bytes())
    offset = int(len(data) * share)
    data[offset] ^= 0x10
    path.write_bytes(data)
    return offset


def found(pattern: str, text: str) -> int:
    match = re.search(pattern, text)
    assert match is not None, text
    return int(match[1])


def test_a_whole_log_is_told_as_whole_and_left_alone() -> None:
    with single() as server:
        write_keys(server)
        assert server.terminate() == 0
        data = server.directory / "data"
        before = contents(data)
        answer = recover("--dir", data)
        assert answer.returncode == 0, answer.stderr
        assert "node      1 of cluster 1" in answer.stdout
        assert found(r"entries   up to (\d+)", answer.stdout) > KEYS
        assert "The log is whole" in answer.stdout
        assert contents(data) == before


def test_a_running_node_is_not_looked_at() -> None:
    with single() as server:
        answer = recover("--dir", server.directory / "data")
        assert answer.returncode == 1
        assert "another process uses this directory" in answer.stderr


def test_a_damaged_log_is_refused_in_plain_words_and_its_beginning_can_be_saved() -> None:
    with single() as server:
        write_keys(server)
        assert server.terminate() == 0
        data = server.directory / "data"
        offset = damage(data / SEGMENT, 0.5)

        # The node names file and offset, and tells what may be lost and what to do.
        node = Process(
            [str(server.program), "--dir", str(data), "--port", str(server.port)],
            server.log,
        )
        assert node.child.wait(30) == 1
        told = found(rf"cannot start: {SEGMENT}: offset (\d+): damaged", server.text())
        assert offset - 200 < told <= offset
        assert "acknowledged may be lost" in server.text()
        assert f"raftkv recover --dir {data}" in server.text()

        before = contents(data)
        answer = recover("--dir", data)
        assert answer.returncode == 1
        assert f"DAMAGED: {SEGMENT}: offset {told}: damaged" in answer.stdout
        good = found(r"last good entry: (\d+)", answer.stdout)
        seen = found(r"entries up to (\d+) were seen there", answer.stdout)
        assert KEYS * 0.4 < good < KEYS * 0.6 and seen >= KEYS
        assert "What may be lost" in answer.stdout
        assert "healthy majority" in answer.stdout

        saved = server.directory / "saved"
        answer = recover("--dir", data, "--to", saved)
        assert answer.returncode == 0, answer.stderr
        assert contents(data) == before
        assert recover("--dir", saved).returncode == 0
        again = recover("--dir", data, "--to", saved)
        assert again.returncode == 1 and "is there already" in again.stderr

        data.rename(server.directory / "damaged")
        saved.rename(data)
        server.start()
        with server.client() as client:
            values = [client.do("GET", f"key{number}") for number in range(KEYS)]
        kept = sum(value is not None for value in values)
        assert values[:kept] == [f"value{n}".encode() for n in range(kept)]
        assert good - 5 <= kept <= good  # the others are no writes of ours


def test_what_it_cannot_do_is_said() -> None:
    with single() as server:
        write_keys(server)
        assert server.terminate() == 0
        data = server.directory / "data"
        new = server.directory / "new"
        usage: list[tuple[list, str]] = [
            (["--to", new], "--dir is missing"),
            (["--dir", data, "--force-new-cluster"], "needs --to"),
            (["--dir", data, "--cluster-id", "5"], "is for --force-new-cluster"),
            (["--dir", data, "--cluster-id", "0"], "cannot use --cluster-id"),
            (["--dir"], "cannot use --dir"),
            (["--dir", data, "--to", new, "--force-new-cluster", "--address", "x"],
             "is not host:peer-port/client-port"),
        ]
        for words, why in usage:
            answer = recover(*words)
            assert answer.returncode == 2 and why in answer.stderr, (words, answer)
        answer = recover("--dir", data, "--to", new, "--force-new-cluster")
        assert answer.returncode == 1 and "--address is needed" in answer.stderr
        answer = recover(
            *("--dir", data, "--to", new, "--force-new-cluster", "--cluster-id", "1"),
            *("--address", f"{LOOPBACK}:7101/7001"),
        )
        assert answer.returncode == 1 and "the old cluster's number" in answer.stderr
        answer = recover("--dir", server.directory / "absent")
        assert answer.returncode == 1 and "No such file" in answer.stderr
        assert not new.exists() and not (server.directory / "absent").exists()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def checked(data: bytes) -> bytes:
    return data + struct.pack("<I", crc32c(data))


def snapshot_file(cluster: int, index: int, members: str, body: bytes) -> bytes:
    """As docs/protocol.md draws it; of term 1."""
    text = members.encode()
    numbers = struct.pack("<IIQQQQ", 1, len(text), cluster, index, 1, 1)
    head = checked(b"raftsnap" + numbers + text)
    return checked(head + body + b"snapend\n" + struct.pack("<QI", len(body), 0))


def test_damage_to_what_a_snapshot_holds_loses_nothing() -> None:
    with single("--segment-bytes-max", "4096") as server:
        write_keys(server)
        assert server.terminate() == 0
        data = server.directory / "data"
        assert len([path for path in data.iterdir() if path.suffix == ".log"]) >= 3
        last = found(r"entries   up to (\d+)", recover("--dir", data).stdout)
        damage(data / SEGMENT, 0.5)
        body = b"what the store wrote"
        good, bad = f"{100:020}.snapshot", f"{150:020}.snapshot"
        (data / good).write_bytes(snapshot_file(1, 100, "1 voter 0 -\n", body))
        (data / bad).write_bytes(snapshot_file(1, 150, "1 voter 0 -\n", body)[:-1] + b"?")
        answer = recover("--dir", data)
        assert answer.returncode == 1
        assert f"{good}: good, up to entry 100 (term 1)" in answer.stdout
        assert re.search(rf"{bad}: .*: DAMAGED", answer.stdout), answer.stdout
        assert "nothing is lost" in answer.stdout and "may be lost" not in answer.stdout
        assert found(r"entries   up to (\d+)", answer.stdout) == last

        new, address = server.directory / "new", f"{LOOPBACK}:7101/7001"
        answer = recover(
            *("--dir", data, "--to", new, "--force-new-cluster", "--cluster-id", 99),
            *("--address", address),
        )
        assert answer.returncode == 0, answer.stderr
        # The state under the new cluster's head; the log goes on behind it.
        expected = snapshot_file(99, 100, f"1 voter 0 {address}\n", body)
        assert (new / good).read_bytes() == expected
        assert not (new / bad).exists()
        answer = recover("--dir", new)
        assert answer.returncode == 0, answer.stdout
        assert found(r"entries   up to (\d+)", answer.stdout) == last + 1
        assert "node      1 of cluster 99" in answer.stdout


def forced(cluster: RealCluster, node: int) -> str:
    """The node's directory becomes that of a new cluster's only member. Its number."""
    old = cluster.directory / str(node)
    new = cluster.directory / "new"
    peer, client = cluster.peer_ports[node], cluster.client_ports[node]
    address = f"{LOOPBACK}:{peer}/{client}"
    answer = recover(
        *("--dir", old, "--to", new, "--force-new-cluster", "--address", address)
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "WARNING" in answer.stdout and "never run again" in answer.stdout
    number = str(found(r"of cluster (\d+), entries up to", answer.stdout))
    assert number != "1"
    assert f"--cluster-id {number} --cluster {node}={address}" in answer.stdout
    old.rename(cluster.directory / "before")
    new.rename(old)
    cluster.joined[node] = ["--cluster", f"{node}={address}", "--cluster-id", number]
    return number


def value_of(cluster: RealCluster, number: int) -> Optional[str]:
    return cluster.get(f"key{number}")


@pytest.mark.timeout(180)
def test_a_lost_majority_is_replaced_by_a_new_cluster_of_the_one_that_is_left() -> None:
    with RealCluster(3, cables=False) as cluster:
        cluster.leader()
        for number in range(KEYS):
            cluster.set(f"key{number}", number)
        cluster.wait_applied_equal()
        for node in cluster.nodes:
            cluster.crash(node)
        for node in (1, 2):
            cluster.wipe(node)
        cluster.nodes = (3,)

        number = forced(cluster, 3)
        cluster.restart(3)
        assert cluster.leader() == 3
        assert [m["role"] for m in cluster.members(3).values()] == ["voter"]
        for key in range(KEYS):
            assert value_of(cluster, key) == str(key)
        cluster.set("after", "the loss")

        # New members, so that it can lose one again.
        for _ in range(2):
            cluster.join("--cluster-id", number)
        cluster.wait_voters(*cluster.nodes)
        cluster.wait_applied_equal()
        assert len(cluster.hashes()) == 1
        cluster.crash(3)
        assert value_of(cluster, 7) == "7"
        assert cluster.get("after") == "the loss"


@pytest.mark.timeout(120)
def test_the_old_cluster_and_the_new_one_refuse_each_other() -> None:
    with RealCluster(3, cables=False) as cluster:
        cluster.leader()
        cluster.set("key", "old")
        cluster.wait_applied_equal()
        for node in cluster.nodes:
            cluster.crash(node)
        number = forced(cluster, 3)

        # With the old number the new directory is refused, and is not called damaged.
        flags = cluster.joined[3]
        cluster.joined[3] = [*flags[:-1], "1"]
        log = cluster.directory / "refused.log"
        node = Process(cluster.command(3), log)
        assert node.child.wait(30) == 1
        assert "this segment is of another cluster" in log.read_text()
        assert "recover" not in log.read_text()

        # A majority of the old members runs again: neither hears of the other.
        cluster.joined[3] = [*flags[:-1], number]
        for node in cluster.nodes:
            cluster.restart(node)
        assert cluster.leader(among=(1, 2)) in (1, 2)
        cluster.wait(lambda: cluster.status(3).role == "leader", "node 3 leads itself")
        assert cluster.do_on(3, "SET", "key", "new") == "OK"
        assert cluster.do_on(3, "GET", "key") == b"new"
        leads = cluster.leader(among=(1, 2))
        assert cluster.do_on(leads, "GET", "key") == b"old"
        assert cluster.status(3).leader == 3
