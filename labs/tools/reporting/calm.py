"""Long stretches in which a leader only says that it is there become one row."""

from __future__ import annotations

import dataclasses
import re

from reporting.flow import DECIDED, Arrow, Flow, Row, State

CALM_ROWS_MIN = 16
HEARTBEAT = re.compile(r"AppendEntries n\d+>n\d+ t\d+ prev=\S+ \+0 |AppendEntriesReply .* match=")


def calm_rows(flow: Flow) -> list[bool]:
    """Of each row, whether nothing comes of it but heartbeats and their answers."""
    calm = []
    states: dict[int, State] = dict(flow.before)
    for row in flow.rows:
        same = row.kind == "step" and row.state == states.get(row.node)
        calm.append(same and not DECIDED.search(row.text))
        if row.state is not None:
            states[row.node] = row.state
    for arrow in flow.arrows:
        if not HEARTBEAT.match(arrow.text):
            for end in (arrow.start, arrow.end if arrow.fate == "arrived" else arrow.start):
                if 0 <= end < len(calm):
                    calm[end] = False
    return calm


def fold(flow: Flow) -> Flow:
    """The flow with each long calm stretch in one row."""
    calm = calm_rows(flow)
    folded = dataclasses.replace(flow, rows=[], arrows=[])
    places: list[int] = []  # of each old row among the new ones
    inside: list[bool] = []  # whether it went into a fold
    at = 0
    while at < len(calm):
        end = at
        while end < len(calm) and calm[end]:
            end += 1
        if end - at >= CALM_ROWS_MIN:
            folded.rows.append(fold_row(flow.rows[at:end]))
            places += [len(folded.rows) - 1] * (end - at)
            inside += [True] * (end - at)
            at = end
            continue
        places.append(len(folded.rows))
        inside.append(False)
        folded.rows.append(flow.rows[at])
        at += 1
    folded.arrows = [kept for arrow in flow.arrows if (kept := moved(arrow, places, inside))]
    return folded


def fold_row(rows: list[Row]) -> Row:
    ms = (rows[-1].at - rows[0].at) // 1000
    return Row("fold", rows[-1].at, f"{len(rows)} steps of heartbeats and answers, {ms} ms")


def moved(arrow: Arrow, places: list[int], inside: list[bool]) -> Arrow | None:
    """The arrow between its rows' new places; nothing where it is within a fold."""

    def hidden(row: int) -> bool:
        return 0 <= row < len(inside) and inside[row]

    def place(row: int) -> int:
        if row < 0:
            return row
        return places[row] if row < len(places) else (places[-1] + 1 if places else 0)

    if hidden(arrow.start) and (arrow.fate != "arrived" or hidden(arrow.end)):
        return None
    return Arrow(
        arrow.sender, arrow.receiver, arrow.text, place(arrow.start), place(arrow.end), arrow.fate
    )
