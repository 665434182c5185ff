"""Makes a failing scenario shorter, while it fails in the same way.

Where a rule is broken, or the program dies, whatever can be left out is noise, and delta
debugging finds what cannot. An expectation that fails is another matter: leave out
`restart 2`, and "all have applied it" fails as well, for no fault of the student's. There
only what would make the cluster's life harder goes: a crash with its restart, a cut with
its heal, and claims that held; where something is not to happen, nothing but these claims.
Waiting times and proposals stay, and what was taken, or refused, is so still. So
what is left passes once the mistake is mended. The work is counted in tries and in virtual
events, so that the same failure comes to the same scenario on every machine."""

from __future__ import annotations

import pathlib
import re
import resource
from collections.abc import Callable, Iterator

from raftlab.lab_world import microseconds as us_of

from reporting import play, time_left

TRIES_MAX = 250
EVENTS_MAX = 2_000_000
STANDSTILL_EVENTS = 100_000  # before it is called one, and no answer tells of them
SECONDS_MAX = 5.0  # of the processor; then it is told that it may be longer
SIMPLER = (
    (r"^cluster [4-9]\b", "cluster 3"),
    (r" clients=\d+", " clients=1"),
    (r" keys=\d+", " keys=1"),
    (r" clients=([3-9]|\d\d+)", " clients=2"),
    (r" (loss|duplicate)=\d+", ""),
)
KEPT = ("cluster ", "counters ", "trace ")
CUTS = ("cut ", "isolate ", "partition ", "star ", "hold ")
# What comes about sooner where less goes wrong.
HOPES = re.compile(r"run until |expect (committed|same|leader|one leader|role \d+ leader$|up) ?")


def cpu_seconds() -> float:
    """Of the programs that were tried: a busy machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Budget:
    """Of one shortening."""

    def __init__(self) -> None:
        self.tries = 0
        self.events = 0
        self.began = cpu_seconds()
        self.late = False

    def is_spent(self) -> bool:
        used = cpu_seconds() - self.began
        self.late = self.late or used > SECONDS_MAX or time_left.seconds() == 0
        return self.late or self.tries >= TRIES_MAX or self.events >= EVENTS_MAX


class Shortener:
    """Tries what is left when some lines are gone."""

    def __init__(self, program: pathlib.Path, first: play.Play) -> None:
        self.program = program
        self.failure = first.failure()
        self.lines = first.lines
        self.best = first
        self.budget = Budget()

    def fails(self, lines: list[str]) -> bool:
        """Whether these fail in the same way; then they are the new best."""
        if self.budget.is_spent():
            return False
        tried = play.try_out(self.program, lines)
        self.budget.tries += 1
        self.budget.events += max((a.get("events", 0) for a in tried.answers), default=0)
        self.budget.events += STANDSTILL_EVENTS if tried.stands_still() else 0
        if tried.failure() != self.failure or spoilt(tried):
            return False
        self.lines = tried.lines
        self.best = tried
        return True

    def without(self, gone: set[int]) -> bool:
        return self.fails([line for at, line in enumerate(self.lines) if at not in gone])

    def without_more(self, gone: set[int]) -> bool:
        """The same, where each `try` that is left comes to what it came to."""
        lines, best = self.lines, self.best
        wanted = [one.get("done") for at, one in enumerate(best.answers) if at not in gone]
        if not self.without(gone):
            return False
        if [one.get("done") for one in self.best.answers] == wanted:
            return True
        self.lines, self.best = lines, best
        return False

    def last_world(self) -> None:
        """Each `cluster` begins a world of its own: the last one is what fails."""
        begun = [at for at, line in enumerate(self.lines) if line.startswith("cluster ")]
        if len(begun) > 1:
            self.fails(self.lines[begun[-1] :])

    def delta(self) -> None:
        """Halves, quarters and so on, down to single lines."""
        size = max(1, len(self.lines) // 2)
        while size >= 1 and not self.budget.is_spent():
            before = len(self.lines)
            self.sweep(size)
            if size > 1:
                size //= 2
            elif len(self.lines) == before:
                break

    def sweep(self, size: int) -> None:
        """From the end, where what matters is near."""
        end = len(self.lines) - 1  # the last line fails
        while end > 0 and not self.budget.is_spent():
            gone = set(range(max(0, end - size), end))
            gone = {at for at in gone if not self.lines[at].startswith(KEPT)}
            end = max(0, end - size)
            if gone:
                self.without(gone)
                end = min(end, len(self.lines) - 1)

    def gently(self) -> None:
        """Only what made it harder, each with what undoes it."""
        found = True
        while found and not self.budget.is_spent():
            found = any(self.without_more(group) for group in troubles(self.lines))

    def simplify_cluster(self) -> None:
        """Fewer nodes and clients, where nothing speaks of the others."""
        for at, line in enumerate(self.lines):
            if not line.startswith("cluster "):
                continue
            for change in SIMPLER:
                simpler = re.sub(*change, self.lines[at])
                if simpler != self.lines[at]:
                    self.fails([*self.lines[:at], simpler, *self.lines[at + 1 :]])

    def tell_times(self) -> None:
        """What was waited for, and did not come, is a time; so is the last wait, in which
        it happens."""
        now_us = 0
        answers = self.best.answers
        if len(answers) < len(self.lines) and " until " in self.lines[-1]:  # it died of it
            self.fails([*self.lines[:-1], re.sub(r" until .*", "", self.lines[-1])])
        for at, answer in enumerate(answers):
            line, begun_us, now_us = self.lines[at], now_us, answer.get("time_us", now_us)
            found = re.fullmatch(r"run (\S+) until .*", line)
            if line.startswith("cluster "):
                now_us = 0
            elif found and (at == len(self.lines) - 1 or now_us - begun_us >= us_of(found[1])):
                time = f"run {-(-(now_us - begun_us) // 1000)}ms"
                self.fails([*self.lines[:at], time, *self.lines[at + 1 :]])

    def halve_times(self) -> None:
        """Shorter waits show the same."""
        for at in range(len(self.lines)):
            while at < len(self.lines) and (half := halved(self.lines[at])):
                if not self.fails([*self.lines[:at], half, *self.lines[at + 1 :]]):
                    break


def spoilt(tried: play.Play) -> bool:
    """Whether a line before the last is not done any more: then a script would end
    there."""
    return any(not answer["ok"] for answer in tried.answers[: len(tried.lines) - 1])


def halved(line: str) -> str:
    found = re.fullmatch(r"run (\d+)(us|ms|s)", line)
    if found is None:
        return ""
    unit = {"us": 1, "ms": 1000, "s": 1000000}[found[2]]
    half = int(found[1]) * unit // 2 // 1000
    return f"run {half}ms" if half >= 1 else ""


def troubles(lines: list[str]) -> Iterator[set[int]]:
    """Groups of lines without which the nodes have an easier life."""
    for at, line in enumerate(lines[:-1]):
        if line.startswith(("expect ", "refused ")) and not line.startswith("refused run "):
            yield {at}
        if not HOPES.match(lines[-1]):
            continue
        if found := re.match(r"(crash|pause)\s+n?(\d+)", line):
            undo = {"crash": "restart", "pause": "resume"}[found[1]]
            if (end := next_of(lines, at, lambda x, u=f"{undo} {found[2]}": x == u)) > 0:
                yield {at, end}
        if line.startswith(CUTS) and next_of(lines, at, lambda x: x == "heal") > 0:
            yield {at}
        if line == "heal" and not is_cut(lines[:at]):
            yield {at}
        if found := re.match(r"(loss|duplicate) \d*[1-9]\d*$", line):
            yield {at}


def is_cut(lines: list[str]) -> bool:
    """Whether there is anything to heal."""
    since = len(lines) - lines[::-1].index("heal") if "heal" in lines else 0
    return any(line.startswith(CUTS) for line in lines[since:])


def next_of(lines: list[str], at: int, wanted: Callable[[str], bool]) -> int:
    return next((n for n in range(at + 1, len(lines) - 1) if wanted(lines[n])), 0)


def shorten(program: pathlib.Path, first: play.Play) -> tuple[list[str], bool]:
    """The shortest lines found, and whether the search came to its end."""
    if not first.failure() or len(first.lines) < 2:
        return first.lines, True
    short = Shortener(program, first)
    short.last_world()
    if first.died() or first.rule():
        short.delta()
        short.simplify_cluster()
        short.delta()
        short.tell_times()
        short.halve_times()
    else:
        short.gently()
    return short.lines, not short.budget.late
