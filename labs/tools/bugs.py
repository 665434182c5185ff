#!/usr/bin/env python3
"""Writes a source file with a known bug in it, for a lab in which students hunt bugs.

    labs/tools/bugs.py BUG.toml OUT     OUT is the file of the tree with the bug

Each labs/*/bugs/*.toml is one:

    title, told    what is wrong, in a few words and at length
    rule           the rule of docs/figure2.md that it breaks
    file           the source file, from the tree's root
    find, replace  text that stands there once, and what stands there instead"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Broken(Exception):
    """The bug cannot be put in; the text says why."""


def text_with(bug: pathlib.Path) -> str:
    fields = tomllib.loads(bug.read_text(encoding="utf-8"))
    text = (ROOT / fields["file"]).read_text(encoding="utf-8")
    if (count := text.count(fields["find"])) != 1:
        raise Broken(f"{bug.name}: its text stands {count} times in {fields['file']}")
    return text.replace(fields["find"], fields["replace"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bug", type=pathlib.Path, metavar="BUG.toml")
    parser.add_argument("out", type=pathlib.Path, metavar="OUT")
    arguments = parser.parse_args()
    bug, out = arguments.bug, arguments.out
    try:
        text = text_with(bug)
    except Broken as problem:
        print(problem, file=sys.stderr)
        return 2
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
