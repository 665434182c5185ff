"""Lab 4, step 8: what a snapshot may cost, and when it must cost nothing."""

from raftlab.labs import World, lab

CHUNK = 200
HEADER = 64  # of each message, in the model of docs/simulator.md


def start(world: World, **settings: object) -> tuple[int, int]:
    """A leader, and a follower that is disconnected."""
    world.cluster(3, delay="10ms..10ms", snapshot_entries=20, snapshot_tail=5,
                  snapshot_chunk=CHUNK, **settings)  # fmt: skip
    leader = world.check_one_leader()
    world.agree("first")
    away = next(node for node in world.nodes if node != leader)
    world.disconnect(away)
    return leader, away


def write(world: World, count: int) -> None:
    """So many commands, one by one."""
    for number in range(count):
        ticket = world.take(world.leader(), "set", f"k{number}", "x" * 30)
        world.until(f"committed {ticket['index']}")
    world.run("200ms")


def newest_bytes(world: World, node: int) -> int:
    files = world.tell("disk", node, "files")["files"]
    return files[max(name for name in files if name.endswith(".snapshot"))]


def cross_once(world: World, missed: int) -> None:
    leader, away = start(world)
    write(world, missed)
    bytes_ = newest_bytes(world, leader)
    chunks = -(-bytes_ // CHUNK)
    world.reset_counters()
    world.reconnect(away)
    world.until(f"applied {world.status(leader)['commit_index']}")
    world.run("300ms")
    world.expect("snapshots_received", away, "==", 1)
    world.budget(
        messages_snapshot=chunks + 1,
        messages_snapshot_reply=chunks + 1,
        message_bytes_snapshot=bytes_ + CHUNK + (chunks + 1) * HEADER,
        of=f"a snapshot of {bytes_} bytes in {chunks} chunks, and one that was on its way",
    )


@lab(4, step=8, points=1, rules="IS-3 IS-4", seeds=4)
def test_a_snapshot_crosses_the_network_once(world: World) -> None:
    for missed in (39, 60, 79):  # more and more snapshots are taken meanwhile
        cross_once(world, missed)


@lab(4, step=8, points=1, rules="IS-4", seeds=4)
def test_each_chunk_takes_one_round_trip(world: World) -> None:
    leader, away = start(world)
    write(world, 60)
    chunks = -(-newest_bytes(world, leader) // CHUNK)
    world.reconnect(away)
    within = f"{chunks * 20 + 800}ms"
    world.wait(lambda: world.status(away)["snapshot_index"] > 0, f"{chunks} chunks are there",
               within, line=lambda: f"expect snapshot_index {away} > 0")  # fmt: skip


@lab(4, step=8, points=1, rules="IS-5 LEAD-3", seeds=4)
def test_who_was_away_for_a_moment_needs_no_snapshot(world: World) -> None:
    leader, away = start(world)
    world.reconnect(away)
    write(world, 30)
    for _ in range(40):
        if world.status(leader)["last_index"] - world.status(leader)["snapshot_index"] == 17:
            break
        write(world, 1)
    world.expect("first_index", leader, ">", 1)
    has = world.status(away)["last_index"]
    world.disconnect(away)
    write(world, 5)
    world.expect("snapshot_index", leader, ">", has, why="a snapshot was taken meanwhile")
    world.reset_counters()
    world.reconnect(away)
    world.agree("back", 3)
    world.budget(messages_snapshot=0, of="a follower that lacks what the log still holds")


@lab(4, step=8, points=1, rules="IS-4", seeds=4)
def test_who_does_not_answer_is_sent_next_to_nothing(world: World) -> None:
    start(world)
    write(world, 60)
    world.reset_counters()
    world.run("5s")
    world.budget(messages_snapshot=5, message_bytes_snapshot=5 * (CHUNK + HEADER), elections=0,
                 of="five seconds in which the follower is away")  # fmt: skip
