"""A lab's verdict in words: a table for 80 columns, why claims failed, one hint, and the
line that sums it up. It names no times and no places of memory, so that the same code
gets the same text."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import sys
import textwrap

import lab as labs
from raftlab.grading import Claim
from raftlab.lab_failure import LIMIT, fact_of

COLUMNS = 79
TEXT_LINES_MAX = 8
ALIKE_MAX = 3  # claims that are named before one reason
STEPS = "\nthe last steps:\n"  # of a claim in C, behind what failed (tests/test.c)
FAILED = "\nexit code 1"  # as it does wherever a check fails
UNCHECKED = (
    "labs/dist is missing: nobody can tell what was changed, and this tree is judged as it is."
)
# Where it failed says it all, whichever claims have come there.
ASSERTION = re.compile(r"\b((?:labs|raft|kvserver|sim)/[\w./-]+:\d+): .*?Assertion `(.*?)' failed")
STUB = re.compile(r"\S+:\d+: \w+\(\) is still to be written \(.*\)")  # of a claim in C
COMPILERS = "It does not compile:"
STANDSTILL = ("time stands still: ", "messages without an end: ")  # sim/standstill.h
COLOURS = {"pass": "32", "FAIL": "31", "head": "1", "hint": "33"}


@dataclasses.dataclass
class Verdict:
    lab: labs.Lab
    claims: list[Claim]
    problem: str = ""  # why nothing was run: it does not compile, it was refused
    restored: list[str] = dataclasses.field(default_factory=list)
    seed_base: int = 1
    unchecked: bool = False  # nothing says what was handed out
    reports: str = ""  # the folder of the reports, as it is told
    step: int = 0  # where only one was asked for
    own: list[labs.Lab] = dataclasses.field(default_factory=list)  # the student's, below it
    whose: dict[str, list[labs.Lab]] = dataclasses.field(default_factory=dict)  # claim's id

    @property
    def earned(self) -> int:
        return 0 if self.problem else sum(claim.earned for claim in self.claims)

    @property
    def points(self) -> int:
        return sum(claim.points for claim in self.claims)

    @property
    def full(self) -> bool:
        return not self.problem and bool(self.claims) and all(c.held for c in self.claims)

    @property
    def failed(self) -> list[Claim]:
        return [claim for claim in self.claims if not claim.held]

    @property
    def alike(self) -> list[list[Claim]]:
        """Those that failed, by reason: the very same one is told of once."""
        reasons: dict[tuple[str, str], list[Claim]] = {}
        for claim in self.failed:
            reasons.setdefault((self.cause(claim), self.blame(claim)), []).append(claim)
        return list(reasons.values())

    def cause(self, claim: Claim) -> str:
        """Where it failed and why: on which way it came there is each claim's own, and which
        step was one too many where time stands still."""
        if stands_still(claim):
            return STANDSTILL[0]
        return claim.text.partition(STEPS)[0] if STEPS in claim.text else self.reason(claim)

    @property
    def reported(self) -> list[Claim]:
        """Those of which there is a report. A function that is still to be written is the
        whole story of each claim that reaches it, and so is a node that never comes to rest:
        the first one's serves them all."""
        return [claim for claim in self.failed if self.teller(claim) is claim]

    def teller(self, claim: Claim) -> Claim:
        """The claim whose report tells of this one."""
        if not is_stub(claim) and not stands_still(claim):
            return claim
        return next(alike[0] for alike in self.alike if claim in alike)

    def last_line(self) -> str:
        step = f" step {self.step}" if self.step else ""
        return f"lab {self.lab.number}{step}: {self.earned}/{self.points} points"

    def hint(self) -> str:
        """For the first step that fails, and for no other."""
        if not self.failed or self.problem:
            return ""
        if earlier := self.by_earlier(self.failed[0]):
            first = earlier[0].number
            return f"Hint: mend lab {first} first, `make grade LAB={first}` judges it by itself."
        step = self.failed[0].step
        text = self.lab.hints.get(str(step), "")
        return f"Hint for step {step}: {text}" if text else ""

    def by_earlier(self, claim: Claim) -> list[labs.Lab]:
        """The student's own labs before this one that a claim fails by, if it is not this."""
        if not self.own:
            return []
        found = self.whose.get(claim.id, self.own)
        return [] if self.lab in found else found

    def blame(self, claim: Claim) -> str:
        """What by_earlier() says, in words."""
        names = [f"lab {lab.number} ({own_names(lab)})" for lab in self.by_earlier(claim)]
        if not names:
            return ""
        return f"your {' and '.join(names)}: with the reference's files in their place it holds"

    def short(self, claim: Claim) -> str:
        """The beginning of why a claim failed, and whose files are to blame."""
        blame = self.blame(claim)
        return "\n".join([self.reason(claim), *([fact("whose", blame)] if blame else [])])

    def reason(self, claim: Claim) -> str:
        if crash := ASSERTION.search(" ".join(claim.text.split())):
            return "\n".join(folded(f"{crash[1]}: an assertion failed: {crash[2]}"))
        lines = claim.text.removesuffix(FAILED).rstrip().splitlines() or ["it failed"]
        if claim.facts.get("kind") == "stub":
            lines = [claim.facts["seen"]]
        elif claim.facts:
            return in_words(claim)
        tail = TEXT_LINES_MAX // 2 if STEPS in claim.text else 0
        return "\n".join(cut for line in shortened(lines, tail) for cut in folded(line))

    def again(self, claim: Claim) -> str:
        """The command that runs a claim again by itself, and comes to an end."""
        claim = self.teller(claim)
        return f"{LIMIT} {self.replay(claim)}" if is_endless(claim) else self.replay(claim)

    def replay(self, claim: Claim) -> str:
        lab = self.lab.number
        if claim.facts.get("command"):
            return f"build/lab{lab}/{claim.facts['command']}"
        if claim.lines:
            return f"build/lab{lab}/raftsim script {self.reports}/{claim.stem}.scenario"
        if claim.file.endswith(".c"):
            program = claim.file.removesuffix(".c")
            return f"build/sanitized/lab{lab}/{program} {claim.name}"
        own = ["OWN=1"] if self.own else []
        seed = [f"SEED={self.seed_base}"] if self.seed_base != 1 else []
        name = shlex.quote(f"CLAIM={claim.file}::{claim.name}")
        return " ".join(["make", "again", f"LAB={lab}", *own, *seed, name])


def is_stub(claim: Claim) -> bool:
    """Whether all that it has met is a function that is still to be written."""
    return claim.facts.get("kind") == "stub" or STUB.fullmatch(claim.text) is not None


def stands_still(claim: Claim) -> bool:
    """Whether the nodes have always had something to do at once, or ever more."""
    return claim.facts.get("seen", "").startswith(STANDSTILL)


def is_endless(claim: Claim) -> bool:
    """Whether the processor time ran out: in a scenario, a run, or a test in C."""
    return claim.facts.get("kind") == "endless" or claim.text.endswith(": an endless loop?")


def in_words(claim: Claim) -> str:
    """What a simulated claim found, without its scenario, which is in the report."""
    seen = fact_of(claim.facts["seen"])
    if claim.facts["kind"] in ("crash", "endless"):
        return fact("seen", seen)  # that is all, whatever it was asked
    broken = claim.facts["rule"]
    told = {"broken": "" if broken == claim.rules else broken}  # those stand above
    told |= {"expected": claim.facts["expected"], "seen": seen}
    if claim.seed is not None:
        told["seed"] = str(claim.seed)
    return "\n".join(fact(name, words) for name, words in told.items() if words)


def fact(name: str, words: str) -> str:
    head = f"{name + ':':<10}"
    return "\n".join(textwrap.wrap(head + words, COLUMNS - 2, subsequent_indent=" " * len(head)))


def own_names(lab: labs.Lab) -> str:
    return ", ".join(path.name for path in lab.written())


def shortened(lines: list[str], tail: int) -> list[str]:
    """So many of the lines stand behind what is left out: of steps the newest decides."""
    if len(lines) <= TEXT_LINES_MAX:
        return lines
    return [*lines[: TEXT_LINES_MAX - tail], "...", *lines[len(lines) - tail :]]


def folded(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, COLUMNS - 4, subsequent_indent=indent) or [""]


def coloured() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(text: str, colour: str) -> str:
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if coloured() else text


def table(verdict: Verdict) -> list[str]:
    lines, step = [], 0
    width = max((len(f"{claim.points}/{claim.points}") for claim in verdict.claims), default=3)
    for claim in verdict.claims:
        if claim.step != step:
            step = claim.step
            title = verdict.lab.steps.get(str(step), "")
            lines += ["", paint(f"Step {step}: {title}".removesuffix(": "), "head")]
        word = "pass" if claim.held else "FAIL"
        head = f"  {word}  {f'{claim.earned}/{claim.points}':>{width}}  "
        text = textwrap.wrap(claim.words, COLUMNS - len(head))
        lines.append(head.replace(word, paint(word, word)) + text[0])
        lines += [" " * len(head) + more for more in text[1:]]
    return lines


def failures(verdict: Verdict) -> list[str]:
    """Claims that failed for the very same reason are told of together."""
    lines = []
    for claims in verdict.alike:
        lines.append("")
        for claim in claims[:ALIKE_MAX]:
            word = "FAIL" if claim is claims[0] else "    "
            head = f"{word}  step {claim.step}: {claim.words} ({claim.rules})"
            parts = textwrap.wrap(head, COLUMNS, subsequent_indent=" " * 8, drop_whitespace=True)
            lines += [paint(part, "FAIL") for part in parts]
        if len(claims) > ALIKE_MAX:
            lines.append(paint(f"      and {len(claims) - ALIKE_MAX} more, all because of", "FAIL"))
        lines.append(textwrap.indent(verdict.short(claims[0]), "  "))
        if verdict.reports:
            lines.append(f"  report: {verdict.reports}/{claims[0].stem}.txt")
    return lines


def told_problem(problem: str) -> list[str]:
    """A compiler's own lines stay as they are: it points at what stands above."""
    lines = problem.splitlines()
    if problem.startswith(COMPILERS):
        return lines
    return [
        part
        for line in lines
        for part in textwrap.wrap(
            line, COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        ) or [""]
    ]  # fmt: skip


def text(verdict: Verdict) -> str:
    """All that is told of a lab."""
    lines = [paint(f"Lab {verdict.lab.number}: {verdict.lab.title}", "head")]
    if verdict.own:
        lines += ["", "On your own files, not the reference's (OWN=1):"]
        lines += [f"  lab {lab.number}: {own_names(lab)}" for lab in verdict.own]
    if verdict.restored:
        lines += ["", "These files are not yours, and are judged as they were handed out:"]
        lines += [f"  {name}" for name in verdict.restored]
    if verdict.unchecked:
        lines += ["", *textwrap.wrap(UNCHECKED, COLUMNS)]
    if verdict.problem:
        lines += ["", *told_problem(verdict.problem)]
    else:
        lines += table(verdict) + failures(verdict)
    if hint := verdict.hint():
        parts = textwrap.wrap(hint, COLUMNS, break_long_words=False, break_on_hyphens=False)
        lines += ["", *(paint(part, "hint") for part in parts)]
    return "\n".join([*lines, "", paint(verdict.last_line(), "pass" if verdict.full else "FAIL")])
