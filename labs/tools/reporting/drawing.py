"""The message diagram as SVG: a lane a node, time downwards, the trace beside it."""

from __future__ import annotations

import html
import math

from reporting.flow import Arrow, Flow, Row, State, apply

ROW_PX = 22
GAP_PX = 16
GAP_US = 20_000  # so long that it is shown that time has passed
HEAD_PX = 46
LEFT_PX = 74  # for the time
LANE_PX = {1: 160, 2: 200, 3: 170, 4: 140, 5: 120}
NAMES_PX = 600
TEXT_PX = 900
TEXT_CHARS = 122


def escape(text: str) -> str:
    return html.escape(text, quote=True)


class Drawing:
    """Collects the pieces: bands below, then lanes, arrows, marks and words."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.lane_px = LANE_PX.get(flow.nodes, 96)
        self.text_x = LEFT_PX + self.lane_px * flow.nodes + 16
        self.bands: list[str] = []
        self.lanes: list[str] = []
        self.arrows: list[str] = []
        self.marks: list[str] = []
        self.y: list[int] = []
        self.pills: set[tuple[int, int]] = set()  # node and height, where one stands
        self.place_rows()

    def x(self, node: int) -> int:
        return LEFT_PX + self.lane_px * (node - 1) + self.lane_px // 2

    def place_rows(self) -> None:
        y, before = HEAD_PX + 10, None
        for row in self.flow.rows:
            if before is not None and row.at - before >= GAP_US:
                self.gap(y, row.at - before)
                y += GAP_PX
            self.y.append(y)
            y += ROW_PX
            before = row.at
        self.bottom = y + 8

    def gap(self, y: int, us: int) -> None:
        self.marks.append(
            f'<text class="gap" x="{LEFT_PX - 8}" y="{y + 1}">{us // 1000} ms</text>'
            f'<line class="gap" x1="{LEFT_PX}" x2="{self.text_x - 16}" y1="{y - 3}" y2="{y - 3}"/>'
        )

    # ---- lanes -----------------------------------------------------------------------

    def draw_lanes(self) -> None:
        states = {n: self.flow.before.get(n, State()) for n in range(1, self.flow.nodes + 1)}
        down = set(self.flow.down_before)
        since = dict.fromkeys(states, HEAD_PX)
        for at, row in enumerate(self.flow.rows):
            old = {n: (states[n], n in down) for n in states}
            apply(row, states, down)
            for node in states:
                if (states[node].role, node in down) != (old[node][0].role, old[node][1]):
                    self.segment(node, since[node], self.y[at], *old[node])
                    since[node] = self.y[at]
                    self.life_mark(node, self.y[at], old[node][1], node in down)
                if states[node].term != old[node][0].term or states[node].role != old[node][0].role:
                    self.pill(node, self.y[at], states[node])
                elif states[node].commit != old[node][0].commit:
                    self.commit_mark(node, self.y[at], states[node].commit)
        for node in states:
            self.segment(node, since[node], self.bottom, states[node], node in down)
            self.head(node)
            self.names(node)

    def segment(self, node: int, top: int, bottom: int, state: State, down: bool) -> None:
        role = "down" if down else state.role
        x = self.x(node)
        self.lanes.append(
            f'<line class="lane {role}" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>'
        )

    def life_mark(self, node: int, y: int, was: bool, now: bool) -> None:
        if was != now:
            kind, sign = ("crash", "✕") if now else ("start", "↻")
            x = self.x(node) - (0 if now else 30)
            self.marks.append(f'<text class="life {kind}" x="{x}" y="{y + 6}">{sign}</text>')

    def pill(self, node: int, y: int, state: State) -> None:
        x = self.x(node)
        self.pills.add((node, y))
        self.marks.append(
            f'<g class="pill {state.role}"><rect x="{x - 17}" y="{y - 8}" width="34" height="16" '
            f'rx="8"/><text x="{x}" y="{y + 4}">t{state.term}</text>'
            f"<title>n{node}: {state.role} in term {state.term}</title></g>"
        )

    def commit_mark(self, node: int, y: int, commit: int) -> None:
        self.marks.append(
            f'<text class="commit" x="{self.x(node) - 8}" y="{y - 3}">✓{commit}'
            f"<title>n{node} has committed up to entry {commit}</title></text>"
        )

    def names(self, node: int) -> None:
        """Once more now and then, where the heads are out of sight."""
        for y in range(HEAD_PX + NAMES_PX, self.bottom - NAMES_PX // 2, NAMES_PX):
            self.marks.append(f'<text class="again" x="{self.x(node) + 7}" y="{y}">n{node}</text>')

    def head(self, node: int) -> None:
        state = self.flow.before.get(node, State())
        self.marks.append(
            f'<text class="head" x="{self.x(node)}" y="20">n{node}</text>'
            f'<text class="sub" x="{self.x(node)}" y="36">{state.role} t{state.term}</text>'
        )

    # ---- arrows ----------------------------------------------------------------------

    def row_y(self, row: int) -> int:
        if row < 0:
            return HEAD_PX
        return self.y[row] if row < len(self.y) else self.bottom - 6

    def draw_arrow(self, arrow: Arrow) -> None:
        x1, y1, x2 = self.x(arrow.sender), self.row_y(arrow.start), self.x(arrow.receiver)
        title = f"<title>{escape(arrow.text)}: {FATES[arrow.fate]}</title>"
        if arrow.fate == "arrived":
            y2 = self.row_y(arrow.end)
            short = 18 if (arrow.receiver, y2) in self.pills else 5
            x2 -= short if x2 > x1 else -short
            self.arrows.append(
                f'<g class="arrow {kind(arrow)}">{title}<line x1="{x1}" y1="{y1}" x2="{x2}" '
                f'y2="{y2}" marker-end="url(#tip)"/>{self.label(arrow, x1, y1, x2, y2)}</g>'
            )
            return
        x, y = self.broken_end(arrow, x1, y1, x2)
        end = f'<path d="M{x - 4},{y - 4} l8,8 m0,-8 l-8,8"/>' if arrow.fate == "lost" else (
            f'<circle cx="{x}" cy="{y}" r="3"/>'
        )  # fmt: skip
        self.arrows.append(
            f'<g class="arrow {arrow.fate}">{title}<line x1="{x1}" y1="{y1}" x2="{x}" y2="{y}"/>'
            f"{end}</g>"
        )

    def broken_end(self, arrow: Arrow, x1: int, y1: int, x2: int) -> tuple[int, int]:
        """Where the line of a message ends that does not arrive."""
        if arrow.fate == "lost":
            y = max(y1 + 12, min(y1 + 3 * ROW_PX, self.row_y(arrow.end)))
            return round(x1 + (x2 - x1) * 0.6), min(y, self.bottom)
        side = 1 if x2 > x1 else -1
        return x1 + side * (30 + 6 * abs(arrow.receiver - arrow.sender)), y1 + 13

    def label(self, arrow: Arrow, x1: int, y1: int, x2: int, y2: int) -> str:
        """Along the arrow, where it is flat enough to be read."""
        text = arrow.label()
        room = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        if abs(y2 - y1) > 1.2 * abs(x2 - x1) or len(text) * 5.2 > room - 24:
            return ""
        slope = (y2 - y1) / (x2 - x1)
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        angle = math.degrees(math.atan(slope))
        return (
            f'<text x="{x:.0f}" y="{y - 3:.0f}" transform="rotate({angle:.1f} {x:.0f} {y:.0f})">'
            f"{escape(text)}</text>"
        )

    # ---- words -----------------------------------------------------------------------

    def draw_row(self, at: int, row: Row) -> None:
        y = self.y[at]
        before = self.flow.rows[at - 1].at if at > 0 else -1
        if row.at // 100 != before // 100:
            self.marks.append(f'<text class="time" x="{LEFT_PX - 8}" y="{y + 4}">'
                              f"{row.at / 1000:.1f}</text>")  # fmt: skip
        if row.kind == "step":
            self.draw_step(y, row)
            return
        self.bands.append(
            f'<rect class="band {row.kind}" x="{LEFT_PX}" y="{y - 9}" '
            f'width="{self.text_x + TEXT_PX - LEFT_PX}" height="18"/>'
        )
        self.marks.append(
            f'<text class="words {row.kind}" x="{self.text_x}" y="{y + 4}">'
            f"{SIGNS.get(row.kind, '')}{escape(row.text)}</text>"
        )

    def draw_step(self, y: int, row: Row) -> None:
        said = row.text.partition("] ")[2]
        node, _, rest = said.partition(" ")
        event, colon, decided = rest.partition(": ")
        decided, _, effects = decided.partition(" | ") if colon else ("", "", "")
        if not colon:
            event, _, effects = event.partition(" | ")
        room = max(20, TEXT_CHARS - len(event) - len(decided))
        if (row.node, y) not in self.pills:
            self.marks.append(f'<circle class="dot" cx="{self.x(row.node)}" cy="{y}" r="3"/>')
        self.marks.append(
            f'<text class="words" x="{self.text_x}" y="{y + 4}"><tspan class="who">{node}</tspan> '
            f"{escape(event)}"
            + (f'<tspan class="decided">: {escape(decided)}</tspan>' if decided else "")
            + (f'<tspan class="effects"> | {escape(cut(effects, room))}</tspan>' if effects else "")
            + f"<title>{escape(row.text)}</title></text>"
        )

    def svg(self) -> str:
        self.draw_lanes()
        for arrow in self.flow.arrows:
            self.draw_arrow(arrow)
        for at, row in enumerate(self.flow.rows):
            self.draw_row(at, row)
        width, height = self.text_x + TEXT_PX, self.bottom + 10
        pieces = [*self.bands, *self.lanes, *self.arrows, *self.marks]
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-label="Message diagram">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>',
            *pieces, "</svg>",
        ])  # fmt: skip


FATES = {"arrived": "arrives", "lost": "lost", "flight": "still under way"}
SIGNS = {"fault": "⚡ ", "mend": "↻ ", "command": "› ", "fold": "⋮ ", "end": "✕ "}


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def kind(arrow: Arrow) -> str:
    return "vote" if "Vote" in arrow.text.split()[0] else "other"


def draw(flow: Flow) -> str:
    return Drawing(flow).svg()
