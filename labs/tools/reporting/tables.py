"""Tables of the page: the logs side by side, and what the clients saw."""

from __future__ import annotations

from typing import Any

from reporting.drawing import cut, escape
from reporting.flow import Flow
from reporting.play import Play

LAST_ENTRIES = 16
ENTRIES_MAX = 30  # in which nodes differ
OPERATIONS_MAX = 26
COMMAND_CHARS = 26
COLUMN_PX = 30
CHAR_PX = 7
WIDTH_PX = 1350
BAR_PX = 30


# ---- logs ----------------------------------------------------------------------------


def logs(play: Play, flow: Flow) -> str:
    """Index by node; where nodes differ at an index, that is marked."""
    nodes = sorted(n for n in play.logs if n <= flow.nodes)
    held = {n: {entry["index"]: entry for entry in play.logs[n]} for n in nodes}
    last = max((index for log in held.values() for index in log), default=0)
    if last == 0:
        return "<p>No node has anything in its log.</p>"
    known = {status["node"]: status for status in play.nodes}
    commits = {n: known.get(n, {}).get("commit_index", committed(flow, n)) for n in nodes}
    rows, before = [], 0
    for index in chosen(nodes, held, last):
        if index != before + 1:
            rows.append(f'<tr><th>⋮</th><td class="none" colspan="{len(nodes)}"></td></tr>')
        rows.append(row(index, nodes, held, commits))
        before = index
    heads = "".join(f"<th>{head(n, known.get(n), commits[n])}</th>" for n in nodes)
    return (
        f'<div class="wide"><table class="logs"><thead><tr><th>index</th>{heads}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def chosen(nodes: list[int], held: dict, last: int) -> list[int]:
    """The last entries, and of those before the last ones in which nodes differ."""
    different = [i for i in range(1, last + 1) if len(kinds(i, nodes, held)) > 1]
    return sorted({*range(max(1, last - LAST_ENTRIES + 1), last + 1), *different[-ENTRIES_MAX:]})


def kinds(index: int, nodes: list[int], held: dict) -> set[tuple[int, str]]:
    """The different entries that stand at an index."""
    entries = (held[n].get(index) for n in nodes)
    return {(entry["term"], entry["text"]) for entry in entries if entry}


def committed(flow: Flow, node: int) -> int:
    """As the node's last step left it."""
    steps = (row.state for row in reversed(flow.rows) if row.node == node and row.state)
    state = next(steps, flow.before.get(node))
    return state.commit if state else 0


def head(node: int, status: dict[str, Any] | None, commit: int) -> str:
    if status is None:
        return f"n{node}<br><small>commit {commit}</small>"
    if status["state"] != "up":
        return f"n{node}<br><small>{status['state']}; log as it was</small>"
    return f"n{node}<br><small>{status['role']} t{status['term']}, commit {commit}</small>"


def row(index: int, nodes: list[int], held: dict, commits: dict[int, int]) -> str:
    entries = [held[n].get(index) for n in nodes]
    there = kinds(index, nodes, held)
    cells = []
    for node, entry in zip(nodes, entries):
        if entry is None:
            first = min(held[node], default=0)
            cells.append(f'<td class="none">{"in snapshot" if index < first else ""}</td>')
            continue
        marks = ["committed"] if index <= commits[node] else []
        marks += ["differs"] if len(there) > 1 else []
        cells.append(
            f'<td class="{" ".join(marks)}"><b>t{entry["term"]}</b> '
            f"{escape(cut(entry['text'], COMMAND_CHARS))}</td>"
        )
    return f"<tr><th>{index}</th>{''.join(cells)}</tr>"


# ---- history -------------------------------------------------------------------------


def guilty(verdict: dict[str, Any]) -> set[int]:
    """The operations that no order explains."""
    return {operation["number"] for operation in verdict.get("window", [])}


def history(play: Play) -> str:
    """A row a client, a bar an operation from its call to its return."""
    operations = [o for o in play.history if "call" in o and "kind" in o]
    for number, operation in enumerate(operations):
        operation["number"] = number
    if not operations:
        return "<p>No client has asked for anything.</p>"
    bad = guilty(play.verdict)
    shown = pick(operations, bad)
    note = "" if len(shown) == len(operations) else (
        f"<p>{len(shown)} of {len(operations)} operations are shown.</p>"
    )  # fmt: skip
    why = "<p>No order of these operations explains the marked ones.</p>" if bad else ""
    return f'{why}{note}<div class="wide">{bars(shown, bad)}</div>'


def pick(operations: list[dict[str, Any]], bad: set[int]) -> list[dict[str, Any]]:
    """Around those that are marked, or else the last ones."""
    if not bad:
        return operations[-OPERATIONS_MAX:]
    keys = set().union(*(keys_of(operations[n]) for n in bad))
    near = [o for o in operations if keys & keys_of(o) and o["number"] <= max(bad) + 3]
    few = near[-OPERATIONS_MAX:]
    return sorted(
        {o["number"]: o for o in [*few, *(operations[n] for n in bad)]}.values(),
        key=lambda o: o["number"],
    )


def keys_of(operation: dict[str, Any]) -> set[str]:
    return {part["key"] for part in operation.get("ops", [operation]) if "key" in part}


def words(operation: dict[str, Any]) -> str:
    if "ops" in operation:
        return f"{operation['kind']}: {', '.join(map(words, operation['ops']))}"
    asked = [operation["kind"], str(operation.get("key", ""))]
    if operation.get("value") is not None:
        asked.append(str(operation["value"]))
    text = " ".join(asked)
    if operation["kind"] == "read" and "result" in operation:
        found = operation["result"]
        text += " → nothing" if found is None else f" → {found}"
    return text


def bars(shown: list[dict[str, Any]], bad: set[int]) -> str:
    moments = sorted({o["from"] for o in shown} | {o["to"] for o in shown if "to" in o})
    place = {moment: at for at, moment in enumerate(moments)}
    clients = list(dict.fromkeys(sorted(o["client"] for o in shown)))
    column = column_px(shown, place, len(moments))
    left, width = 90, 90 + column * (len(moments) + 2)
    out = []
    for at, client in enumerate(clients):
        y = 8 + at * (BAR_PX + 10)
        name = f"client {client}" if client < 1 << 20 else "propose"
        out.append(f'<text class="who" x="4" y="{y + 20}">{name}</text>')
        for operation in (o for o in shown if o["client"] == client):
            x = left + column * place[operation["from"]]
            end = place.get(operation.get("to"), len(moments) + 1)
            out.append(bar(operation, x, y, left + column * end, operation["number"] in bad))
    height = 16 + len(clients) * (BAR_PX + 10)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="What the clients saw">'
        + "\n".join(out) + "</svg>"
    )  # fmt: skip


def column_px(shown: list[dict[str, Any]], place: dict[int, int], count: int) -> int:
    """So wide that the words fit their bars, as far as there is room."""
    wanted = COLUMN_PX
    for operation in shown:
        span = place.get(operation.get("to"), count + 1) - place[operation["from"]]
        wanted = max(wanted, (len(words(operation)) * CHAR_PX + 12) // max(1, span))
    return max(COLUMN_PX, min(wanted, WIDTH_PX // (count + 2)))


def bar(operation: dict[str, Any], x: int, y: int, end: int, is_bad: bool) -> str:
    text = words(operation)
    marks = f"{operation['kind']}{' bad' if is_bad else ''}{'' if 'to' in operation else ' open'}"
    when = f"called at {operation['call']} us"
    when += f", returned at {operation['return']} us" if "return" in operation else ", no answer"
    width = end - x - 3
    return (
        f'<g class="bar {marks}"><rect x="{x}" y="{y}" width="{width}" height="{BAR_PX}" rx="4"/>'
        f'<svg x="{x}" y="{y}" width="{width}" height="{BAR_PX}">'
        f'<text x="4" y="20">{escape(text)}</text></svg>'
        f"<title>#{operation['number']} {escape(text)}: {when}</title></g>"
    )
