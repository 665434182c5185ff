#!/usr/bin/env python3
"""Correct solutions of another kind: each has to reach full points, or a claim demands
more than its handout says.

Each labs/alternatives/*.toml is one:

    lab       the lab that it solves
    title     what is different
    why       why that is right
    [[change]]  file, find (stands there once), replace: of a file that the lab's student writes
    [[file]]    name, text: a file more, or one of lab.toml's `start` in other words

    labs/tools/alternatives.py                 judges all, in a copy of the tree
    labs/tools/alternatives.py --lab N         those of one lab
    labs/tools/alternatives.py NAME [NAME...]  some

The exit code is 0 where all of them reach full points."""

from __future__ import annotations

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field

import lab as labs
import skeleton
import staging

FOLDER = labs.ROOT / "labs" / "alternatives"
SECONDS_MAX = 1200


class Broken(Exception):
    """It cannot be applied; the text says why."""


@dataclass
class Alternative:
    name: str
    lab: int
    title: str
    why: str
    change: list[dict[str, str]] = field(default_factory=list)
    file: list[dict[str, str]] = field(default_factory=list)

    def texts(self) -> dict[str, str]:
        """name -> text of the files that a student would have written so."""
        lab = labs.numbered(self.lab)
        texts = {file: (labs.ROOT / file).read_text(encoding="utf-8") for file in lab.files}
        for change in self.change:
            if change["file"] not in texts:
                raise Broken(f"{change['file']} is none that lab {self.lab} lets write")
            text = texts[change["file"]]
            if text.count(change["find"]) != 1:
                raise Broken(f"in {change['file']} this does not stand once:\n{change['find']}")
            texts[change["file"]] = text.replace(change["find"], change["replace"])
        written = {pathlib.PurePath(file).name: text for file, text in texts.items()}
        written |= {name: lab.solution(name).read_text(encoding="utf-8") for name in lab.start}
        return written | {file["name"]: file["text"] for file in self.file}


def load(path: pathlib.Path) -> Alternative:
    return Alternative(name=path.stem, **tomllib.loads(path.read_text(encoding="utf-8")))


def every() -> list[Alternative]:
    return [load(path) for path in sorted(FOLDER.glob("*.toml"))]


def without_marks(text: str) -> str:
    lines = text.splitlines(keepends=True)
    kept = (li for li in lines if not skeleton.BEGIN.match(li) and not skeleton.END.match(li))
    return "".join(kept)


def copy_tree(to: pathlib.Path) -> None:
    """What git knows, as it is now, and no file of a student's."""
    for name in labs.project_files():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(labs.ROOT / name, to / name)


def share_objects(to: pathlib.Path) -> None:
    """What is compiled here need not be compiled there; a student's own is left out."""
    for out in ("build", "build/sanitized"):
        if (labs.ROOT / out / "obj.flags").exists():
            objects = labs.ROOT / out / "obj"
            shutil.copytree(objects, to / out / "obj", ignore=shutil.ignore_patterns("[0-9]-*"))
            shutil.copy2(labs.ROOT / out / "obj.flags", to / out / "obj.flags")


def judge(alternative: Alternative, tree: pathlib.Path) -> str:
    """Nothing, or why it has not reached full points."""
    lab = labs.numbered(alternative.lab)
    folder = tree / lab.folder.relative_to(labs.ROOT)
    for path in staging.handed_in(lab, folder):
        path.unlink()
    try:
        for name, text in alternative.texts().items():
            (folder / name).write_text(without_marks(text), encoding="utf-8")
    except Broken as problem:
        return str(problem)
    graded = subprocess.run(
        [sys.executable, "labs/tools/grade.py", str(alternative.lab)],
        cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS_MAX,
    )  # fmt: skip
    return "" if graded.returncode == 0 else graded.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description="judge the labs by other right solutions")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, unless given")
    parser.add_argument("--lab", type=int, help="those of this lab only")
    arguments = parser.parse_args()
    there = every()
    if unknown := set(arguments.names) - {alternative.name for alternative in there}:
        parser.error(f"there is no alternative {', '.join(sorted(unknown))}")
    chosen = [
        alternative
        for alternative in there
        if (not arguments.names or alternative.name in arguments.names)
        and arguments.lab in (None, alternative.lab)
    ]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="alternatives-") as folder:
        tree = pathlib.Path(folder)
        copy_tree(tree)
        share_objects(tree)
        for alternative in sorted(chosen, key=lambda one: one.lab):
            problem = judge(alternative, tree)
            failed += problem != ""
            verdict = "FAILED" if problem else "full points"
            print(f"lab {alternative.lab}  {verdict:11}  {alternative.title}", flush=True)
            if problem:
                print(problem, flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} reach full points")
    return 0 if failed == 0 and chosen else 1


if __name__ == "__main__":
    sys.exit(main())
