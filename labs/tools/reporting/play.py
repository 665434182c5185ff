"""Plays a scenario in a raftsim of its own, and brings back all that can be known of it.

The lines go to `raftsim repl`, one answer each. It may be anybody's code that runs there:
it may die, or never come back, so its processor time is limited by the kernel; where a
lab is graded it runs behind the fence (tests/raftlab/confine.py)."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import resource
import signal
import subprocess
import tempfile
import threading
from typing import IO, Any

from raftlab import confine
from raftlab.lab_failure import fact_of
from raftlab.lab_process import STANDSTILL_EXIT
from raftlab.lab_world import broken_rule

from reporting import flow, tail

CPU_SECONDS_MAX = 5  # the worlds of the labs take less than one
LOOP_SECONDS_MAX = 1  # where it is known that it never ends
SECONDS_MAX = 60  # a process that neither works nor ends
LOG_ENTRIES_MAX = 4000
REPLAYED_EVENTS = 1500
SAID_BYTES_MAX = 1 << 20  # on stderr
NODES_MAX = 15


@dataclasses.dataclass
class Play:
    """What came of a scenario."""

    lines: list[str]  # as told, up to the one that fails
    answers: list[dict[str, Any]]
    stderr: str
    status: int  # of the process: 0 where it came to its end
    events: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # the last ones
    early: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # of those before
    nodes: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    logs: dict[int, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    verdict: dict[str, Any] = dataclasses.field(default_factory=dict)

    def died(self) -> bool:
        return self.status != 0

    def loops(self) -> bool:
        return self.status in (-signal.SIGXCPU, -signal.SIGKILL)

    def stands_still(self) -> bool:
        return self.status == STANDSTILL_EXIT

    def trace(self) -> list[dict[str, Any]]:
        """As far as it was kept."""
        return [*self.early, *self.events]

    def drawn(self, nodes: int) -> flow.Flow:
        return flow.read(self.events, nodes, self.early)

    def rule(self) -> str:
        """The checker's rule that is broken, or nothing."""
        return next((rule for rule in map(broken_rule, self.answers) if rule), "")

    def seen(self) -> str:
        """What failed, in the words of the last answer."""
        last = self.answers[-1] if self.answers else {}
        if last.get("violations"):
            return last["violations"][0]["text"]
        return fact_of(last.get("error", ""))

    def failure(self) -> str:
        """What makes two failures the same; nothing where nothing fails."""
        if self.died():
            return f"died {self.status} {last_words(self.stderr)}"
        if rule := self.rule():
            return f"rule {rule}"
        if self.answers and not self.answers[-1]["ok"]:
            return f"line {self.lines[-1]}: {unnumbered(self.answers[-1]['error'])}"
        return ""


def last_words(stderr: str) -> str:
    """The line by which a crash is known, without what differs from run to run."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    wanted = re.compile(r"Assertion|runtime error|ERROR: |to be written")
    line = next((line for line in lines if wanted.search(line)), lines[0] if lines else "")
    return re.sub(r"==\d+==|0x[0-9a-f]+", "", line)


def unnumbered(text: str) -> str:
    return re.sub(r"\d+", "#", text)


def limited(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclasses.dataclass
class Said(tail.Heard):
    """What a process has said to some lines."""

    stderr: str = ""
    status: int = 0


def converse(
    program: pathlib.Path,
    lines: list[str],
    seconds: int = CPU_SECONDS_MAX,
    words: tuple[str, ...] = ("repl",),
) -> Said:
    with tempfile.TemporaryFile() as told:
        told.write("\n".join([*lines, ""]).encode())
        told.seek(0)
        child = subprocess.Popen(
            confine.command(program, *words),
            stdin=told,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=confine.environment(),
            preexec_fn=functools.partial(limited, seconds),
        )
    said = bytearray()
    late = threading.Timer(SECONDS_MAX, child.kill)
    listener = threading.Thread(target=keep_beginning, args=(child.stderr, said))
    late.start()
    listener.start()
    with child:
        heard = tail.hear(child.stdout)
        listener.join()
    late.cancel()
    text = confine.named(said.decode(errors="replace"))
    return Said(**vars(heard), stderr=text, status=child.returncode)


def keep_beginning(err: IO[bytes], said: bytearray) -> None:
    """The rest of what it says besides is read and dropped."""
    while more := err.read1():
        said += more[: SAID_BYTES_MAX - len(said)]


def clean(lines: list[str]) -> list[str]:
    """Without comments and empty lines."""
    bare = (re.sub(r"\s+#\s.*$", "", line).strip() for line in lines)
    return [line for line in bare if line and not line.startswith("#")]


def try_out(program: pathlib.Path, lines: list[str], seconds: int = CPU_SECONDS_MAX) -> Play:
    """The failure alone: quick. The lines end where a rule is broken."""
    said = converse(program, lines, seconds)
    status, count = said.status, len(said.answers) + (said.status != 0)
    for at, answer in enumerate(said.answers):
        if broken_rule(answer):
            count, status = at + 1, 0
            break
    return Play(lines[:count], said.answers[:count], said.stderr, status)


def node_count(lines: list[str]) -> int:
    """The most nodes that a cluster of the scenario has, spares included."""
    counts = [1]
    for line in lines:
        if found := re.match(r"cluster\s+(\d+)", line):
            spare = re.search(r"spare=(\d+)", line)
            counts.append(int(found[1]) + (int(spare[1]) if spare else 0))
    return max(counts)


def look(program: pathlib.Path, lines: list[str], seconds: int = CPU_SECONDS_MAX) -> Play:
    """All that the page shows. What a node had in its log is asked for also before it
    crashes, which changes nothing in the world."""
    told, places = ["trace - json"], []
    for line in lines:
        if found := re.match(r"(?:try )?crash\s+n?(\d+)", line):
            told.append(f"log {found[1]} 1 {LOG_ENTRIES_MAX}")
        places.append(len(told))
        told.append(line)
    told += questions(node_count(lines))
    said = converse(program, told, seconds)
    play = seen(told, said)
    play.lines = lines
    play.answers = [said.answers[at] for at in places if at < len(said.answers)]
    return play


def replay(program: pathlib.Path, flags: list[str], event: int) -> Play:
    """The end of a run that no scenario tells: `raftsim run FLAGS`, up to that event."""
    first = max(1, event - REPLAYED_EVENTS)
    told = ["trace - json", f"step {event - first}", *questions(NODES_MAX)]
    words = ("replay", *flags, "--until", str(first))
    play = seen(told, converse(program, told, words=words))
    play.events = [one for one in play.events if one["kind"] != "command"]
    play.early = [one for one in play.early if one["kind"] != "command"]
    return play


def questions(nodes: int) -> list[str]:
    """What is asked when all has happened."""
    logs = [f"log {n} 1 {LOG_ENTRIES_MAX}" for n in range(1, nodes + 1)]
    return ["trace off", *logs, "history -", "status", "check"]


def seen(told: list[str], said: Said) -> Play:
    """What the questions at the end were answered."""
    play = Play([], [], said.stderr, said.status, said.events, said.early)
    keep_logs(play, told, said.answers)
    if len(said.answers) == len(told):
        play.nodes = said.answers[-2].get("nodes", [])
        play.history = said.history
        play.verdict = said.answers[-1]
    return play


def keep_logs(play: Play, told: list[str], answers: list[dict[str, Any]]) -> None:
    """The newest that was seen of each node's log."""
    for line, answer in zip(told, answers):
        if line.startswith("log ") and line.endswith(f" {LOG_ENTRIES_MAX}") and answer["ok"]:
            play.logs[int(line.split()[1])] = answer["entries"]
        elif line.startswith("cluster "):
            play.logs.clear()
