"""Lab 3, steps 4 and 6: clusters that lose power, on disks that forget what was not synced.

A crash here takes all that was not synced; what it may leave of it is the matter of
steps 7 and 8. The checkers look on after every event: no vote and no acknowledgement
leaves before its write, and what was reported durable is there after each crash."""

from raftlab.labs import World, lab


def crash(world: World, *nodes: int) -> None:
    for node in nodes:
        world.crash(node)


def restart(world: World, *nodes: int) -> None:
    for node in nodes:
        world.restart(node)


def settled(world: World) -> None:
    world.until("quiet")
    world.expect("same")


# ---- step 6 ----------------------------------------------------------------------


@lab(3, step=6, points=1, rules="STATE-0 STATE-1 STATE-2 STATE-3", seeds=20)
def test_what_was_agreed_on_survives_power_failures_of_all_and_of_each(world: World) -> None:
    world.cluster(3)
    world.check_one_leader()
    first = world.agree("a")
    crash(world, *world.nodes)
    restart(world, *world.nodes)
    world.agree("b")
    for _ in range(2):  # each leader in its turn
        leader = world.check_one_leader()
        crash(world, leader)
        world.agree("while it is down", 2)
        restart(world, leader)
        world.agree("when it is back", 3)
    follower = next(node for node in world.nodes if node != world.check_one_leader())
    crash(world, follower)
    world.agree("with two", 2)
    restart(world, follower)
    world.agree("with three", 3)
    crash(world, *world.nodes)
    restart(world, *world.nodes)
    settled(world)
    for node in world.nodes:
        world.expect("committed", "k1", "a", "at", node)
        world.expect("last_index", node, ">=", first + 6)


@lab(3, step=6, points=1, rules="STATE-0 STATE-1 STATE-2 STATE-3", seeds=20)
def test_any_three_of_five_go_on_with_what_is_on_their_disks(world: World) -> None:
    world.cluster(5)
    world.check_one_leader()
    for turn in range(5):
        world.agree(f"all {turn}", 5)
        leader = world.check_one_leader()
        nodes = [(leader + i) % 5 + 1 for i in range(5)]
        crash(world, *nodes[:2])
        world.agree(f"three {turn}", 3)
        crash(world, *nodes[2:])
        restart(world, *nodes[:2])
        world.run("1s")
        restart(world, nodes[2])
        world.agree(f"others {turn}", 3)
        restart(world, *nodes[3:])
    world.agree("end", 5)
    settled(world)


@lab(3, step=6, points=1, rules="STATE-0 STATE-3", seeds=20)
def test_a_leader_and_one_who_was_cut_off_go_on_after_both_others_have_failed(
    world: World,
) -> None:
    world.cluster(3)
    leader = world.check_one_leader()
    world.agree("before", 3)
    away, other = (node for node in world.nodes if node != leader)
    world.disconnect(away)
    for number in range(10):
        world.agree(number, 2)
    crash(world, leader, other)
    world.reconnect(away)
    restart(world, leader)
    for number in range(10):
        world.agree(number, 2)
    restart(world, other)
    world.agree("after", 3)
    settled(world)
    world.expect("committed", "k11", 9)


@lab(3, step=6, points=1, rules="STATE-0 STATE-3", seeds=6)
def test_a_crash_behind_any_write_or_message_takes_nothing_that_was_promised(
    world: World,
) -> None:
    for place in range(1, 13):
        world.cluster(3, sync="2ms..2ms")
        leader = world.check_one_leader()
        world.agree("a")
        victim = world.nodes[place % 3]
        world.tell("crash", victim, "inside", place, "lose", "all")
        for number in range(8):
            world.propose("set", f"x{number}", number, at=leader)
            world.run("3ms")
        world.run("300ms")
        if world.status(victim)["state"] != "down":
            crash(world, victim)
        world.agree("without it", 2)
        restart(world, victim)
        world.agree("with it", 3)
        settled(world)


@lab(3, step=6, points=1, rules="STATE-0 STATE-3 LEAD-4", seeds=20)
def test_leaders_that_die_young_leave_one_history(world: World) -> None:
    world.cluster(5)
    world.check_one_leader()
    for turn in range(1000 if world.seed % 20 == 1 else 60):
        for node in world.nodes:
            world.propose("set", "x", f"{turn}-{node}", at=node)
        world.run("300ms" if turn % 10 == 0 else f"{turn % 7 + 1}ms")
        if leader := world.leader():
            crash(world, leader)
        down = [s["node"] for s in world.statuses() if s["state"] == "down"]
        if len(down) > 2:
            restart(world, down[turn % len(down)])
    restart(world, *(s["node"] for s in world.statuses() if s["state"] == "down"))
    world.agree("end", 5)
    settled(world)


@lab(3, step=6, points=1, rules="STATE-0", seeds=20)
def test_a_disk_is_asked_for_few_syncs(world: World) -> None:
    world.cluster(3, delay="1ms..1ms", sync="10ms..10ms")
    leader = world.check_one_leader()
    world.agree("a")
    world.run("200ms")
    world.reset_counters()
    world.run("2s")
    world.budget(syncs=0, entries_written=0, of="two seconds without commands")
    for number in range(200):
        world.propose("set", "x", number, at=leader)
        world.run("500us")
    world.until("quiet")
    # 100 ms of commands, and each sync takes 10: about twelve for each node.
    world.budget(syncs=60, entries_written=600, of="200 commands on three slow disks")
