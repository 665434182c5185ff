"""What a program prints, read as it comes: of a trace only the end is kept.

A node that always has something to do at once fills a trace with a million lines, of which
a report shows a few hundred. Of what stood before the end, so much is kept as tells how the
nodes were then: commands, faults, and of each node its last steps."""

from __future__ import annotations

import collections
import dataclasses
import json
import re
from typing import IO, Any

EVENTS_MAX = 20_000  # of a trace; the worlds of the labs have fewer, where nothing is wrong
STEPS_MAX = 18  # of a node before these, in which it may have decided something
LINE_BYTES_MAX = 1 << 24
OBJECT = re.compile(rb'\{"(ok|at|client|seed)":')
NODE = re.compile(rb'"kind":"step","node":(\d+)')
IDLE = re.compile(rb'\] n\d+ (?:tick|applied \d+|durable write \d+|propose \d+|read \d+)"\}')


@dataclasses.dataclass
class Heard:
    """The objects among the lines, the newest last."""

    answers: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    events: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # the last ones
    early: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # of those before
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    result: dict[str, Any] = dataclasses.field(default_factory=dict)  # of `raftsim run`


def hear(out: IO[bytes]) -> Heard:
    """All that is said there, to its end."""
    heard, trace = Heard(), Trace()
    while line := out.readline(LINE_BYTES_MAX):
        if not (found := OBJECT.search(line)):
            continue
        if found[1] == b"at":
            trace.add(line)
        elif found[1] == b"client":
            heard.history += read(line)
        elif found[1] == b"seed":
            heard.result = heard.result or next(iter(read(line)), {})
        else:
            heard.answers += read(line)
    heard.events, heard.early = trace.last(), trace.before()
    return heard


def read(line: bytes) -> list[dict[str, Any]]:
    """The object in a line, before which the code under test may have printed something;
    none where it was cut off."""
    found = OBJECT.search(line)
    try:
        return [json.loads(line[found.start() :].decode(errors="replace"))] if found else []
    except json.JSONDecodeError:
        return []


class Trace:
    """The last lines of a trace as they were printed, and what is kept of those before."""

    def __init__(self) -> None:
        self.lines: collections.deque[bytes] = collections.deque()
        self.dropped = 0
        self.states: dict[bytes, tuple[int, bytes]] = {}  # node -> its last step
        self.steps: dict[bytes, collections.deque[tuple[int, bytes]]] = {}
        self.told: list[tuple[int, bytes]] = []  # commands and faults

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        if len(self.lines) > EVENTS_MAX:
            self.drop(self.lines.popleft())

    def drop(self, line: bytes) -> None:
        self.dropped += 1
        if step := NODE.search(line):
            self.states[step[1]] = (self.dropped, line)
            if not IDLE.search(line):
                kept = self.steps.setdefault(step[1], collections.deque(maxlen=STEPS_MAX))
                kept.append((self.dropped, line))
        elif b'"kind":"command"' in line or b'"kind":"note"' in line:
            self.told.append((self.dropped, line))

    def last(self) -> list[dict[str, Any]]:
        return [event for line in self.lines for event in read(line)]

    def before(self) -> list[dict[str, Any]]:
        steps = [step for kept in self.steps.values() for step in kept]
        kept = sorted({*self.told, *steps, *self.states.values()})
        return [event for _, line in kept for event in read(line)]
