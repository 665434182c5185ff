"""All that is told of one failure, gathered once for the text and for the page."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shlex
from typing import Any, Optional

from raftlab.lab_failure import fact_of

from reporting import crash, flow, play, rules, shorten, tables, time_left

ROOT = rules.ROOT
RUN_SECONDS_MAX = 20
RUN = re.compile(r"raftsim run (.*)")
DONE = "# Shrunk from"  # by raftsim shrink: as short as it gets
STORY = re.compile(r"Shrunk from (\d+ \w+) of seed (\d+) with (\d+) nodes to (\d+) commands?")
DECISIONS = 18  # of all nodes together
LINEARIZABILITY = "linearizability"
NOTHING_FAILS = "nothing fails"
CLOSE_BY = 40  # lines of a scenario that the text shows


@dataclasses.dataclass
class Story:
    """What raftsim shrink says of its scenario; it looks for a smaller run first."""

    begun: str  # "147 acts"
    seed: int
    nodes: int
    commands: int  # besides the cluster


def story_of(told: list[str]) -> Optional[Story]:
    comments = " ".join(line.lstrip("# ") for line in told if line.startswith("#"))
    found = STORY.search(comments)
    return found and Story(found[1], *map(int, found.groups()[1:]))


@dataclasses.dataclass
class Facts:
    lab: int
    claim: str
    title: str  # the claim in words
    expected: str
    seen: str
    first_seen: str = ""  # before the schedule was made shorter, where that was another
    rule: str = ""  # of the checker
    meaning: str = ""
    labels: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    crash: Optional[crash.Crash] = None
    during: str = ""  # of a crash: what a node was at
    where: str = ""  # of a claim in C
    source: str = ""  # file:line of the claim
    seed: Optional[int] = None
    command: str = ""
    lines: list[str] = dataclasses.field(default_factory=list)
    told: int = 0  # lines before they were made fewer
    story: Optional[Story] = None  # of raftsim shrink
    finished: bool = True
    late: bool = False  # no time was left to try anything
    scenario: str = ""
    play: Optional[play.Play] = None
    nodes: int = 0
    decisions: dict[int, list[str]] = dataclasses.field(default_factory=dict)
    steps: list[str] = dataclasses.field(default_factory=list)  # of a claim in C, the last ones
    stderr: str = ""

    def has_page(self) -> bool:
        """Whether anything happened that could be drawn."""
        return self.play is not None and any(one["kind"] == "step" for one in self.play.events)

    def told_first(self) -> str:
        return f"{self.first_seen} (before it was made shorter)" if self.first_seen else ""

    def failed(self) -> bool:
        """A scenario may also be looked at that holds."""
        return self.seen != NOTHING_FAILS


def title_of(claim: str) -> str:
    """test_x.py::test_a_vote_is_given_once[plain] -> "A vote is given once"."""
    name = re.sub(r"\[.*\]$", "", claim.rpartition("::")[2]).removeprefix("test_")
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def program_of(lab: int) -> pathlib.Path:
    """The student's raftsim where there is one."""
    own = ROOT / "build" / f"lab{lab}" / "raftsim"
    return own if lab and own.exists() else ROOT / "build" / "raftsim"


def relative(path: pathlib.Path) -> str:
    path = path.resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def gather(failure: Any, lab: int, program: pathlib.Path) -> Facts:
    """From a LabFailure (tests/raftlab/lab_failure.py), or what looks like one."""
    facts = Facts(
        lab=lab,
        claim=failure.claim,
        title=title_of(failure.claim),
        expected=failure.expected,
        seen=fact_of(failure.seen),
        rule=failure.rule,
        seed=failure.seed,
        command=failure.command,
        stderr=failure.stderr.strip(),
        source=getattr(failure, "source", ""),
    )
    words = f"{failure.rule} {failure.rules}"
    run = RUN.search(facts.command)
    lines = list(failure.lines)
    facts.late = time_left.seconds() == 0 and bool(lines or run)
    if facts.late:
        facts.lines = lines
        facts.scenario = written(facts) if lines else ""
    elif lines:
        add_play(facts, lines, program, failure.kind)
    elif run:
        add_run(facts, program)
    else:
        add_unit(facts, failure)
    add_rule(facts, words, program)
    return facts


def add_run(facts: Facts, program: pathlib.Path) -> None:
    """The end of a run that cannot be told as a scenario."""
    flags = shlex.split(RUN.search(facts.command)[1])
    said = play.converse(program, [], seconds=RUN_SECONDS_MAX, words=("run", *flags))
    broken = said.result.get("violations", [])
    if not broken:
        facts.crash = crash.read(said.stderr, said.status)
        facts.stderr = said.stderr.strip()
        return
    facts.rule = broken[0]["property"]
    played = play.replay(program, flags, broken[0]["event"])
    if played.verdict.get("violations") == []:
        return  # a run goes on otherwise behind its duration: what was played is not its end
    facts.play = played
    facts.nodes = max(1, len(facts.play.nodes))
    most = max(2, DECISIONS // facts.nodes)
    facts.decisions = flow.decisions(facts.play.trace(), facts.nodes, most)


def add_unit(facts: Facts, failure: Any) -> None:
    """Of a claim in C: the line that failed, or where the code has died."""
    said, facts.steps = crash.without_steps(failure.stderr)
    facts.stderr = said.strip()
    found = crash.of_unit(said)
    died = crash.read(said, -9 if failure.kind == "endless" else 0)
    if died.where or failure.kind in ("crash", "stub", "endless"):
        facts.crash = died
    elif found.where:
        facts.where = found.where
        facts.expected = facts.expected or found.expected
        facts.seen = facts.seen or found.seen
    elif facts.stderr and not facts.seen:
        facts.seen = facts.stderr.splitlines()[-1]  # how it ended


def add_rule(facts: Facts, words: str, program: pathlib.Path) -> None:
    meanings = rules.meanings(program)
    if facts.play is not None and facts.lines and facts.play.rule():
        facts.rule = facts.play.rule()
    facts.meaning = meanings.get(facts.rule, "")
    if facts.meaning:
        words = rules.LABELS.get(facts.rule, words)
    else:
        facts.rule = ""
    facts.labels = rules.explain(words)
    if facts.rule == LINEARIZABILITY and facts.play is not None:
        window = facts.play.verdict.get("window", [])
        facts.seen = "no order explains " + ", ".join(map(tables.words, window))


def add_play(facts: Facts, told: list[str], program: pathlib.Path, kind: str) -> None:
    """The shortest schedule, and all that can be seen of it."""
    seconds = play.LOOP_SECONDS_MAX if kind == "endless" else play.CPU_SECONDS_MAX
    commands = [line for line in play.clean(told) if not line.startswith("expect violation ")]
    first = play.try_out(program, commands, seconds)
    is_story = any(line.startswith(DONE) for line in told)
    if is_story or first.loops():
        facts.lines = first.lines
    else:
        facts.lines, facts.finished = shorten.shorten(program, first)
    facts.told = len(commands)
    facts.story = story_of(told)
    facts.play = play.look(program, facts.lines, seconds)
    facts.nodes = play.node_count(facts.lines)
    most = max(2, DECISIONS // facts.nodes)
    facts.decisions = flow.decisions(facts.play.trace(), facts.nodes, most)
    see_as_shown(facts, first)
    if facts.play.died():
        facts.crash = crash.read(facts.play.stderr, facts.play.status)
        facts.stderr = facts.play.stderr.strip()
        facts.during = facts.play.drawn(facts.nodes).unfinished()
        facts.expected = facts.seen = facts.first_seen = ""  # an answer, and none
    facts.scenario = "\n".join([*told, ""]) if is_story else written(facts)


def see_as_shown(facts: Facts, first: play.Play) -> None:
    """The same rule may break at another entry, or node, once the schedule is shorter."""
    shown = facts.play.seen()
    if shown in ("", facts.seen) or not (facts.play.rule() or facts.seen == first.seen()):
        return
    # A claim that asked for the verdict itself saw "no", which the window says, too.
    if facts.play.rule() != LINEARIZABILITY or facts.rule == LINEARIZABILITY:
        facts.first_seen = facts.seen
    facts.seen = shown


def written(facts: Facts) -> str:
    """The file, which says what it shows."""
    head = [f"# {facts.title}."]
    if facts.crash is not None:
        head.append(f"# {facts.crash.name.lower()}: {facts.crash.what} ({facts.crash.where})")
    else:
        head += [f"# expected: {facts.expected}", f"# seen: {facts.seen}"]
    return "\n".join([*(line.replace("\n", " ") for line in head), *facts.lines, ""])
