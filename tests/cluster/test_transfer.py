"""Leadership goes from node to node without an election, and clients hardly notice.

Where it matters that no election timeout has passed, that timeout is far longer than the
test: a cluster of one leads at once, and grows."""

import pathlib
import random
from collections.abc import Iterator

import pytest

from raftlab.history import Clients, Load, verdict
from raftlab.real import PATIENT, RealCluster
from raftlab.resp import RespError, encode


@pytest.fixture
def patient() -> Iterator[RealCluster]:
    """Three voters that never begin an election by themselves."""
    with RealCluster(1, cables=False, flags=PATIENT) as cluster:
        cluster.leader()
        for _ in range(2):
            cluster.join()
            cluster.wait_voters(*cluster.nodes)
        cluster.set("x", "0")
        cluster.wait_applied_equal()
        yield cluster


def load_of(cluster: RealCluster) -> Load:
    seed = random.SystemRandom().randrange(10**6)
    return Load(ports=list(cluster.client_ports.values()), seed=seed)


def judged(clients: Clients, directory: pathlib.Path) -> None:
    path = directory / "history.jsonl"
    clients.history.write(path)
    answer = verdict(path)
    assert answer["linearizable"] == "yes", answer


@pytest.mark.timeout(200)
def test_sigterm_at_the_leader_costs_its_clients_a_redirection(
    patient: RealCluster, tmp_path: pathlib.Path
) -> None:
    cluster = patient
    load = load_of(cluster)
    with Clients(load) as clients:
        for _ in range(2):
            leader = cluster.leader()
            term = cluster.status(leader).term
            clients.wait_more(cluster, 200)
            load.ports.remove(cluster.client_ports[leader])
            assert cluster.terminate(leader) == 0
            new = cluster.leader()
            assert cluster.status(new).term == term + 1
            clients.wait_more(cluster, 200)
            cluster.restart(leader)
            cluster.wait_applied_equal()
            load.ports.append(cluster.client_ports[leader])
    print(clients.summary(), clients.refusals())
    assert set(clients.refusals()) == {"MOVED"}, clients.refusals()
    judged(clients, tmp_path)


@pytest.mark.timeout(200)
def test_transfers_under_load_fail_no_write(
    patient: RealCluster, tmp_path: pathlib.Path
) -> None:
    cluster = patient
    with Clients(load_of(cluster)) as clients:
        for _ in range(6):
            clients.wait_more(cluster, 50)
            before = cluster.leader()
            assert cluster.transfer() != before
        clients.wait_more(cluster, 50)
    assert set(clients.refusals()) == {"MOVED"}, clients.refusals()
    judged(clients, tmp_path)


def test_a_write_that_comes_during_a_transfer_is_held_and_then_led_after_it(
    patient: RealCluster,
) -> None:
    cluster = patient
    leader = cluster.leader()
    target = next(node for node in cluster.nodes if node != leader)
    cluster.pause(target)
    with cluster.client(leader, 30) as asker, cluster.client(leader, 30) as writer:
        asker.send(encode("RAFT.TRANSFER", target))
        cluster.wait(
            lambda: cluster.raw_status(leader)["transfer_to"] == target, "it begins"
        )
        writer.send(encode("SET", "x", 1))
        with cluster.client(leader) as other:
            with pytest.raises(RespError, match="^TRYAGAIN leadership is being handed"):
                other.do("RAFT.TRANSFER")
        cluster.resume(target)
        refusal = writer.read_reply()
        assert isinstance(refusal, RespError) and refusal.code == "MOVED"
        assert cluster.moved_to(refusal) == target
        assert asker.read_reply() == "OK"
    assert cluster.leader() == target
    assert cluster.get("x") == "0"


def test_a_transfer_to_a_node_that_does_not_answer_is_given_up() -> None:
    with RealCluster(3, flags=("--election-timeout-ms", "500")) as cluster:
        cluster.set("x", "0")
        leader = cluster.leader()
        term = cluster.status(leader).term
        target = next(node for node in cluster.nodes if node != leader)
        cluster.pause(target)
        with cluster.client(leader) as asker, cluster.client(leader) as writer:
            asker.send(encode("RAFT.TRANSFER", target))
            cluster.wait(
                lambda: cluster.raw_status(leader)["transfer_to"] == target, "it begins"
            )
            assert writer.do("SET", "x", 1) == "OK"  # it was held, and then done
            refusal = asker.read_reply()
            assert "the transfer did not succeed" in str(refusal)
        assert cluster.status(leader).role == "leader"
        assert cluster.status(leader).term == term


def test_a_lone_leader_stops_although_nobody_can_take_over() -> None:
    with RealCluster(3) as cluster:
        cluster.set("x", "0")
        leader = cluster.leader()
        for node in cluster.nodes:
            if node != leader:
                cluster.crash(node)
        assert cluster.terminate(leader) == 0
