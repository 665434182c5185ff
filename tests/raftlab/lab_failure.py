"""What a lab's test says when it fails: one exception, and its text for 80 columns."""

import re
import textwrap
from typing import Iterable, Optional

COLUMNS = 78

# What kind of failure it is; a report may tell them apart.
CLAIM = "claim"  # an expectation of the test did not come true
RULE = "rule"  # a checker of the simulator found a rule of Raft broken
BUDGET = "budget"  # it worked, but it cost more than it may
STUB = "stub"  # a function was reached that is still to be written
CRASH = "crash"  # an assertion, a sanitizer's report, a signal
ENDLESS = "endless"  # it did not come back

# Ends what hangs. How much shrinking tries is counted in acts and events, so that a
# schedule is the same on a slow machine.
SHRINK_SECONDS = 120

# Before a command that would run for ever. The second number lets raftsim and the tests
# in C say where they were (sim/tool/crash.h), before the kernel kills them.
LIMIT = "prlimit --cpu=5:6"


# Of a report's file: so its path, and the command that names it, fit into 80 columns.
STEM_CHARS = 40


def stem_of(claim: str) -> str:
    """What the files of a claim's report are called: its first words."""
    name = claim.rpartition("::")[2].removeprefix("test_")
    name = re.sub(r"[^\w.-]+", "-", name).strip("-") or "claim"
    if len(name) <= STEM_CHARS:
        return name
    return name[: STEM_CHARS + 1].rpartition("_")[0] or name[:STEM_CHARS]


def fact_of(seen: str) -> str:
    """Without what raftsim says before it: which rule, and when."""
    return re.sub(r"^violation of .+? at \d+ us: ", "", seen)


class LabFailure(AssertionError):
    """A claim of a lab that does not hold.

    claim     the test's name
    rule      what is broken: a checker's rule ("vote once"), or labels of docs/figure2.md
    rules     the labels of the test, whatever was found
    expected  in words
    seen      in words
    seed      of the world
    lines     the scenario: `raftsim script` comes to the same failure with them (that of
              a campaign ends in `expect violation RULE`, and so passes where that is so)
    kind      one of the words above
    stderr    what the program has said, mostly before it died
    command   what runs it again by hand, where that is not `raftsim script`
    """

    def __init__(
        self,
        *,
        expected: str,
        seen: str,
        claim: str = "",
        rule: str = "",
        rules: str = "",
        seed: Optional[int] = None,
        lines: Iterable[str] = (),
        kind: str = CLAIM,
        stderr: str = "",
        command: str = "",
    ) -> None:
        super().__init__(expected, seen)
        self.claim = claim
        self.rule = rule or rules
        self.rules = rules
        self.expected = expected
        self.seen = seen
        self.seed = seed
        self.lines = list(lines)
        self.kind = kind
        self.stderr = stderr
        self.command = command

    def scenario(self) -> str:
        """A file for `raftsim script`: what broke, in comments, and the lines."""
        head = [f"{self.claim or 'A claim of a lab'}: {self.rule}".rstrip(": ")]
        head += [f"expected: {self.expected}", f"seen: {self.seen}"]
        comments = (line for text in head for line in textwrap.wrap(text, COLUMNS - 2))
        return "\n".join([*(f"# {line}" for line in comments), *self.lines, ""])

    def __str__(self) -> str:
        facts = {
            "rule": self.rule,
            "expected": self.expected,
            "seen": self.seen,
            "seed": "" if self.seed is None else str(self.seed),
            "again": self.command,
        }
        text = [folded(name, fact) for name, fact in facts.items() if fact]
        if self.stderr.strip() and self.stderr.strip() not in self.seen:
            text += ["it said:", textwrap.indent(self.stderr.rstrip(), "  ")]
        if self.lines:
            text += ["as a scenario:", *(f"  {line}" for line in self.lines)]
        return "\n".join(text)


def folded(name: str, fact: str) -> str:
    head = f"{name + ':':<10}"
    return "\n".join(
        textwrap.wrap(fact, COLUMNS, initial_indent=head, subsequent_indent=" " * len(head))
        or [head]
    )
