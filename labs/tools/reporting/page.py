"""The page: everything in one file, which needs no network."""

from __future__ import annotations

from reporting import calm, drawing, flow, tables
from reporting.drawing import escape
from reporting.facts import Facts
from reporting.style import STYLE

LEGEND = (
    ("follower", "follower"),
    ("candidate", "candidate"),
    ("leader", "leader"),
    ("down", "down"),
)


def render(facts: Facts) -> str:
    """The whole page as text; the same facts, the same page."""
    parts = [head(facts), verdict(facts)]
    if facts.play is not None:
        whole = facts.play.drawn(facts.nodes)
        shown = flow.clip(calm.fold(whole))
        parts += [diagram(shown, facts), section("Logs at the end", tables.logs(facts.play, shown))]
        if facts.play.history:
            parts.append(section("What the clients saw", tables.history(facts.play)))
        if facts.lines:
            parts.append(section("The scenario", scenario(facts)))
    if facts.stderr:
        parts.append(section("What the program said", f"<pre>{escape(facts.stderr)}</pre>"))
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(facts.title)}</title>\n<style>{STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def head(facts: Facts) -> str:
    where = f"lab {facts.lab}" if facts.lab else "a scenario"
    claim, title = escape(facts.claim), escape(facts.title)
    return f"<header><small>{where}: {claim}</small><h1>{title}</h1></header>"


def verdict(facts: Facts) -> str:
    rows = [f"<dt>{name}</dt><dd>{said}</dd>" for name, said in pairs(facts)]
    return f'<dl class="facts">{"".join(rows)}</dl>'


def pairs(facts: Facts) -> list[tuple[str, str]]:
    """What the top of the page says."""
    found = []
    if facts.rule:
        found.append(("Broken", f"<b>{escape(facts.rule)}</b><br>{escape(facts.meaning)}"))
    if facts.crash:
        where = f"<br><code>{escape(facts.crash.where)}</code>" if facts.crash.where else ""
        found.append((facts.crash.name, f"<b>{escape(facts.crash.what)}</b>{where}"))
        found.append(("During", escape(facts.during)))
    for label, meaning in facts.labels:
        found.append((label, escape(meaning)))
    found += [("Expected", escape(facts.expected)), ("Seen", escape(facts.seen))]
    found.append(("First", escape(facts.told_first())))
    if facts.seed is not None:
        found.append(("Seed", str(facts.seed)))
    found.append(("Again", f"<code>{escape(facts.command)}</code>"))
    return [(name, said) for name, said in found if said]


def diagram(shown: flow.Flow, facts: Facts) -> str:
    signs = "".join(f'<span class="key {role}"></span>{name} ' for role, name in LEGEND)
    note = ""
    if shown.cut:
        note = "<p>The run is much longer: this is its end.</p>"
    elif shown.hidden:
        note = f"<p>The run is longer: {shown.hidden} earlier rows are left out.</p>"
    last = shown.rows[-1].at if shown.rows else 0
    if facts.failed():
        shown.rows.append(flow.Row("end", last, drawing.cut(end_words(facts), 130)))
    legend = (
        f'<p class="legend">{signs} <span class="pillkey">t2</span> a new term or role, '
        "✓3 commits up to entry 3, ✕ at an arrow's end: lost, ○ nobody has delivered it. "
        "Beside each step: what the node received, <b>what it decided</b>, and what it did. "
        "Times are milliseconds, and not to scale.</p>"
    )
    return section(
        "What happened", f'{legend}{note}<div class="wide">{drawing.draw(shown)}</div>'
    )


def end_words(facts: Facts) -> str:
    broken = facts.rule or (facts.crash.what if facts.crash else "")
    return f"{broken}: {facts.seen}" if broken else facts.seen


def scenario(facts: Facts) -> str:
    said = f"{len(facts.lines)} command{'s' if len(facts.lines) != 1 else ''}"
    if facts.told > len(facts.lines):
        said += f", shortened from {facts.told}"
    return f"<p>{said}.</p><pre>{escape(facts.scenario)}</pre>"


def section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>\n{body}\n</section>"
