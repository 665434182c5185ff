"""One raftsim repl that may be anybody's code: it may die, loop for ever, or print.

Processor time is limited by the kernel, so that an endless loop ends there also on a
machine that is busy with other things; only what waits for ever is ended by the clock."""

import json
import os
import re
import resource
import select
import signal
import subprocess
import time
from typing import Any

from raftlab import build, confine, lab_failure

CPU_SECONDS_MAX = 5  # of one world; those of the reference take less than one
PRINTED_LINES_MAX = 100000  # of its own, for one world
LINE_BYTES_MAX = 1 << 26
WAIT_SECONDS_MAX = 600  # for one answer of what only waits
STUB_EXIT = 70  # labs/todo.h
STANDSTILL_EXIT = 71  # sim/standstill.h
STANDSTILL = re.compile(r"(?:time stands still|messages without an end): .*")
CALLS_MAX = 3  # in a sentence; stderr has more
SIGNAL = re.compile(r"SIG[A-Z]+")
CALL = re.compile(r"^ *#\d+ (\w\S*) (\S+:\d+)$", re.MULTILINE)
SAID_MAX = 8000  # characters of stderr that are kept
ANSWER = '{"ok":'
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


class Died(Exception):
    """The process is gone, or had to be ended."""

    def __init__(
        self, status: int, stderr: str, endless: bool = False, flood: bool = False
    ) -> None:
        super().__init__(status, stderr)
        self.status = status
        self.stderr = confine.named(stderr)
        self.flood = flood
        self.endless = endless or status == -signal.SIGXCPU or self.stands_still()

    def is_stub(self) -> bool:
        return self.status == STUB_EXIT and "still to be written" in self.stderr

    def stands_still(self) -> bool:
        return self.status == STANDSTILL_EXIT and STANDSTILL.search(self.stderr) is not None

    def kind(self) -> str:
        if self.is_stub():
            return lab_failure.STUB
        return lab_failure.ENDLESS if self.endless or self.flood else lab_failure.CRASH

    def words(self) -> str:
        """How it ended, in one sentence."""
        if self.stands_still():
            return STANDSTILL.search(self.stderr)[0]
        first = next((line for line in self.stderr.splitlines() if line.strip()), "")
        if SIGNAL.fullmatch(first):
            first = self.place()
        if self.is_stub():
            return line_with("still to be written", self.stderr)
        if self.flood:
            return "raftsim prints without an end"
        if self.endless:
            return f"raftsim does not come back: an endless loop? {first}".rstrip()
        if self.status < 0:
            how = f"raftsim is killed by {signal_name(-self.status)}"
        else:
            how = f"raftsim ends with exit code {self.status}"
        return f"{how}: {first}" if first else how

    def place(self) -> str:
        """Where it was, as crash_tell() of sim/tool/crash.h has it."""
        calls = [f"{function} ({line})" for function, line in CALL.findall(self.stderr)]
        once = [*dict.fromkeys(calls)][:CALLS_MAX]
        if len(calls) > 1 and calls[0] == calls[1]:
            once[0] += " again and again"
        return ", called from ".join(once)


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def line_with(words: str, text: str) -> str:
    return next(line for line in text.splitlines() if words in line)


class Process:
    """A line in, a JSON object out."""

    def __init__(self, *, sanitized: bool = False, name: str = "raftsim") -> None:
        program = build.program(name, sanitized=sanitized)
        self.words = os.fdopen(os.memfd_create("stderr"), "w+b")
        self.printed: list[str] = []  # on its stdout, that is no answer
        self.printed_lines = 0
        self.rest = bytearray()
        self.child = subprocess.Popen(
            confine.command(program, "repl", sanitized=sanitized),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.words,
            env=confine.environment() if confine.wanted() else os.environ | ENVIRONMENT,
            bufsize=0,
        )
        self.answers = select.poll()
        self.answers.register(self.child.stdout, select.POLLIN)
        if confine.wanted():
            return  # the fence has limits of its own, and nobody reaches in
        limit = CPU_SECONDS_MAX * (4 if sanitized else 1)
        resource.prlimit(self.child.pid, resource.RLIMIT_CPU, (limit, limit + 1))
        resource.prlimit(self.child.pid, resource.RLIMIT_CORE, (0, 0))

    def ask(self, line: str) -> dict[str, Any]:
        """Its answer to this line; Died where there is none."""
        try:
            self.child.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise self.death() from None
        until = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            text = self.read_line(until)
            at = text.find(ANSWER)
            if at >= 0:
                return json.loads(text[at:])
            self.printed.append(text)
            del self.printed[:-100]
            self.printed_lines += 1

    def read_line(self, until: float) -> str:
        out = self.child.stdout.fileno()
        looked = 0
        while (end := self.rest.find(b"\n", looked)) < 0:
            looked = len(self.rest)
            if looked > LINE_BYTES_MAX or self.printed_lines > PRINTED_LINES_MAX:
                self.child.kill()
                raise self.death(flood=True)
            if not self.answers.poll(1000 * max(0, until - time.monotonic())):
                self.child.kill()
                raise self.death(endless=True)
            more = os.read(out, 65536)
            if not more:
                raise self.death()
            self.rest += more
        line = self.rest[:end].decode(errors="replace")
        del self.rest[: end + 1]
        return line

    def death(self, *, endless: bool = False, flood: bool = False) -> Died:
        status = self.child.wait()
        return Died(status, self.stderr(), endless, flood)

    def stderr(self) -> str:
        self.words.seek(0)
        return self.words.read(SAID_MAX).decode(errors="replace")

    def stop(self) -> None:
        self.child.stdin.close()
        if self.child.poll() is None:
            try:
                self.answers.poll(10000)  # it closes its end: sooner seen than its death
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()
        self.words.close()
