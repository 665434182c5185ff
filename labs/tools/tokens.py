"""C as its compilers read it at first: trigraphs and spliced lines undone, comments left
out, strings and characters as one word each. What judges a student's text (sandbox.py)
looks at these words, never at lines: a line ends where its writer likes."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

TRIGRAPHS = dict(zip("=/'()!<>-", "#\\^[]|{}~"))
DIGRAPHS = {"%:": "#", "%:%:": "##", "<:": "[", ":>": "]", "<%": "{", "%>": "}"}
TOKEN = re.compile(
    r"""(?P<space>[ \t\f\v]+)
    |(?P<comment>//[^\n]*|/\*[\s\S]*?(?:\*/|\Z))
    |(?P<newline>\n)
    |(?P<string>"(?:\\.|[^"\\\n])*(?:"|\\?(?=\n|\Z)))
    |(?P<character>'(?:\\.|[^'\\\n])*(?:'|\\?(?=\n|\Z)))
    |(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
    |(?P<name>[A-Za-z_$][\w$]*)
    |(?P<mark>%:%:|%:|<<=?|<[:%=]|%[>=]|>>=?|:>|\#\#|[\s\S])""",
    re.VERBOSE | re.ASCII,
)
BRACKETED_MAX = 300
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]|\r(?!\n)")  # not all read these alike


class Token(NamedTuple):
    kind: str  # name, number, string, character, mark
    text: str
    line: int
    begins: bool  # it is the first of its line
    joined: bool  # nothing stands between it and the one before


def tokens(text: str, spliced: bool = True) -> list[Token]:
    """Those of a source file, or (spliced=False) of what a preprocessor made of it."""
    text = text.replace("\r\n", "\n")
    if spliced:
        text = re.sub(r"\?\?([=/'()!<>-])", lambda match: TRIGRAPHS[match[1]], text)
    parts, splices, end, kept = [], [], 0, 0
    for match in re.finditer(r"\\[ \t\f\v]*\n", text) if spliced else ():
        parts.append(text[end : match.start()])
        kept += len(parts[-1])
        splices.append(kept)
        end = match.end()
    return list(numbered("".join([*parts, text[end:]]), splices))



def numbered(text: str, splices: list[int]) -> Iterator[Token]:
    line, begins, joined = 1, True, False
    for match in TOKEN.finditer(text):
        kind, word = match.lastgroup, match[0]
        if kind == "newline":
            begins = True
        elif kind not in ("space", "comment"):
            at = line + bisect.bisect_right(splices, match.start())
            yield Token(kind, DIGRAPHS.get(word, word), at, begins, joined)
            begins = False
        joined = kind not in ("space", "comment", "newline")
        line += word.count("\n")


def directives(found: Iterable[Token]) -> Iterator[list[Token]]:
    """What stands behind each # that begins a line, up to the line's end."""
    directive = None
    for token in found:
        if token.begins:
            if directive is not None:
                yield directive
            directive = [] if token.text == "#" else None
        elif directive is not None:
            directive.append(token)
    if directive is not None:
        yield directive


def parameters(directive: list[Token]) -> set[str]:
    """Of the macro that it defines, if it has some."""
    opens = directive[2:3]
    if not directive or directive[0].text != "define" or not opens:
        return set()
    if opens[0].text != "(" or not opens[0].joined:
        return set()
    return {token.text for _, token in bracketed(directive, 2) if token.kind == "name"}


def bracketed(found: list[Token], at: int) -> Iterator[tuple[int, Token]]:
    """(depth, token) from the bracket that opens at `at` to the one that closes it; nothing
    where none opens there, and an end where none closes it for long."""
    depth = 0
    for token in found[at : at + BRACKETED_MAX]:
        closes = token.kind == "mark" and token.text in ")]}"
        depth += (token.kind == "mark" and token.text in "([{") - closes
        if depth == 0 and not closes:
            return
        yield depth, token
        if depth == 0:
            return
