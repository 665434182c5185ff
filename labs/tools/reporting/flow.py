"""From the lines of a trace to what is drawn: rows, lanes and arrows.

A row is a moment: one step of one node, a command of the scenario, or a fault. An arrow
begins in the row whose step sends, and ends in the row whose step receives. Steps that
decide nothing and say nothing (a clock looked at, an entry applied) have no row."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, Optional

ROWS_MAX = 420
MESSAGES_MAX = 300
BARE = re.compile(r"(tick|applied \d+|durable write \d+)$")
SILENT = re.compile(r"(tick|applied \d+|durable write \d+|propose \d+|read \d+)$")
DECIDED = re.compile(r"\] n\d+ [^|]*: | \| (save|log|apply|restore) ")
# What waited for the disk leaves: the vote, or the acknowledgement.
RELEASED = re.compile(r"\] n\d+ durable write \d+ \| > ")
STEP = re.compile(r"\[ *\d+\] n\d+ (.*)$", re.DOTALL)
DOWN = re.compile(
    r"(?:try )?crash n?(\d+)(?! (?:at|inside))|n(\d+) (?:stops|is lost|does not start)"
)
UP = re.compile(r"(?:try )?restart n?(\d+)")
FAULT = re.compile(
    r"(?:try )?(?:crash|cut|partition|isolate|star |hold|drop|loss [^0]|duplicate|corrupt|pause|"
    r"disk \d+ (fail|full|damage|lost)|clock \d+ (skew|drift|jump))"
)
MEND = re.compile(r"(?:try )?(?:restart|heal|resume|release|settle|disk \d+ ok|faults off)")


@dataclasses.dataclass
class State:
    """A node as a step left it."""

    role: str = "follower"
    term: int = 0
    commit: int = 0
    last: int = 0


@dataclasses.dataclass
class Row:
    kind: str  # step, command, fault, mend, fold, end
    at: int  # virtual microseconds
    text: str
    node: int = 0
    state: Optional[State] = None


@dataclasses.dataclass
class Arrow:
    sender: int
    receiver: int
    text: str
    start: int = -1  # rows; -1: before the first one
    end: int = -1
    fate: str = "flight"  # flight, arrived, lost

    def label(self) -> str:
        """Short enough for an arrow: "AppendEntries t3 +1"."""
        found = re.match(r"(\w+) n\d+>n\d+ t(\d+)(.*)", self.text)
        if found is None:
            return self.text
        name, term, rest = found.groups()
        name = "reply" if name.endswith("Reply") else name
        words = [w for w in rest.split() if re.match(r"\+[1-9]|granted|refused|match=|transfer", w)]
        return " ".join([name, f"t{term}", *words])


@dataclasses.dataclass
class Flow:
    nodes: int
    rows: list[Row] = dataclasses.field(default_factory=list)
    arrows: list[Arrow] = dataclasses.field(default_factory=list)
    before: dict[int, State] = dataclasses.field(default_factory=dict)  # the first row
    down_before: set[int] = dataclasses.field(default_factory=set)
    hidden: int = 0  # rows left out at the beginning
    cut: bool = False  # of what was before them not all was kept

    def unfinished(self) -> str:
        """What the program was at when it died: the message, or else the command."""
        words = {"end": "", "command": "the command ", "fault": "", "mend": ""}
        for row in reversed(self.rows):
            if row.kind in words:
                return words[row.kind] + row.text
        return ""


class Reader:
    """Goes through a trace once."""

    def __init__(self, nodes: int) -> None:
        self.flow = Flow(nodes)
        self.rows = self.flow.rows
        self.under_way: dict[int, Arrow] = {}
        self.waiting: list[Arrow] = []  # sent, by a step that has not been told yet
        self.taken: dict[int, Arrow] = {}  # received, likewise
        self.state = {node: State() for node in range(1, nodes + 1)}

    def read(self, events: list[dict[str, Any]]) -> Flow:
        for event in events:
            getattr(self, event["kind"])(event)
        self.finish(events[-1]["at"] if events else 0)
        return self.flow

    def send(self, event: dict[str, Any]) -> None:
        arrow = Arrow(event["from"], event["to"], event["text"])
        if arrow.receiver > self.flow.nodes or arrow.receiver < 1:
            return
        self.flow.arrows.append(arrow)
        self.waiting.append(arrow)
        if event["packet"] == 0:
            arrow.fate = "lost"
        else:
            self.under_way[event["packet"]] = arrow

    def receive(self, event: dict[str, Any]) -> None:
        if arrow := self.under_way.pop(event["packet"], None):
            arrow.fate = "arrived"
            self.taken[arrow.receiver] = arrow

    def lose(self, event: dict[str, Any]) -> None:
        if arrow := self.under_way.pop(event["packet"], None):
            arrow.fate = "lost"
            arrow.end = len(self.rows)

    def step(self, event: dict[str, Any]) -> None:
        node = event["node"]
        found = STEP.match(event["text"])
        state = State(event["role"], event["term"], event["commit"], event["last"])
        sent = [arrow for arrow in self.waiting if arrow.sender == node]
        arrow = self.taken.pop(node, None)
        same = state == self.state.get(node)
        if not sent and arrow is None and same and found and BARE.match(found[1]):
            return
        self.state[node] = state
        for one in sent:
            one.start = len(self.rows)
        self.waiting = [arrow for arrow in self.waiting if arrow.sender != node]
        if arrow is not None:
            arrow.end = len(self.rows)
        self.rows.append(Row("step", event["at"], event["text"], node, state))

    def command(self, event: dict[str, Any]) -> None:
        line = event["text"].strip()
        if line.startswith("cluster "):
            self.__init__(self.flow.nodes)
        elif line and not line.startswith(("#", "trace ", "log ", "expect violation")):
            mends = "mend" if MEND.match(line) else "command"
            self.rows.append(Row("fault" if FAULT.match(line) else mends, event["at"], line))

    def note(self, event: dict[str, Any]) -> None:
        said = re.sub(r"\bn(?=\d)", "", event["text"])
        newest = next((row for row in reversed(self.rows) if row.kind != "step"), None)
        if newest is None or re.sub(r"\bn(?=\d)", "", newest.text) != said:
            kind = "mend" if MEND.match(said) else "fault"
            self.rows.append(Row(kind, event["at"], event["text"]))

    def finish(self, now: int) -> None:
        """What was taken and never answered for: the node died in that step."""
        for node, arrow in self.taken.items():
            arrow.end = len(self.rows)
            self.rows.append(Row("end", now, f"n{node} receives {arrow.text}", node))
        for arrow in self.waiting:
            arrow.start = max(0, len(self.rows) - 1)


def read(
    events: list[dict[str, Any]], nodes: int, early: Sequence[dict[str, Any]] = ()
) -> Flow:
    """What happened; `early` tells only how the nodes were before (tail.py)."""
    reader = Reader(nodes)
    for event in early:
        getattr(reader, event["kind"])(event)
    for row in reader.rows:
        apply(row, reader.flow.before, reader.flow.down_before)
    reader.rows.clear()
    reader.flow.cut = bool(early)
    return reader.read(events)


def clip(flow: Flow) -> Flow:
    """The last rows, with so many messages at most."""
    starts = sorted(arrow.start for arrow in flow.arrows)
    first = max(0, len(flow.rows) - ROWS_MAX)
    if len(starts) > MESSAGES_MAX:
        first = max(first, starts[-MESSAGES_MAX])
    if first == 0:
        return flow
    kept = dataclasses.replace(
        flow, rows=flow.rows[first:], arrows=[], hidden=first,
        before=dict(flow.before), down_before=set(flow.down_before),
    )  # fmt: skip
    for row in flow.rows[:first]:
        apply(row, kept.before, kept.down_before)
    for arrow in flow.arrows:
        if arrow.start >= first or arrow.end >= first:
            end = arrow.end - first if arrow.end >= 0 else -1
            kept.arrows.append(
                dataclasses.replace(arrow, start=max(-1, arrow.start - first), end=end)
            )
    return kept


def apply(row: Row, states: dict[int, State], down: set[int]) -> None:
    """What a row changes of the nodes' states."""
    if row.kind == "step" and row.state is not None:
        states[row.node] = row.state
        down.discard(row.node)
    elif found := DOWN.match(row.text):
        down.add(int(found[1] or found[2]))
    elif found := UP.match(row.text):
        down.discard(int(found[1]))
        old = states.get(int(found[1]), State())
        states[int(found[1])] = dataclasses.replace(old, role="follower", commit=0)


def decisions(events: list[dict[str, Any]], nodes: int, most: int) -> dict[int, list[str]]:
    """The last lines of each node in which something was decided, and its very last one; and
    among them those in which what waited for the disk was sent."""
    steps: dict[int, list[str]] = {node: [] for node in range(1, nodes + 1)}
    for event in events:
        found = STEP.match(event["text"]) if event["kind"] == "step" else None
        if found and not SILENT.match(found[1]):
            steps[event["node"]].append(event["text"])
    chosen = {}
    for node, said in steps.items():
        decided = [at for at, line in enumerate(said[:-1]) if DECIDED.search(line)][1 - most :]
        begin = decided[0] if decided else 0
        released = [at for at in range(begin, len(said) - 1) if RELEASED.search(said[at])]
        kept = sorted({*decided, *released[1 - most :]})
        chosen[node] = [*(said[at] for at in kept), *said[-1:]]
    return chosen
