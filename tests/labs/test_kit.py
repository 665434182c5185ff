"""The kit itself: what fails, fails with a scenario, whatever the program under test does."""

import os
import pathlib
import re
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from raftlab import build, by_hand, lab_failure, lab_world
from raftlab.lab_by_hand import ByHand
from raftlab.lab_process import Died
from raftlab.labs import LabFailure, World, campaign, lab, parse_claim


@pytest.fixture
def world() -> Iterator[World]:
    made = World(claim="test_of_the_kit", rules="LEAD-1", seed=5)
    yield made
    made.close()


def replayed(failure: LabFailure, folder: pathlib.Path) -> str:
    """What `raftsim script` complains about."""
    path = folder / "failure.scenario"
    path.write_text(failure.scenario(), encoding="utf-8")
    done = subprocess.run(
        [str(build.program("raftsim")), "script", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stdout
    return done.stdout.splitlines()[-1] + done.stderr


def an_expectation(world: World) -> None:
    world.expect("term", world.leader(), "==", 7)


def a_value_that_too_few_hold(world: World) -> None:
    world.crash(2)
    world.agree("a", nodes=3, within="100ms")


def a_value_that_is_there_from_an_older_entry(world: World) -> None:
    world.agree("a", key="x")
    world.agree("a", key="x", within="1ms")


def a_leader_without_a_majority(world: World) -> None:
    leader = world.leader()
    for node in world.nodes:
        if node != leader:
            world.disconnect(node)
    world.check_one_leader(within="1s")
    world.disconnect(leader)
    world.check_one_leader(within="500ms")


def a_refusal_that_was_not_expected(world: World) -> None:
    world.tell("restart", 1)


def a_command_that_was_to_be_refused(world: World) -> None:
    world.refused("crash", 1)


def a_time_that_is_too_short(world: World) -> None:
    world.crash(1)
    world.until("term 9", within="50ms")


def a_write_that_a_node_does_not_take(world: World) -> None:
    follower = next(node for node in world.nodes if node != world.leader())
    world.take(follower, "set", "x", 1)


def an_answer_that_is_another(world: World) -> None:
    hand = ByHand(world)
    hand.ask(1, 1, "get", "x")
    hand.pass_on()
    hand.reply(1, "(nil)")
    hand.reply(1, "a value")


def an_answer_that_does_not_come(world: World) -> None:
    hand = ByHand(world)
    hand.ask(1, 2, "set", "x", 1)  # refused, which is no answer
    hand.silent(1)
    hand.reply(1, "OK")


def an_answer_that_comes_too_early(world: World) -> None:
    hand = ByHand(world)
    hand.register(1)
    hand.ask(1, 1, "set", "x", 1)
    hand.silent(1)
    hand.pass_on()
    hand.silent(1)


def an_election_that_nobody_hears_of(world: World) -> None:
    hand = ByHand(world)
    hand.lead(2, among={2})


def an_election_without_voters(world: World) -> None:
    world.cluster(3, "manual")
    by_hand.elect(world, 1, [])


@pytest.mark.parametrize(
    "act",
    [
        an_expectation,
        a_value_that_too_few_hold,
        a_value_that_is_there_from_an_older_entry,
        a_leader_without_a_majority,
        a_refusal_that_was_not_expected,
        a_command_that_was_to_be_refused,
        a_time_that_is_too_short,
        a_write_that_a_node_does_not_take,
        an_answer_that_is_another,
        an_answer_that_does_not_come,
        an_answer_that_comes_too_early,
        an_election_that_nobody_hears_of,
        an_election_without_voters,
    ],
)
def test_what_fails_in_a_world_fails_as_a_scenario(
    world: World, act: Callable[[World], None], tmp_path: pathlib.Path
) -> None:
    world.cluster(3)
    world.check_one_leader()
    world.refused("restart", 2)
    world.agree("before")
    with pytest.raises(LabFailure) as caught:
        act(world)
    failure = caught.value
    assert (failure.claim, failure.seed, failure.rules) == ("test_of_the_kit", 5, "LEAD-1")
    assert failure.expected and failure.seen
    last = failure.lines[-1]
    assert f":{len(failure.scenario().splitlines())}: " in replayed(failure, tmp_path), last


@pytest.mark.parametrize(
    "rule",
    ["one change at a time", "commit at once", "nothing under way at rest", "state equality"],
)
def test_a_broken_rule_is_named_in_full(rule: str) -> None:
    told = f"violation of {rule} at 97061 us: the leader logs one at 3 us: as it is"
    assert lab_world.broken_rule({"ok": False, "error": told}) == rule
    assert lab_world.broken_rule({"ok": False, "error": "node 3 is down"}) == ""


def test_where_a_configuration_is_waited_for_each_nodes_own_is_told(world: World) -> None:
    world.cluster(3, spare=1)
    leader = world.check_one_leader()
    world.agree("first")
    world.tell("isolate", leader)
    index = world.tell("add", 4, "learner", "at", leader)["index"]
    world.crash(world.nodes[leader % 3])
    told = world.configurations().split("; ")
    assert f"uses [1 2 3 4:learner] of entry {index}, not committed" in told[leader - 1]
    assert told[leader % 3].endswith("down")
    assert told[(leader + 1) % 3].endswith("uses [1 2 3] of the start")


def test_waiting_leaves_one_line_and_questions_none(world: World) -> None:
    world.cluster(3)
    for _ in range(5):
        world.run(0.01)
        world.status(1)
        world.holds("leader", 2)
    assert world.lines == ["cluster 3 seed=5", "run 50ms"]


def test_nodes_that_are_disconnected_do_not_count(world: World) -> None:
    world.cluster(3)
    old = world.check_one_leader()
    world.disconnect(old)
    new = world.check_one_leader()
    assert new != old and set(world.terms()) == set(world.nodes) - {old}
    index = world.agree("x", nodes=2)
    assert world.holders("k1", "x", index) == [n for n in world.nodes if n != old]
    world.reconnect(old)
    world.agree("y", nodes=3)
    assert world.same_term() == world.term(new)


def test_without_a_majority_nobody_leads_and_nothing_is_committed(world: World) -> None:
    world.cluster(3)
    leader = world.check_one_leader()
    for node in world.nodes:
        if node != leader:
            world.disconnect(node)
    assert world.propose("set", "a", "1", at=leader)
    world.disconnect(leader)
    world.nobody_commits(within="1s")
    world.no_leader(during="1s")
    for node in world.nodes:
        world.reconnect(node)
    with pytest.raises(LabFailure, match="nobody leads"):
        world.no_leader(during="5s")


def test_a_commit_where_none_may_be_is_told(world: World, tmp_path: pathlib.Path) -> None:
    world.cluster(3)
    world.check_one_leader()
    assert world.propose("set", "a", "1")
    with pytest.raises(LabFailure, match="nothing is committed") as caught:
        world.nobody_commits()
    assert "commit_index of node" in replayed(caught.value, tmp_path)


def test_a_program_that_is_killed_is_a_crash(world: World) -> None:
    world.cluster(3)
    os.kill(world.process.child.pid, signal.SIGSEGV)
    with pytest.raises(LabFailure, match="SIGSEGV") as caught:
        world.run(1)
    places = r"SIGSEGV: \w+ \(\w+\.c:\d+\), called from \w+ \(\w+\.c:\d+\)"
    assert re.search(places, caught.value.seen), caught.value.seen
    assert caught.value.kind == lab_failure.CRASH
    assert caught.value.lines[-1] == "run 1000ms"


def test_where_a_program_was_killed_is_told_in_a_sentence() -> None:
    frames = [" #0 f a.c:1", " #1 g a.c:9", " #2 g a.c:9", " #3 h b.c:3", " #4 main m.c:2"]
    said = "\n".join(["SIGSEGV", *frames])
    assert Died(-11, said).words() == (
        "raftsim is killed by SIGSEGV: f (a.c:1), called from g (a.c:9), called from h (b.c:3)"
    )
    said = "\n".join(["SIGSEGV", *frames[1:]])
    assert Died(-11, said).words() == (
        "raftsim is killed by SIGSEGV: g (a.c:9) again and again, called from h (b.c:3),"
        " called from main (m.c:2)"
    )
    assert Died(-24, "").words() == "raftsim does not come back: an endless loop?"


# What a student's program may do in place of an answer, as a shell script.
PROGRAMS = {
    "stub": (
        'echo "raft/a.c: a_b() is still to be written (lab 1: RV-1)" >&2; exit 70',
        lab_failure.STUB,
        "raft/a.c: a_b() is still to be written (lab 1: RV-1)",
    ),
    "assertion": (
        'echo "raft/a.c:7: a_b: Assertion failed" >&2; kill -ABRT $$',
        lab_failure.CRASH,
        "raftsim is killed by SIGABRT: raft/a.c:7: a_b: Assertion failed",
    ),
    "exit": ("exit 3", lab_failure.CRASH, "raftsim ends with exit code 3"),
    "standstill": (
        'echo "time stands still: 9 steps at 7 ms, the last of node 1: tick" >&2; exit 71',
        lab_failure.ENDLESS,
        "time stands still: 9 steps at 7 ms, the last of node 1: tick",
    ),
    "flood of messages": (
        'echo "messages without an end: 9 under way at 7 ms, ..." >&2; exit 71',
        lab_failure.ENDLESS,
        "messages without an end: 9 under way at 7 ms, ...",
    ),
    "flood of lines": (
        "yes",
        lab_failure.ENDLESS,
        "raftsim prints without an end",
    ),
    "flood in one line": (
        "yes | tr -d '\\n'",
        lab_failure.ENDLESS,
        "raftsim prints without an end",
    ),
    "loop": (
        "while :; do :; done",
        lab_failure.ENDLESS,
        "raftsim does not come back: an endless loop?",
    ),
}


def student(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path, body: str) -> None:
    """From now on raftsim is this shell script."""
    path = folder / "raftsim"
    path.write_text(f"#!/bin/sh\nread line\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setattr(build, "program", lambda name, sanitized=False: path)


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_program_that_does_not_answer_fails_with_what_it_said(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    body, kind, seen = PROGRAMS[case]
    student(monkeypatch, tmp_path, body)
    monkeypatch.setattr("raftlab.lab_process.CPU_SECONDS_MAX", 1)
    with pytest.raises(LabFailure) as caught:
        World(3)
    assert (caught.value.kind, caught.value.seen) == (kind, seen)
    assert caught.value.lines == ["cluster 3 seed=1"]


def test_what_a_program_prints_between_answers_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    body = "echo my own words; printf 'half a line '; echo '{\"ok\":false,\"error\":\"no\"}'"
    student(monkeypatch, tmp_path, body)
    with pytest.raises(LabFailure) as caught:
        World(3)
    assert caught.value.seen == "no"
    assert caught.value.stderr == "my own words"


# ---- the decorator ---------------------------------------------------------------


def test_the_seed_of_a_failure_is_that_of_its_newest_cluster(world: World) -> None:
    for seed, chosen in ((8, {"seed": 8}), (5, {}), (1, {"seed": None})):
        world.cluster(3, **chosen)
        with pytest.raises(LabFailure) as caught:
            world.fail("this", "that")
        assert caught.value.seed == seed


def test_a_claim_runs_once_for_each_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    @lab(0, step=1, points=1, rules="RV-1", seeds=3)
    def claim(world: World) -> None:
        world.cluster(1)
        seeds.append(world.seed)
        if world.seed == 12:
            world.fail("eleven", "twelve")

    monkeypatch.setenv("RAFTLAB_SEED_BASE", "10")
    with pytest.raises(LabFailure) as caught:
        claim()
    assert seeds == [10, 11, 12]
    assert (caught.value.claim, caught.value.rule) == ("claim", "RV-1")
    mark = claim.pytestmark[0]
    assert (mark.name, mark.kwargs["points"]) == ("lab0", 1)


@pytest.mark.parametrize(
    "line",
    [
        "// LAB 1 step 2: RV-2a",
        "// LAB 1 step 2, 0 points: RV-2a",
        "// LAB 9 step 2, 1 point: RV-2a",
        "// LAB 1 step 2, 2 points:",
        "// LAB 1 step 2, 2 points: RV-2a, RV-2b",
    ],
)
def test_a_malformed_lab_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        parse_claim(line)


def test_a_lab_line_is_read() -> None:
    claim = parse_claim("// LAB 1 step 2, 2 points: RV-2a RV-2b")
    assert (claim.lab, claim.step, claim.points, claim.rules) == (1, 2, 2, "RV-2a RV-2b")


def test_a_campaign_that_goes_well_is_no_failure() -> None:
    report = campaign(8, "--nodes 3 --faults partition,crash --duration 1s", seeds=2)
    assert report["seeds"] == 2 and report["ok"]
