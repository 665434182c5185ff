"""Lab 1: whole elections, on a virtual clock. Every step of every node is checked: two
leaders in one term, two votes of one node, a term that goes down end any of these runs."""

import random

from raftlab import lab_failure
from raftlab.labs import World, lab

# As the paper has it: no pre-votes, and a leader leads until it hears of a higher term.
PAPER = {"pre_vote": "off", "check_quorum": "off"}


def elected(world: World, within: str = "5s") -> int:
    """The only leader among those who are connected."""
    world.until("leader", within)
    return world.check_one_leader(within)


def follows(world: World, node: int, leader: int) -> None:
    world.expect("leader", leader)
    world.expect("role", node, "follower")
    world.expect("term", node, "==", world.term(leader))


@lab(1, step=6, points=1, rules="CAND-1a CAND-2 LEAD-1 FOL-2", seeds=30)
def test_three_nodes_elect_one_leader_and_keep_it(world: World) -> None:
    world.cluster(3, **PAPER)
    leader = elected(world)
    world.run("200ms")
    term = world.same_term()
    assert term >= 1
    world.run("5s")
    world.expect("one leader")
    world.expect("leader", leader, why=f"node {leader} leads on: nothing has happened to it")
    world.expect("term", "==", term)


def lead(world: World, node: int) -> None:
    """It campaigns until it leads: another's campaign may meet its own."""
    for _ in range(10):
        if world.leader() == node:
            break
        world.tell("timeout", node)
        world.run("200ms")
    world.expect("leader", node, why=f"node {node} campaigns, and all others may vote for it")


@lab(1, step=6, points=1, rules="CAND-2", seeds=3)
def test_clusters_of_every_size_elect_and_half_of_one_does_not(world: World) -> None:
    for nodes in range(1, 8):
        world.cluster(nodes, **PAPER)
        elected(world)
        world.run("200ms")
        world.expect("one leader")
        world.same_term()
        for node in world.nodes:  # each in its turn
            lead(world, node)
            world.expect("one leader")
            world.same_term()
    for nodes in (2, 4, 6):
        world.cluster(nodes, **PAPER)
        half = nodes // 2
        world.tell("partition", *range(1, half + 1), "|", *range(half + 1, nodes + 1))
        world.no_leader("3s")
        world.tell("heal")
        elected(world, "10s")


@lab(1, step=6, points=1, rules="FOL-2 ALL-2 CAND-2", seeds=20)
def test_a_leader_that_is_cut_off_is_replaced_and_follows_when_it_returns(world: World) -> None:
    world.cluster(3, **PAPER)
    first = elected(world)
    world.disconnect(first)
    second = world.check_one_leader()
    world.reconnect(first)
    world.run("500ms")
    follows(world, first, second)
    for _ in range(3):
        second = world.check_one_leader()
        third = next(n for n in world.nodes if n not in (first, second))
        world.disconnect(second)
        world.disconnect(third)
        world.no_leader("2s")
        world.reconnect(third)
        world.check_one_leader()
        world.reconnect(second)
        world.run("500ms")
        elected(world)
        world.same_term()
    world.reset_counters()
    for node in world.nodes:
        world.tell("isolate", node)
    world.run("2s")
    world.budget(elections_won=0, of="three nodes of which none hears another")
    world.tell("heal")
    world.run("1s")
    elected(world)
    world.same_term()


@lab(1, step=7, points=1, rules="CAND-2 CAND-4 STATE-1 STATE-2", seeds=10)
def test_seven_nodes_elect_whichever_three_are_gone(world: World) -> None:
    world.cluster(7, **PAPER)
    elected(world)
    choice = random.Random(world.seed)
    for turn in range(10):
        gone = choice.sample(world.nodes, 3)
        for node in gone:
            world.disconnect(node) if turn % 2 else world.crash(node)
        world.check_one_leader("5s")
        for node in gone:
            world.reconnect(node) if turn % 2 else world.restart(node)
        world.check_one_leader("5s")
    world.run("1s")
    world.expect("one leader")
    world.same_term()


@lab(1, step=7, points=1, rules="CAND-2 RV-2a STATE-1", seeds=20)
def test_messages_late_lost_or_twice_only_delay_an_election(world: World) -> None:
    world.cluster(5, **PAPER, delay="1ms..60ms")
    world.tell("duplicate", 50)
    elected(world, "10s")
    world.tell("loss", 20)
    for _ in range(4):
        leader = elected(world, "20s")
        world.disconnect(leader)
        world.check_one_leader("20s")
        world.reconnect(leader)
    world.tell("delay", "1ms..400ms")  # answers come when another campaign is under way
    world.run("10s")
    world.tell("loss", 0)
    world.tell("duplicate", 0)
    world.tell("delay", "1ms..5ms")
    world.run("2s")
    elected(world)
    world.expect("one leader")
    world.same_term()


def cut(world: World, *, deaf: int = 0, mute: int = 0) -> None:
    """One hears nobody any more, or is heard by nobody."""
    for other in world.nodes:
        if deaf not in (0, other):
            world.tell("cut", other, ">", deaf)
        if mute not in (0, other):
            world.tell("cut", mute, ">", other)


@lab(1, step=7, points=1, rules="FOL-2 ALL-2 RV-1", seeds=20)
def test_a_node_that_only_hears_or_is_only_heard_does_no_lasting_harm(world: World) -> None:
    world.cluster(5, **PAPER)
    leader = elected(world)
    world.run("200ms")
    term = world.same_term()
    cut(world, deaf=leader)  # its heartbeats arrive
    world.run("2s")
    world.expect("leader", leader)
    world.expect("term", "==", term)
    world.tell("heal")
    cut(world, mute=leader)  # they do not; but it hears who comes after it
    world.run("3s")
    world.expect("role", leader, "follower")
    world.check_one_leader()
    world.tell("heal")
    lonely = next(n for n in world.nodes if n != world.leader())
    term = world.same_term()
    cut(world, deaf=lonely, mute=lonely)
    world.run("3s")
    world.expect("term", lonely, ">", term, why=f"node {lonely}, alone, asks in ever newer terms")
    world.tell("heal")
    world.run("3s")
    elected(world)
    world.expect("one leader")
    world.same_term()


@lab(1, step=8, points=1, rules="FOL-2 CAND-1c LEAD-1")
def test_elections_cost_few_campaigns_and_messages(world: World) -> None:
    campaigns = 0
    for seed in range(world.seed, world.seed + 40):
        world.cluster(5, **PAPER, seed=seed, heartbeat="50ms")
        elected(world, "3s")
        world.budget(elections=6, messages=60, of="a first election of five")
        campaigns += world.counters()["elections"]
        world.run("200ms")
        world.reset_counters()
        world.run("2s")
        # Twice as much as a round of 4 heartbeats and 4 answers every 50 ms.
        world.budget(elections=0, messages=2 * 41 * 8, of="two quiet seconds of five nodes")
    if campaigns > 60:
        world.fail(
            "at most 60 campaigns for 40 elections", f"{campaigns}", kind=lab_failure.BUDGET
        )


@lab(1, step=8, points=1, rules="FOL-2 CAND-2 ALL-2", seeds=20)
def test_with_pre_votes_who_comes_back_disturbs_nobody(world: World) -> None:
    world.cluster(5)
    leader = elected(world)
    world.run("200ms")
    term = world.same_term()
    away = next(n for n in world.nodes if n != leader)
    world.disconnect(away)
    world.run("2s")
    world.reconnect(away)
    world.run("1s")
    follows(world, away, leader)
    world.expect("term", "==", term)
    world.disconnect(leader)
    world.run("1s")
    if world.status(leader)["role"] == "leader":
        world.fail(
            "a leader that hears no majority steps down",
            f"node {leader} leads on",
            line=f"expect role {leader} follower",
        )
    second = world.check_one_leader()
    world.reconnect(leader)
    world.run("1s")
    follows(world, leader, second)
    for node in world.nodes:
        world.tell("isolate", node)
    world.run("1s")
    world.tell("heal")
    elected(world)
