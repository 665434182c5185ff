"""Where a program has died: what it was, with file and line of the student's code."""

from __future__ import annotations

import dataclasses
import re
import signal

# A compiler may tell the whole of the function's header.
ASSERTION = re.compile(
    r"([\w./-]+\.[ch]):(\d+): (?:[^\n:(]*?\b)?(\w+)(?:\([^\n]*?\))?: Assertion `(.*?)' failed"
)
UNDEFINED = re.compile(r"([\w./-]+\.[ch]):(\d+)(?::\d+)?: runtime error: (.*)")
ADDRESS = re.compile(r"(?:ERROR: |^ *)(\w+Sanitizer): (.*)", re.MULTILINE)
FRAME = re.compile(r"#\d+ (?:.*? in )?(\w+) ([\w./-]+\.[ch]):(\d+)")
STUB = re.compile(r"([\w./-]+\.c)(?::(\d+))?: (\w+\(\) is still to be written.*)")
STANDSTILL = re.compile(r"^(?:time stands still|messages without an end): .*", re.MULTILINE)
STEPS = re.compile(r"^the last steps:\n((?:(?:\[ *\d+\]|--) .*\n?)+)", re.MULTILINE)
SIGNAL = re.compile(r"^SIG[A-Z]+$", re.MULTILINE)  # sim/tool/crash.h
FAILED = re.compile(r"^([\w./-]+\.[ch]):(\d+): (.*)", re.MULTILINE | re.DOTALL)
UNEQUAL = re.compile(r"(.+?) is\s+(.+?)(?:,|\n)\s*expected\s+([^\n]+)", re.DOTALL)


@dataclasses.dataclass
class Crash:
    what: str
    where: str  # "raft/request_vote.c:33, in request_vote_receive()", or nothing
    name: str = "Crash"


def short(path: str) -> str:
    """From the project's root on, or from the lab's folder."""
    found = re.search(r"(?:^|/)((?:raft|kvserver|sim|labs|tests)/.*)$", path)
    return found[1] if found else path


def place(path: str, line: str, function: str = "") -> str:
    return f"{short(path)}:{line}" + (f", in {function}()" if function else "")


def own_frame(text: str) -> str:
    """The innermost frame that is none of the C library's or the sanitizer's."""
    for function, path, line in FRAME.findall(text):
        if "sanitizer" not in path and not path.startswith("/build"):
            return place(path, line, function)
    return ""


def read(stderr: str, status: int) -> Crash:
    if found := STUB.search(stderr):
        where = place(found[1], found[2]) if found[2] else short(found[1])
        return Crash(found[3], where, "Missing")
    if found := ASSERTION.search(stderr):
        return Crash(f"an assertion failed: {found[4]}", place(*found.group(1, 2, 3)))
    if found := UNDEFINED.search(stderr):
        return Crash(f"undefined behaviour: {found[3]}", place(found[1], found[2]))
    if found := ADDRESS.search(stderr):
        what = re.sub(r" on (unknown )?address.*| at pc .*", "", found[2])
        return Crash(f"{found[1]}: {what}", own_frame(stderr))
    if found := STANDSTILL.search(stderr):
        return Crash(found[0], "")
    if found := SIGNAL.search(stderr):
        status = -signal.Signals[found[0]]
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return Crash("it does not come back: an endless loop", own_frame(stderr))
    if status < 0:
        return Crash(f"killed by {signal.Signals(-status).name}", own_frame(stderr))
    return Crash(f"it ended with exit code {status}", "")


@dataclasses.dataclass
class Check:
    """What a claim in C says (tests/test.h), as "tests/raft/x_test.c:33: expected: a == b",
    and the last steps of its nodes behind that."""

    where: str = ""
    expected: str = ""
    seen: str = ""


def without_steps(stderr: str) -> tuple[str, list[str]]:
    """What was said besides, and those steps."""
    found = STEPS.search(stderr)
    if found is None:
        return stderr, []
    return stderr.replace(found[0], ""), found[1].rstrip("\n").split("\n")


def of_unit(stderr: str) -> Check:
    found = FAILED.search(stderr)
    if found is None:
        return Check()
    where = place(found[1], found[2])
    if found[3].startswith("expected: "):
        return Check(where, found[3].splitlines()[0].removeprefix("expected: "), "it is not so")
    if unequal := UNEQUAL.match(found[3]):
        asked, got, wanted = unequal.groups()
        return Check(where, f"{asked} is {wanted}", f"{asked} is {got}")
    return Check(where, "", found[3].splitlines()[0])
