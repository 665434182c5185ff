"""Lab 8, steps 4 and 5: the student's scenarios tell right code from wrong, and so do the
bounds that they give to `raftsim explore`."""

import json
import pathlib
import re
import shlex
import subprocess
import tempfile

from raftlab import build
from raftlab.labs import LabFailure, World, lab, raftsim

COMMANDS_MAX = 40
STATES_MAX = 2000000
FLAGS = {
    *("--nodes", "--spares", "--terms", "--entries", "--crashes", "--timeouts"),
    *("--heartbeats", "--duplicates", "--changes", "--batch", "--goal", "--sync-by-hand"),
    *("--outcomes",),
}


def fail(expected: str, seen: str, rules: str) -> None:
    raise LabFailure(rule="", rules=rules, expected=expected, seen=seen, seed=None, lines=[])


def students(name: str, rules: str) -> str:
    """The text of that file of the student's."""
    path = place(name)
    if not path.is_file():
        fail(f"labs/8-checking/{name}", "it is missing: `make lab8` writes it anew", rules)
    return path.read_text(encoding="utf-8", errors="replace")


def place(name: str) -> pathlib.Path:
    """The student's; where no student's code is built, the project's own."""
    folder = next(build.ROOT.glob("labs/8-*"))
    return folder / name if build.lab_folder() else folder / "solution" / name


def commands(text: str) -> list[str]:
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def kills(bug: str, rules: str) -> None:
    name = f"kill-{bug}.scenario"
    lines = commands(students(name, rules))
    if not any(line.startswith("cluster ") for line in lines):
        fail(f"{name} has a cluster", "it is still to be written", rules)
    if len(lines) > COMMANDS_MAX:
        fail(f"{name} has at most {COMMANDS_MAX} commands", f"{len(lines)}", rules)
    if any("checkers=" in line for line in lines):
        fail(f"{name} is judged by its claims and by the checkers of raftsim", "checkers=", rules)
    right = scripted("raftsim", lines)
    if right.returncode != 0:
        fail(f"{name} comes true on right code", last_words(right.stdout + right.stderr), rules)
    wrong = scripted(f"bugs/{bug}/raftsim", lines)
    if wrong.returncode == 0:
        fail(f"{name} fails where the bug is", "all of it comes true there as well", rules)


def scripted(program: str, lines: list[str]) -> subprocess.CompletedProcess:
    """In a folder of its own: behind the fence nobody need be able to read the tree."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "kill.scenario"
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        path.chmod(0o644)
        words = ("script", str(path))
        return raftsim(*words, scratch=path.parent, program=program)


def last_words(text: str) -> str:
    return " ".join(text.strip().splitlines()[-2:])[:300]


@lab(8, step=4, points=2, rules="CAND-2")
def test_a_scenario_shows_that_half_of_the_voters_are_not_enough(world: World) -> None:
    kills("half-is-enough", "CAND-2")


@lab(8, step=4, points=2, rules="RV-2a")
def test_a_scenario_shows_a_second_vote_in_a_term(world: World) -> None:
    kills("double-vote", "RV-2a")


@lab(8, step=4, points=2, rules="AE-3")
def test_a_scenario_shows_a_log_that_loses_what_matches(world: World) -> None:
    kills("cut-what-matches", "AE-3")


@lab(8, step=4, points=2, rules="AE-5")
def test_a_scenario_shows_a_commit_beyond_what_was_compared(world: World) -> None:
    kills("commit-beyond-match", "AE-5")


# ---- step 5: everything that can happen --------------------------------------------


def flags_of(bug: str, rules: str) -> list[str]:
    """`BUG: FLAGS` is a line of explore.txt."""
    for line in commands(students("explore.txt", rules)):
        name, _, flags = line.partition(":")
        if name.strip() == bug and flags.strip():
            words = shlex.split(flags)
            unknown = [w for w in words if w.startswith("-") and w.split("=")[0] not in FLAGS]
            if unknown:
                fail("flags that bound what happens", f"{unknown[0]} is none of them", rules)
            return words
    fail(f"explore.txt has flags for {bug}", "they are still to be written", rules)


def explored(program: str, flags: list[str], rules: str) -> dict:
    # What is promised is broken, not one way of keeping it: otherwise any flags would do.
    bounds = ("--jobs", "1", "--states", str(STATES_MAX), "--outcomes")
    flags = [flag for flag in flags if flag != "--outcomes"]
    done = raftsim("explore", *flags, *bounds, program=program)
    found = re.findall(r'^\{"result".*', done.stdout + done.stderr, re.MULTILINE)
    if not found:
        fail("raftsim explore takes the flags", last_words(done.stderr), rules)
    return json.loads(found[-1])


def finds(bug: str, rules: str) -> None:
    flags = flags_of(bug, rules)
    wrong = explored(f"bugs/{bug}/raftsim", flags, rules)
    if wrong["result"] != "violation":
        fail(f"these bounds have {bug} in them", f"{wrong['states']} states, all well", rules)
    right = explored("raftsim", flags, rules)
    if not right["exhausted"]:
        fail(f"all of right code is seen within {STATES_MAX} states",
             f"{right['result']} at {right['states']} states", rules)  # fmt: skip


@lab(8, step=5, points=2, rules="STATE-0 STATE-2")
def test_all_that_can_happen_has_a_vote_that_was_not_saved_in_it(world: World) -> None:
    finds("unsaved-vote", "STATE-0 STATE-2")


@lab(8, step=5, points=2, rules="CAND-2")
def test_all_that_can_happen_has_a_vote_of_an_older_term_in_it(world: World) -> None:
    finds("stale-vote", "CAND-2")
