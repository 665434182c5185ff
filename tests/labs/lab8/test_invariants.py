"""Lab 8, steps 1 to 3: the student's invariants are quiet where nothing is wrong, and
speak where something is. The programs with a bug hold the student's own.c, too."""

import json
import re
from typing import NoReturn, Optional

from raftlab import confine, lab_failure
from raftlab.lab_process import Died
from raftlab.labs import LabFailure, World, first_seed, lab, raftsim

OWN = "own invariant"
SEEDS_MAX = 240
SEED_SECONDS = 5  # of the processor, for a run that takes the reference's rules milliseconds
CORES_ASSERTION = re.compile(r": raft/\w+\.c:\d+: .*Assertion ")  # which a bug may run into
DEATHS = ("crash", "endless", "no run")
RIGHT = "nothing is broken: this is right code"


def first_broken(program: str, flags: str, first: int, last: int) -> Optional[dict]:
    """What the sweep tells of the first of these seeds that does not end well."""
    words = ("--seeds", f"{first}..{last}", "--jobs", "1", "--stop-after", "1")
    bounds = ("--seed-seconds", str(SEED_SECONDS), "--checkers", "own")
    done = raftsim("sweep", *words, *bounds, *flags.split(), program=program)
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise LabFailure(rule="", rules="checkers", expected="an end of the runs",
                         seen=done.stderr[-500:], seed=first, lines=[])  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])["rules"]
    return found[0] if found else None


def fail_run(found: dict, program: str, flags: str, expected: str, command: str) -> NoReturn:
    """That run breaks a rule, or it dies, or it never ends: then also where."""
    kind, seen, said = lab_failure.CLAIM, found["text"], ""
    if found["rule"] in ("crash", "endless"):
        words = ("run", "--seed", str(found["seed"]), "--checkers", "own", *flags.split())
        done = raftsim(*words, program=program, mode=confine.ALONE)
        if done.returncode not in (0, 1):
            death = Died(done.returncode, done.stderr)
            kind, seen, said = death.kind(), death.words(), death.stderr
    raise LabFailure(
        rule=found["rule"] if kind == lab_failure.CLAIM else "", rules="checkers",
        expected=expected, seen=seen, seed=found["seed"], lines=[], kind=kind, stderr=said,
        command=command,
    )  # fmt: skip


def quiet(flags: str, seeds: int) -> None:
    """No seed of the right code breaks a rule."""
    first = first_seed()
    if found := first_broken("raftsim", flags, first, first + seeds - 1):
        fail_run(found, "raftsim", flags, RIGHT, found["replay"])


def caught(bug: str, flags: str) -> None:
    """An own rule is broken in one of the seeds, before they are over; and in none of
    them where the bug is not."""
    program = f"bugs/{bug}/raftsim"
    command = f"{program} sweep --checkers own {flags}"
    first, last = first_seed(), first_seed() + SEEDS_MAX - 1
    while found := first_broken(program, flags, first, last):
        if found["rule"] == OWN:
            quiet(flags, SEEDS_MAX)
            return
        if found["rule"] in DEATHS and not CORES_ASSERTION.search(found["text"]):
            seed = found["seed"]
            fail_run(found, program, flags, f"{bug} is caught", f"{command} --seeds {seed}..{seed}")
        first = found["seed"] + 1
        if first > last:
            break
    raise LabFailure(
        rule="", rules="checkers", expected=f"one of {SEEDS_MAX} runs with {bug} breaks a rule",
        seen="own_check() has found all of them well", seed=first_seed(), lines=[],
        command=f"{command} --seeds {first_seed()}..{last}",
    )  # fmt: skip


def play(world: World, lines: str) -> None:
    """What is refused is for one of the two alone: the right code, or that with the bug."""
    for line in lines.strip().splitlines():
        world.ask(*line.split())


def caught_by_hand(world: World, bug: str, lines: str) -> None:
    """An own rule is broken before the lines are over; and not where the bug is not."""
    play(world, lines)
    bugged = World(seed=world.seed, lab=8, claim=world.claim, rules="checkers",
                   program=f"bugs/{bug}/raftsim")  # fmt: skip
    try:
        play(bugged, lines)
        bugged.fail("a rule is broken in these lines", "own_check() has found all of it well")
    except LabFailure as failure:
        if failure.rule != OWN:
            raise
    finally:
        bugged.close()


# ---- step 1: where nothing is wrong ------------------------------------------------


@lab(8, step=1, points=2, rules="checkers")
def test_nothing_is_broken_in_quiet_clusters_and_where_messages_are_late(world: World) -> None:
    quiet("--nodes 3 --duration 2s --faults none", 10)
    quiet("--nodes 5 --duration 2s --faults delay,reorder,duplicate,loss,partition,oneway", 40)


@lab(8, step=1, points=1, rules="checkers")
def test_crashes_snapshots_and_changes_of_members_break_nothing(world: World) -> None:
    play(world, LOST_VOTE)
    world.expect("term", 2, "==", 2)
    world.expect("voted_for", 2, "==", 0)
    quiet("--nodes 5 --duration 2s --faults all", 60)
    quiet("--nodes 3 --duration 2s --faults crash,inside,disk,snapshot,partition", 40)


@lab(8, step=1, points=1, rules="checkers")
def test_who_wins_an_older_term_late_lacks_what_was_committed_since(world: World) -> None:
    world.cluster(5, "manual", checkers="own", pre_vote="off", check_quorum="off")
    for line in LATE_WINNER.strip().splitlines():
        world.tell(*line.split())
    world.expect("role", 1, "leader")
    world.expect("term", 1, "==", 1)
    world.expect("commit_index", 5, "==", 1)


# Node 2 has come to term 2 by a candidate whose log is too short, and then votes for node 3;
# power fails before that is on the disk, and before it is told.
LOST_VOTE = """
cluster 5 manual checkers=own pre_vote=off check_quorum=off
timeout 1
deliver 1 2
deliver 1 3
deliver 2 1
deliver 3 1
deliver 1 2 append
deliver 1 3 append
timeout 4
timeout 4
deliver 4 2 vote
deliver 4 2 vote
timeout 3
disk 2 sync=manual
deliver 3 2 vote
crash 2
restart 2
"""

# Nodes 2 and 3 vote for node 1 in term 1, and their answers stay on their way. With nodes
# 3 and 4 node 5 then wins term 2, and commits. Node 1 hears that it has won term 1.
LATE_WINNER = """
timeout 1
deliver 1 2
deliver 1 3
timeout 5
timeout 5
deliver 5 3
deliver 5 3
deliver 5 4
deliver 5 4
deliver 3 5 vote-reply 2
deliver 4 5 vote-reply 2
deliver 5 3 append
deliver 5 4 append
deliver 3 5 append-reply
deliver 4 5 append-reply
deliver 2 1
deliver 3 1
"""

# ---- step 2: terms, votes and leaders ----------------------------------------------


@lab(8, step=2, points=1, rules="STATE-1")
def test_a_term_that_goes_back_is_seen(world: World) -> None:
    caught("term-back", "--nodes 4 --duration 2s --faults all")


@lab(8, step=2, points=1, rules="RV-2a")
def test_a_second_vote_in_a_term_is_seen(world: World) -> None:
    caught("double-vote", "--nodes 5 --duration 2s --faults all")


@lab(8, step=2, points=1, rules="CAND-2")
def test_leaders_by_half_of_the_voters_are_seen(world: World) -> None:
    caught("half-is-enough", "--nodes 4 --duration 2s --faults all")


@lab(8, step=2, points=2, rules="CAND-2")
def test_two_leaders_by_a_vote_of_an_older_term_are_seen(world: World) -> None:
    caught_by_hand(world, "stale-vote", """
cluster 3 manual checkers=own pre_vote=off check_quorum=off
timeout 1
timeout 1
deliver 1 2
deliver 2 1
timeout 2
deliver 2 3
deliver 3 2
""")  # fmt: skip


@lab(8, step=2, points=2, rules="STATE-0 STATE-2")
def test_two_leaders_by_a_vote_that_a_crash_took_back_are_seen(world: World) -> None:
    caught_by_hand(world, "unsaved-vote", """
cluster 3 manual checkers=own pre_vote=off check_quorum=off
disk 2 sync=manual
timeout 1
deliver 1 2
deliver 2 1
crash 2
restart 2
timeout 3
deliver 3 2
deliver 2 3
""")  # fmt: skip


# ---- step 3: logs ------------------------------------------------------------------


@lab(8, step=3, points=1, rules="ALL-1")
def test_what_is_applied_before_it_is_committed_is_seen(world: World) -> None:
    caught("early-apply", "--nodes 3 --duration 2s --faults all")


@lab(8, step=3, points=2, rules="AE-5")
def test_a_commit_beyond_what_was_compared_is_seen(world: World) -> None:
    caught("commit-beyond-match", "--nodes 5 --duration 2s --faults all")


@lab(8, step=3, points=2, rules="AE-3")
def test_a_log_that_loses_what_it_had_committed_is_seen(world: World) -> None:
    caught("cut-what-matches", "--nodes 5 --duration 2s --faults all")


@lab(8, step=3, points=2, rules="LEAD-4")
def test_figure_8_is_seen(world: World) -> None:
    caught_by_hand(world, "figure-8", """
cluster 5 seed=8 delay=1ms..1ms sync=100us..100us message_entries=1 checkers=own
run 1ms
timeout 1
run until leader 1
run until applied 1
star 1 2
propose at 1 set x old
run 20ms
crash 1
star 5 3 4
run until leader 5 within 5s
isolate 5
run 20ms
crash 5
restart 1
star 1 2 3
run until leader 1 within 5s
run 3500us
cut 1 > 3
run 20ms
crash 1
restart 5
star 5 3 4
run until leader 5 within 5s
run 100ms
restart 1
heal
run until quiet within 10s
""")  # fmt: skip
