"""kill -9 of random nodes under load, with real processes, real disks and fsync on.

`pytest tests/cluster/test_kill.py --rounds 50 --seed 7` goes on longer and repeats."""

import pathlib
import random

import pytest

from raftlab.history import Clients, Load, verdict
from raftlab.real import RealCluster

OPERATIONS_A_ROUND = 400


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--seed")
    chosen = given if given is not None else random.SystemRandom().randrange(10**6)
    print(f"to repeat: pytest tests/cluster/test_kill.py --seed {chosen}")
    return chosen


def kill_and_restart(
    cluster: RealCluster, clients: Clients, chance: random.Random
) -> None:
    victim = chance.choice(cluster.nodes)
    if chance.random() < 0.5:
        victim = cluster.leader()
    before = chance.randrange(OPERATIONS_A_ROUND)
    clients.wait_more(cluster, before)
    cluster.crash(victim)
    clients.wait_more(cluster, OPERATIONS_A_ROUND - before)
    cluster.restart(victim)


@pytest.mark.timeout(36000)
def test_no_acknowledged_write_is_lost_to_kill_9(
    request: pytest.FixtureRequest, seed: int, tmp_path: pathlib.Path
) -> None:
    chance = random.Random(seed)
    with RealCluster(3, fsync=True) as cluster:
        cluster.leader()
        load = Load(ports=list(cluster.client_ports.values()), seed=seed)
        with Clients(load) as clients:
            for _ in range(request.config.getoption("--rounds")):
                kill_and_restart(cluster, clients, chance)
        print(clients.summary())
        cluster.wait_applied_equal()
        assert len(cluster.hashes()) == 1
        for key, value in clients.unique().items():
            assert cluster.get(key) == value, f"{key} was acknowledged and is lost"
            for node in cluster.nodes:
                assert cluster.holds(node, key, value), f"{key} is lost at node {node}"

    assert clients.unique(), "the load wrote no key of its own"
    history = tmp_path / "history.jsonl"
    clients.history.write(history)
    judged = verdict(history)
    assert judged["linearizable"] == "yes", judged


@pytest.mark.timeout(600)
def test_no_acknowledged_write_is_lost_when_all_are_killed_at_once(
    seed: int, tmp_path: pathlib.Path
) -> None:
    with RealCluster(3, fsync=True) as cluster:
        cluster.leader()
        load = Load(ports=list(cluster.client_ports.values()), seed=seed)
        with Clients(load) as clients:
            clients.wait_more(cluster, OPERATIONS_A_ROUND)
            for node in cluster.nodes:
                cluster.crash(node)
            for node in cluster.nodes:
                cluster.restart(node)
            clients.wait_more(cluster, OPERATIONS_A_ROUND)
        for key, value in clients.unique().items():
            assert cluster.get(key) == value, f"{key} was acknowledged and is lost"
    history = tmp_path / "history.jsonl"
    clients.history.write(history)
    judged = verdict(history)
    assert judged["linearizable"] == "yes", judged
