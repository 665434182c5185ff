"""One body for both worlds: real processes on loopback, and the simulator's nodes.

What a cluster promises must hold in both; a difference is a bug in one of them."""

import contextlib
from collections.abc import Iterator

import pytest

from raftlab import cluster_of
from raftlab.cluster import Cluster, Unreachable
from raftlab.resp import RespError

WORLDS = ["simulated", "real"]


@pytest.fixture(params=WORLDS)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with cluster_of(request.param, nodes=3, seed=11) as three:
        yield three
        three.check()


@pytest.fixture(params=WORLDS)
def growing(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with cluster_of(request.param, nodes=1, seed=12, spares=4) as one:
        yield one
        one.check()


def others(cluster: Cluster, *nodes: int) -> list[int]:
    return [node for node in cluster.nodes if node not in nodes]


@contextlib.contextmanager
def no_answer() -> Iterator[None]:
    """The command is not acknowledged: refused for want of a leader, or never answered."""
    with pytest.raises((Unreachable, RespError)) as caught:
        yield
    if isinstance(caught.value, RespError):
        assert caught.value.code in ("MOVED", "CLUSTERDOWN", "TRYAGAIN", "TIMEOUT"), caught.value


def test_three_nodes_elect_one_leader(cluster: Cluster) -> None:
    leader = cluster.leader()
    statuses = {node: cluster.status(node) for node in cluster.nodes}
    leaders = [n for n, status in statuses.items() if status.role == "leader"]
    assert leaders == [leader]
    assert {status.leader for status in statuses.values()} == {leader}


def test_a_write_is_read_back_on_every_node(cluster: Cluster) -> None:
    cluster.set("x", "1")
    assert cluster.get("x") == "1"
    cluster.wait_applied_equal()
    assert all(cluster.holds(node, "x", "1") for node in cluster.nodes)


def test_a_killed_leader_is_replaced_and_nothing_acknowledged_is_lost(
    cluster: Cluster,
) -> None:
    written = {f"k{number}": str(number) for number in range(20)}
    for key, value in written.items():
        cluster.set(key, value)
    first = cluster.leader()
    cluster.crash(first)
    second = cluster.leader()
    assert second != first
    assert {key: cluster.get(key) for key in written} == written
    cluster.set("after", "the crash")
    cluster.restart(first)
    cluster.wait_applied_equal()
    assert all(cluster.holds(first, key, value) for key, value in written.items())
    assert cluster.holds(first, "after", "the crash")


def test_a_leader_cut_off_from_its_followers_commits_nothing(cluster: Cluster) -> None:
    cluster.set("x", "before")
    old = cluster.leader()
    cluster.isolate(old)
    with no_answer():
        cluster.do_on(old, "SET", "x", "by the old leader", seconds=1)
    new = cluster.leader(among=others(cluster, old))
    assert cluster.do_on(new, "GET", "x") == b"before"
    assert cluster.do_on(new, "SET", "x", "by the new leader") == "OK"
    cluster.heal()
    cluster.wait_applied_equal()
    assert all(cluster.holds(n, "x", "by the new leader") for n in cluster.nodes)


def test_a_leader_cut_off_from_its_followers_answers_no_read(cluster: Cluster) -> None:
    cluster.set("x", "old")
    old = cluster.leader()
    cluster.isolate(old)
    new = cluster.leader(among=others(cluster, old))
    assert cluster.do_on(new, "SET", "x", "new") == "OK"
    with no_answer():
        cluster.do_on(old, "GET", "x", seconds=1)


def test_replicas_that_were_parted_have_equal_hashes_once_healed(
    cluster: Cluster,
) -> None:
    cluster.set("x", "1")
    leader = cluster.leader()
    cluster.isolate(others(cluster, leader)[0])
    for number in range(50):
        cluster.set(f"k{number}", number)
    cluster.heal()
    cluster.wait_applied_equal()
    assert len(cluster.hashes()) == 1


def test_a_follower_that_hears_nothing_but_can_speak_does_not_unseat_the_leader(
    cluster: Cluster,
) -> None:
    """Pre-vote: a one-way cut must not cost the cluster its leader."""
    cluster.set("x", "1")
    leader = cluster.leader()
    deaf = others(cluster, leader)[0]
    for sender in others(cluster, deaf):
        cluster.cut(sender, deaf)
    term = cluster.status(leader).term
    for number in range(20):
        cluster.set("x", number)
        cluster.pass_time(0.1)
    assert cluster.leader(among=others(cluster, deaf)) == leader
    assert cluster.status(leader).term == term
    cluster.heal()
    cluster.wait_applied_equal()
    assert len(cluster.hashes()) == 1


def test_a_cluster_that_was_killed_as_a_whole_remembers_everything(
    cluster: Cluster,
) -> None:
    for number in range(20):
        cluster.set(f"k{number}", number)
    before = cluster.leader()
    term = cluster.status(before).term
    for node in cluster.nodes:
        cluster.crash(node)
    for node in cluster.nodes:
        cluster.restart(node)
    leader = cluster.leader()
    assert cluster.status(leader).term > term
    assert [cluster.get(f"k{number}") for number in range(20)] == [
        str(number) for number in range(20)
    ]
    cluster.wait_applied_equal()
    assert len(cluster.hashes()) == 1


def test_a_follower_points_at_the_leader(cluster: Cluster) -> None:
    cluster.set("x", "1")
    leader = cluster.leader()
    follower = others(cluster, leader)[0]
    with pytest.raises(RespError) as refusal:
        cluster.do_on(follower, "SET", "x", "2")
    assert refusal.value.code == "MOVED"
    assert cluster.moved_to(refusal.value) == leader


def test_a_minority_acknowledges_nothing(cluster: Cluster) -> None:
    cluster.set("x", "1")
    leader = cluster.leader()
    for node in others(cluster, leader):
        cluster.crash(node)
    for command in (("SET", "x", "2"), ("GET", "x"), ("DEL", "x")):
        with no_answer():
            cluster.do_on(leader, *command, seconds=1)
    back = others(cluster, leader)[0]
    cluster.restart(back)
    cluster.set("x", "3")
    assert cluster.get("x") == "3"


def test_a_paused_leader_loses_its_place_and_comes_back_as_a_follower(
    cluster: Cluster,
) -> None:
    cluster.set("x", "1")
    paused = cluster.leader()
    cluster.pause(paused)
    leader = cluster.leader(among=others(cluster, paused))
    assert cluster.do_on(leader, "SET", "x", "2") == "OK"
    cluster.resume(paused)
    cluster.wait_applied_equal()
    assert cluster.holds(paused, "x", "2")
    assert cluster.status(paused).role == "follower"
    assert len(cluster.hashes()) == 1


def test_a_retried_write_is_applied_once(cluster: Cluster) -> None:
    for number in range(1, 11):
        assert cluster.once("INCR", "n") == number
    crashed = cluster.leader()
    cluster.crash(crashed)
    for number in range(11, 21):
        assert cluster.once("INCR", "n") == number
    cluster.restart(crashed)
    assert cluster.get("n") == "20"


def test_a_cluster_grows_from_one_to_five_and_shrinks_to_three(growing: Cluster) -> None:
    cluster = growing
    for number in range(4):
        cluster.set(f"k{number}", number)
        cluster.join()
        cluster.wait_voters(*range(1, number + 3))
    cluster.remove(1)  # perhaps the leader
    cluster.wait_voters(2, 3, 4, 5)
    cluster.remove(3)
    cluster.wait_voters(2, 4, 5)
    assert [cluster.get(f"k{number}") for number in range(4)] == ["0", "1", "2", "3"]
    cluster.wait_applied_equal()
    assert len(cluster.hashes()) == 1


def test_leadership_goes_to_whom_it_is_handed(growing: Cluster) -> None:
    cluster = growing
    for _ in range(2):
        cluster.join()
        cluster.wait_voters(*cluster.nodes)
    for number in range(4):
        cluster.set("x", number)
        to = others(cluster, cluster.leader())[number % 2]
        term = cluster.status(cluster.leader()).term
        assert cluster.transfer(to) == to
        assert cluster.status(to).term == term + 1
        assert cluster.get("x") == str(number)


def test_a_member_that_died_is_replaced_by_a_new_one(growing: Cluster) -> None:
    cluster = growing
    for _ in range(2):
        cluster.join()
        cluster.wait_voters(*cluster.nodes)
    cluster.set("x", "1")
    dead = cluster.leader()
    cluster.crash(dead)
    cluster.remove(dead)
    new = cluster.join()
    cluster.wait_voters(*cluster.nodes)
    assert new in cluster.nodes and dead not in cluster.nodes
    cluster.wait_applied_equal()
    assert cluster.holds(new, "x", "1")
