#!/usr/bin/env python3
"""The schedules that show known bugs: play them, with the bug and without it.

scenarios/NAME.scenario shows the mutant NAME (see run.py) in the simulator: with the bug
built in it breaks the rule that its last line names, or ends in the crash that its head
tells of. Without the bug the same commands break no rule; some may be refused there, such
as the delivery of a message that the right core never sends. hunt.py --keep writes them,
and docs/bug-zoo/ holds what is told here (pages.py).

    labs/mutants/zoo.py                   proves all: one raftsim is built for each bug
    labs/mutants/zoo.py BUG [BUG...]      brings some to life, and prints what happens: a
                                          mutant's name, a bug's number, or figure8
    labs/mutants/zoo.py --write           writes the generated parts of the pages
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from typing import Optional

import hunt
import run as mutants

FOLDER = mutants.HERE / "scenarios"
SECONDS_MAX = 60
LAST = re.compile(r'^expect violation "([^"]+)"(?: # (.*))?$')
CRASH = re.compile(r"^# Broken: a crash \(\w+\)\. .*?(Assertion `.*?' failed)", re.DOTALL)
COMMENT_BREAK = re.compile(r"\n# ")


@dataclasses.dataclass
class Schedule:
    """What a scenario file holds."""

    name: str
    text: str
    commands: list[str]  # without the claim
    rule: str  # that is broken, or "crash"
    told: str  # what the checker or the assertion says of it


def load(path: pathlib.Path) -> Schedule:
    text = path.read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    last = LAST.match(lines[-1])
    if last is not None:
        return Schedule(path.stem, text, lines[:-1], last[1], (last[2] or "").strip())
    crash = CRASH.match(COMMENT_BREAK.sub(" ", text))
    if crash is None:
        raise mutants.Broken(f"{path.name} neither names a broken rule nor tells of a crash")
    return Schedule(path.stem, text, lines, "crash", crash[1])


def path_of(name: str) -> pathlib.Path:
    return FOLDER / f"{name}.scenario"


def kept() -> list[Schedule]:
    return [load(path) for path in sorted(FOLDER.glob("*.scenario"))]


def converse(program: str, lines: list[str]) -> list[dict]:
    """The answers to a conversation; fewer than lines, if the program died in it."""
    run = subprocess.run(
        [program, "repl"], input="\n".join(lines) + "\n",
        capture_output=True, text=True, timeout=SECONDS_MAX,
    )
    return [json.loads(answer) for answer in run.stdout.splitlines()]


# ---- without the bug -------------------------------------------------------------------


@dataclasses.dataclass
class Course:
    """How a schedule goes on the right core."""

    violations: list[dict]
    refused: Optional[str] = None  # the first command that was, and why
    why: str = ""


def play(program: str, schedule: Schedule) -> Course:
    answers = converse(program, [*schedule.commands, "check"])
    if len(answers) != len(schedule.commands) + 1:
        raise mutants.Broken(f"{schedule.name}: raftsim ends at command {len(answers) + 1}")
    course = Course(answers[-1]["violations"])
    for command, answer in zip(schedule.commands, answers):
        if not answer["ok"]:
            course.refused = command.partition("#")[0].strip()
            course.why = answer["error"]
            break
    return course


# ---- with the bug ----------------------------------------------------------------------


def objection(program: str, schedule: Schedule) -> str:
    """What speaks against the claim that this program has that bug; empty: nothing."""
    done = subprocess.run(
        [program, "script", str(path_of(schedule.name))],
        capture_output=True, text=True, timeout=SECONDS_MAX,
    )
    if schedule.rule == "crash":
        died = done.returncode < 0 and schedule.told in done.stderr
        return "" if died else f"it does not crash so: {done.stderr[-300:]}"
    if done.returncode != 0:
        return f"the schedule does not hold: {done.stdout[-300:]}{done.stderr[-300:]}"
    if not schedule.told:
        return ""
    found = converse(program, [*schedule.commands, "check"])[-1].get("violations", [])
    told = found[0]["text"] if found else "nothing"
    return "" if told == schedule.told else f"told {told!r}, not {schedule.told!r}"


class Keeper:
    """One copy of the sources, into which one bug at a time is put."""

    def __init__(self, folder: str) -> None:
        self.raftsim = hunt.Raftsim(pathlib.Path(folder))
        mutants.copy_sources(self.raftsim.tree)
        self.raftsim.build()
        self.raftsim.keep_reference()

    def prove(self, schedule: Schedule, tell: bool) -> str:
        """Empty, or what is wrong."""
        course = play(self.raftsim.reference, schedule)
        if course.violations:
            return f"it fails without the bug: {course.violations[0]}"
        mutant = mutants.load(mutants.HERE / f"{schedule.name}.toml")
        path = self.raftsim.tree / mutant.file
        original = path.read_text()
        mutants.apply(mutant, self.raftsim.tree)
        try:
            self.raftsim.build()
            if tell:
                self.tell(mutant, schedule)
            return objection(self.raftsim.program(), schedule)
        finally:
            path.write_text(original)

    def tell(self, mutant: mutants.Mutant, schedule: Schedule) -> None:
        print(f"\nbug {mutant.bug}, {mutant.rule}, in {mutant.file}: {mutant.name}")
        print(" ".join(mutant.story.split()) + "\n")
        print(schedule.text, flush=True)
        subprocess.run([self.raftsim.program(), "script", path_of(mutant.name)], check=False)


def prove(schedules: list[Schedule], tell: bool) -> bool:
    failed = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        keeper = Keeper(folder)
        for schedule in schedules:
            try:
                problem = keeper.prove(schedule, tell)
            except (mutants.Broken, subprocess.TimeoutExpired) as broken:
                problem = str(broken)
            failed += bool(problem)
            if problem or not tell:
                verdict = f"FAILED {problem}" if problem else f"breaks {schedule.rule}"
                print(f"{schedule.name}: {verdict}", flush=True)
    print(
        f"{len(schedules) - failed} of {len(schedules)} schedules break their rule with the bug"
        f" and none without it ({time.monotonic() - began:.0f} s)"
    )
    return failed == 0


def chosen(words: list[str]) -> list[Schedule]:
    """Those that are named; all, if none is."""
    if not words:
        return kept()
    picked = []
    for word in words:
        word = hunt.ALIASES.get(word, word)
        names = [
            name
            for name in mutants.names()
            if word in (name, str(mutants.load(mutants.HERE / f"{name}.toml").bug))
        ]
        shown = [load(path_of(name)) for name in names if path_of(name).exists()]
        if not shown:
            raise SystemExit(f"there is no schedule of {word}; its tests: docs/bug-zoo.md")
        picked += shown
    return picked


def main() -> int:
    parser = argparse.ArgumentParser(description="play the schedules that show known bugs")
    parser.add_argument("bugs", nargs="*", metavar="BUG", help="a mutant's name or a number")
    parser.add_argument("--write", action="store_true", help="write the pages' data anew")
    arguments = parser.parse_args()
    if arguments.write:
        import pages

        pages.write()
        return 0
    return 0 if prove(chosen(arguments.bugs), bool(arguments.bugs)) else 1


if __name__ == "__main__":
    sys.exit(main())
