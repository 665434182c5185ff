"""What clients of three processes are told when leadership moves or a majority is away.

Where it does not matter whether nodes are real, see tests/cluster."""

import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from raftlab.jsonrpc import RpcError
from raftlab.real import RealCluster
from raftlab.resp import RespClient, RespError, encode


@pytest.fixture
def cluster() -> Iterator[RealCluster]:
    three = RealCluster(3, flags=("--request-timeout-ms", "1500"))
    try:
        three.start()
        yield three
    finally:
        three.stop()


def others(cluster: RealCluster, *nodes: int) -> list[int]:
    return [node for node in cluster.nodes if node not in nodes]


def test_a_follower_names_the_leader_in_both_languages(cluster: RealCluster) -> None:
    leader = cluster.leader()
    address = f"127.0.0.1:{cluster.client_ports[leader]}"
    cluster.wait_applied_equal()
    for node in others(cluster, leader):
        with cluster.client(node) as client, cluster.rpc(node) as rpc:
            for words in (["SET", "k", 1], ["GET", "k"], ["RAFT.REGISTER"]):
                with pytest.raises(RespError, match=f"^MOVED 0 {address}$"):
                    client.do(*words)
            assert client.do("PING") == "PONG"
            with pytest.raises(RpcError, match=f"-32001 MOVED 0 {address}$"):
                rpc.call("kv.get", key="k")


def test_a_readonly_connection_reads_a_followers_own_state(
    cluster: RealCluster,
) -> None:
    cluster.set("k", "v")
    cluster.wait_applied_equal()
    behind = others(cluster, cluster.leader())[0]
    with cluster.client(behind) as client, cluster.rpc(behind) as rpc:
        assert client.do("READONLY", "STALE") == "OK"
        assert client.pipeline(["GET", "k"], ["PING"]) == [b"v", "PONG"]
        with pytest.raises(RespError, match="^MOVED"):
            client.do("SET", "k", "w")
        assert client.do("READWRITE") == "OK"
        with pytest.raises(RespError, match="^MOVED"):
            client.do("GET", "k")
        assert rpc.call("kv.get", key="k", stale=True) == {"value": "v"}


def test_a_follower_answers_reads_that_its_leader_confirms(
    cluster: RealCluster,
) -> None:
    leader = cluster.leader()
    follower = others(cluster, leader)[0]
    with cluster.client(follower) as client, cluster.rpc(follower) as rpc:
        assert client.do("READONLY") == "OK"
        for number in range(100):  # each read must see the write before it
            cluster.set("k", number)
            assert client.do("GET", "k") == str(number).encode()
        assert rpc.call("kv.get", key="k", follower=True) == {"value": "99"}
        with pytest.raises(RespError, match="^MOVED"):
            client.do("SET", "k", "w")
        with pytest.raises(RpcError, match="^-32001 MOVED"):
            rpc.call("kv.get", key="k", follower=False)


def test_leases_are_there_where_they_are_asked_for_and_nowhere_else(
    cluster: RealCluster,
) -> None:
    cluster.set("k", "v")
    assert cluster.raw_status(cluster.leader())["lease"] == 0
    with RealCluster(3, flags=("--lease-drift-percent", "10")) as leased:
        leased.set("k", "v")
        leader = leased.leader()
        leased.wait(lambda: leased.raw_status(leader)["lease"] == 1, "it has a lease")
        assert leased.get("k") == "v"
        for node in others(leased, leader):
            leased.pause(node)
        leased.wait(lambda: leased.raw_status(leader)["lease"] == 0, "the lease ends")


def test_a_follower_without_its_leader_answers_no_read(cluster: RealCluster) -> None:
    cluster.set("k", "old")
    leader = cluster.leader()
    follower = others(cluster, leader)[0]
    cluster.wait_applied_equal()
    cluster.isolate(follower)
    cluster.set("k", "new")
    with cluster.client(follower) as client:
        client.do("READONLY")
        with pytest.raises(RespError, match="^(TIMEOUT|MOVED|CLUSTERDOWN)"):
            client.do("GET", "k")


def test_a_leader_that_hears_no_majority_says_so_at_once(cluster: RealCluster) -> None:
    cluster.set("k", "v")
    leader = cluster.leader()
    for node in others(cluster, leader):
        cluster.crash(node)
    cluster.wait(lambda: cluster.status(leader).role != "leader", "check-quorum")
    with cluster.client(leader) as client:
        for words in (["SET", "k", "w"], ["GET", "k"], ["RAFT.MEMBER", "REMOVE", 1]):
            with pytest.raises(RespError, match="^CLUSTERDOWN No raft leader$"):
                client.do(*words)


def test_writes_beyond_what_may_wait_for_a_majority_are_refused() -> None:
    flags = ("--uncommitted-bytes-max", "64k", "--check-quorum", "no")
    with RealCluster(3, flags=(*flags, "--request-timeout-ms", "1500")) as cluster:
        cluster.set("k", "v")
        leader = cluster.leader()
        for node in others(cluster, leader):
            cluster.pause(node)
        with cluster.client(leader) as client:
            for number in range(20):  # each in a turn of its own, or not: no matter
                client.send(encode("SET", f"k{number}", "x" * 10_000))
            codes = [str(client.read_reply()) for _ in range(20)]
        said = "TRYAGAIN too many bytes wait for a majority; nothing was done"
        refused = [number for number, code in enumerate(codes) if code == said]
        assert codes[0].startswith("TIMEOUT") and len(refused) >= 14
        assert cluster.raw_status(leader)["uncommitted_bytes"] <= 64 << 10
        for node in others(cluster, leader):
            cluster.resume(node)
        cluster.set("k", "w")
        assert [cluster.get(f"k{number}") for number in refused] == [None] * len(refused)


def test_without_a_majority_nothing_is_said_to_be_done(cluster: RealCluster) -> None:
    leader = cluster.leader()
    cluster.set("k", "before")
    with cluster.client(leader) as writer, cluster.client(leader) as reader:
        for node in others(cluster, leader):
            cluster.crash(node)
        writer.send(encode("SET", "k", "after"))
        reader.send(encode("GET", "k"))
        reply = writer.read_reply()
        assert isinstance(reply, RespError)
        # Refused before it was logged, or logged with an outcome that is not known.
        assert reply.code in ("TIMEOUT", "CLUSTERDOWN")
        if reply.code == "TIMEOUT":
            assert "unknown" in str(reply)
        read = reader.read_reply()
        assert isinstance(read, RespError)
        assert read.code in ("TIMEOUT", "CLUSTERDOWN")
        later = writer.pipeline(["SET", "k", 1], ["GET", "k"])
        assert {answer.code for answer in later} <= {"TIMEOUT", "CLUSTERDOWN"}
        assert writer.do("PING") == "PONG"


def test_writes_that_their_leader_lost_are_not_answered_as_done(
    cluster: RealCluster,
) -> None:
    leader = cluster.leader()
    cluster.set("k", "before")
    with cluster.client(leader) as client:
        for node in others(cluster, leader):
            cluster.cut(leader, node)
            cluster.cut(node, leader)
        client.send(encode("APPEND", "k", "lost") * 100)
        second = cluster.leader(among=others(cluster, leader))
        cluster.do_on(second, "SET", "k", "kept")
        cluster.heal()
        for reply in [client.read_reply() for _ in range(100)]:
            assert isinstance(reply, RespError)
            assert reply.code in ("TIMEOUT", "TRYAGAIN", "CLUSTERDOWN", "MOVED")
    cluster.wait_applied_equal()
    assert all(cluster.holds(node, "k", "kept") for node in cluster.nodes)


def test_a_stopped_leader_answers_no_read_of_the_past(cluster: RealCluster) -> None:
    """It wakes up, believes to lead, and must ask a majority before it answers."""
    leader = cluster.leader()
    cluster.set("k", "old")
    with cluster.client(leader) as client:
        assert client.do("GET", "k") == b"old"
        cluster.pause(leader)
        second = cluster.leader(among=others(cluster, leader))
        cluster.do_on(second, "SET", "k", "new")
        client.send(encode("GET", "k"))
        cluster.resume(leader)
        reply = client.read_reply()
        assert reply == b"new" or isinstance(reply, RespError)


def test_a_clean_end_of_the_leader_answers_what_it_took(cluster: RealCluster) -> None:
    leader = cluster.leader()
    with cluster.client(leader) as client:
        client.send(encode("INCR", "n") * 200)
        assert client.read_reply() == 1
        assert cluster.terminate(leader) == 0
        replies = [1]
        try:
            while True:
                replies.append(client.read_reply())
        except ConnectionError:
            pass
    numbers = [reply for reply in replies if isinstance(reply, int)]
    assert numbers == list(range(1, len(numbers) + 1))
    second = cluster.leader()
    assert int(cluster.do_on(second, "GET", "n")) >= len(numbers)


def test_a_node_at_anothers_address_is_refused(cluster: RealCluster) -> None:
    """Client bytes at a peer port are counted and dropped, and nothing else happens."""
    leader = cluster.leader()
    with RespClient(cluster.peer_ports[leader]) as client:
        client.send(encode("SET", "k", "v") * 10)
        client.socket.settimeout(5)
        assert b"OK" not in client.stream.read(4096)
    cluster.set("k", "v")
    assert cluster.get("k") == "v"


def test_peers_progress_is_told_by_the_leader(cluster: RealCluster) -> None:
    cluster.set("k", "v")
    cluster.wait_applied_equal()
    raw = cluster.raw_status(cluster.leader())
    assert [peer["node"] for peer in raw["peers"]] == others(cluster, raw["node"])
    for peer in raw["peers"]:
        assert peer["match_index"] == raw["last_index"]
        assert peer["progress"] == "replicate" and peer["connected"] == 1
    info = cluster.ask(raw["node"], "INFO", "raft").decode()
    assert f"raft_peer_{raw['peers'][0]['node']}:address=127.0.0.1:" in info


def test_a_leader_that_stopped_for_a_while_comes_back_in_line(
    cluster: RealCluster,
) -> None:
    leader = cluster.leader()
    cluster.processes[leader].signal(signal.SIGSTOP)
    second = cluster.leader(among=others(cluster, leader))
    for number in range(500):
        cluster.do_on(second, "SET", f"k{number}", number)
    cluster.processes[leader].signal(signal.SIGCONT)
    limit = time.monotonic() + 30
    while len({cluster.status(node).hash for node in cluster.nodes}) > 1:
        assert time.monotonic() < limit
        time.sleep(0.01)


def exchange(client: RespClient, key: str, draw: random.Random, known: set) -> set:
    """A pipeline of reads and writes of one key that nobody else writes, checked reply
    by reply. `known` are the values that the key may have before; those that it may
    have after it come back."""
    commands = [
        ["SET", key, draw.getrandbits(60)] if draw.random() < 0.5 else ["GET", key]
        for _ in range(draw.randrange(1, 40))
    ]
    client.send(b"".join(encode(*words) for words in commands))
    for number, words in enumerate(commands):
        write = words[0] == "SET"
        value = str(words[-1]).encode()
        try:
            reply = client.read_reply()
        except OSError:
            # This one, and all that stand behind it, may have been done or not.
            late = {str(w[-1]).encode() for w in commands[number:] if w[0] == "SET"}
            return known | late
        if isinstance(reply, RespError):
            if write and reply.code == "TIMEOUT":
                known = known | {value}
        elif write:
            known = {value}
        else:
            assert reply in known, f"{key} is {reply}, not in {known}"
    return known


def test_pipelines_keep_their_promises_while_leaders_are_killed(
    cluster: RealCluster,
) -> None:
    ending = threading.Event()
    problems: list[BaseException] = []
    done = [0] * 4

    def work(number: int) -> None:
        draw = random.Random(number)
        known: set = {None}
        try:
            while not ending.is_set():
                node = draw.choice(cluster.nodes)
                try:
                    with cluster.client(node, seconds=5) as client:
                        while not ending.is_set() and draw.random() > 0.02:
                            known = exchange(client, f"own{number}", draw, known)
                            done[number] += 1
                except OSError:
                    time.sleep(0.01)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(done))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            before = list(done)
            cluster.wait(
                lambda: problems or all(d > b + 50 for d, b in zip(done, before)),
                "all clients get on",
            )
            leader = cluster.leader()
            cluster.crash(leader)
            cluster.leader()
            cluster.restart(leader)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert not problems, problems[0]
    cluster.wait_applied_equal()
    assert len(cluster.hashes()) == 1
