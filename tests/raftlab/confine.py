"""How a program that holds a student's code is run, and what its end means.

Where a lab is graded, RAFTLAB_CONFINE names labs/tools/confine.c's program, and each such
program runs behind it. A sanitizer may start no symbolizer there: named() does that part
afterwards, and leaves out what differs from run to run (process numbers, addresses)."""

import functools
import os
import pathlib
import re
import secrets
import signal
import subprocess
from typing import Optional

ALONE = "alone"  # no further processes
CREW = "crew"  # raftsim sweep and shrink have workers
CPU_SECONDS_MAX = {ALONE: 5, CREW: 60}
WAIT_SECONDS_MAX = 600  # only for what waits: the processor has its own limit
MEBIBYTES_MAX = 1024
FENCE_FAILED = 125
NOBODY = 65534
STUB_EXIT = 70  # labs/todo.h
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:detect_stack_use_after_return=1:"
    f"symbolize=0:hard_rss_limit_mb={MEBIBYTES_MAX}",
    "UBSAN_OPTIONS": "print_stacktrace=0:halt_on_error=1",
}
FRAME = re.compile(r"^ *#(\d+) 0x[0-9a-f]+ +\((\S+)\+(0x[0-9a-f]+)\).*$", re.MULTILINE)
REPORT = re.compile(r"\n\s*(?:Shadow bytes around|Process memory map follows).*", re.DOTALL)
FRAMES_MAX = 12
LINELESS_BYTES_MAX = 64


def wanted() -> bool:
    return "RAFTLAB_CONFINE" in os.environ


def command(
    program: pathlib.Path,
    *arguments: str,
    mode: str = ALONE,
    sanitized: bool = False,
    scratch: Optional[pathlib.Path] = None,
) -> list[str]:
    """The words that run it: behind the fence where a lab is graded. It may write in the
    folder `scratch`, which is given away to it."""
    words = [str(program), *arguments]
    if not wanted():
        return words
    bytes_max = 0 if sanitized else MEBIBYTES_MAX * (4 if mode == CREW else 1)
    limits = (str(CPU_SECONDS_MAX[mode]), str(bytes_max))
    if scratch is not None:
        mode = f"{mode}:{scratch}"
        if os.geteuid() == 0:
            os.chown(scratch, NOBODY, NOBODY)
    return [os.environ["RAFTLAB_CONFINE"], mode, *limits, *words]


def environment() -> dict[str, str]:
    """The sanitizers' options; confine lets nothing else through."""
    return os.environ | SANITIZERS


def nonce() -> str:
    """A word that a test program repeats where its claim has held to the end."""
    return secrets.token_hex(16)


def ending(code: int) -> str:
    """How it ended, in words that say what to look for."""
    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        return f"it used more than {CPU_SECONDS_MAX[ALONE]} s of the processor: an endless loop?"
    if code == -signal.SIGXFSZ:
        return "it wrote a file"
    if code == FENCE_FAILED:
        return "the program could not be confined"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


@functools.lru_cache(maxsize=1000)
def place(program: str, offset: str) -> str:
    """`function file:line` of a return address, which lies behind its call. Some instructions
    are of no line (the jump back in a loop): then that of what stands before them."""
    last = max(int(offset, 16) - 1, 0)
    addresses = [f"{at:#x}" for at in range(last, max(last - LINELESS_BYTES_MAX, -1), -1)]
    done = subprocess.run(
        ["addr2line", "-f", "-s", "-e", program, *addresses],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    lines = done.stdout.split("\n")
    if done.returncode != 0 or len(lines) < 2 or lines[0].startswith("??"):
        return f"({pathlib.PurePath(program).name}+{offset})"
    found = [at.split(" ")[0] for name, at in zip(lines[::2], lines[1::2]) if name == lines[0]]
    return f"{lines[0]} {next((at for at in found if at[-1].isdigit()), found[0])}"


def named(text: str) -> str:
    """A sanitizer's report with functions and lines, the same each time."""
    frames = 0

    def frame(match: re.Match) -> str:
        nonlocal frames
        frames += 1
        if frames > FRAMES_MAX:
            return ""
        return f"    #{match[1]} {place(match[2], match[3])}"

    text = REPORT.sub("\n", text)
    text = FRAME.sub(frame, text)
    text = re.sub(r"^=+\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"==\d+==(ERROR: )?", "", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "0x…", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return "\n".join(line for line in text.split("\n") if not NOISE.match(line))


NOISE = re.compile(
    r"lines: addr2line |\s*#\d+ _start |SUMMARY: |ABORTING|\s*\(BuildId"
    r"|AddressSanitizer can not provide|.*hint: "
)


def problem(program: pathlib.Path, claim: str, *, sanitized: bool) -> str:
    """Runs one claim of a C test program behind the fence: nothing, or why it failed."""
    word = nonce()
    words = command(program, "--sign", claim, sanitized=sanitized)
    try:
        done = subprocess.run(
            words, input=f"{word}\n".encode(), env=environment(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT_SECONDS_MAX,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it does not come back within {WAIT_SECONDS_MAX} s"
    text = named(done.stdout.decode(errors="replace")).rstrip("\n")
    if done.returncode == 0 and text.endswith(f"held {claim} {word}"):
        return ""
    if done.returncode == 0:
        return f"{text}\nthe test was left before its end, with exit code 0".lstrip()
    if done.returncode == STUB_EXIT or done.returncode == 1 and text:
        return text
    return f"{text}\n{ending(done.returncode)}".lstrip()
