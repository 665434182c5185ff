"""The report as text of 80 columns, and its colours for a terminal."""

from __future__ import annotations

import re
import textwrap

from reporting.facts import CLOSE_BY, Facts

COLUMNS = 80
NAME = 10
WORD = r"""(?:[^\s"']|"[^"]*"|'[^']*')+"""  # of a command
LONG = re.compile(r"\S{60,}")
RED, GREEN, BOLD, FAINT, PLAIN = "\033[31m", "\033[32m", "\033[1m", "\033[2m", "\033[0m"


def folded(name: str, said: str) -> list[str]:
    """"Seen      one leader, ..." with what follows below its beginning."""
    first = f"{name:<{NAME - 1}} "
    if not said:
        return []
    return textwrap.wrap(
        said, COLUMNS, initial_indent=first, subsequent_indent=" " * len(first),
        break_on_hyphens=False,
    )  # fmt: skip


def heading(text: str) -> list[str]:
    return ["", text, "-" * min(COLUMNS, len(text))]


def render(facts: Facts, paths: dict[str, str]) -> str:
    where = f"lab {facts.lab}: " if facts.lab else ""
    verdict = "FAILED" if facts.failed() else "HELD"
    lines = [*textwrap.wrap(f"{verdict}  {where}{facts.title}", COLUMNS), "=" * COLUMNS]
    if facts.crash is not None:
        lines += folded(facts.crash.name, facts.crash.what)
        lines += folded("Where", facts.crash.where)
        lines += folded("During", facts.during)
    lines += folded("Where", facts.where)
    lines += folded("Broken", facts.rule)
    lines += folded("", facts.meaning)
    for label, meaning in facts.labels:
        lines += folded(label, meaning)
    lines += folded("Expected", facts.expected)
    lines += folded("Seen", facts.seen)
    lines += folded("First", facts.told_first())
    if facts.seed is not None:
        lines += folded("Seed", str(facts.seed))
    lines += unfolded("Claim", facts.source) + unfolded("Again", facts.command)
    if facts.late:
        lines += late(facts, paths)
    if facts.play is not None:
        if facts.lines:
            lines += schedule(facts, paths["scenario"])
        if any(facts.decisions.values()):
            lines += last_decisions(facts)
    if facts.steps:
        lines += heading("The last steps")
        if len({step.partition("]")[2].split()[0] for step in facts.steps if "] n" in step}) > 1:
            lines.append("(in this order; the times are of each node's own clock)")
        lines += [line for step in facts.steps for line in step_lines(step)]
    lines += said(facts)
    if "page" in paths:
        lines += ["", *unfolded("Page", paths["page"])]
    return "\n".join([*lines, ""])


def late(facts: Facts, paths: dict[str, str]) -> list[str]:
    """Of a claim whose turn came after the time for reports was up."""
    told = "The time for reports was up before this one's turn, so there is no picture"
    told += ", and the schedule is all that the claim did." if facts.lines else "."
    more = f"labs/tools/report.py --lab {facts.lab} of the file takes its time." if paths else ""
    return ["", *textwrap.wrap(f"{told} {more}".strip(), COLUMNS), *unfolded(
        "File", paths.get("scenario", "")
    )]


def unfolded(name: str, text: str) -> list[str]:
    """What is to be copied stands on one line, or on several that a shell takes as one."""
    if not text:
        return []
    if NAME + len(text) <= COLUMNS:
        return [f"{name:<{NAME}}{text}"]
    lines = [" "]
    for word in re.findall(WORD, text):
        longer = f"{lines[-1]} {word}"
        if lines[-1].strip() and len(f"{longer} \\") > COLUMNS:
            lines.append(f"    {word}")
        else:
            lines[-1] = longer
    return [name, *(f"{line} \\" for line in lines[:-1]), lines[-1]]


def schedule(facts: Facts, path: str) -> list[str]:
    count = len(facts.lines)
    known = facts.story.commands if facts.story else count
    title = f"The schedule: {known} command{'s' if known != 1 else ''}"
    if count < facts.told:
        title += f" (of {facts.told})"
    lines = [*heading(title), *unfolded("File", path)]
    if facts.story and facts.seed not in (None, facts.story.seed):
        run = f"seed {facts.story.seed} with {facts.story.nodes} nodes, {facts.story.begun}"
        lines += folded("From", f"a smaller run in which the same is broken: {run}")
    if count > CLOSE_BY and not (facts.play.rule() or facts.play.died()):
        lines.append("Long, since nothing may go that the claim's last command stands on.")
    if not facts.finished:
        lines.append("The time was up before all was tried: it may be longer than it must.")
    shown = facts.lines[-CLOSE_BY:]
    if len(shown) < count:
        lines.append(f"  ... {count - len(shown)} commands before these")
    return lines + [line for command in shown for line in indented(command)]


def indented(command: str) -> list[str]:
    """A long value is only begun: the file has it whole."""
    command = LONG.sub(lambda word: f"{word[0][:20]}... ({len(word[0]):,} characters)", command)
    return textwrap.wrap(
        command, COLUMNS, initial_indent="  ", subsequent_indent="      ",
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip


def last_decisions(facts: Facts) -> list[str]:
    lines = heading("The last decisions of each node")
    silent = [f"n{node}" for node, steps in facts.decisions.items() if not steps]
    for steps in filter(None, facts.decisions.values()):
        lines += [line for step in steps for line in step_lines(step)]
        lines.append("")
    return [*lines, f"No decision: {', '.join(silent)}"] if silent else lines[:-1]


def step_lines(step: str) -> list[str]:
    """A step, broken where its effects begin."""
    head, *effects = step.split(" | ")
    lines = [head]
    for effect in effects:
        if len(lines[-1]) + 3 + len(effect) <= COLUMNS:
            lines[-1] += f" | {effect}"
        else:
            lines.append(f"         | {effect}")
    return [
        short
        for line in lines
        for short in textwrap.wrap(line, COLUMNS, subsequent_indent=" " * 11, drop_whitespace=True)
    ]


def said(facts: Facts) -> list[str]:
    if not facts.stderr or (facts.crash is not None and facts.crash.name == "Missing"):
        return []
    lines = facts.stderr.splitlines()
    if facts.where and len(lines) == 1:
        return []  # that is told above
    shown = [
        part
        for line in lines[:12]
        for part in textwrap.wrap(line, COLUMNS - 2, subsequent_indent="  ") or [""]
    ]
    more = [f"... {len(lines) - 12} more lines"] if len(lines) > 12 else []
    return [*heading("What the program said"), *(f"  {line}" for line in [*shown, *more])]


# ---- colours -------------------------------------------------------------------------


def coloured(text: str) -> str:
    """The same for a terminal."""
    lines = []
    for line in text.splitlines():
        if line.startswith("FAILED"):
            line = f"{RED}{BOLD}FAILED{PLAIN}{BOLD}{line[6:]}{PLAIN}"
        elif re.fullmatch(r"[=-]+", line):
            line = f"{FAINT}{line}{PLAIN}"
        elif found := re.match(r"(Broken|Crash|Missing|Seen)( .*)", line):
            line = f"{FAINT}{found[1]}{PLAIN}{RED}{found[2]}{PLAIN}"
        elif found := re.match(r"([A-Za-z]\w+(?:-\w+)?)(\s{2,}.*)", line):
            line = f"{FAINT}{found[1]}{PLAIN}{found[2]}"
        elif found := re.match(r"(\[ *\d+\] n\d+ [^:|]*): ([^|]*)(.*)", line):
            line = f"{found[1]}: {BOLD}{found[2]}{PLAIN}{FAINT}{found[3]}{PLAIN}"
        lines.append(line)
    return "\n".join([*lines, ""])
