#!/usr/bin/env python3
"""Hand a known bug in, as a student would who has it, and see what `make grade` gives.

The mutant's change is made in the solution of its lab, which is judged by the grader from
end to end: it has to lose points, and the failed claims have to be among its own tests.

    labs/mutants/points.py                 one mutant of each lab (FIRST)
    labs/mutants/points.py NAME [NAME...]  some
    labs/mutants/points.py --lab N         all of that lab"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import run as mutants

import alternatives
import lab as labs
import staging

FIRST = (
    "two-of-five-are-a-quorum",
    "the-longer-log-wins",
    "commits-an-older-term-by-counting",
    "answers-leave-while-the-write-is-under-way",
    "a-lost-chunk-is-not-sent-again",
    "a-retried-command-runs-again",
    "half-is-taken-for-a-majority",
    "a-late-winner-owes-what-came-after-its-term",
)
SECONDS_MAX = 1200


def files_of(mutant: mutants.Mutant, lab: labs.Lab) -> dict[str, str]:
    """name -> text of all that is handed in."""
    texts = {file: (labs.ROOT / file).read_text(encoding="utf-8") for file in lab.judged_by()}
    if texts.get(mutant.file, "").count(mutant.find) != 1:
        raise mutants.Broken(f"{mutant.file} is not what lab {lab.number} lets write")
    texts[mutant.file] = texts[mutant.file].replace(mutant.find, mutant.replace)
    return {pathlib.PurePath(file).name: text for file, text in texts.items()}


def graded(mutant: mutants.Mutant, tree: pathlib.Path) -> tuple[str, list[str]]:
    """The grader's last line, and the claims that failed."""
    lab = labs.numbered(mutants.lab_of(mutant))
    folder = tree / lab.folder.relative_to(labs.ROOT)
    for path in staging.handed_in(lab, folder):
        path.unlink()
    for name, text in files_of(mutant, lab).items():
        (folder / name).write_text(alternatives.without_marks(text), encoding="utf-8")
    verdict = tree / "build" / f"lab{lab.number}" / "grade.json"
    verdict.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "labs/tools/grade.py", str(lab.number)], cwd=tree,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS_MAX,
    )  # fmt: skip
    if done.returncode not in (0, 1) or not verdict.exists():
        raise mutants.Broken(done.stdout[-2000:])
    claims = json.loads(verdict.read_text(encoding="utf-8"))
    failed = [f"{claim['file']}::{claim['name']}" for claim in claims if not claim["held"]]
    return done.stdout.strip().splitlines()[-1], failed


def told(mutant: mutants.Mutant, tree: pathlib.Path) -> bool:
    """Whether it has lost points, as it says itself."""
    try:
        line, failed = graded(mutant, tree)
    except mutants.Broken as problem:
        print(f"BROKEN  {mutant.name}: {problem}", flush=True)
        return False
    missing = set(mutant.killed_by) & set(mutants.repeated.in_lab(mutants.lab_of(mutant)))
    missing -= set(failed)
    print(f"{line:22} {mutant.name} ({len(failed)} claims failed)", flush=True)
    for test in sorted(missing):
        print(f"{'':22} holds all the same: {test}", flush=True)
    return bool(failed) and not missing


def main() -> int:
    parser = argparse.ArgumentParser(description="grade labs with known bugs in them")
    parser.add_argument("names", nargs="*", metavar="NAME", help="one of each lab, unless given")
    parser.add_argument("--lab", type=int, help="all of this lab")
    arguments = parser.parse_args()
    there = [mutants.load(mutants.HERE / f"{name}.toml") for name in mutants.names()]
    names = arguments.names or FIRST
    if arguments.lab is not None:
        files = labs.numbered(arguments.lab).judged_by()
        names = [one.name for one in there if one.file in files]
        names = [name for name in names if mutants.lab_of(by_name(there, name)) == arguments.lab]
    if unknown := set(names) - {mutant.name for mutant in there}:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="points-") as folder:
        tree = pathlib.Path(folder)
        alternatives.copy_tree(tree)
        alternatives.share_objects(tree)
        lost = [told(by_name(there, name), tree) for name in names]
    print(f"{sum(lost)} of {len(lost)} lose points")
    return 0 if lost and all(lost) else 1


def by_name(there: list[mutants.Mutant], name: str) -> mutants.Mutant:
    return next(mutant for mutant in there if mutant.name == name)


if __name__ == "__main__":
    sys.exit(main())
