#!/usr/bin/env python3
"""Put a known bug into a copy of the core or the host, and let the simulator find it.

For each mutant (see run.py) whose file is in raft/, one raftsim is built and runs seeds,
on one core, until a rule is broken or the time is over; nothing is told of the bug. A
run that fails without the bug, too, does not count. What was found is shrunk to a short
schedule. A bug that is not found stands there as such.

    labs/mutants/hunt.py                  all, as a table
    labs/mutants/hunt.py BUG [BUG...]     some, each told at length: a mutant's name, a
                                          bug's number, or figure8
    labs/mutants/hunt.py --write [BUG...] all or some, and their rows of docs/hunt.md anew
    labs/mutants/hunt.py --keep BUG...    some, and their schedules are kept (zoo.py)
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, Optional

import run as mutants

KEPT = mutants.HERE / "scenarios"
DOCUMENT = mutants.ROOT / "docs" / "hunt.md"
ALIASES = {"figure8": "commits-an-older-term-by-counting"}
SECONDS_MAX = 60  # of one core, for one bug
FIXED_SECONDS_MAX = 5  # with a fixed mix, for comparison
SIMULATED = ("raft/", "kvserver/service/", "kvserver/engine/")
# A slice of seeds for each size of cluster in turn, twice as many in every round.
NODES = (5, 3, 4, 1)
SLICE = 40
FLAGS = ["--faults", "all", "--duration", "4s"]
MIXES = ("swarm", "fixed")
ROW = re.compile(r"^\| \d+ \| `([\w-]+)` \|.*\|$", re.MULTILINE)
SPENT = re.compile(r"(?:seeds?|states), ([\d.]+) s$")
# Bugs that seeded runs do not meet, and the bounds within which all runs are looked at.
EXPLORED: dict[str, list[str]] = {}


@dataclasses.dataclass
class Catch:
    """What was found, or how long nothing was."""

    seconds: float  # of one core
    seeds: int = 0
    states: int = 0
    rule: str = ""
    text: str = ""
    command: str = ""  # raftsim run ..., raftsim explore ...
    events: Optional[int] = None  # of the shrunk schedule
    scenario: str = ""

    def told(self) -> str:
        if not self.rule:
            return f"not in {self.seeds} seeds"
        count = f"{self.states} states" if self.states else plural(self.seeds, "seed")
        return f"{count}, {self.seconds:.1f} s"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def core_names() -> list[str]:
    """The mutants of the core and the host that were shipped, by the bugs' numbers."""
    loaded = [mutants.load(mutants.HERE / f"{name}.toml") for name in mutants.names()]
    ours = [mutant for mutant in loaded if mutant.file.startswith("raft/")]
    ours = [mutant for mutant in ours if mutant.bug <= mutants.SHIPPED_MAX]
    return [m.name for m in sorted(ours, key=lambda m: (m.bug, m.name))]


class Raftsim:
    """The program that is built in a copy of the tree."""

    def __init__(self, tree: pathlib.Path) -> None:
        self.tree = tree
        self.seconds = 0.0  # that it has used of a core, in all
        self.reference = str(tree / "raftsim-reference")

    def build(self) -> None:
        made = subprocess.run(
            ["make", "--no-print-directory", "-j2", "OPT=-O2", "build/raftsim"],
            cwd=self.tree, capture_output=True, text=True,
        )
        if made.returncode != 0:
            raise mutants.Broken("it does not compile:\n" + made.stderr[-2000:])

    def keep_reference(self) -> None:
        """What is built now is free of bugs; later catches are held against it."""
        shutil.copy2(self.program(), self.reference)

    def is_the_bugs(self, command: str) -> bool:
        """Whether that run is well without the bug."""
        words = shlex.split(command)[1:]
        return subprocess.run([self.reference, *words], capture_output=True).returncode == 0

    def can(self, command: str) -> bool:
        told = subprocess.run([self.program(), "--help"], capture_output=True, text=True)
        return f"raftsim {command}" in told.stdout

    def program(self) -> str:
        return str(self.tree / "build" / "raftsim")

    def ask(self, *words: Any) -> dict[str, Any]:
        """Its answer; what it and its workers used of a core is added up."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [self.program(), *map(str, words)], cwd=self.tree, capture_output=True, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if done.returncode == 2 or not done.stdout:
            raise mutants.Broken(f"raftsim {shlex.join(map(str, words))}: {done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])


def sweep(raftsim: Raftsim, mix: str, seconds_max: float) -> Catch:
    """Seeds 1, 2, 3... of clusters of several sizes, until one fails."""
    began = raftsim.seconds
    catch = Catch(0)
    for nodes, first, last in slices():
        while first <= last and catch.seconds < seconds_max:
            left = max(1, round(seconds_max - catch.seconds))
            answer = raftsim.ask(
                *("sweep", "--seeds", f"{first}..{last}", "--jobs", 1, "--stop-after", 1),
                *("--seconds", left, "--seed-seconds", 10),
                *("--nodes", nodes, "--mix", mix, *FLAGS),
            )
            catch.seeds += answer["seeds"]
            catch.seconds = raftsim.seconds - began
            first += max(1, answer["seeds"])
            for rule in answer["rules"]:
                if raftsim.is_the_bugs(rule["replay"]):
                    catch.rule, catch.text = rule["rule"], rule["text"]
                    catch.command = rule["replay"]
                    return catch
        if catch.seconds >= seconds_max:
            return catch
    raise AssertionError("there is no last slice")


def slices() -> Iterator[tuple[int, int, int]]:
    """Sizes of clusters with the first and the last of the next seeds, without end."""
    first, size = 1, SLICE
    while True:
        for nodes in NODES:
            yield nodes, first, first + size - 1
        first += size
        size *= 2


def explore(raftsim: Raftsim, bounds: list[str]) -> Catch:
    began = raftsim.seconds
    answer = raftsim.ask("explore", *bounds, "--seconds", SECONDS_MAX, "--jobs", 1)
    catch = Catch(raftsim.seconds - began, states=answer["states"])
    if answer.get("violations"):
        first = answer["violations"][0]
        catch.rule, catch.text = first["property"], first["text"]
        catch.command = "raftsim explore " + shlex.join(bounds)
    return catch


def shrink(raftsim: Raftsim, catch: Catch) -> None:
    """The shortest schedule that still breaks the rule, where there is one."""
    if not catch.command.startswith("raftsim run ") or not raftsim.can("shrink"):
        return
    path = raftsim.tree / "found.scenario"
    try:
        answer = raftsim.ask(
            "shrink", *shlex.split(catch.command)[2:], "--seconds", 20, "--out", path
        )
    except (mutants.Broken, json.JSONDecodeError):
        return
    if answer.get("replays"):
        catch.events = answer["commands"]
    if path.exists():
        catch.scenario = path.read_text()


def keep(name: str, catch: Catch) -> None:
    """In the place of the schedule that shows this bug so far; without numbers of lines,
    which move with the sources."""
    if catch.scenario:
        text = re.sub(r"raftsim: (\S+?):\d+: ", r"\1: ", catch.scenario)
        (KEPT / f"{name}.scenario").write_text(text)


def hunt(
    name: str, raftsim: Raftsim, mixes: tuple[str, ...], seconds: int
) -> dict[str, Catch]:
    mutant = mutants.load(mutants.HERE / f"{name}.toml")
    path = raftsim.tree / mutant.file
    original = path.read_text()
    mutants.apply(mutant, raftsim.tree)
    try:
        raftsim.build()
        limits = {"swarm": seconds, "fixed": min(seconds, FIXED_SECONDS_MAX)}
        found = {mix: sweep(raftsim, mix, limits[mix]) for mix in mixes}
        best = found[mixes[0]]
        if not best.rule and name in EXPLORED and raftsim.can("explore"):
            best = found[mixes[0]] = explore(raftsim, EXPLORED[name])
        shrink(raftsim, best)
        return found
    finally:
        path.write_text(original)


# ---- what is told ----------------------------------------------------------------------

HEAD = (
    "| Bug | Mutant | Found by | After | Rule | Events, shrunk | With a fixed mix |\n"
    "|---|---|---|---|---|---|---|\n"
)


def row(name: str, found: dict[str, Catch]) -> str:
    mutant = mutants.load(mutants.HERE / f"{name}.toml")
    best = found["swarm"]
    by = ("explore" if best.states else "sweep") if best.rule else "**not found**"
    events = "" if best.events is None else str(best.events)
    fixed = found["fixed"].told() if "fixed" in found else ""
    cells = (mutant.bug, f"`{name}`", by, best.told(), best.rule, events, fixed)
    return "| " + " | ".join(map(str, cells)) + " |"


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" |")]


def summary(rows: list[str]) -> str:
    """Of rows as row() writes them, since a table may have older ones."""
    table = [cells_of(line) for line in rows]
    lines = []
    for mix, limit, column in zip(MIXES, (SECONDS_MAX, FIXED_SECONDS_MAX), (3, 6)):
        told = [cells[column] for cells in table if cells[column]]
        spent = [float(match[1]) for text in told if (match := SPENT.search(text))]
        hit = [seconds for seconds in spent if seconds <= limit]
        if hit:
            lines.append(
                f"{mix}: {len(hit)} of {len(told)} found within {limit} s of one "
                f"core, median {statistics.median(hit):.1f} s"
            )
    events = [int(cells[5]) for cells in table if cells[5]]
    if events:
        lines.append(f"shrunk: {len(events)}, median {statistics.median(events):.0f} events")
    return "\n".join(lines)


def tell(name: str, found: dict[str, Catch]) -> None:
    """One bug at length."""
    mutant = mutants.load(mutants.HERE / f"{name}.toml")
    best = found["swarm"]
    print(f"\nbug {mutant.bug}, {mutant.rule}, in {mutant.file}: {name}")
    print(" ".join(mutant.story.split()))
    if not best.rule:
        print(f"Not found: {plural(best.seeds, 'seed')}, {best.seconds:.1f} s of one core.")
        return
    print(f"Found after {best.told()} of one core: {best.rule}: {best.text}")
    print(f"again (with the bug built in): {best.command}")
    if best.events is not None:
        print(f"Shrunk to {plural(best.events, 'event')}:\n\n{best.scenario}")


def write_document(rows: dict[str, str]) -> None:
    """These rows in place of those of the same names; the others stay."""
    text = DOCUMENT.read_text()
    begin, end = "<!-- hunt -->\n", "<!-- end -->\n"
    before, _, rest = text.partition(begin)
    held, _, after = rest.partition(end)
    old = {match[1]: match[0] for match in ROW.finditer(held)}
    merged = [(old | rows)[name] for name in core_names() if name in old | rows]
    lines = "".join(f"- {line}\n" for line in summary(merged).splitlines())
    table = HEAD + "".join(line + "\n" for line in merged)
    DOCUMENT.write_text(f"{before}{begin}\n{lines}\n{table}\n{end}{after}")


def chosen(words: list[str]) -> list[str]:
    """Those that were shipped; by name or number any that raftsim can have."""
    picked: list[str] = []
    bugs = {n: mutants.load(mutants.HERE / f"{n}.toml") for n in mutants.names()}
    bugs = {n: bug for n, bug in bugs.items() if bug.file.startswith(SIMULATED)}
    for word in words or core_names():
        word = ALIASES.get(word, word)
        numbered = [n for n, bug in bugs.items() if word == str(bug.bug)]
        if word not in bugs and not numbered:
            raise SystemExit(f'hunt.py: raftsim has no bug "{word}"')
        picked += numbered or [word]
    return picked


def main() -> int:
    parser = argparse.ArgumentParser(description="let the simulator find known bugs")
    parser.add_argument("bugs", nargs="*", metavar="BUG")
    parser.add_argument("--write", action="store_true", help="write docs/hunt.md")
    parser.add_argument("--seconds", type=int, default=SECONDS_MAX, help="for one bug")
    parser.add_argument("--keep", action="store_true", help="keep the shrunk schedules")
    parser.add_argument("--mix", choices=MIXES, help="only this one")
    arguments = parser.parse_args()
    names = chosen(arguments.bugs)
    at_length = bool(arguments.bugs)
    mixes = MIXES if arguments.write or not at_length else ("swarm",)
    if arguments.mix == "swarm":
        mixes = ("swarm",)
    found: dict[str, dict[str, Catch]] = {}
    rows: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="hunt-") as folder:
        raftsim = Raftsim(pathlib.Path(folder))
        mutants.copy_sources(raftsim.tree)
        began = time.monotonic()
        raftsim.build()
        raftsim.keep_reference()
        print(f"built in {time.monotonic() - began:.0f} s", file=sys.stderr)
        if not at_length:
            print(HEAD, end="", flush=True)
        for name in names:
            found[name] = hunt(name, raftsim, mixes, arguments.seconds)
            rows[name] = row(name, found[name])
            if arguments.keep:
                keep(name, found[name]["swarm"])
            if at_length:
                tell(name, found[name])
            else:
                print(rows[name], flush=True)
    print(summary([*rows.values()]))
    if arguments.write:
        write_document(rows)
    return 0 if all(catches["swarm"].rule for catches in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
