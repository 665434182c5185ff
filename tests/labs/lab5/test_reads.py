"""Lab 5, step 8: what clients see of a whole cluster, and what it costs.

Each message takes 10 ms where costs are counted: a request, a round trip between nodes
and the reply take 40."""

import random

from raftlab.lab_by_hand import ByHand
from raftlab.labs import World, campaign, lab

DELAY = "10ms..10ms"
FAULTS = "--lease 0 --spares 0 --duration 5s"


@lab(5, step=8, points=1, rules="reads sessions LEAD-2")
def test_a_minority_answers_nobody_and_all_are_answered_once_it_is_healed(world: World) -> None:
    hand = ByHand(world, nodes=5, check_quorum="off")
    few, many = {1, 2}, {3, 4, 5}
    for client in range(1, 5):
        hand.register(client)
    hand.ask(1, 1, "set", "x", 13)
    hand.pass_on()
    hand.reply(1, "OK")
    world.tell("partition", 1, 2, "|", 3, 4, 5)
    hand.lead(3, many)
    hand.tell("timeout", 1)  # and node 2 goes on following the other one
    hand.pass_on(few)
    hand.ask(2, 3, "set", "x", 14)
    hand.ask(3, 1, "append", "x", "!")
    hand.ask(4, 1, "get", "x")
    hand.ask(5, 2, "get", "x")  # a follower asks its leader
    for _ in range(5):
        for node in (1, 3):  # both send heartbeats, each to whom it reaches
            hand.tell("timeout", node)
        hand.pass_on()
    hand.reply(2, "OK")
    for client in (3, 4, 5):
        hand.silent(client)
    world.tell("heal")
    hand.lead(3)
    for client in (3, 4, 5):  # each has been told to ask elsewhere, or asks by itself
        hand.again(client, 3)
        hand.pass_on()
    hand.reply(3, "3")
    for client in (4, 5):
        if hand.answers[client].get("reply") not in ("14", "14!"):
            hand.reply(client, "14!")
    world.expect("committed", "x", "14!", why="the append has run once, behind the write")
    verdict = world.tell("check")["linearizable"]
    if verdict != "yes":
        world.fail("some order of all requests explains the answers", verdict)


@lab(5, step=8, points=1, rules="reads LEAD-2", seeds=5)
def test_a_read_costs_one_round_trip_and_neither_an_entry_nor_a_write(world: World) -> None:
    world.cluster(3, delay=DELAY, sync="1ms..1ms", snapshot_entries=20, snapshot_tail=5)
    world.check_one_leader()
    world.tell("set", "x", 1)
    world.run("200ms")
    world.reset_counters()
    for _ in range(20):
        world.tell("get", "x")
    # A round of 2 heartbeats and 2 answers each, and the idle ones that fall in between.
    world.budget(
        entries_appended=0, entries_written=0, syncs=0, messages=160, time_us=20 * 45000,
        of="20 reads, one after the other",
    )  # fmt: skip
    world.reset_counters()
    for number in range(200):
        world.tell("set", "x", number)
    world.budget(entries_appended=200, time_us=200 * 45000, of="200 writes, one after the other")
    world.run("200ms")
    for node in world.nodes:
        world.expect("snapshots_taken", node, ">=", 5, why="meanwhile logs were cut short")
    follower = next(node for node in world.nodes if node != world.leader())
    world.reset_counters()
    for _ in range(20):
        world.tell("get", "x", "at", follower)
    world.budget(
        entries_appended=0, syncs=0, messages=240, time_us=20 * 80000,
        of="20 reads at a follower, which asks its leader",
    )  # fmt: skip


@lab(5, step=8, points=1, rules="reads")
def test_reads_that_come_together_share_their_rounds(world: World) -> None:
    hand = ByHand(world)
    hand.register(1)
    hand.ask(1, 1, "set", "x", 1)
    hand.pass_on()
    hand.tell("timeout", 1)
    hand.pass_on()
    world.reset_counters()
    for client in range(2, 42):
        hand.ask(client, 1, "get", "x")
    hand.pass_on()
    for client in range(2, 42):
        hand.reply(client, "1")
    world.budget(messages=12, entries_appended=0, of="40 reads that come at once: two rounds")
    world.reset_counters()
    for client in range(2, 42):
        hand.ask(client, 2, "get", "x")
    hand.pass_on()
    for client in range(2, 42):
        hand.reply(client, "1")
    world.budget(messages=16, entries_appended=0, of="40 reads at a follower: two questions")


@lab(5, step=8, points=1, rules="reads sessions LEAD-2", seeds=5)
def test_no_client_waits_for_long_while_a_majority_is_together(world: World) -> None:
    world.cluster(5)
    world.check_one_leader()
    world.tell("clients", "start", 8, "keys=8")
    world.reset_counters()
    world.run("2s")
    world.budget(wait_us_max=1000000, of="clients of a cluster that is whole")
    world.reset_counters()
    choice = random.Random(world.seed)
    for turn in range(10):
        leader = world.check_one_leader()
        away = choice.sample([node for node in world.nodes if node != leader], 2)
        if turn % 2 == 0:  # the leader is one of two
            away[0] = leader
        rest = [node for node in world.nodes if node not in away]
        world.tell("partition", *away, "|", *rest)
        world.run("2s")
        world.tell("heal")
        world.run("200ms")
    world.tell("clients", "stop")
    world.until("quiet")
    # They ask elsewhere after at most 600 ms of silence, or 40 after a refusal.
    world.budget(wait_us_max=2000000, of="clients of a cluster that falls apart every two seconds")


@lab(5, step=8, points=1, rules="reads sessions")
def test_what_clients_see_is_linearizable_on_unreliable_links(world: World) -> None:
    explains = "some order of all requests explains what the clients were told"
    for faults in ("loss,duplicate,delay,reorder", "partition,oneway,partial,loss"):
        campaign(5, f"--faults {faults} --clients 8 {FAULTS}", 20, expected=explains)
    campaign(5, f"--nodes 7 --faults partition,loss,delay --clients 15 {FAULTS}", 10,
             expected=explains)  # fmt: skip


@lab(5, step=8, points=1, rules="reads sessions snapshots STATE-3")
def test_what_clients_see_is_linearizable_through_crashes_and_partitions(world: World) -> None:
    explains = "some order of all requests explains what the clients were told"
    together = "partition,crash,loss,duplicate,snapshot,pause"
    for faults in ("crash,inside,snapshot", together):
        campaign(5, f"--faults {faults} --clients 8 {FAULTS}", 20, expected=explains)
    four = "partition,crash,loss,snapshot"  # so few that each run has all of them
    campaign(5, f"--nodes 7 --faults {four} --clients 15 {FAULTS}", 10, expected=explains)
    campaign(5, f"--faults crash,snapshot --clients 20 {FAULTS}", 10, expected=explains)
