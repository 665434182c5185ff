"""A text that a student hands in, and its commands: words as raftsim splits them, so that
nothing can be said to it that a claim does not see."""

import pathlib
import re
from typing import NamedTuple

ESCAPE = re.compile(r'\\(?:([nrt"\\])|x([0-9a-fA-F]{2}))')
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|([^ \t\r"][^ \t\r]*)')


class Unreadable(Exception):
    """It cannot be read; the text says where, and why."""


class Command(NamedTuple):
    line: int
    text: str
    words: list[str]


def read(path: pathlib.Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        told = f"{path.name}:{line}: byte 0x{data[problem.start]:02x} is no UTF-8"
        raise Unreadable(told) from None


def words_of(line: str) -> list[str]:
    words, at = [], 0
    while at < len(line):
        if line[at] in " \t\r":
            at += 1
            continue
        if line[at] == "#":
            break
        found = WORD.match(line, at)
        if found is None:
            raise Unreadable("a quoted word does not end")
        quoted = found[1]
        words.append(found[2] if quoted is None else ESCAPE.sub(unescaped, quoted))
        at = found.end()
    return words


def unescaped(match: re.Match) -> str:
    return ESCAPED[match[1]] if match[1] else chr(int(match[2], 16))


def commands(text: str, name: str) -> list[Command]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            words = words_of(line)
        except Unreadable as problem:
            raise Unreadable(f"{name}:{number}: {problem}: {line.strip()[:60]}") from None
        if words:
            found.append(Command(number, line.strip(), words))
    return found
