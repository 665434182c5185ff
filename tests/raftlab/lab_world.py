"""A world of a lab's test: one raftsim, its clock, and a list of all that it was told.

The commands are those of docs/simulator.md. Time is virtual: it passes where the test
says so and nowhere else. Every line that was told is kept in `lines`, in a form that
`raftsim script` takes: questions that change nothing are left out, and what was refused
stands there as `refused ...`. Whatever fails ends in a LabFailure."""

import re
from typing import Any, Callable, NoReturn, Optional, Union

from raftlab import lab_failure, lab_schedule
from raftlab.lab_failure import LabFailure
from raftlab.lab_process import Died, Process
from raftlab.simulated import quoted

Word = Union[str, int]
Duration = Union[str, int, float]  # "150ms" as raftsim writes it, or seconds

LOG_ENTRIES_MAX = 1000000
STEP_US = 5000  # how often a condition is looked at that raftsim does not know
QUESTIONS = {"status", "log", "hash", "history", "ticket", "counters", "flight", "help"}
# An entry that gave way shows as lost only once another is committed in its place.
AGAIN_US = 1000000
RETOLD_US = 500000  # how often one that is refused is told
VIOLATION = re.compile(r"violation of (.+?) at \d+ us: ")  # a rule may have an " at ", too
UNITS_US = {"us": 1, "ms": 1000, "s": 1000000, "m": 60000000, "h": 3600000000}

# What a lab's worlds are like where its tests say nothing else: a student who has not
# come to durability has a disk that needs none, and one without sessions has clients
# that never ask twice.
PERFECT_DISK_BEFORE = 3
NO_RETRIES_BEFORE = 5


def microseconds(duration: Duration) -> int:
    """1500 of "1500us", 2000000 of "2s" and of 2."""
    if not isinstance(duration, str):
        return round(duration * 1000000)
    digits = duration.rstrip("hmsu")
    return round(float(digits) * UNITS_US[duration[len(digits) :]])


def written(us: int) -> str:
    """As raftsim reads a duration."""
    return f"{us // 1000}ms" if us % 1000 == 0 else f"{us}us"


def lab_settings(lab: int) -> dict[str, str]:
    settings = {}
    if 0 < lab < PERFECT_DISK_BEFORE:
        settings["disk"] = "perfect"
    if 0 < lab < NO_RETRIES_BEFORE:
        settings["retries"] = "off"
    return settings


class World:
    """See the file's head. `lab` chooses the settings that all clusters of it have."""

    def __init__(
        self,
        nodes: int = 0,
        *,
        seed: int = 1,
        lab: int = 0,
        claim: str = "",
        rules: str = "",
        sanitized: bool = False,
        program: str = "raftsim",
        **settings: Any,
    ) -> None:
        self.seed = seed
        self.cluster_seed = seed  # of the newest cluster, which a test may choose
        self.lab = lab
        self.claim = claim
        self.rules = rules
        self.lines: list[str] = []
        self.nodes: tuple[int, ...] = ()
        self.cut_off: set[int] = set()  # by disconnect()
        self.now_us = 0
        self.keys = 0
        self.refusal = ("", 0)  # of a proposal, and when
        self.events = -1  # that had happened when time last passed
        self.seen: dict[str, Any] = {}  # the answer to `status`, until something happens
        self.process = Process(sanitized=sanitized, name=program)
        if nodes > 0:
            self.cluster(nodes, **settings)

    def close(self) -> None:
        self.process.stop()

    # ---- telling -----------------------------------------------------------------

    def ask(self, *words: Word) -> dict[str, Any]:
        """The answer to one command, also where that is a refusal ("ok" is False)."""
        if words == ("status",) and self.seen:
            return self.seen
        line = " ".join(map(quoted, words))
        try:
            answer = self.process.ask(line)
        except Died as death:
            self.lines.append(line)
            self.died(death)
        self.note(line, words, answer)
        self.remember(words, answer)
        self.now_us = answer.get("time_us", self.now_us)
        if rule := broken_rule(answer):
            self.fail(
                "no rule of Raft is broken",
                answer.get("error") or str(answer["violations"]),
                rule=rule,
                kind=lab_failure.RULE,
            )
        return answer

    def remember(self, words: tuple[Word, ...], answer: dict[str, Any]) -> None:
        """Time in which no event happens changes no node."""
        if words == ("status",) and answer["ok"]:
            self.seen = answer
        elif words[0] == "run" and answer.get("events") == self.events:
            self.seen = self.seen and self.seen | {"time_us": answer["time_us"]}
        elif words[0] not in QUESTIONS | {"expect"}:
            self.seen = {}
        self.events = answer.get("events", self.events)

    def tell(self, *words: Word) -> dict[str, Any]:
        """The answer to what has to be possible."""
        answer = self.ask(*words)
        if not answer["ok"]:
            self.unrefuse()
            self.fail(f"{' '.join(map(str, words))} is done", answer["error"])
        return answer

    def note(self, line: str, words: tuple[Word, ...], answer: dict[str, Any]) -> None:
        """Keeps it as a line of the scenario."""
        if words[0] in QUESTIONS and words[1:2] != ("reset",):
            return
        if not answer["ok"] and not broken_rule(answer):
            line = f"refused {line}"
        self.lines.append(line)

    def unrefuse(self) -> None:
        """The line that was refused is to fail in the scenario, too."""
        if self.lines and self.lines[-1].startswith("refused "):
            self.lines[-1] = self.lines[-1].removeprefix("refused ")

    def refused(self, *words: Word) -> str:
        """Why it is refused; a failure where it is not."""
        answer = self.ask(*words)
        if answer["ok"]:
            self.lines[-1] = f"refused {self.lines[-1]}"
            self.fail(f"{' '.join(map(str, words))} is refused", "it was done")
        return answer["error"]

    # ---- failing -----------------------------------------------------------------

    def fail(
        self,
        expected: str,
        seen: str,
        *,
        rule: str = "",
        kind: str = lab_failure.CLAIM,
        line: str = "",
    ) -> NoReturn:
        """Ends the test. `line` is a claim that fails in the scenario as it did here; without
        one, what was told last has failed."""
        count = len(self.lines) - (not line and kind in (lab_failure.CLAIM, lab_failure.BUDGET))
        schedule = [*lab_schedule.told(self.lines[:count]), *self.lines[count:]]
        raise LabFailure(
            claim=self.claim,
            rule=rule,
            rules=self.rules,
            expected=expected,
            seen=seen,
            seed=self.cluster_seed,
            lines=[*schedule, *([line] if line else [])],
            kind=kind,
            stderr="\n".join([*self.process.printed, self.process.stderr()]).strip("\n"),
        )

    def died(self, death: Died) -> NoReturn:
        self.fail(f"an answer to: {self.lines[-1]}", death.words(), kind=death.kind())

    # ---- the cluster, and time ---------------------------------------------------

    def cluster(self, nodes: int, *words: Word, **settings: Any) -> dict[str, Any]:
        """A new cluster: settings as docs/simulator.md names them (disk="perfect",
        spare=2, delay="1ms..2ms"; None leaves the lab's own out), words such as "manual"."""
        chosen = {"seed": self.seed} | lab_settings(self.lab) | settings
        given = (f"{name}={value}" for name, value in chosen.items() if value is not None)
        answer = self.tell("cluster", nodes, *words, *given)
        self.cluster_seed = answer.get("seed", self.seed)
        self.nodes = tuple(range(1, nodes + 1))
        self.cut_off.clear()
        self.now_us = 0
        return answer

    def run(self, duration: Duration) -> dict[str, Any]:
        """Lets virtual time pass."""
        us = microseconds(duration)
        before = self.lines[-1] if self.lines else ""
        answer = self.tell("run", written(us))
        if before.startswith("run ") and "until" not in before:
            self.lines[-2:] = [f"run {written(us + microseconds(before.split()[1]))}"]
        return answer

    def until(self, condition: str, within: Duration = "10s") -> dict[str, Any]:
        """Runs until "leader", "no leader", "committed 5", "applied", "term 3", "quiet"..."""
        limit = written(microseconds(within))
        answer = self.ask("run", "until", *condition.split(), "within", limit)
        if not answer["ok"]:
            self.unrefuse()
            self.fail(f"{condition} within {limit}", self.situation())
        return answer

    def come(self, condition: str, within_us: int) -> None:
        """Runs until then, or for so long; for a moment where it is so already."""
        now_us = self.now_us
        self.ask("run", "until", *condition.split(), "within", written(within_us))
        if self.now_us == now_us:
            self.run(min(within_us, STEP_US) / 1000000)

    def wait(
        self,
        condition: Callable[[], Any],
        what: str,
        within: Duration = "10s",
        line: Callable[[], str] = str,
        until: Callable[[], str] = str,
        seen: Optional[Callable[[], str]] = None,
    ) -> Any:
        """Runs until the condition is true, and returns what it was. `line` makes what
        fail() takes, `until` what `run until` may wait for before one need look again
        (nothing: it is looked every few milliseconds), `seen` tells what there is instead
        (the situation)."""
        limit_us = self.now_us + microseconds(within)
        while not (found := condition()):
            if self.now_us >= limit_us:
                limit = written(microseconds(within))
                self.fail(f"{what} within {limit}", (seen or self.situation)(), line=line())
            if before := until():
                self.come(before, min(limit_us - self.now_us, AGAIN_US))
            else:
                self.run(STEP_US / 1000000)
        return found

    # ---- looking -----------------------------------------------------------------

    def status(self, node: int) -> dict[str, Any]:
        """"state" (up, paused, down...) and, of a node that is up, its role, term, ..."""
        return self.tell("status", node)

    def statuses(self) -> list[dict[str, Any]]:
        return self.tell("status")["nodes"]

    def up(self) -> list[dict[str, Any]]:
        """Of the nodes that run."""
        return [s for s in self.statuses() if s["state"] == "up"]

    def reachable(self) -> list[dict[str, Any]]:
        """Of the nodes that run and that nobody has disconnected."""
        return [s for s in self.up() if s["node"] not in self.cut_off]

    def situation(self, more: Callable[[dict[str, Any]], str] = lambda _: "") -> str:
        """The nodes in one line, for a failure; `more` of each that runs."""
        return "; ".join(
            f"n{s['node']} " + (f"{s['role']} t{s['term']} log {s['last_index']} "
                                f"commit {s['commit_index']}{more(s)}"
                                if s["state"] == "up" else s["state"])
            + (" (disconnected)" if s["node"] in self.cut_off else "")
            for s in self.statuses()
        )  # fmt: skip

    def configurations(self) -> str:
        """The same, with the configuration that each node uses, and the entry it stands in."""

        def used(s: dict[str, Any]) -> str:
            index = s["configuration_index"]
            where = f"of entry {index}" if index else "of the start"
            open_ = "" if s["commit_index"] >= index else ", not committed"
            return f" uses [{s['configuration']}] {where}{open_}"

        return self.situation(used)

    def leader(self) -> int:
        """Of the nodes that are connected, the leader of the highest term; 0: nobody."""
        leaders = [s for s in self.reachable() if s["role"] == "leader"]
        return max(leaders, key=lambda s: s["term"])["node"] if leaders else 0

    def newest_leader(self) -> int:
        """The same of all nodes that run: who raftsim takes for the leader."""
        leaders = [s for s in self.up() if s["role"] == "leader"]
        return max(leaders, key=lambda s: s["term"])["node"] if leaders else 0

    def term(self, node: int) -> int:
        return self.status(node)["term"]

    def terms(self) -> dict[int, int]:
        """Of each node that runs and is connected."""
        return {s["node"]: s["term"] for s in self.reachable()}

    def log(self, node: int) -> list[dict[str, Any]]:
        """Its entries: index, term, type (noop, command, ...), text."""
        return self.tell("log", node, 1, LOG_ENTRIES_MAX)["entries"]

    def holds(self, *claim: Word) -> bool:
        """Whether `expect CLAIM` would hold now: a question, not a part of the scenario."""
        answer = self.ask("expect", *claim)
        del self.lines[-1]
        return answer["ok"]

    def expect(self, *claim: Word, why: str = "", rule: str = "") -> dict[str, Any]:
        """A claim of docs/simulator.md: expect("role", 1, "leader"), expect("one leader")."""
        words = [word for part in claim for word in (part.split() if len(claim) == 1 else [part])]
        answer = self.ask("expect", *words)
        if not answer["ok"]:
            self.unrefuse()
            self.fail(why or " ".join(map(str, words)), answer["error"], rule=rule)
        return answer

    # ---- what it costs -----------------------------------------------------------

    def counters(self) -> dict[str, Any]:
        """Since the cluster began, or since reset_counters(): docs/simulator.md, Counters."""
        answer = self.tell("counters")
        del answer["ok"]
        return answer

    def reset_counters(self) -> None:
        self.tell("counters", "reset")

    def budget(self, of: str = "", **most: int) -> None:
        """At most so many of each counter: budget(messages=42, of="an election of five")."""
        for name, limit in most.items():
            answer = self.ask("expect", name, "<=", limit)
            if not answer["ok"]:
                self.unrefuse()
                self.fail(
                    f"at most {limit} {name}" + (f" for {of}" if of else ""),
                    answer["error"],
                    kind=lab_failure.BUDGET,
                )

    # ---- faults ------------------------------------------------------------------

    def disconnect(self, node: int) -> None:
        """Nothing passes between it and any other node; what is under way is lost."""
        self.tell("isolate", node)
        self.cut_off.add(node)

    def reconnect(self, node: int) -> None:
        """Its links to those who are connected are whole again."""
        self.cut_off.discard(node)
        for other in self.nodes:
            if other != node and other not in self.cut_off:
                self.tell("heal", node, other)

    def crash(self, node: int, lose: str = "all") -> None:
        self.tell("crash", node, "lose", lose)

    def restart(self, node: int) -> None:
        self.tell("restart", node)

    # ---- leaders -----------------------------------------------------------------

    def check_one_leader(self, within: Duration = "5s") -> int:
        """One of the connected nodes leads, in the highest term of all of them."""

        def claim() -> str:
            if leader := self.leader():
                return f"expect term {leader} >= {max(s['term'] for s in self.reachable())}"
            nodes = [s["node"] for s in self.reachable()] or [self.nodes[0]]
            return f"expect leader {' '.join(map(str, nodes))}"

        return self.wait(
            self.leads_all,
            "a connected node leads",
            within,
            line=claim,
            until=self.another_leader,
        )

    def another_leader(self) -> str:
        """For wait(): the next leader, where no connected node leads."""
        return "" if self.leaders() else self.next_leader()

    def next_leader(self) -> str:
        """For `run until`: a leader of a later term than those who lead now."""
        leads = [s["term"] for s in self.statuses() if s.get("role") == "leader"]
        return f"term {max(leads) + 1}" if leads else "leader"

    def leads_all(self) -> int:
        reachable = self.reachable()
        leader = self.leader()
        highest = max((s["term"] for s in reachable), default=0)
        return leader if any(s["node"] == leader and s["term"] == highest for s in reachable) else 0

    def no_leader(self, during: Duration = "2s") -> None:
        """In that time no connected node comes to lead, and in the end none does."""
        until_us = self.now_us + microseconds(during)
        old = {(s["node"], s["term"]) for s in self.leaders()}
        while self.now_us < until_us:
            self.come(self.next_leader(), until_us - self.now_us)
            old = set() if self.now_us >= until_us else old
            for leads in self.leaders():
                if (leads["node"], leads["term"]) not in old:
                    node, term = leads["node"], leads["term"]
                    self.fail(
                        "nobody leads, since nobody has a majority",
                        f"node {node} leads in term {term}",
                        line=f"expect role {node} follower pre-candidate candidate",
                    )

    def leaders(self) -> list[dict[str, Any]]:
        return [s for s in self.reachable() if s["role"] == "leader"]

    def same_term(self) -> int:
        """The term that all connected nodes are in; a failure where they differ."""
        terms = self.terms()
        most = max(terms, key=lambda node: terms[node])
        for node, term in terms.items():
            if term != terms[most]:
                self.fail(
                    "all connected nodes are in one term",
                    f"node {node} is in term {term}, node {most} in term {terms[most]}",
                    line=f"expect term {node} == {terms[most]}",
                )
        return terms[most]

    # ---- commands ----------------------------------------------------------------

    def propose(self, *words: Word, at: int = 0) -> Optional[dict[str, Any]]:
        """Gives a write to a node (to the leader) and does not wait: its ticket (ticket,
        node, index, term), or None where the node refuses."""
        node = at or self.leader()
        if not at and node == self.newest_leader():  # whoever that is in another run
            answer = self.ask("propose", *words)
        elif node:
            answer = self.ask("propose", "at", node, *words)
        else:
            return None
        if not answer["ok"]:
            self.forget_again(" ".join(map(quoted, words)))
        return answer if answer["ok"] else None

    def forget_again(self, words: str) -> None:
        """Of a write that is refused and offered again, again and again, a few are told."""
        if self.refusal[0] == words and 0 <= self.now_us - self.refusal[1] < RETOLD_US:
            del self.lines[-1]
        else:
            self.refusal = (words, self.now_us)

    def take(self, node: int, *words: Word) -> dict[str, Any]:
        """A write that this node takes, since it leads; its ticket."""
        ticket = self.ask("propose", "at", node, *words)
        if not ticket["ok"]:
            self.unrefuse()
            shown = " ".join(f"{word}".lstrip()[:40] for word in words)
            self.fail(f"node {node} leads and takes {shown}", self.situation())
        return ticket

    def holders(self, key: str, value: Word, index: int = 0) -> list[int]:
        """The nodes whose applied state has this value (and has come to that entry)."""
        return [
            s["node"]
            for s in self.up()
            if s["applied_index"] >= index and self.holds("committed", key, value, "at", s["node"])
        ]

    def agree(
        self,
        value: Word,
        nodes: Optional[int] = None,
        *,
        retry: bool = True,
        within: Duration = "10s",
        key: str = "",
    ) -> int:
        """A leader takes this value, and within that time so many nodes have applied it
        (None: all that run and are connected). Returns its index. With `retry` a value
        that got lost with its leader, or is not there after a second, is proposed anew."""
        self.keys += 1
        key = key or f"k{self.keys}"
        wanted = len(self.reachable()) if nodes is None else nodes
        ticket: dict[str, Any] = {}
        until_us = self.now_us + microseconds(within)
        assert wanted <= len(self.nodes)

        def agreed() -> int:
            late = ticket and self.now_us - ticket["given_us"] >= AGAIN_US
            late = late and self.now_us < until_us  # what is given at the end has no time
            if not ticket or (retry and (late or self.is_lost(ticket))):
                ticket.clear()
                ticket.update(self.propose("set", key, value) or {})
                ticket.update({"given_us": self.now_us} if ticket else {})
            if not ticket or self.have_applied(ticket["index"]) < wanted:
                return 0
            enough = len(self.holders(key, value, ticket["index"])) >= wanted
            return ticket["index"] if enough else 0

        def until() -> str:
            if not ticket:
                return self.another_leader()
            applied = self.have_applied(ticket["index"]) >= wanted
            return "" if applied else f"applied {ticket['index']} by {wanted}"

        def claim() -> str:
            lack = set(self.nodes) - set(self.holders(key, value))
            lack = lack - self.cut_off or lack
            if not lack:  # they have it from an entry that was given up too early
                late = min(self.reachable(), key=lambda s: s["applied_index"])["node"]
                return f"expect applied_index {late} >= {ticket['index']}"
            return f"expect committed {quoted(key)} {quoted(value)} at {min(lack)}"

        what = f"{wanted} nodes agree on {key}={value}"
        return self.wait(agreed, what, within, line=claim, until=until)

    def have_applied(self, index: int) -> int:
        """How many nodes that run have applied up to there."""
        return sum(s["applied_index"] >= index for s in self.up())

    def is_lost(self, ticket: dict[str, Any]) -> bool:
        """It gave way to another entry, which a node knows to be committed."""
        if all(s["commit_index"] < ticket["index"] for s in self.up()):
            return False
        return self.tell("ticket", ticket["ticket"])["state"] == "lost"

    def nobody_commits(self, within: Duration = "2s") -> None:
        """In that time no node's commit index passes what the highest one was."""
        before = max((s["commit_index"] for s in self.up()), default=0)
        self.run(within)
        for s in self.statuses():
            if s["state"] == "up" and s["commit_index"] > before:
                self.fail(
                    f"nothing is committed behind entry {before}",
                    f"node {s['node']} has committed up to entry {s['commit_index']}",
                    line=f"expect commit_index {s['node']} <= {before}",
                )


def broken_rule(answer: dict[str, Any]) -> str:
    """The rule that a checker has found broken, by its name in docs/simulator.md."""
    if answer.get("violations"):
        first = answer["violations"][0]
        return first.get("property") or first.get("rule") or "a rule"
    found = VIOLATION.match(answer.get("error", ""))
    return found[1] if found else ""
