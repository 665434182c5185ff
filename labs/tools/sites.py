"""Where in a student's own lines an object calls what it needs, and keeps what it holds.
The compiler rewrites calls (printf("x\\n") becomes puts("x")) and names (a static `calls`
becomes calls.0); told is what the student wrote, with its line."""

from __future__ import annotations

import functools
import os
import pathlib
import re
import subprocess
from collections.abc import Callable, Iterator

import tokens

ALSO_MAX = 5  # further lines that are named
# What a compiler makes of it -> what may stand in the source.
WRITTEN = {
    "puts": ("puts", "printf"),
    "putchar": ("putchar", "printf"),
    "putc": ("putc", "putchar", "printf"),
    "fputc": ("fputc", "fprintf", "fputs", "putc"),
    "fputs": ("fputs", "fprintf"),
    "fwrite": ("fwrite", "fprintf", "fputs"),
    "strcpy": ("strcpy", "sprintf"),
    "stpcpy": ("stpcpy", "strcpy", "sprintf", "strcat"),
    "__errno_location": ("errno",),
}
VARIABLES = {"stdin", "stdout", "stderr", "errno", "environ"}
MARKER = re.compile(r'^# (\d+) "((?:[^"\\]|\\.)*)"')


def order(message: str) -> tuple[str, int]:
    """By file and line."""
    file, line, *_ = [*message.split(":", 2), "", ""]
    return file, int(line) if line.isdigit() else 0


def run(*words: str) -> list[str]:
    done = subprocess.run(words, capture_output=True, text=True, errors="replace")
    return done.stdout.splitlines()


Line = tuple[str, int, str]  # file, number, text


def own_lines(text: str, folder: pathlib.Path, root: pathlib.Path) -> Iterator[Line]:
    """What is the student's in a preprocessed text: its words, without what is quoted."""
    path, number = root, 0
    for line in text.split("\n"):
        if marker := MARKER.match(line):
            path, number = pathlib.Path(os.path.normpath(root / marker[2])), int(marker[1])
            continue
        if path.parent == folder:
            found = tokens.tokens(line, spliced=False)
            words = [one.text for one in found if one.kind not in ("string", "character")]
            yield path.name, number, " ".join(words)
        number += 1


class Sites:
    """Of one object, made of a file in that folder; `text` gives that preprocessed."""

    def __init__(self, place: pathlib.Path, source: pathlib.Path, root: pathlib.Path,
                 text: Callable[[], str]) -> None:  # fmt: skip
        self.place, self.source, self.root, self.text = place, source, root, text

    @functools.cached_property
    def lines(self) -> list[Line]:
        return [*own_lines(self.text(), self.source.parent, self.root)]

    @functools.cached_property
    def told(self) -> dict[str, tuple[str, int]]:
        """symbol -> (file, line), where the debugger's facts name one of the student's."""
        found = {}
        for line in run("nm", "-l", str(self.place)):
            head, _, at = line.partition("\t")
            path, _, number = at.rpartition(":")
            file = self.source.parent / pathlib.PurePath(path).name
            if number.isdigit() and pathlib.PurePath(path).parent.name == file.parent.name:
                found[head.split()[-1]] = (file.name, int(number))
        return found

    def call(self, symbol: str) -> tuple[str, str]:
        """(how a message begins, the function as it is written)."""
        plain = re.sub(r"^__isoc\d+_(\w+)$|^__(\w+)_chk$", r"\1\2", symbol)
        words = WRITTEN.get(symbol) or WRITTEN.get(plain) or (symbol, plain)
        seen = [
            (file, number, word)
            for word in words
            for file, number, line in self.lines
            if re.search(rf"\b{word}\b", line)
        ]
        at = self.told.get(symbol)
        here = next((one for one in seen if one[:2] == at), None)
        if here is None and at is None and seen:
            here = seen[0]
        if here is not None:  # the first of its kind: all of them are to go
            here = next(one for one in seen if one[0] == here[0] and one[2] == here[2])
        if here is None:  # a macro of many lines, or nothing that has a line
            return (f"{at[0]}:{at[1]}" if at else self.source.name), plain
        return f"{here[0]}:{here[1]}", here[2]

    def defined(self, symbol: str) -> str:
        """How a message about that name begins."""
        at = self.told.get(symbol)
        return f"{at[0]}:{at[1]}" if at else self.source.name

    def also(self, where: str, word: str) -> str:
        """The other lines with such a call."""
        calls = re.compile(rf"\b{word}\s*\(")
        places = dict.fromkeys(f"{f}:{n}" for f, n, line in self.lines if calls.search(line))
        others = [place.rpartition(":")[2] for place in places if place != where]
        if not others or ":" not in where:
            return ""
        more = ", ..." if len(others) > ALSO_MAX else ""
        return f" (and in line{'s' * (len(others) > 1)} {', '.join(others[:ALSO_MAX])}{more})"

    def kept(self, symbol: str) -> tuple[str, str]:
        """(how a message begins, the variable and what it is)."""
        parts = [part for part in symbol.split(".") if not part.isdigit()]
        name, function = parts[-1], parts[0] if len(parts) > 1 else ""  # as clang has them
        at = self.told.get(symbol)
        if at and not function:
            function = self.functions.get((name, at[1]), "")
        where = f"{at[0]}:{at[1]}" if at else self.source.name
        if function or "." in symbol:
            inside = f"{function}()" if function else "a function"
            return where, f"{name}, a static variable in {inside}"
        return where, f"{name} in a variable outside of all functions"

    @functools.cached_property
    def functions(self) -> dict[tuple[str, int], str]:
        """(variable, line) -> the function that it stands in."""
        found: dict[tuple[str, int], str] = {}
        tag = name = function = ""
        depth = 0
        for line in run("readelf", "-wi", str(self.place)):
            if entry := re.match(r"\s*<(\w+)><\w+>:.*?(?:\(DW_TAG_(\w+)\))?$", line):
                depth, tag, name = int(entry[1], 16), entry[2] or "", ""
                if depth == 1:
                    function = ""
            elif said := re.search(r"DW_AT_name\s*:(?:.*\): | )(\w+)\s*$", line):
                name = said[1]
                if depth == 1 and tag == "subprogram":
                    function = name
            elif at := re.search(r"DW_AT_decl_line\s*: (\d+)", line):
                if tag == "variable" and depth > 1 and function:
                    found[name, int(at[1])] = function
        return found
