"""Lab 6, step 7: what a change may cost. Each message takes 10 ms, a round trip 20."""

from raftlab.labs import World, lab

DELAY = "10ms..10ms"


def start(world: World, nodes: int, *learners: int) -> int:
    """A cluster at rest that has these learners; its leader."""
    world.cluster(nodes, spare=max(len(learners), 1), delay=DELAY)
    world.check_one_leader()
    world.agree("first", nodes)
    for node in learners:
        world.tell("add", node, "learner")
        world.run("200ms")
        world.expect("member", node, "learner")
    world.run("200ms")
    world.reset_counters()
    return world.leader()


def end_of_log(world: World, leader: int) -> int:
    return world.status(leader)["last_index"]


@lab(6, step=7, points=1, rules="changes-of-members", seeds=10)
def test_one_voter_more_or_less_costs_one_entry_and_one_round_trip(world: World) -> None:
    leader = start(world, 5, 6)
    index = world.tell("change", "voter", 6)["index"]
    world.until(f"committed {index}", within="25ms")
    world.run("200ms")
    gone = next(node for node in world.nodes if node != leader)
    index = world.tell("remove", gone)["index"]
    world.until(f"committed {index}", within="25ms")
    world.run("200ms")
    world.budget(entries_appended=2, elections=0, of="two changes of one voter each")
    # Five others, each entry and each new commit index once, heartbeats, and an answer to all.
    world.budget(messages=150, of="two changes of one voter each, in 450 ms")


@lab(6, step=7, points=1, rules="changes-of-members", seeds=10)
def test_a_joint_change_costs_two_entries_and_two_round_trips(world: World) -> None:
    leader = start(world, 3, 4, 5)
    first, second = [node for node in world.nodes if node != leader]
    index = world.tell("change", "voter", 4, 5, "remove", first, second)["index"]
    world.until(f"committed {index + 1}", within="50ms")
    world.run("500ms")
    world.expect("last_index", leader, "==", index + 1, why="a joint configuration is left once")
    world.budget(entries_appended=2, elections=0, of="two voters for two others")


@lab(6, step=7, points=1, rules="learners changes-of-members", seeds=10)
def test_who_joins_costs_two_entries_and_is_a_voter_soon(world: World) -> None:
    leader = start(world, 3)
    world.tell("add", 4)
    world.wait(lambda: world.holds("member", 4, "voter"), "node 4 is a voter", within="250ms",
               line=lambda: "expect member 4 voter")  # fmt: skip
    world.until(f"committed {end_of_log(world, leader)}", within="25ms")
    world.run("500ms")
    world.budget(entries_appended=2, elections=0, of="a learner, and a voter of it")
