"""Lab 5, step 4: what a client sends again runs once, whichever node it comes to.

A client that has no answer cannot know whether its command has run. It sends it again,
with the same session and the same number, to whoever leads by then."""

import random

from raftlab.lab_by_hand import ByHand
from raftlab.labs import World, lab
from raftlab.simulated import quoted


@lab(5, step=4, points=1, rules="sessions LEAD-2")
def test_a_write_that_is_repeated_at_the_next_leader_runs_once(world: World) -> None:
    hand = ByHand(world)
    hand.register(1)
    hand.ask(1, 1, "append", "k", "x")
    hand.pass_on({1, 2, 3}, kinds="append")  # it is on all disks, and nobody has said so
    hand.silent(1)
    world.crash(1)
    hand.lead(2)  # commits it, and has nobody to answer
    world.expect("committed", "k", "x", "at", 2)
    hand.again(1, 2)
    hand.pass_on()
    world.expect("committed", "k", "x", "at", 2, why="the append has run once")
    hand.reply(1, "1")
    hand.again(1, 2)  # it was doubled on the way
    hand.pass_on()
    world.expect("committed", "k", "x", "at", 2, why="the append has run once")
    hand.ask(1, 2, "append", "k", "y")
    hand.pass_on()
    hand.reply(1, "2")


@lab(5, step=4, points=1, rules="sessions STATE-3")
def test_a_write_that_is_repeated_after_all_have_restarted_runs_once(world: World) -> None:
    hand = ByHand(world)
    hand.register(1)
    hand.register(2)
    for number in range(1, 4):
        hand.ask(1, 1, "incr", "n")
        hand.pass_on()
        hand.reply(1, str(number))
    hand.ask(2, 1, "append", "k", "x")
    hand.pass_on(kinds="append")
    for node in world.nodes:
        world.crash(node)
    for node in world.nodes:
        world.restart(node)
    hand.lead(3)
    hand.again(1, 3)
    hand.again(2, 3)
    hand.pass_on()
    world.expect("committed", "n", 3, "at", 3, why="the third incr has run once")
    world.expect("committed", "k", "x", "at", 3, why="the append has run once")
    hand.reply(2, "1")


CLIENTS = 25


def walk(hand: ByHand, clients: int, moves: int) -> dict[int, int]:
    """So many random moves; each client appends 1, 2, 3... and repeats what has no answer.
    Returns how many of each client's have an answer."""
    choice = random.Random(hand.world.seed)
    done = dict.fromkeys(range(1, clients + 1), 0)
    waits: set[int] = set()
    for _ in range(moves):
        for client in [c for c in waits if "reply" in hand.answers.get(c, {})]:
            waits.remove(client)
            done[client] += 1
            check_so_far(hand.world)
        leaders = [s["node"] for s in hand.world.statuses() if s["role"] == "leader"]
        client, node = choice.randint(1, clients), choice.choice(leaders or hand.world.nodes)
        flight, dice = hand.flight(), choice.random()
        if dice < 0.02:
            hand.tell("pass", "1s")
            hand.tell("timeout", choice.choice(hand.world.nodes))
        elif dice < 0.25 and client in waits:
            hand.again(client, node)
        elif dice < 0.25:
            hand.ask(client, node, "append", "k", f"{client}.{done[client] + 1};")
            waits.add(client)
        elif flight:
            kind, sender, receiver = choice.choice(flight)
            verb = "drop" if dice < 0.3 else "again" if dice < 0.4 else "deliver"
            hand.tell(verb, sender, receiver, kind)
        else:
            hand.tell("timeout", node)
    return finish(hand, done, waits)


def appended(world: World, node: int) -> list[str]:
    """All that clients have appended by that node's state, in this order."""
    return world.tell("get", "k", "stale", node).get("reply", "").split(";")[:-1]


def check(world: World, client: int, count: int, parts: list[str]) -> None:
    found = [part for part in parts if part.startswith(f"{client}.")]
    wanted = [f"{client}.{number}" for number in range(1, count + 1)]
    if found != wanted:
        once = "".join(f"{part};" for part in dict.fromkeys(parts + wanted))
        world.fail(f"client {client} has appended {' '.join(wanted)}", " ".join(found),
                   line=f"expect reply {quoted(once)}")  # fmt: skip


def check_so_far(world: World) -> None:
    """So that the schedule ends where the first one is done twice."""
    ahead = max(world.statuses(), key=lambda status: status["applied_index"])["node"]
    parts = appended(world, ahead)
    for client in range(1, CLIENTS + 1):
        check(world, client, sum(p.startswith(f"{client}.") for p in set(parts)), parts)


def finish(hand: ByHand, done: dict[int, int], waits: set[int]) -> dict[int, int]:
    """All that waits is repeated once more at a leader whom all follow."""
    hand.pass_on()
    hand.lead(best(hand.world))
    for client in sorted(waits):
        if "reply" not in hand.answers.get(client, {}):
            hand.again(client, hand.world.leader())
            hand.pass_on()
        done[client] += 1
    return done


def best(world: World) -> int:
    """The node that all others may vote for."""
    return max(world.statuses(), key=lambda s: (s["last_term"], s["last_index"]))["node"]


@lab(5, step=4, points=1, rules="sessions LEAD-2", seeds=5)
def test_appends_of_many_clients_to_one_key_are_each_done_once_and_in_order(world: World) -> None:
    hand = ByHand(world)
    for client in range(1, CLIENTS + 1):
        hand.register(client)
    done = walk(hand, CLIENTS, 1000)
    parts = appended(world, world.leader())
    for client, count in done.items():
        check(world, client, count, parts)


@lab(5, step=4, points=1, rules="sessions snapshots STATE-3", seeds=5)
def test_a_client_that_never_gives_up_appends_once_through_crashes_and_snapshots(
    world: World,
) -> None:
    world.cluster(3, snapshot_entries=8, snapshot_tail=1)
    world.tell("loss", 20)
    world.tell("duplicate", 20)
    choice = random.Random(world.seed)
    wanted = ""
    for number in range(50):
        leader = world.leader()
        if leader and number % 4 == 0:
            world.tell("crash", leader, "inside", choice.randint(1, 4))
        wanted += f"{number};"
        world.tell("append", "k", f"{number};")
        for status in world.statuses():
            if status["state"] != "up":
                world.restart(status["node"])
    world.tell("settle")
    world.expect("snapshot_index", 1, ">=", 1)
    for node in world.nodes:
        world.expect("committed", "k", wanted, "at", node, why="each append has run once, in order")
