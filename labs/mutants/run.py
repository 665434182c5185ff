"""Put a known bug into a copy of the sources, and see whether the tests notice.

Each .toml file here is a mutant: a small textual change that re-creates a bug which a
real system has shipped.

    bug        number in the catalogue of such bugs (docs/bugs.md)
    rule       the rule of docs/figure2.md that it breaks
    file       the source file, from the project's root
    find       text that stands in that file exactly once
    replace    what it is replaced by
    killed_by  the tests that must fail, as path::claim; C or Python
    lab        the lab that judges it (0: none), where it is not that of its file
    story      who shipped it, and what it did

A mutant is *killed* if it compiles and every test it names fails, all of which pass
without it; otherwise it has *survived*, and the exit code is not 0.

    labs/mutants/run.py                 all
    labs/mutants/run.py NAME [NAME...]  some
    labs/mutants/run.py --table         the rows of docs/bugs.md
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from typing import Optional

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SOURCES = ["Makefile", "raft", "rpc", "kvserver", "sim", "labs", "tests"]
TEST_SECONDS_MAX = 120
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


def program_of(test: str) -> tuple[str, str]:
    """What a test runs, below build/, and its claim."""
    path, claim = test.split("::")
    return "raftsim" if path.endswith(".py") else path.removesuffix(".c"), claim


def build(tree: pathlib.Path, tests: list[str]) -> None:
    targets = sorted({f"build/{program_of(test)[0]}" for test in tests})
    made = subprocess.run(
        ["make", "--no-print-directory", "-j2", "OPT=-O1", *targets],
        cwd=tree, capture_output=True, text=True,
    )
    if made.returncode != 0:
        raise Broken("it does not compile:\n" + made.stderr[-2000:])


def fails_in_python(tree: pathlib.Path, test: str) -> bool:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=tree, env=os.environ | {"RAFTLAB_BUILT": "1", "RAFTLAB_OUT": "build"},
        capture_output=True, text=True, timeout=TEST_SECONDS_MAX,
    )
    if run.returncode not in (0, 1):
        raise Broken(f"no test is named {test}:\n{run.stdout[-2000:]}")
    return run.returncode == 1


def fails(tree: pathlib.Path, test: str) -> bool:
    if test.partition("::")[0].endswith(".py"):
        return fails_in_python(tree, test)
    program, claim = program_of(test)
    command = [tree / "build" / program]
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True)
    if claim not in listed.stdout.split():
        raise Broken(f"no test is named {test}")
    try:
        run = subprocess.run(
            [*command, claim], cwd=tree, capture_output=True, timeout=TEST_SECONDS_MAX
        )
    except subprocess.TimeoutExpired:
        return True
    return run.returncode != 0


def check_reference(mutants: list[Mutant], tree: pathlib.Path) -> None:
    """A test that fails anyway cannot kill."""
    tests = sorted({test for mutant in mutants for test in mutant.killed_by})
    build(tree, tests)
    broken = [test for test in tests if fails(tree, test)]
    if broken:
        raise Broken("without any mutant these fail: " + ", ".join(broken))


def survivors(mutant: Mutant, tree: pathlib.Path) -> list[str]:
    """The tests that pass although the bug is there."""
    original = (tree / mutant.file).read_text()
    apply(mutant, tree)
    try:
        build(tree, mutant.killed_by)
        return [test for test in mutant.killed_by if not fails(tree, test)]
    finally:
        (tree / mutant.file).write_text(original)


def judge(mutant: Mutant, tree: pathlib.Path) -> bool:
    began = time.monotonic()
    try:
        passing = survivors(mutant, tree)
    except Broken as problem:
        print(f"BROKEN    {mutant.name}: {problem}", flush=True)
        return False
    verdict = "survived" if passing else "killed"
    print(
        f"{verdict:9} bug {mutant.bug:2} {mutant.rule:8} {mutant.name}"
        f" ({len(mutant.killed_by)} tests, {time.monotonic() - began:.1f} s)",
        flush=True,
    )
    for test in passing:
        print(f"          passes all the same: {test}")
    return not passing


def main() -> int:
    parser = argparse.ArgumentParser(description="judge the tests by known bugs")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, unless given")
    parser.add_argument("--table", action="store_true", help="print the rows of docs/bugs.md")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(), end="")
        return 0
    chosen = arguments.names or names()
    unknown = set(chosen) - set(names())
    if unknown:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = pathlib.Path(folder)
        copy_sources(tree)
        # One copy for all: a mutant's file is put back, and make rebuilds only that.
        mutants = [load(HERE / f"{name}.toml") for name in chosen]
        check_reference(mutants, tree)
        verdicts = [judge(mutant, tree) for mutant in mutants]
    print(f"{sum(verdicts)} of {len(verdicts)} killed")
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
