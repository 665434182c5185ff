"""Lab 2, step 7: Figure 8, message for message."""

from raftlab import by_hand
from raftlab.labs import World, lab


def up_to_c(world: World) -> None:
    """Node 1 leads for the second time: its entry 2, of term 1, lies on nodes 1, 2 and 3."""
    world.cluster(5, "manual", message_entries=1)
    by_hand.elect(world, 1, [2, 3, 4, 5])
    by_hand.wait_for(world, "all have the no-op of term 1", world.nodes, "applied_index 5 >= 1", 1)
    by_hand.lose_all(world)
    # (a) Entry 2 comes to node 2 alone.
    world.propose("set", "x", "old", at=1)
    by_hand.wait_for(world, "node 2 has entry 2", [1, 2], "last_index 2 >= 2", 1)
    by_hand.lose_all(world)
    world.crash(1)
    # (b) Node 5 leads in term 2, and its entry 2 comes to nobody.
    by_hand.elect(world, 5, [3, 4])
    by_hand.lose_all(world)
    world.expect("entry", 5, 2, 2)
    world.crash(5)
    # (c) Node 1 leads again, in term 3, and brings entry 2 to node 3.
    world.restart(1)
    by_hand.elect(world, 1, [2, 3])
    by_hand.wait_for(world, "node 3 has entry 2", [1, 3], "last_index 3 >= 2", 1)
    world.expect("entry", 3, 2, 1)


@lab(2, step=7, points=1, rules="LEAD-4")
def test_figure_8_an_older_entry_on_a_majority_is_not_committed(world: World) -> None:
    up_to_c(world)
    while world.tell("flight", 3, 1)["messages"]:
        world.tell("deliver", 3, 1)  # node 1 hears of it
    world.expect("commit_index", 1, "<=", 1,
                 why="entry 2 is of term 1, and counting commits entries of term 3 alone",
                 rule="LEAD-4")  # fmt: skip
    by_hand.lose_all(world)
    world.crash(1)
    # (d) Node 5 wins term 4 by nodes 3 and 4, and replaces entry 2.
    world.restart(5)
    by_hand.elect(world, 5, [3, 4])
    by_hand.wait_for(world, "node 5 commits its own entries", [3, 4, 5], "commit_index 5 >= 3", 5)
    world.expect("entry", 3, 2, 2)
    world.restart(1)
    world.tell("auto")
    world.until("quiet")
    world.expect("absent", "x")
    world.expect("same")


@lab(2, step=7, points=1, rules="LEAD-4 LEAD-2")
def test_figure_8_an_entry_of_the_own_term_commits_what_is_before_it(world: World) -> None:
    up_to_c(world)
    # (e) Its own entry comes to a majority, and entry 2 is committed with it.
    by_hand.wait_for(world, "node 1 commits its own entry", [1, 2, 3], "commit_index 1 >= 3", 1)
    world.expect("committed", "x", "old", "at", 1)
    by_hand.lose_all(world)
    world.crash(1)
    # Whoever wins now has it: nodes 2 and 3 refuse node 5, whose log is older.
    world.restart(5)
    world.tell("auto")
    world.until("quiet")
    world.expect("committed", "x", "old")
    world.restart(1)
    world.until("quiet")
    world.expect("committed", "x", "old", "at", 1)
    world.expect("same")
