"""Lab 8, steps 4 and 5: the student's scenarios tell right code from wrong, and so do the
bounds that they give to `raftsim explore`."""

import json
import pathlib
import re
import shlex
import tempfile
from typing import NoReturn

from raftlab import build, lab_text
from raftlab.labs import LabFailure, World, lab, raftsim

COMMANDS_MAX = 40
STATES_MAX = 2000000
FLAGS = {
    *("--nodes", "--spares", "--terms", "--entries", "--crashes", "--timeouts"),
    *("--heartbeats", "--duplicates", "--changes", "--batch", "--goal", "--sync-by-hand"),
    *("--outcomes",),
}


BOUNDED = ("unsaved-vote", "stale-vote")  # in explore.txt


def fail(expected: str, seen: str, rules: str, command: str = "") -> NoReturn:
    raise LabFailure(rule="", rules=rules, expected=expected, seen=seen, seed=None, lines=[],
                     command=command)  # fmt: skip


def students(name: str, rules: str) -> str:
    """The text of that file of the student's."""
    path = place(name)
    if not path.is_file():
        fail(f"labs/8-checking/{name}", "it is missing: `make lab8` writes it anew", rules)
    try:
        return lab_text.read(path)
    except lab_text.Unreadable as problem:
        fail(f"labs/8-checking/{name} is a text", str(problem), rules)


def place(name: str) -> pathlib.Path:
    """The student's; where no student's code is built, the project's own."""
    folder = next(build.ROOT.glob("labs/8-*"))
    return folder / name if build.lab_folder() else folder / "solution" / name


def kills(bug: str, rules: str) -> None:
    name = f"kill-{bug}.scenario"
    text = students(name, rules)
    judge_commands(text, name, rules)
    again = f"raftsim script labs/8-checking/{name}"
    problem = scripted("raftsim", name, text)
    if problem:
        fail(f"{name} comes true on right code", problem, rules, again)
    if not scripted(f"bugs/{bug}/raftsim", name, text):
        fail(f"{name} fails where the bug is", "all of it comes true there as well", rules,
             f"bugs/{bug}/{again}")  # fmt: skip


def judge_commands(text: str, name: str, rules: str) -> None:
    try:
        commands = lab_text.commands(text, name)
    except lab_text.Unreadable as problem:
        fail(f"{name} has words that raftsim reads", str(problem), rules)
    clusters = [one for one in commands if one.words[0] == "cluster"]
    if not clusters:
        found = f"it begins with `{commands[0].text}`" if commands else "it is still to be written"
        fail(f"{name} has a cluster", found, rules)
    if len(commands) > COMMANDS_MAX:
        fail(f"{name} has at most {COMMANDS_MAX} commands", f"{len(commands)}", rules)
    for one in commands:
        if any(word.startswith("checkers=") for word in one.words):
            fail(f"{name} is judged by its claims and by the checkers of raftsim",
                 f"line {one.line}: checkers=", rules)  # fmt: skip
    for one in commands:
        if one in clusters and "manual" not in one.words or one.words[0] == "auto":
            fail(f"in {name} nothing happens but what a line says: `cluster N manual`",
                 f"line {one.line}: `{one.text}`", rules)  # fmt: skip


def scripted(program: str, name: str, text: str) -> str:
    """What does not come true there, or nothing. In a folder of its own: behind the fence
    nobody need be able to read the tree."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "kill.scenario"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        done = raftsim("script", str(path), scratch=path.parent, program=program)
    said = last_words(done.stderr or done.stdout) or f"exit code {done.returncode}"
    told = said.replace(str(path), f"labs/8-checking/{name}").removeprefix("raftsim: ")
    return told if done.returncode != 0 else ""


def last_words(text: str) -> str:
    return " ".join(text.strip().splitlines()[-1:])[:300]


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
    lines = (line.split("#")[0].strip() for line in students("explore.txt", rules).splitlines())
    others = []
    for line in filter(None, lines):
        name, colon, flags = line.partition(":")
        if name.strip() == bug and flags.strip():
            return judged(flags, rules)
        if not colon or name.strip() not in BOUNDED:
            others.append(f"`{line[:60]}`")
    found = f"there is {others[0]}" if others else "they are still to be written"
    fail(f"explore.txt has flags for {bug} in a line `{bug}: FLAGS`", found, rules)


def judged(flags: str, rules: str) -> list[str]:
    try:
        words = shlex.split(flags)
    except ValueError as problem:
        fail("flags as a shell takes them", f"{problem}: `{flags.strip()}`", rules)
    unknown = [word for word in words if word.startswith("-") and word.split("=")[0] not in FLAGS]
    if unknown:
        fail(f"flags that bound what happens: {' '.join(sorted(FLAGS))}",
             f"{unknown[0]} is none of them", rules)  # fmt: skip
    return words


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
             f"{'broken' if right['result'] == 'violation' else 'stopped'} at "
             f"{right['states']} states", rules)  # fmt: skip


@lab(8, step=5, points=2, rules="STATE-0 STATE-2")
def test_all_that_can_happen_has_a_vote_that_was_not_saved_in_it(world: World) -> None:
    finds("unsaved-vote", "STATE-0 STATE-2")


@lab(8, step=5, points=2, rules="CAND-2")
def test_all_that_can_happen_has_a_vote_of_an_older_term_in_it(world: World) -> None:
    finds("stale-vote", "CAND-2")
