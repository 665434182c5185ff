"""Lab 3, step 8: disks that are slow, full, torn and damaged, under all else that fails.

Of what was not synced a crash leaves nothing, a beginning of any length, any of its
sectors, or all of it; half of the crashes come between a write and the end of its sync."""

import random

from raftlab.labs import World, campaign, lab

LOSSES = ("all", "tail", "sectors", "nothing")


@lab(3, step=8, points=1, rules="STATE-0 STATE-3")
def test_nodes_may_crash_at_any_time_with_any_loss(world: World) -> None:
    campaign(3, "--faults crash,inside,disk --duration 10s", 50)


@lab(3, step=8, points=1, rules="STATE-0 STATE-3")
def test_disks_may_be_damaged_while_their_nodes_are_down(world: World) -> None:
    campaign(3, "--faults crash,inside,disk,damage,delay --duration 10s", 40)


@lab(3, step=8, points=1, rules="STATE-0 STATE-1 STATE-2 STATE-3")
def test_networks_and_disks_may_fail_together(world: World) -> None:
    campaign(3, "--faults partition,loss,duplicate,delay,reorder,pause,crash,inside,disk "
                "--duration 10s", 50)  # fmt: skip


@lab(3, step=8, points=1, rules="STATE-0 STATE-3 LEAD-4", seeds=15)
def test_an_unreliable_network_and_short_lived_leaders_leave_one_history(world: World) -> None:
    world.cluster(5, sync="1ms..8ms", delay="1ms..15ms")
    draw = random.Random(world.seed)
    world.tell("loss", 10)
    world.tell("duplicate", 10)
    for turn in range(1000 if world.seed % 15 == 1 else 80):
        if turn == 30:
            world.tell("reorder", 60)
        for node in world.nodes:
            world.propose("append", "x", f"{turn}.{node} ", at=node)
        world.run(f"{draw.choice((3, 9, 14, 400 if turn % 8 == 0 else 20))}ms")
        leader = world.leader()
        if leader and draw.random() < 0.5:
            world.tell("crash", leader, "at", "write", "lose", draw.choice(LOSSES))
        for status in world.statuses():
            if status["state"] == "down" and draw.random() < 0.4:
                world.restart(status["node"])
    world.tell("settle")
    world.agree("end", 5)
    world.until("quiet")
    world.expect("same")
