#!/usr/bin/env python3
"""Writes the files of a lab that a student is to complete.

    labs/tools/skeleton.py              lists the labs
    labs/tools/skeleton.py N            writes those of lab N that are not there yet
    labs/tools/skeleton.py N --to DIR   writes them all into another folder

The reference is the one source. What is to be written stands in it between the lines

    // BEGIN SOLUTION lab1: RV-1, RV-2a
    // END SOLUTION

either around the whole body of a function, for which the skeleton says what is missing,
or around whole static functions, which the skeleton leaves out. A file serves one lab.
Where the rules end with `(empty at first)`, the function does nothing as long as it is not
written: each step of a node calls it, also in tests of what is written before it.
What a lab names as `start` is no source, and is copied as it stands in labs/*/start."""

from __future__ import annotations

import argparse
import pathlib
import re
import sys

import lab as labs

BEGIN = re.compile(r"^(\s*)// BEGIN SOLUTION lab(\d): (\S.*)$")
END = re.compile(r"^\s*// END SOLUTION$")
STATIC = re.compile(r"^static (.*\b(\w+)\()")
EMPTY = " (empty at first)"
INDENT = "    "


class Malformed(Exception):
    """A solution's marks are not as they must be; the text says where."""


def parameters(header: str) -> list[str]:
    """The names of a function's parameters, from its header in one line."""
    inside = header[header.index("(") + 1 : header.rindex(")")]
    depth, part, parts = 0, "", []
    for letter in inside + ",":
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += letter
    names = []
    for text in parts:
        if text in ("void", "", "..."):
            continue
        pointer = re.search(r"\(\*(\w+)\)", text)
        names.append((pointer or re.search(r"(\w+)(\[.*\])?$", text)).group(1))
    return names


def header_above(lines: list[str], brace: int) -> str:
    """The header of the function whose `{` stands in that line."""
    first = brace
    while first > 0 and re.match(r"^[\w ].*[^;}]$", lines[first - 1]):
        first -= 1
    return " ".join(line.strip() for line in lines[first:brace])


def stub(lines: list[str], begin: int, number: str, rules: str, where: str) -> list[str]:
    """What stands in a body whose solution begins at that line."""
    if begin == 0 or lines[begin - 1] != "{":
        raise Malformed(f"{where}: this solution is not the whole body of a function")
    header = header_above(lines, begin - 1)
    if "(" not in header:
        raise Malformed(f"{where}: no function's header stands above")
    ignored = [f"{INDENT}(void){name};" for name in parameters(header)]
    if rules.endswith(EMPTY):
        told = f"{INDENT}// lab {number}: {rules.removesuffix(EMPTY)}. It does nothing yet."
        return [*ignored, told]
    return [*ignored, f'{INDENT}LAB_TODO("lab {number}: {rules}");']


def cut(lines: list[str], name: str) -> list[str]:
    """The lines without what is to be written."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        where = f"{name}:{at + 1}"
        if END.match(lines[at]):
            raise Malformed(f"{where}: a solution ends here, but none has begun")
        begin = BEGIN.match(lines[at])
        if begin is None:
            if "BEGIN SOLUTION" in lines[at] or "END SOLUTION" in lines[at]:
                raise Malformed(f"{where}: write `// BEGIN SOLUTION labN: RULES`")
            kept.append(lines[at])
            at += 1
            continue
        end = at + 1
        while end < len(lines) and not END.match(lines[end]):
            if BEGIN.match(lines[end]):
                raise Malformed(f"{name}:{end + 1}: a solution within a solution")
            end += 1
        if end == len(lines):
            raise Malformed(f"{where}: this solution has no end")
        if begin.group(1):
            if end + 1 == len(lines) or lines[end + 1] != "}":
                raise Malformed(f"{name}:{end + 1}: the function goes on behind its solution")
            kept += stub(lines, at, begin.group(2), begin.group(3), where)
        elif kept and kept[-1] == "" and lines[end + 1 : end + 2] == [""]:
            end += 1  # one empty line is enough
        at = end + 1
    return kept


def has_solutions(text: str) -> bool:
    return "// BEGIN SOLUTION" in text


def labs_of(text: str) -> set[int]:
    """Those whose solutions stand in this text."""
    found = (BEGIN.match(line) for line in text.splitlines())
    return {int(match.group(2)) for match in found if match}


def skeleton(text: str, name: str) -> str:
    """The text of a reference file without its solutions."""
    if not has_solutions(text):
        return text
    lines = cut(text.splitlines(), name)
    include = next((n for n, line in enumerate(lines) if line.startswith("#include")), None)
    if include is None:
        raise Malformed(f"{name}: it includes nothing")
    lines[include + 1 : include + 1] = ["", '#include "labs/todo.h"']
    left = "\n".join(lines)
    for at, line in enumerate(lines):
        given = STATIC.match(line)
        if given and len(re.findall(rf"\b{given.group(2)}\b", left)) == 1:
            lines[at] = "LAB_GIVEN\n" + line  # above it, so that its lines stay as they are
    return "\n".join(lines) + "\n"


def begun(lab: labs.Lab) -> dict[str, str]:
    """name -> text of a lab's files as a student finds them at first."""
    texts = {}
    for file in lab.files:
        text = (labs.ROOT / file).read_text(encoding="utf-8")
        texts[pathlib.PurePath(file).name] = skeleton(text, file)
    for name in lab.start:
        texts[name] = lab.template(name).read_text(encoding="utf-8")
    return texts


def write(lab: labs.Lab, folder: pathlib.Path) -> list[tuple[pathlib.Path, bool]]:
    """(file, whether it was written): what is there already is left as it is."""
    told = []
    for name, text in begun(lab).items():
        path = folder / name
        there = path.exists()
        if not there:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        told.append((path, not there))
    return told


def relative(path: pathlib.Path) -> str:
    return str(path.relative_to(labs.ROOT) if path.is_relative_to(labs.ROOT) else path)


def listing() -> str:
    width = max(len(lab.title) for lab in labs.every())
    lines = [
        f"lab {lab.number}  {lab.title:{width}}  {relative(lab.folder)}/" for lab in labs.every()
    ]
    return "\n".join([*lines, "", "`make lab1` writes the files that are yours to complete."])


def main() -> int:
    parser = argparse.ArgumentParser(description="write the files of a lab")
    parser.add_argument("lab", nargs="?", type=int)
    parser.add_argument("--to", type=pathlib.Path, metavar="DIR")
    arguments = parser.parse_args()
    try:
        if arguments.lab is None:
            print(listing())
            return 0
        lab = labs.numbered(arguments.lab)
        told = write(lab, arguments.to or lab.folder)
    except (labs.Unknown, Malformed) as problem:
        print(problem, file=sys.stderr)
        return 2
    for path, written in told:
        print(f"{'wrote' if written else 'kept '}  {relative(path)}")
    print(f"Read {relative(lab.folder)}/README.md; then `make grade LAB={lab.number}`.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
