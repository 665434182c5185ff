#!/usr/bin/env python3
"""Put a known bug into a copy of the sources, and see whether the tests notice.

Each .toml file here is a mutant: a small textual change that re-creates a bug which a
real system has shipped, or which students of Raft write.

    bug        number in the catalogue of such bugs (docs/bugs.md)
    rule       the rule of docs/figure2.md that it breaks
    file       the source file, from the project's root
    find       text that stands in that file exactly once
    replace    what it is replaced by
    killed_by  the tests that must fail, as path::claim; C or Python
    lab        the lab that judges it (0: none), where it is not that of its file
    story      who shipped it, and what it did
    unscheduled  why no schedule of the simulator shows it, where none does (zoo.py)

A mutant is *killed* if it compiles and every test it names fails, all of which pass
without it, and if it has a lab, one of them carries points there. Otherwise it has
*survived*, and the exit code is not 0. A test in Python runs with seeds: how many it took
is told. With --repeat 20 each test runs twenty times, each time with other seeds, and has
to fail in all of them. A schedule that is kept for it (scenarios/, see zoo.py) has to
break its rule.

    labs/mutants/run.py [--repeat N]                 all
    labs/mutants/run.py [--repeat N] NAME [NAME...]  some
    labs/mutants/run.py --repeat 20 --write          all, and docs/mutants.md
    labs/mutants/run.py --table                      the rows of docs/bugs.md

With --file F what comes of each mutant is kept there, and is not asked again. --base DIR
copies the tree from there, as prepare() has built it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import tomllib
from typing import Any, Optional

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "labs" / "tools")]

import lab as labs  # noqa: E402
from raftlab import repeated  # noqa: E402

DOCUMENT = ROOT / "docs" / "mutants.md"
SOURCES = ["Makefile", "raft", "rpc", "kvserver", "sim", "labs", "tests"]
SHIPPED_MAX = 62  # bugs beyond are not systems' but those of courses


class Broken(Exception):
    """The mutant itself is wrong: it cannot be applied, built or judged."""


@dataclasses.dataclass
class Mutant:
    name: str
    bug: int
    rule: str
    file: str
    find: str
    replace: str
    killed_by: list[str]
    story: str
    lab: Optional[int] = None
    unscheduled: str = ""


def load(path: pathlib.Path) -> Mutant:
    fields = tomllib.loads(path.read_text())
    return Mutant(name=path.stem, **fields)


def names() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.toml"))


def table() -> str:
    """A row for each mutant, by the bugs' numbers: what docs/bugs.md holds."""
    mutants = [load(HERE / f"{name}.toml") for name in names()]
    mutants.sort(key=lambda mutant: (mutant.bug, mutant.name))
    rows = ["| Bug | Rule | Mutant | What was shipped |", "|---|---|---|---|"]
    for mutant in mutants:
        story = " ".join(mutant.story.split())
        rows.append(f"| {mutant.bug} | {mutant.rule} | `{mutant.name}` | {story} |")
    return "\n".join(rows) + "\n"


def copy_sources(to: pathlib.Path) -> None:
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, to / name)


def apply(mutant: Mutant, tree: pathlib.Path) -> None:
    path = tree / mutant.file
    text = path.read_text()
    count = text.count(mutant.find)
    if count != 1:
        raise Broken(f"its text stands {count} times in {mutant.file}, not once")
    path.write_text(text.replace(mutant.find, mutant.replace))


def lab_of(mutant: Mutant) -> int:
    """0: none."""
    if mutant.lab is not None:
        return mutant.lab
    judges = (lab.number for lab in labs.every() if mutant.file in lab.judged_by())
    return next(judges, 0)


def check_points(mutant: Mutant) -> None:
    """Who has this bug loses points in its lab."""
    lab = lab_of(mutant)
    if lab != 0 and not set(mutant.killed_by) & set(repeated.in_lab(lab)):
        raise Broken(f"none of its tests carries points in lab {lab}")


# ---- building and asking ---------------------------------------------------------


def prepare(folder: pathlib.Path) -> None:
    """A copy of the sources, with all built that any mutant's tests need."""
    folder.mkdir()
    copy_sources(folder)
    tests = {test for name in names() for test in load(HERE / f"{name}.toml").killed_by}
    build(folder, sorted(tests), raftsim=True)


def program_of(test: str) -> str:
    """What a test runs, below build/."""
    path = test.partition("::")[0]
    return "raftsim" if path.endswith(".py") else path.removesuffix(".c")


def build(tree: pathlib.Path, tests: list[str], raftsim: bool = False) -> None:
    targets = sorted({f"build/{program_of(test)}" for test in tests})
    if raftsim:
        targets.append("build/raftsim")
    if any("/lab8/" in test for test in tests):
        targets.append("bugs")
    made = subprocess.run(
        ["make", "--no-print-directory", "-j2", "OPT=-O1", *targets],
        cwd=tree, capture_output=True, text=True,
    )
    if made.returncode != 0:
        raise Broken("it does not compile:\n" + made.stderr[-2000:])


def ask(tree: pathlib.Path, tests: list[str], repeat: int) -> list[dict[str, Any]]:
    """What raftlab.repeated tells of each test and run."""
    settings = {"RAFTLAB_BUILT": "1", "RAFTLAB_OUT": "build", "PYTHONPATH": str(tree / "tests")}
    if not tests:
        return []
    run = subprocess.run(
        [sys.executable, "-m", "raftlab.repeated", "--runs", str(repeat), *tests],
        cwd=tree, env=os.environ | settings, capture_output=True, text=True,
    )
    if run.returncode != 0:
        raise Broken(run.stderr[-2000:])
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def check_reference(mutants: list[Mutant], tree: pathlib.Path, repeat: int) -> None:
    """A test that fails anyway cannot kill."""
    tests = sorted({test for mutant in mutants for test in mutant.killed_by})
    build(tree, tests)
    python = [test for test in tests if ".py::" in test]
    told = [*ask(tree, python, repeat), *ask(tree, sorted(set(tests) - set(python)), 1)]
    broken = {one["test"] for one in told if one["failed"]}
    if broken:
        raise Broken("without any mutant these fail: " + ", ".join(sorted(broken)))


# ---- what came of it -------------------------------------------------------------


@dataclasses.dataclass
class Judged:
    """What one test said of one mutant."""

    test: str
    runs: int
    failed: int
    seeds: list[int]  # that it took, in each run that failed; none where it has no seeds
    ms: list[int]  # of the processor, in each run

    def took(self) -> str:
        if not self.seeds:
            return ""
        most, usual = max(self.seeds), round(statistics.median(self.seeds))
        return str(most) if most == usual else f"{usual}, at most {most}"


def judged(told: list[dict[str, Any]]) -> list[Judged]:
    tests = dict.fromkeys(one["test"] for one in told)
    by_test = {test: [one for one in told if one["test"] == test] for test in tests}
    return [
        Judged(
            test=test,
            runs=len(ones),
            failed=sum(one["failed"] for one in ones),
            seeds=[one["seed"] - one["seed_base"] + 1 for one in ones if one.get("seed")],
            ms=[one["ms"] for one in ones],
        )
        for test, ones in by_test.items()
    ]


def check_schedule(path: pathlib.Path, tree: pathlib.Path) -> None:
    """Who has this bug breaks the rule that the schedule names."""
    import zoo  # which imports this

    if problem := zoo.objection(str(tree / "build" / "raftsim"), zoo.load(path)):
        raise Broken(f"{path.name}: {problem}")


def judge(mutant: Mutant, tree: pathlib.Path, repeat: int) -> list[Judged]:
    schedule = HERE / "scenarios" / f"{mutant.name}.scenario"
    original = (tree / mutant.file).read_text()
    check_points(mutant)
    apply(mutant, tree)
    try:
        build(tree, mutant.killed_by, raftsim=schedule.exists())
        if schedule.exists():
            check_schedule(schedule, tree)
        return judged(ask(tree, mutant.killed_by, repeat))
    finally:
        (tree / mutant.file).write_text(original)


def is_killed(found: list[Judged]) -> bool:
    return bool(found) and all(one.failed == one.runs for one in found)


def show(mutant: Mutant, found: list[Judged]) -> None:
    """A line for the mutant, and one for each of its tests."""
    verdict = "killed" if is_killed(found) else "survived"
    print(f"{verdict:9} bug {mutant.bug:3} {mutant.rule:9} {mutant.name}")
    for one in found:
        runs = "" if one.runs == 1 and one.failed else f"{one.failed} of {one.runs} runs, "
        seeds = f"seed {one.took()}, " if one.seeds else ""
        print(f"{'':10}{runs}{seeds}{statistics.median(one.ms):.0f} ms: {one.test}")
    sys.stdout.flush()


# ---- all of them -----------------------------------------------------------------


class Results:
    """name -> what came of it; also in a file, where one is given."""

    def __init__(self, file: Optional[pathlib.Path]) -> None:
        self.file = file
        self.found: dict[str, list[Judged]] = {}
        for line in file.read_text().splitlines() if file and file.exists() else ():
            name, ones = json.loads(line)
            self.found[name] = [Judged(**one) for one in ones]

    def add(self, name: str, found: list[Judged]) -> None:
        self.found[name] = found
        if self.file:
            with open(self.file, "a", encoding="utf-8") as file:
                file.write(json.dumps([name, [dataclasses.asdict(one) for one in found]]) + "\n")


def row(mutant: Mutant, found: list[Judged]) -> str:
    """Of docs/mutants.md: its tests, with seeds and time of the slowest to tell."""
    tests = "<br>".join(f"`{one.test.partition('::')[2].removeprefix('test_')}`" for one in found)
    seeds = "<br>".join(one.took() or "-" for one in found)
    ms = "<br>".join(f"{statistics.median(one.ms):.0f}" for one in found)
    runs = "<br>".join(f"{one.failed}/{one.runs}" for one in found)
    return f"| `{mutant.name}` | {lab_of(mutant) or '-'} | {tests} | {runs} | {seeds} | {ms} |"


def by_lab() -> list[Mutant]:
    loaded = [load(HERE / f"{name}.toml") for name in names()]
    return sorted(loaded, key=lambda mutant: (lab_of(mutant), mutant.name))


def write(results: Results) -> None:
    """The table at the end of docs/mutants.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head = "| Mutant | Lab | Tests that fail | In runs | Seeds | ms |\n|---|---|---|---|---|---|\n"
    above = text.partition(head)[0]
    rows = "".join(row(mutant, results.found[mutant.name]) + "\n" for mutant in by_lab())
    DOCUMENT.write_text(above + head + rows, encoding="utf-8")


def judge_all(
    mutants: list[Mutant],
    repeat: int,
    jobs: int,
    results: Results,
    base: Optional[pathlib.Path],
) -> int:
    """How many are killed."""
    trees: queue.SimpleQueue[pathlib.Path] = queue.SimpleQueue()

    def found(mutant: Mutant) -> list[Judged]:
        if mutant.name in results.found:
            return results.found[mutant.name]
        tree = trees.get()
        try:
            return judge(mutant, tree, repeat)
        finally:
            trees.put(tree)

    killed = 0
    left = [mutant for mutant in mutants if mutant.name not in results.found]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        # A copy for each worker: a mutant's file is put back, and make rebuilds only that.
        for tree in make_trees(pathlib.Path(folder), left, repeat, jobs, base):
            trees.put(tree)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for mutant, future in [(mutant, pool.submit(found, mutant)) for mutant in mutants]:
                try:
                    if mutant in left:
                        results.add(mutant.name, future.result())
                except Broken as problem:
                    print(f"BROKEN    {mutant.name}: {problem}", flush=True)
                    continue
                show(mutant, results.found[mutant.name])
                killed += is_killed(results.found[mutant.name])
    return killed


def make_trees(
    folder: pathlib.Path,
    mutants: list[Mutant],
    repeat: int,
    jobs: int,
    base: Optional[pathlib.Path],
) -> list[pathlib.Path]:
    """Copies of the tree in which all is built that these need."""
    trees = [folder / str(number) for number in range(jobs)]
    if base is None:
        trees[0].mkdir()
        copy_sources(trees[0])
    else:
        shutil.copytree(base, trees[0])
    if mutants:
        check_reference(mutants, trees[0], repeat)
    for tree in trees[1:]:
        shutil.copytree(trees[0], tree)
    return trees


def main() -> int:
    parser = argparse.ArgumentParser(description="judge the tests by known bugs")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, unless given")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="with other seeds (1)")
    parser.add_argument("--jobs", type=int, default=1, help="workers (1)")
    parser.add_argument("--file", type=pathlib.Path, help="keep what comes of each here")
    parser.add_argument("--base", type=pathlib.Path, metavar="DIR", help="a tree that is built")
    parser.add_argument("--write", action="store_true", help="and write docs/mutants.md")
    parser.add_argument("--table", action="store_true", help="print the rows of docs/bugs.md")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(), end="")
        return 0
    chosen = arguments.names or names()
    unknown = set(chosen) - set(names())
    if unknown:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    mutants = [load(HERE / f"{name}.toml") for name in chosen]
    results = Results(arguments.file)
    killed = judge_all(mutants, arguments.repeat, arguments.jobs, results, arguments.base)
    print(f"{killed} of {len(mutants)} killed")
    if arguments.write and killed == len(names()):
        write(results)
    return 0 if killed == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
