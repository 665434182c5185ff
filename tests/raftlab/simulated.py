"""The cluster inside the simulator: one raftsim process, a line in, a JSON line out.

The language is that of docs/simulator.md. Time is virtual: it passes only where a test
waits, so that hours cost moments and a seed names the whole run."""

import functools
import json
import re
import subprocess
from typing import Any, Optional

from raftlab import build
from raftlab.cluster import Cluster, Node, Status, Unreachable
from raftlab.resp import Reply, RespError, Word

NUMBERS = {"INCR", "INCRBY", "DECR", "DECRBY", "APPEND", "DEL", "STRLEN", "EXISTS"}
READS = {"GET"}


class Simulator:
    """build/raftsim repl. Every line has one answer; a violation is never overlooked."""

    def __init__(self, *, sanitized: bool = False) -> None:
        program = build.program("raftsim", sanitized=sanitized)
        self.lines: list[str] = []  # a scenario of what was done, for a failure's report
        self.child = subprocess.Popen(
            [str(program), "repl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            bufsize=1,
        )

    def ask(self, *words: Word) -> dict[str, Any]:
        """The answer, also where it is a refusal ({"ok": false, "error": ...})."""
        line = " ".join(map(quoted, words))
        self.lines.append(line)
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        text = self.child.stdout.readline()
        assert text, f"raftsim ended with {self.child.wait()} at: {line}"
        answer = json.loads(text)
        assert not answer.get("violations"), f"{line}: {text}"
        assert "violated" not in answer.get("error", ""), f"{line}: {text}"
        return answer

    def tell(self, *words: Word) -> dict[str, Any]:
        """The answer to what must be possible."""
        answer = self.ask(*words)
        assert answer["ok"], f"{' '.join(map(str, words))}: {answer['error']}"
        return answer

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.stdin.close()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()


PLAIN = re.compile(rb"[\w.:=|><@/*+-]+")


@functools.lru_cache(maxsize=4096)
def quoted(word: Word) -> str:
    text = word if isinstance(word, bytes) else str(word).encode()
    if PLAIN.fullmatch(text):
        return text.decode()
    plain = (chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in text)
    return '"' + "".join(plain) + '"'


class SimulatedCluster(Cluster):
    seconds_max = 120.0

    def __init__(
        self,
        nodes: int = 3,
        *,
        seed: int = 1,
        spares: int = 0,
        settings: tuple[str, ...] = (),
        sanitized: bool = False,
    ) -> None:
        super().__init__(nodes)
        self.settings = (f"seed={seed}", f"spare={spares}", *settings)
        self.last_node = nodes
        self.simulator = Simulator(sanitized=sanitized)
        self.time = 0.0

    def start(self) -> None:
        self.simulator.tell("cluster", len(self.nodes), *self.settings)

    def stop(self) -> None:
        self.simulator.stop()

    def logs(self) -> str:
        return "as a scenario:\n" + "\n".join(self.simulator.lines)

    def check(self) -> None:
        answer = self.simulator.tell("check")
        assert answer["linearizable"] == "yes", answer

    # ---- time ------------------------------------------------------------------------

    def now(self) -> float:
        return self.time

    def pass_time(self, seconds: float) -> None:
        answer = self.simulator.tell("run", f"{round(seconds * 1000)}ms")
        self.time = answer["time_us"] / 1e6

    # ---- faults ----------------------------------------------------------------------

    def crash(self, node: Node) -> None:
        self.simulator.tell("crash", node)
        self.down.add(node)
        self.paused.discard(node)

    def restart(self, node: Node) -> None:
        self.simulator.tell("restart", node)
        self.down.discard(node)

    def pause(self, node: Node) -> None:
        self.simulator.tell("pause", node)
        self.paused.add(node)

    def resume(self, node: Node) -> None:
        self.simulator.tell("resume", node)
        self.paused.discard(node)

    def cut(self, sender: Node, receiver: Node) -> None:
        self.simulator.tell("cut", sender, ">", receiver)

    def heal(self) -> None:
        self.simulator.tell("heal")

    # ---- members ---------------------------------------------------------------------

    def join(self) -> Node:
        self.last_node += 1
        self.nodes = (*self.nodes, self.last_node)
        self.asked_until_taken("add", self.last_node)
        return self.last_node

    def remove(self, node: Node) -> None:
        self.asked_until_taken("remove", node)
        self.nodes = tuple(n for n in self.nodes if n != node)

    def transfer(self, to: Node = 0) -> Node:
        before = self.leader()
        self.asked_until_taken("transfer", *([to] if to else []))
        self.wait(lambda: self.leader() != before, "another leader")
        return self.leader()

    def asked_until_taken(self, *words: Word) -> None:
        """Some refusals pass by themselves: no leader, or one that has just begun."""
        self.wait(lambda: self.simulator.ask(*words)["ok"], f"{words} is taken")

    def roles(self, node: Node) -> dict[Node, str]:
        self.must_run(node)
        raw = self.simulator.tell("status", node)
        if raw["configuration_index"] > raw["commit_index"]:
            return {}
        members = (member.partition(":") for member in raw["configuration"].split())
        return {int(number): role or "voter" for number, _, role in members}

    # ---- commands --------------------------------------------------------------------

    def do_on(self, node: Node, *words: Word, seconds: float = 5) -> Reply:
        self.must_run(node)
        if str(words[0]).upper() in READS:
            answer = self.simulator.ask("get", *words[1:], "at", node)
        else:
            answer = self.proposed(node, *words, seconds=seconds)
        if not answer["ok"]:
            raise self.refusal(node, answer["error"])
        return typed(str(words[0]).upper(), answer["reply"])

    def proposed(self, node: Node, *words: Word, seconds: float) -> dict[str, Any]:
        answer = self.simulator.ask("propose", "at", node, *words)
        if not answer["ok"]:
            return answer
        limit = self.now() + seconds
        while self.now() <= limit:
            self.pass_time(0.005)
            ticket = self.simulator.tell("ticket", answer["ticket"])
            if ticket["state"] == "done":
                return ticket
            if ticket["state"] == "lost":
                return {"ok": False, "error": "does not lead: its entry was replaced"}
        raise Unreachable(f"node {node} gave no answer to {words}")

    def refusal(self, node: Node, error: str) -> Exception:
        """As raftkv would say it."""
        if "no answer" in error:
            return Unreachable(error)
        if "lead" not in error:
            return AssertionError(error)
        leader = self.status(node).leader
        return RespError(f"MOVED 0 node:{leader}" if leader else f"CLUSTERDOWN {error}")

    def moved_to(self, error: RespError) -> Optional[Node]:
        return error.moved_to()[1]

    def once(self, *words: Word) -> Reply:
        # The simulator's console retries within a session of its own.
        answer = self.simulator.tell("do", *words)
        return typed(str(words[0]).upper(), answer["reply"])

    def holds(self, node: Node, key: str, value: Optional[str]) -> bool:
        self.must_run(node)
        claim = ("absent", key) if value is None else ("committed", key, value)
        return self.simulator.ask("expect", *claim, "at", node)["ok"]

    # ---- looking ---------------------------------------------------------------------

    def must_run(self, node: Node) -> None:
        if node in self.down or node in self.paused:
            raise Unreachable(f"node {node} is down or paused")

    def status(self, node: Node) -> Status:
        self.must_run(node)
        raw = self.simulator.tell("status", node)
        if raw["state"] != "up":
            raise Unreachable(f"node {node} is {raw['state']}")
        return Status(
            node=node,
            role=raw["role"],
            term=raw["term"],
            leader=raw["leader"],
            commit_index=raw["commit_index"],
            applied_index=raw["applied_index"],
            last_index=raw["last_index"],
            hash=raw["hash"],
        )


def typed(command: str, text: str) -> Reply:
    """The simulator shows replies as text; a client would have got this."""
    if re.match(r"(ERR|WRONGTYPE|SESSION) ", text):
        raise RespError(text)
    if command in NUMBERS:
        return int(text)
    if command in READS:
        return None if text == "(nil)" else text.encode()
    return text
