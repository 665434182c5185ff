"""The project's own files, for the tests that read them."""

import functools
import pathlib
import re
from collections.abc import Iterator

from raftlab.build import ROOT

FOLDERS = ("raft", "rpc", "kvserver", "sim", "labs", "tests", "docs", ".ci")
BINARY = {".png", ".wasm", ".gz", ".ico", ".pyc", ".bin"}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)


@functools.cache
def files() -> tuple[pathlib.Path, ...]:
    """Every file of the project, relative to its root; nothing that is built."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        found += (path for path in (ROOT / folder).rglob("*") if path.is_file())
    names = (path.relative_to(ROOT) for path in found)
    return tuple(sorted(n for n in names if not built(n)))


def built(name: pathlib.Path) -> bool:
    generated = {"__pycache__", ".pytest_cache", ".hypothesis", "node_modules", ".git"}
    return bool(generated & set(name.parts))


def named(*suffixes: str, under: str = "") -> list[pathlib.Path]:
    """Those whose names end so, in that folder or in one below it."""
    return [
        name
        for name in files()
        if name.name.endswith(suffixes) and f"{name}".startswith(under)
    ]


def read(name: pathlib.Path) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def includes(name: pathlib.Path) -> Iterator[tuple[bool, str]]:
    """(whether it is of the project, what is included), line by line."""
    for quote, target in INCLUDE.findall(read(name)):
        yield quote == '"', target


def sources() -> list[pathlib.Path]:
    """The C of the product: all layers, no tests."""
    layers = ("raft/", "rpc/", "kvserver/", "sim/")
    return [n for n in named(".c", ".h") if f"{n}".startswith(layers)]
