"""Lab 4, steps 6 and 7: logs stay short, and who was away comes back by a snapshot."""

from raftlab.lab_world import microseconds
from raftlab.labs import World, campaign, lab

SNAPSHOTS = {"snapshot_entries": 20, "snapshot_tail": 5, "snapshot_chunk": 500}
SMALL_CHUNKS = SNAPSHOTS | {"snapshot_chunk": 50}
# Between two snapshots 20 entries are applied; 5 stay behind one; the rest are those that
# came while it was written.
LOG_ENTRIES_MAX = 40


def give(world: World, count: int, nodes: int) -> None:
    """So many commands, one by one, each taken by a leader; the last is applied by so
    many nodes."""
    for number in range(count - 1):
        world.wait(lambda n=number: world.propose("set", f"g{n % 7}", n), "a leader takes it",
                   line=lambda: "expect leader")  # fmt: skip
        world.run("4ms")
    world.agree("end", nodes)


def too_long(world: World) -> dict:
    """The status of a node whose log is too long, or nothing."""
    for status in world.reachable():
        if status["last_index"] + 1 - status["first_index"] > LOG_ENTRIES_MAX:
            return status
    return {}


def check_short(world: World, within: str = "0s") -> None:
    """Now; or by then, where losses keep commits back and let them come all at once."""
    until_us = world.now_us + microseconds(within)
    while (found := too_long(world)) and world.now_us < until_us:
        world.run("5ms")
    if found:
        node, first = found["node"], found["first_index"]
        world.fail(
            f"a log holds at most {LOG_ENTRIES_MAX} entries",
            f"node {node} holds {found['last_index'] + 1 - first}, from {first} on",
            rule="IS-5",
            line=f"expect first_index {node} > {first}",
        )


def one_in_three(world: World) -> bool:
    """Of three seeds that follow each other, one: it goes on for longer."""
    return world.seed % 3 == 1


def take_alone(world: World, leader: int) -> None:
    """A leader that is cut off takes more than the others will: its log is the longer one."""
    for number in range(60):
        world.propose("set", f"lost{number % 7}", number, at=leader)


def rounds(world: World, away: str, count: int = 5, *, chunks: int = 1) -> None:
    """One node after the other is away while the others take more than a snapshot, which
    is sent in so many chunks at least."""
    count = 30 if one_in_three(world) else count
    world.check_one_leader()
    world.agree("first")
    for turn in range(count):
        leader = world.check_one_leader()
        followers = [node for node in world.nodes if node != leader]
        victim = leader if turn % 3 == 1 else followers[turn % len(followers)]
        if away == "disconnect":
            world.disconnect(victim)
            if victim == leader:
                take_alone(world, victim)
        else:
            world.crash(victim)
        world.check_one_leader()
        give(world, 30, len(world.nodes) - 1)
        check_short(world, "1s")
        if away == "disconnect":
            world.reconnect(victim)
        else:
            world.restart(victim)
        world.agree("back", len(world.nodes))
        if world.status(victim)["snapshot_index"] == 0:
            world.fail(f"node {victim} came back by a snapshot", world.situation(), rule="IS-7",
                       line=f"expect snapshot_index {victim} > 0")  # fmt: skip
    if chunks > 1:
        world.expect("messages_snapshot", ">=", chunks * count, why=f"each has {chunks} chunks")
    world.run("500ms")
    world.expect("same")


def copies_come_late(world: World) -> None:
    """Of a snapshot in one chunk, to who has long gone on, and has taken others since."""
    world.cluster(3, snapshot_entries=10, snapshot_tail=2, snapshot_chunk=5000)
    for _ in range(10):
        leader = world.check_one_leader()
        away = next(node for node in world.nodes if node != leader)
        world.disconnect(away)
        give(world, 20, 2)
        world.tell("link", leader, ">", away, "duplicate=100", "slow=50", "mean=300ms")
        world.reconnect(away)
        give(world, 20, 3)
        world.run("500ms")
        world.tell("link", "off")
    world.agree("late", 3)
    world.run("500ms")
    world.expect("same")


# ---- step 6 ----------------------------------------------------------------------


@lab(4, step=6, points=1, rules="IS-5", seeds=3)
def test_logs_stay_short_however_much_is_written(world: World) -> None:
    world.cluster(3, **SNAPSHOTS)
    world.check_one_leader()
    for _ in range(30 if one_in_three(world) else 5):
        give(world, 30, 3)
        check_short(world)
    world.run("500ms")
    for node in world.nodes:
        world.expect("snapshots_taken", node, ">=", 5)
        world.expect("snapshots_received", node, "==", 0, why="nobody was away")
    world.expect("same")


@lab(4, step=6, points=1, rules="IS-4 IS-5 IS-7 IS-8", seeds=3)
def test_who_was_disconnected_catches_up_by_a_snapshot(world: World) -> None:
    world.cluster(3, **SNAPSHOTS)
    rounds(world, "disconnect")


@lab(4, step=6, points=1, rules="IS-4 IS-5 IS-7 IS-8", seeds=3)
def test_who_had_crashed_catches_up_by_a_snapshot(world: World) -> None:
    world.cluster(3, **SNAPSHOTS)
    rounds(world, "crash")


@lab(4, step=6, points=1, rules="IS-2 IS-3 IS-4 IS-6", seeds=3)
def test_chunks_may_be_lost_late_and_doubled(world: World) -> None:
    world.cluster(3, **SMALL_CHUNKS, delay="1ms..8ms")
    world.tell("loss", "10")
    world.tell("duplicate", "10")
    world.tell("reorder", "10")
    rounds(world, "disconnect", 3, chunks=5)
    copies_come_late(world)


@lab(4, step=6, points=1, rules="IS-4 IS-7", seeds=3)
def test_chunks_may_be_lost_by_nodes_that_crash_too(world: World) -> None:
    world.cluster(3, **SMALL_CHUNKS, delay="1ms..8ms")
    world.tell("loss", "10")
    world.tell("duplicate", "10")
    rounds(world, "crash", 3, chunks=5)


@lab(4, step=6, points=1, rules="IS-5 STATE-1 ALL-1", seeds=3)
def test_all_crash_and_begin_again_with_snapshots_and_logs(world: World) -> None:
    world.cluster(3, **SNAPSHOTS)
    world.check_one_leader()
    world.tell("loss", 10)
    last = world.agree("kept", key="first")
    for turn in range(6):
        if turn < 4:
            give(world, 25, 3)
            world.run("200ms")  # the snapshot is written
        for node in world.nodes:
            world.crash(node, lose="tail" if turn % 2 else "all")
        for node in world.nodes:
            world.restart(node)
            world.expect("snapshot_index", node, ">", 0, why="it begins behind a snapshot")
        world.check_one_leader()
        before, last = last, world.agree("again", 3)
        if last <= before:
            world.fail(f"a command stands behind {before}, where one stood before the crash",
                       f"it stands at {last}", rule="STATE-3",
                       line=f"expect last_index {world.leader()} > {before}")  # fmt: skip
        world.expect("committed", "first", "kept")
    check_short(world, "1s")
    world.tell("loss", 0)
    world.run("500ms")
    world.expect("same")


@lab(4, step=6, points=1, rules="IS-4 IS-7", seeds=5)
def test_a_next_leader_goes_on_with_the_snapshot(world: World) -> None:
    world.cluster(3, snapshot_entries=20, snapshot_tail=5, snapshot_chunk=20, delay="20ms..20ms")
    leader = world.check_one_leader()
    away, other = (node for node in world.nodes if node != leader)
    world.disconnect(away)
    give(world, 41, 2)
    world.run("500ms")
    world.reconnect(away)
    world.run("150ms")  # some chunks have come
    world.disconnect(leader)
    world.check_one_leader()
    world.agree("next", 2)
    world.expect("role", other, "leader", why="who has all that is committed leads")
    world.expect("snapshots_received", away, ">=", 1)
    world.reconnect(leader)
    world.agree("together", 3)
    world.run("500ms")
    world.expect("same")


# ---- step 7 ----------------------------------------------------------------------


@lab(4, step=7, points=1, rules="IS-5 IS-7", seeds=12)
def test_a_crash_at_any_write_of_an_installation_loses_nothing(world: World) -> None:
    world.cluster(3, snapshot_entries=20, snapshot_tail=5, snapshot_chunk=200, delay="2ms..2ms")
    leader = world.check_one_leader()
    away = next(node for node in world.nodes if node != leader)
    world.agree("mine")
    world.disconnect(away)
    give(world, 45, 2)
    world.run("200ms")
    world.reconnect(away)
    # Among the chunks, at the sync, at the name, at the log that begins anew...
    world.tell("crash", away, "inside", 1 + world.seed % 12, "lose", "sectors")
    world.wait(lambda: world.status(away)["state"] != "up", "it crashes, among these or later",
               line=lambda: f"expect down {away}")  # fmt: skip
    world.restart(away)
    world.agree("together", 3)
    world.run("500ms")
    world.expect("snapshot_index", away, ">", 0)
    world.expect("same")


@lab(4, step=7, points=1, rules="IS-4 IS-5", seeds=3)
def test_a_damaged_snapshot_is_not_the_end_of_a_node(world: World) -> None:
    world.cluster(3, **SNAPSHOTS | {"snapshot_tail": 30})
    world.check_one_leader()
    give(world, 45, 3)
    world.run("200ms")
    victim = next(node for node in world.nodes if node != world.leader())
    newest = world.status(victim)["snapshot_index"]
    world.tell("disk", victim, "damage", f"{newest:020}.snapshot", 100, "bearable")
    world.restart(victim)
    world.expect("snapshot_index", victim, "<", newest, why="the one before does as well")
    give(world, 45, 3)
    world.expect("same")


LOAD = "--clients 3 --keys 8 --duration 4s"


@lab(4, step=7, points=1, rules="IS-2 IS-3 IS-4 IS-6")
def test_snapshots_survive_networks_of_every_kind(world: World) -> None:
    campaign(4, f"--faults snapshot,loss,duplicate,delay,reorder,partition,oneway {LOAD}", 60)


@lab(4, step=7, points=1, rules="IS-5 IS-6 IS-7 STATE-1")
def test_snapshots_survive_crashes_and_disks_of_every_kind(world: World) -> None:
    campaign(4, f"--faults snapshot,crash,inside,pause,slow,disk,damage,delay,loss {LOAD}", 60)
