"""What is told of a student's files that do not compile, or do not fit the rest. The text
names no folder of this machine."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Optional

import lab as labs
import sandbox
from raftlab.grading import printable

LINES_MAX = 40
COLUMNS_MAX = 200
OF_MAKE = re.compile(r"  (CC|AR|LINK) |make(\[|:)|.*collect2: error|clang: error: linker")
COMPILED = re.compile(r"build/\S*obj/labs/\d-\S+\.o\] Error")
MISSING = re.compile(r"undefined reference to [`'\"]?(\w+)")
OF_STUDENT = re.compile(r"labs/\d-")


def missing(names: set[str], chosen: list[labs.Lab], root: pathlib.Path) -> Iterator[str]:
    """The functions that a student's file should hold, by what the header beside the
    reference's file declares."""
    for lab in chosen:
        for file in lab.files:
            header = pathlib.PurePath(file).with_suffix(".h")
            path = root / header
            own = sandbox.declared(path.read_text(encoding="utf-8")) if path.exists() else set()
            stem = f"{header.stem}_"
            lacking = sorted(name for name in names if name in own or name.startswith(stem))
            if lacking:
                names -= set(lacking)
                yield from (f"{lab.own(file).name} lacks {name}()" for name in lacking)


def link_problem(said: str, chosen: list[labs.Lab], root: pathlib.Path) -> Iterator[str]:
    """Why what has compiled cannot be put together, if that is the student's doing."""
    out = root / "build"
    for lab in chosen:
        sources = [path for path in lab.written() if path.suffix == ".c"]
        if lab.files and all(sandbox.built(path, root, out) for path in sources):
            yield from sandbox.judge_objects(lab, root, out, linked=False)
    yield from missing(set(MISSING.findall(said)), chosen, root)


def shown(lines: list[str]) -> str:
    lines = [line if len(line) <= COLUMNS_MAX else line[:COLUMNS_MAX] + "..." for line in lines]
    return printable("\n".join([*lines[:LINES_MAX], *(["..."] if len(lines) > LINES_MAX else [])]))


def problem(said: str, chosen: list[labs.Lab], root: pathlib.Path) -> Optional[str]:
    """What a compiler or linker says of the student's files, without what make adds; None
    where it says nothing of them."""
    said = said.replace(f"{root}/", "")
    lines = [line for line in said.split("\n") if not OF_MAKE.match(line)]
    if not COMPILED.search(said) and (found := [*link_problem(said, chosen, root)]):
        return "It cannot be put together with the rest:\n\n" + shown(found)
    if COMPILED.search(said) or any(map(OF_STUDENT.search, lines)) or MISSING.search(said):
        return "It does not compile:\n\n" + shown(lines)
    return None
