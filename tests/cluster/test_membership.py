"""Members come and go in a cluster of real processes, while clients write."""

import pathlib
import random

import pytest

from raftlab.history import Clients, Load, verdict
from raftlab.jsonrpc import RpcError
from raftlab.real import PATIENT, Process, RealCluster
from raftlab.resp import RespError

# What a client may be told while the members change: to ask elsewhere.
REDIRECTIONS = {"MOVED"}


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--seed")
    chosen = given if given is not None else random.SystemRandom().randrange(10**6)
    print(f"to repeat: --seed {chosen}")
    return chosen


def judged(clients: Clients, directory: pathlib.Path) -> None:
    path = directory / "history.jsonl"
    clients.history.write(path)
    answer = verdict(path)
    assert answer["linearizable"] == "yes", answer


def check_nothing_lost(cluster: RealCluster, clients: Clients) -> None:
    assert clients.unique(), "the load wrote no key of its own"
    for key, value in clients.unique().items():
        assert cluster.get(key) == value, f"{key} was acknowledged and is lost"


@pytest.mark.timeout(300)
def test_a_cluster_grows_to_five_and_shrinks_to_three_under_load(
    seed: int, tmp_path: pathlib.Path
) -> None:
    # On a busy machine a leader may stand still, and an election is no redirection.
    with RealCluster(1, cables=False, flags=PATIENT) as cluster:
        cluster.leader()
        load = Load(ports=list(cluster.client_ports.values()), seed=seed)
        load.follower_reads = True
        with Clients(load) as clients:
            clients.wait_more(cluster, 100)
            for _ in range(4):
                node = cluster.join()
                cluster.wait_voters(*cluster.nodes)
                load.ports.append(cluster.client_ports[node])
                clients.wait_more(cluster, 100)
            cluster.remove(5)
            cluster.wait_voters(1, 2, 3, 4)
            clients.wait_more(cluster, 100)
            leader = cluster.leader()
            cluster.remove(leader)  # it leads no more, and its clients are led away
            load.ports.remove(cluster.client_ports[leader])
            cluster.wait_voters(*cluster.nodes)
            assert cluster.leader() != leader
            clients.wait_more(cluster, 100)
        print(clients.summary(), clients.refusals())
        assert set(clients.refusals()) <= REDIRECTIONS, clients.refusals()
        check_nothing_lost(cluster, clients)
        cluster.wait_applied_equal()
        assert len(cluster.hashes()) == 1
    judged(clients, tmp_path)


@pytest.mark.timeout(300)
def test_a_dead_node_is_replaced_under_a_new_number(
    seed: int, tmp_path: pathlib.Path
) -> None:
    with RealCluster(3, cables=False) as cluster:
        cluster.leader()
        load = Load(ports=list(cluster.client_ports.values()), seed=seed)
        with Clients(load) as clients:
            clients.wait_more(cluster, 100)
            dead = random.Random(seed).choice(cluster.nodes)
            cluster.crash(dead)
            cluster.wipe(dead)
            cluster.remove(dead)
            load.ports.remove(cluster.client_ports[dead])
            new = cluster.join()
            cluster.wait_voters(*cluster.nodes)
            assert new not in (1, 2, 3) and len(cluster.nodes) == 3
            clients.wait_more(cluster, 100)
        check_nothing_lost(cluster, clients)
        cluster.wait_applied_equal()
        assert len(cluster.hashes()) == 1
    judged(clients, tmp_path)


def one_step(
    cluster: RealCluster, clients: Clients, load: Load, chance: random.Random
) -> None:
    step = chance.choice(["join", "remove", "kill", "stop", "transfer"])
    victim = chance.choice([*cluster.nodes, cluster.leader()])
    print(step, victim)
    if step == "join" and len(cluster.nodes) < 5:
        load.ports.append(cluster.client_ports[cluster.join()])
    elif step == "remove" and len(cluster.nodes) > 3:
        cluster.remove(victim)
        load.ports.remove(cluster.client_ports[victim])
    elif step == "transfer":
        cluster.transfer()
    elif step in ("kill", "stop"):
        cluster.wait_voters(*cluster.nodes)
        cluster.crash(victim) if step == "kill" else cluster.terminate(victim)
        clients.wait_more(cluster, 50)
        cluster.restart(victim)
    clients.wait_more(cluster, 50)


@pytest.mark.timeout(300)
def test_members_come_and_go_while_others_are_killed(
    seed: int, tmp_path: pathlib.Path
) -> None:
    chance = random.Random(seed)
    with RealCluster(3, cables=False, flags=("--fsync", "no")) as cluster:
        cluster.leader()
        ports = list(cluster.client_ports.values())
        load = Load(ports=ports, seed=seed, follower_reads=True)
        with Clients(load) as clients:
            for _ in range(12):
                one_step(cluster, clients, load, chance)
            cluster.wait_voters(*cluster.nodes)
        print(clients.summary(), clients.refusals())
        check_nothing_lost(cluster, clients)
        cluster.wait_applied_equal()
        assert len(cluster.hashes()) == 1
    judged(clients, tmp_path)


def test_several_members_are_exchanged_in_one_joint_change() -> None:
    with RealCluster(3, cables=False) as cluster:
        leader = cluster.leader()
        new = [cluster.join("--learner", "yes") for _ in range(2)]
        cluster.set("k", "v")
        cluster.wait_applied_equal()
        old = [node for node in (1, 2, 3) if node != leader]
        with cluster.rpc(cluster.leader()) as rpc:
            changes = [{"id": n, "role": "voter"} for n in new]
            changes += [{"id": n, "role": "removed"} for n in old]
            assert rpc.call("raft.change", changes=changes) == {"ok": True}
        cluster.nodes = (leader, *new)
        cluster.wait_voters(leader, *new)
        for node in old:
            cluster.crash(node)
        assert cluster.get("k") == "v"  # by the new majority


def test_a_learner_stays_one_until_it_is_promoted() -> None:
    with RealCluster(1, cables=False) as cluster:
        cluster.set("k", "v")
        node = cluster.join("--learner", "yes", "--priority", "5")
        cluster.wait_applied_equal()
        member = cluster.members(1)[node]
        assert member["role"] == "learner" and member["priority"] == 5
        assert cluster.do("RAFT.MEMBER", "PROMOTE", node) == "OK"
        cluster.wait_voters(1, node)
        assert cluster.members(node)[node]["priority"] == 5


def test_a_joined_node_starts_again_from_its_log_alone() -> None:
    with RealCluster(1, cables=False, fsync=True) as cluster:
        node = cluster.join()
        cluster.wait_voters(1, node)
        cluster.set("k", "v")
        for each in (1, node):
            cluster.crash(each)
        for each in (node, 1):  # nobody answers who could be asked to join
            cluster.restart(each)
        assert cluster.get("k") == "v"


def test_a_node_that_is_killed_while_it_joins_begins_again() -> None:
    """Killed at some moment after it became a member: with a log, or without one."""
    with RealCluster(1, cables=False, fsync=True) as cluster:
        cluster.set("k", "v" * 100_000)
        for _ in range(3):
            node = cluster.invite()
            process = Process(cluster.command(node), cluster.log_path(node))
            cluster.wait(lambda: node in cluster.members(1), "it is a member")
            process.kill()
            cluster.launch(node)
            cluster.wait_voters(*cluster.nodes)
        cluster.wait_applied_equal()
        assert len(cluster.hashes()) == 1


def test_a_node_waits_to_join_until_there_is_a_leader() -> None:
    with RealCluster(3, cables=False) as cluster:
        cluster.set("k", "v")
        for node in (2, 3):
            cluster.crash(node)
        cluster.wait(lambda: cluster.status(1).leader == 0, "node 1 has no leader")
        new = cluster.invite()
        process = Process(cluster.command(new), cluster.log_path(new))
        cluster.processes[new] = process
        cluster.wait(
            lambda: "joins later: " in cluster.log_path(new).read_text(), "it waits"
        )
        for node in (2, 3):
            cluster.restart(node)
        cluster.wait_voters(1, 2, 3, new)
        assert process.running()


def test_clients_are_led_to_a_member_that_joined() -> None:
    with RealCluster(1, cables=False) as cluster:
        node = cluster.join()
        cluster.wait_voters(1, node)
        assert cluster.transfer(node) == node
        with pytest.raises(RespError) as refusal:
            cluster.do_on(1, "SET", "k", "v")
        assert refusal.value.code == "MOVED"
        assert cluster.moved_to(refusal.value) == node


def test_a_lone_node_without_an_address_says_what_it_needs() -> None:
    with RealCluster(1, cables=False) as cluster:
        cluster.joined[1] = ["--port", str(cluster.client_ports[1])]
        cluster.crash(1)
        cluster.wipe(1)
        cluster.restart(1)
        cluster.set("k", "v")
        with pytest.raises(RespError, match="restart it with --peer-listen"):
            cluster.do("RAFT.MEMBER", "ADD", 2, "127.0.0.1:1/2")
        place = f"127.0.0.1:{cluster.peer_ports[1]}"
        cluster.joined[1] += ["--peer-listen", place]
        cluster.crash(1)
        cluster.restart(1)
        node = cluster.join()
        cluster.wait_voters(1, node)
        assert cluster.members(node)[1]["address"].startswith(place)


def refused_join(cluster: RealCluster, *flags: str) -> str:
    """What a node says that is not let in."""
    with pytest.raises(AssertionError) as failure:
        cluster.join(*flags)
    node = cluster.nodes[-1]
    cluster.nodes = cluster.nodes[:-1]
    cluster.processes.pop(node)
    return str(failure.value)


def test_a_node_of_another_cluster_is_not_let_in() -> None:
    with RealCluster(1, cables=False, flags=("--cluster-id", "7")) as cluster:
        cluster.leader()
        said = refused_join(cluster, "--cluster-id", "8")
        assert "is of cluster 7, not of --cluster-id 8" in said
        assert list(cluster.members(1)) == [1]


def test_a_number_is_not_used_twice() -> None:
    with RealCluster(1, cables=False) as cluster:
        for _ in range(2):
            node = cluster.join()
            cluster.wait_voters(*cluster.nodes)
        said = refused_join(cluster, "--id", str(node))
        assert f"member {node} is at 127.0.0.1:" in said
        cluster.crash(node)
        cluster.wipe(node)  # it has voted, and has forgotten it
        with pytest.raises(AssertionError, match=f"member {node} was at work before"):
            cluster.launch(node)


def test_changes_are_refused_with_a_reason() -> None:
    with RealCluster(3) as cluster:
        leader = cluster.leader()
        cluster.set("k", "v")
        follower = next(n for n in cluster.nodes if n != leader)
        with cluster.rpc(leader) as rpc, cluster.rpc(follower) as elsewhere:
            for call, said in (
                (("raft.remove_member", {"id": 9}), "-32000 ERR member 9 is not in"),
                (("raft.promote", {"id": 9}), "-32000 ERR member 9 is not in"),
                (("raft.transfer", {"to": 9}), "-32000 ERR there is no such member"),
                (("raft.add_member", {"id": 9}), "-32602"),
                (("raft.add_member", {"id": 9, "address": "h:1"}), "-32000 ERR"),
                (("raft.change", {"changes": []}), "-32602"),
                (("raft.change", {"changes": [{"id": 1}]}), "-32602"),
            ):
                with pytest.raises(RpcError, match=f"^{said}"):
                    rpc.call(call[0], **call[1])
            with pytest.raises(RpcError, match="^-32001 MOVED 0 127.0.0.1:"):
                elsewhere.call("raft.remove_member", id=1)
        with cluster.client(leader) as client:
            for member in client.do("RAFT.MEMBER", "LIST"):
                assert b"voter" in member
            with pytest.raises(RespError, match="^ERR RAFT.MEMBER knows ADD"):
                client.do("RAFT.MEMBER", "EXPEL", 2)


def test_the_last_voter_cannot_be_removed() -> None:
    with RealCluster(1, cables=False) as cluster:
        cluster.leader()
        cluster.set("k", "v")
        with pytest.raises(RespError, match="^ERR a cluster needs a voter"):
            cluster.do("RAFT.MEMBER", "REMOVE", 1)
        cluster.set("k", "w")


def test_a_change_that_cannot_be_costs_no_leader() -> None:
    """A leader that is to go hands over first: not where the change is refused anyway."""
    with RealCluster(3, cables=False) as cluster:
        leader = cluster.leader()
        term = cluster.status(leader).term
        asked = [word for node in (1, 2, 3) for word in (node, "removed", "-", "-")]
        with pytest.raises(RespError, match="^ERR a cluster needs a voter"):
            cluster.do("RAFT.MEMBER", "CHANGE", *asked)
        others = [node for node in (1, 2, 3) if node != leader]
        removed = [word for node in others for word in (node, "removed", "-", "-")]
        with pytest.raises(RespError, match="^ERR (a cluster needs|member)"):
            cluster.do("RAFT.MEMBER", "CHANGE", leader, "learner", "-", "-", *removed[:4])
        assert cluster.leader() == leader and cluster.status(leader).term == term


def test_an_address_is_that_of_one_member() -> None:
    with RealCluster(3, cables=False) as cluster:
        leader = cluster.leader()
        other = next(node for node in cluster.nodes if node != leader)
        address = f"127.0.0.1:{cluster.peer_ports[other]}/{cluster.client_ports[other]}"
        with pytest.raises(RespError, match=f"is the address of member {other}$"):
            cluster.do("RAFT.MEMBER", "ADD", 9, address)
        with pytest.raises(RespError, match="^ERR there is no such member"):
            cluster.do("RAFT.TRANSFER", (1 << 32) + other)
        assert cluster.leader() == leader
