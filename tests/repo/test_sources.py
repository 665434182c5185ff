"""Rules that can be read from the text of the sources."""

import pathlib
import re
import shutil
import subprocess

import pytest

from raftlab import build, tree

FILE_LINES_MAX = 600
TEST_LINES_MAX = 700  # a list of claims is read claim by claim
FUNCTION_LINES_MAX = 70

CODE = tree.named(".c", ".h")
# Tables that one file includes in its middle.
FRAGMENTS = {"kvserver/service/command_table.h"}
HEADERS = [name for name in tree.named(".h") if str(name) not in FRAGMENTS]
TEXT = [name for name in tree.files() if name.suffix not in tree.BINARY]


@pytest.mark.parametrize("source", CODE + tree.named(".py"), ids=str)
def test_a_file_fits_into_the_head(source: pathlib.Path) -> None:
    lines = tree.read(source).count("\n")
    limit = TEST_LINES_MAX if source.parts[0] == "tests" else FILE_LINES_MAX
    assert lines <= limit, f"{source} has {lines} lines"


def functions(text: str) -> list[tuple[str, int, int]]:
    """(name, first line, lines) of each body that opens and closes in column 0."""
    found = []
    lines = text.splitlines()
    for opening, line in enumerate(lines):
        if line == "{" and opening > 0 and lines[opening - 1].endswith(")"):
            closing = lines.index("}", opening)
            start = opening - 1
            while start > 0 and lines[start].startswith((" ", "\t")):
                start -= 1
            name = re.search(r"(\w+)\s*\(", lines[start] + lines[start + 1])
            found.append((name[1] if name else "?", start + 1, closing - start + 1))
    return found


@pytest.mark.parametrize("source", tree.named(".c"), ids=str)
def test_a_function_fits_on_a_screen(source: pathlib.Path) -> None:
    found = functions(tree.read(source))
    long = [f"{source}:{f[1]}: {f[0]} {f[2]}" for f in found if f[2] > FUNCTION_LINES_MAX]
    assert not long, "\n".join(long)


def test_the_counter_of_lines_counts() -> None:
    body = "    x();\n" * 70
    text = f"static int\nlong_one(int a,\n         int b)\n{{\n{body}}}\n"
    assert functions(text) == [("long_one", 2, 74)]


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_a_header_begins_by_saying_what_it_is(header: pathlib.Path) -> None:
    assert tree.read(header).startswith(f"// {header.name}: "), header


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_a_header_compiles_alone(header: pathlib.Path) -> None:
    flags = subprocess.run(
        ["pkg-config", "--cflags", "libuv", "libcjson"], capture_output=True, text=True
    )
    compiler = shutil.which("gcc") or "cc"
    options = "-std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only -x c -"
    done = subprocess.run(
        [compiler, *options.split(), *flags.stdout.split()],
        cwd=build.ROOT,
        input=f'#include "{header}"\n#include "{header}"\nint unused_;\n',
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_no_header_is_named_like_one_of_the_c_library() -> None:
    taken = {"assert.h", "errno.h", "time.h", "signal.h", "string.h", "strings.h"}
    taken |= {"stdio.h", "poll.h", "sched.h", "search.h", "limits.h", "math.h"}
    assert not [str(name) for name in HEADERS if name.name in taken]


def test_nothing_is_left_for_later_and_nothing_names_a_machine() -> None:
    later = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X:"))
    places = "|".join(("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"))
    pattern = re.compile(rf"\b(?:{later})\b|(?:^|[\s\"'=(])(?:{places})", re.MULTILINE)
    found = []
    for name in TEXT:
        for number, line in enumerate(tree.read(name).splitlines(), 1):
            if pattern.search(line):
                found.append(f"{name}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


def test_lines_end_clean() -> None:
    found = []
    for name in TEXT:
        text = tree.read(name)
        if text and not text.endswith("\n"):
            found.append(f"{name}: no newline at the end")
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                found.append(f"{name}:{number}: white space at the end")
    assert not found, "\n".join(found)
