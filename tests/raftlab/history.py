"""What clients saw of a real cluster, in the form that `raftsim linearize` judges
(sim/history/history.h): one operation a line, with the times of its call and its return."""

import collections
import dataclasses
import json
import pathlib
import random
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, Optional, Union

from raftlab import build
from raftlab.cluster import NOT_TAKEN, Cluster
from raftlab.resp import RespClient, RespError, Session, Word

Value = Union[str, int, None]


@dataclasses.dataclass
class Operation:
    client: int
    kind: str  # read, write, append, incr, delete
    key: str
    call: int  # in microseconds, as all clients' clock tells them
    argument: dict[str, Any]  # value, or by
    returned: Optional[int] = None
    outcome: str = "pending"
    result: Value = None

    def line(self) -> str:
        fields: dict[str, Any] = {
            "client": self.client,
            "kind": self.kind,
            "key": self.key,
            **self.argument,
            "call": self.call,
        }
        if self.outcome == "ok":
            fields["return"] = self.returned
            if self.kind != "write":
                fields["result"] = self.result
        else:
            fields["outcome"] = self.outcome
        return json.dumps(fields)


def microseconds() -> int:
    return time.monotonic_ns() // 1000


class History:
    """Operations of all clients, each recorded by its own thread."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.lock = threading.Lock()

    def call(self, client: int, kind: str, key: str, **argument: Any) -> Operation:
        with self.lock:  # so that the list is in order of the calls
            operation = Operation(client, kind, key, microseconds(), argument)
            self.operations.append(operation)
        return operation

    def acknowledged(self) -> int:
        return sum(operation.outcome == "ok" for operation in self.operations)

    def write(self, path: pathlib.Path) -> None:
        lines = [operation.line() for operation in self.operations]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def verdict(path: pathlib.Path) -> dict[str, Any]:
    """What raftsim's checker says of a history: "yes", "no" or "unknown", and why."""
    done = subprocess.run(
        [str(build.program("raftsim")), "linearize", str(path)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    lines = done.stdout.strip().splitlines()
    assert lines, f"raftsim linearize said nothing: {done.stderr}"
    answer = json.loads(lines[-1])
    assert (done.returncode == 0) == (answer["linearizable"] == "yes"), done
    return answer


@dataclasses.dataclass
class Load:
    """What the clients of a test do, and where."""

    ports: list[int]
    seed: int
    clients: int = 6
    keys: int = 8
    operations_max: int = 1_000_000  # each; a bound for the checker's sake
    pause_s: float = 0.002  # of each client, between two operations
    follower_reads: bool = False  # READONLY, at any node, instead of at the leader


class Client(threading.Thread):
    """One client: finds the leader, retries within its session, and records.

    With a session a write whose answer was lost is sent again under its number until
    it is answered, so that its outcome is known. Without one it stays pending."""

    def __init__(self, number: int, load: Load, history: History) -> None:
        super().__init__(name=f"client {number}", daemon=True)
        self.number = number
        self.load = load
        self.history = history
        self.random = random.Random(f"{load.seed} client {number}")
        self.ending = threading.Event()
        self.connection: Optional[RespClient] = None
        self.port = load.ports[0]
        self.session: Optional[Session] = None
        self.with_session = number % 3 != 0
        self.unique: dict[str, str] = {}  # acknowledged writes of keys of its own
        self.problem: Optional[BaseException] = None
        self.refusals: collections.Counter[str] = collections.Counter()
        self.readers: dict[int, RespClient] = {}  # by port

    def run(self) -> None:
        try:
            for step in range(self.load.operations_max):
                if self.ending.wait(self.load.pause_s):
                    break
                self.one_operation(step)
        except BaseException as problem:  # told to the test, which looks at it
            self.problem = problem
        finally:
            self.drop()
            for reader in self.readers.values():
                reader.close()

    def one_operation(self, step: int) -> None:
        key = f"k{self.random.randrange(self.load.keys)}"
        draw = self.random.random()
        value = f"{self.number}.{step}"
        if draw < 0.35:
            self.record("read", key, ["GET", key], text_or_none)
        elif draw < 0.60:
            self.record("write", key, ["SET", key, value], None, value=value)
        elif draw < 0.70:
            self.record("delete", key, ["DEL", key], int)
        elif draw < 0.80:
            self.record("append", f"a{key}", ["APPEND", f"a{key}", "+"], int, value="+")
        elif draw < 0.90:
            self.record("incr", f"n{key}", ["INCRBY", f"n{key}", 1], int, by=1)
        else:
            own = f"own:{self.number}:{step}"
            self.record("write", own, ["SET", own, value], None, value=value)

    def record(
        self,
        kind: str,
        key: str,
        words: list[Word],
        result: Optional[Callable[[Any], Value]],
        **argument: Any,
    ) -> None:
        if self.with_session and self.session is None:
            self.session = self.register()
        operation = self.history.call(self.number, kind, key, **argument)
        again = kind == "read"
        if self.session is not None and kind != "read":
            words = self.session.words(self.session.next(), *words)
            again = True
        if kind == "read" and self.load.follower_reads:
            found, reply = self.read_anywhere(words)
        else:
            found, reply = self.until_answered(words, again)
        if not found:
            return
        operation.returned = microseconds()
        operation.result = result(reply) if result is not None else None
        operation.outcome = "ok"
        if key.startswith("own:"):
            self.unique[key] = argument["value"]

    def register(self) -> Optional[Session]:
        found, number = self.until_answered(["RAFT.REGISTER"], again=True)
        return Session(number) if found else None

    def until_answered(self, words: list[Word], again: bool) -> tuple[bool, Any]:
        """(whether an answer came, the answer). After the end of the test, once more."""
        while True:
            try:
                if self.connection is None:
                    self.connection = RespClient(self.port, seconds=5)
                return True, self.connection.do(*words)
            except RespError as error:
                self.refusals[error.code] += 1
                if error.code == "MOVED":
                    self.turn_to(error.moved_to()[1])
                elif error.code in NOT_TAKEN or (error.code == "TIMEOUT" and again):
                    self.turn_to(self.random.choice(self.load.ports))
                elif error.code == "TIMEOUT":
                    return False, None
                else:
                    raise
            except OSError:
                sent = self.connection is not None
                self.refusals["no answer" if sent else "no connection"] += 1
                self.turn_to(self.random.choice(self.load.ports))
                if sent and not again:
                    return False, None
            if self.ending.wait(0.01):
                return False, None

    def read_anywhere(self, words: list[Word]) -> tuple[bool, Any]:
        while True:
            port = self.random.choice(self.load.ports)
            try:
                if port not in self.readers:
                    self.readers[port] = RespClient(port, seconds=5)
                    self.readers[port].do("READONLY")
                return True, self.readers[port].do(*words)
            except RespError as error:
                if error.code not in (*NOT_TAKEN, "TIMEOUT", "LOADING"):
                    raise
            except OSError:
                if reader := self.readers.pop(port, None):
                    reader.close()
            if self.ending.wait(0.01):
                return False, None

    def turn_to(self, port: int) -> None:
        if port != self.port or self.connection is None:
            self.port = port
        self.drop()

    def drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def text_or_none(reply: Any) -> Optional[str]:
    return None if reply is None else reply.decode()


class Clients:
    """All clients of a test, as a context: they run within it."""

    def __init__(self, load: Load) -> None:
        self.history = History()
        numbers = range(1, load.clients + 1)
        self.clients = [Client(number, load, self.history) for number in numbers]

    def __enter__(self) -> "Clients":
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *unused: object) -> None:
        for client in self.clients:
            client.ending.set()
        for client in self.clients:
            client.join()
        problems = [client.problem for client in self.clients if client.problem]
        if problems:
            raise problems[0]

    def acknowledged(self) -> int:
        return self.history.acknowledged()

    def wait_more(self, cluster: Cluster, operations: int) -> None:
        """Until so many more operations have been acknowledged."""
        goal = self.acknowledged() + operations

        def reached() -> bool:
            for client in self.clients:
                if client.problem is not None:
                    raise client.problem
            return self.acknowledged() >= goal

        cluster.wait(reached, f"{operations} more acknowledgements")

    def summary(self) -> str:
        told = self.acknowledged()
        lost = len(self.history.operations) - told
        return f"{told} operations acknowledged, {lost} never answered"

    def refusals(self) -> collections.Counter[str]:
        """By the first word of the error; "no answer" where a connection broke."""
        return sum((c.refusals for c in self.clients), collections.Counter())

    def unique(self) -> dict[str, str]:
        """Keys written once by their only client, and acknowledged."""
        return {k: v for client in self.clients for k, v in client.unique.items()}
