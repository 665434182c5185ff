"""Lab 2, steps 8 and 9: what agreement may cost, in round trips, messages and bytes.

Each message takes 10 ms, so a round trip takes 20."""

from raftlab.labs import World, lab

DELAY = "10ms..10ms"
HEARTBEAT_MS = 50


def start(world: World, nodes: int = 3, **settings: object) -> int:
    """A cluster whose leader has committed something, and its number."""
    world.cluster(nodes, delay=DELAY, **settings)
    world.check_one_leader()
    world.agree("first")
    return world.leader()


def give(world: World, node: int, count: int, size: int = 1) -> int:
    """A node that leads takes so many commands at once; the index of the last one."""
    index = 0
    for number in range(count):
        index = world.take(node, "set", "k", f"{number}".rjust(size, "x"))["index"]
    return index


# ---- step 8: backing up ----------------------------------------------------------


def apart(world: World) -> tuple[int, int]:
    """A node with forty entries that nobody else has, and one that has forty others in
    their place and is about to lead the two of them."""
    old = start(world)
    world.disconnect(old)
    give(world, old, 40)
    second = world.check_one_leader()
    index = give(world, second, 40)
    world.until(f"committed {index}")
    world.run(f"{2 * HEARTBEAT_MS}ms")
    world.disconnect(second)
    third = next(node for node in world.nodes if node not in (old, second))
    return old, third


@lab(2, step=8, points=1, rules="LEAD-3b", seeds=5)
def test_a_log_that_went_another_way_is_repaired_in_a_few_round_trips(world: World) -> None:
    old, third = apart(world)
    world.reconnect(old)
    world.until(f"leader {third}")
    world.until(f"committed {world.status(third)['last_index']}", within="350ms")
    world.run("200ms")
    world.expect("last_index", old, "==", world.status(third)["last_index"])


@lab(2, step=8, points=1, rules="LEAD-3b", seeds=5)
def test_a_log_that_is_a_hundred_entries_short_is_found_in_a_few_messages(world: World) -> None:
    leader = start(world)
    away = next(node for node in world.nodes if node != leader)
    world.disconnect(away)
    world.until(f"committed {give(world, leader, 100)}")
    world.run(f"{2 * HEARTBEAT_MS}ms")
    world.disconnect(leader)
    world.reconnect(away)
    leader = world.check_one_leader()
    world.reset_counters()
    world.until(f"committed {world.status(leader)['last_index']}", within="600ms")
    world.budget(messages_append=150, of="100 entries for one follower, be it one a message")


# ---- step 9: budgets -------------------------------------------------------------


@lab(2, step=9, points=1, rules="LEAD-3 LEAD-1", seeds=5)
def test_ten_commands_cost_one_message_with_entries_for_each_follower(world: World) -> None:
    leader = start(world)
    world.reset_counters()
    for _ in range(10):
        world.until(f"committed {give(world, leader, 1)}")
    world.budget(messages_append=30, messages=120, elections=0, of="ten commands, one by one")
    world.reset_counters()
    world.run("1s")
    world.budget(messages=120, messages_append=2, elections=0, of="a second without commands")


@lab(2, step=9, points=1, rules="LEAD-3", seeds=5)
def test_each_command_is_sent_to_each_follower_once(world: World) -> None:
    leader = start(world)
    world.reset_counters()
    for _ in range(10):
        world.until(f"committed {give(world, leader, 1, size=5000)}")
    world.run("200ms")
    world.budget(message_bytes=130000, entries_sent=24, of="10 x 5,000 bytes for two followers")


@lab(2, step=9, points=1, rules="LEAD-2 LEAD-3 LEAD-4", seeds=5)
def test_a_command_is_committed_after_one_round_trip(world: World) -> None:
    leader = start(world, nodes=5)
    for _ in range(20):
        world.until(f"committed {give(world, leader, 1)}", within="21ms")
        world.run("7ms")
    world.run("100ms")
    world.expect("same", why="two heartbeats later all nodes have applied all of it")


@lab(2, step=9, points=1, rules="LEAD-3", seeds=5)
def test_a_hundred_commands_at_once_take_few_round_trips(world: World) -> None:
    leader = start(world)
    world.until(f"committed {give(world, leader, 100)}", within="400ms")
    world.run("100ms")
    world.expect("same", why="two heartbeats later all nodes have applied all of it")


@lab(2, step=9, points=1, rules="LEAD-3 LEAD-1", seeds=5)
def test_a_dead_follower_costs_no_more_than_heartbeats(world: World) -> None:
    leader = start(world)
    dead = next(node for node in world.nodes if node != leader)
    world.crash(dead)
    world.reset_counters()
    for _ in range(100):
        index = give(world, leader, 5)
        world.run("10ms")
    world.until(f"committed {index}")
    # 500 to the living one; to the dead one a window of 8, and one at each of 20 heartbeats.
    world.budget(messages_append=700, elections=0, of="500 commands in a second, one of three dead")
    world.restart(dead)
    world.agree("together", 3, within="2s")


@lab(2, step=9, points=1, rules="LEAD-2", seeds=5)
def test_a_leader_without_followers_takes_only_so_much(world: World) -> None:
    leader = start(world, check_quorum="off", uncommitted_bytes=10000)
    for node in world.nodes:
        if node != leader:
            world.disconnect(node)
    before = world.status(leader)["last_index"]
    taken = sum(
        world.propose("set", "k", "x" * 1000, at=leader) is not None for _ in range(30)
    )
    if not 5 <= taken <= 10:
        claim = f">= {before + 5}" if taken < 5 else f"<= {before + 10}"
        world.fail("5 to 10 commands of 1,000 bytes fit into 10,000", f"it took {taken}",
                   line=f"expect last_index {leader} {claim}")  # fmt: skip
    world.expect("last_index", leader, "<=", before + 10)
    world.expect("uncommitted_bytes", leader, "<=", 10000)
    for node in list(world.cut_off):
        world.reconnect(node)
    world.agree("after", 3)
