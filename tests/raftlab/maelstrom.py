"""Maelstrom's part, played here: processes that speak lin-kv, and a network between them.

Lines go from a node's stdout to the router, wait for their delay, and come to the stdin of
whoever they are for; between two sides of a partition, and at a dead process, they are lost.
Clients ask one thing at a time and write down what they saw, for `raftsim linearize`.
"""

import heapq
import itertools
import json
import pathlib
import queue
import random
import signal
import subprocess
import threading
import time
from typing import Any

from raftlab import build

TIMEOUT, NOT_SUPPORTED, UNAVAILABLE, MALFORMED, NO_KEY, OTHER_VALUE = 0, 10, 11, 12, 20, 22
INIT_SECONDS_MAX = 20
END_SECONDS_MAX = 10


class Network:
    """Nodes n1, n2, ... and what is under way between them and the clients."""

    def __init__(self, count: int, directory: pathlib.Path, seed: int, delay_s: float) -> None:
        self.names = [f"n{i + 1}" for i in range(count)]
        self.directory = directory
        self.random = random.Random(seed)
        self.delay_s = delay_s
        self.side: dict[str, int] = {}  # of a partition; all are on one without it
        self.processes: dict[str, subprocess.Popen] = {}
        self.inboxes: dict[str, queue.Queue] = {}  # of clients
        self.errors: list[str] = []
        self.lost = 0
        self.heap: list[tuple[float, int, dict[str, Any]]] = []
        self.numbers = itertools.count(1)
        self.changed = threading.Condition()
        self.closing = False
        self.router = threading.Thread(target=self.route, daemon=True)
        self.router.start()
        for name in self.names:
            self.start(name)

    # ---- processes ------------------------------------------------------------------

    def start(self, name: str) -> None:
        process = subprocess.Popen(
            [str(build.program("raft-maelstrom")), "--dir", str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.directory / f"{name}.err").open("a"),
            text=True,
            bufsize=1,
        )
        self.processes[name] = process
        threading.Thread(target=self.listen, args=(process,), daemon=True).start()
        body = {"type": "init", "node_id": name, "node_ids": self.names}
        answer = self.ask(name, body, INIT_SECONDS_MAX, admin=True)
        assert answer is not None and answer["type"] == "init_ok", f"{name}: {answer}"

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait(END_SECONDS_MAX)

    def listen(self, process: subprocess.Popen) -> None:
        for line in process.stdout:
            try:
                message = json.loads(line)
                self.send(message)
            except (ValueError, KeyError) as error:
                self.errors.append(f"{error}: {line}")

    def close(self) -> list[int]:
        """Ends all; the exit codes of those that still ran."""
        codes = []
        for process in self.processes.values():
            if process.poll() is None:
                process.stdin.close()
                codes.append(process.wait(END_SECONDS_MAX))
        with self.changed:
            self.closing = True
            self.changed.notify()
        self.router.join(END_SECONDS_MAX)
        return codes

    # ---- messages -------------------------------------------------------------------

    def send(self, message: dict[str, Any]) -> None:
        between = message["src"] in self.names and message["dest"] in self.names
        with self.changed:
            delay_s = self.random.expovariate(1 / self.delay_s) if between else 0
            due = time.monotonic() + delay_s
            heapq.heappush(self.heap, (due, next(self.numbers), message))
            self.changed.notify()

    def route(self) -> None:
        while True:
            with self.changed:
                now = time.monotonic()
                if self.closing:
                    return
                if not self.heap or self.heap[0][0] > now:
                    self.changed.wait(self.heap[0][0] - now if self.heap else None)
                    continue
                message = heapq.heappop(self.heap)[2]
            self.deliver(message)

    def deliver(self, message: dict[str, Any]) -> None:
        src, dest = message["src"], message["dest"]
        if dest in self.inboxes:
            self.inboxes[dest].put(message["body"])
            return
        process = self.processes.get(dest)
        cut = src in self.names and self.side.get(src, 0) != self.side.get(dest, 0)
        if cut or process is None or process.poll() is not None:
            self.lost += 1
            return
        try:
            # Written anew, as a router may: nothing may hang on how a line is spelled.
            process.stdin.write(json.dumps(message, sort_keys=True) + "\n")
        except (OSError, ValueError):
            self.lost += 1

    def ask(
        self, node: str, body: dict[str, Any], seconds: float, admin: bool = False
    ) -> dict[str, Any] | None:
        """The answer, or None where there was none in time."""
        client = f"{'admin' if admin else 'c'}{next(self.numbers)}"
        self.inboxes[client] = queue.Queue()
        self.send({"src": client, "dest": node, "body": body | {"msg_id": 1}})
        try:
            return self.inboxes[client].get(timeout=seconds)
        except queue.Empty:
            return None
        finally:
            del self.inboxes[client]

    def partition(self, *names: str) -> None:
        self.side = {name: 1 for name in names}

    def heal(self) -> None:
        self.side = {}


class Clients:
    """Clients that work until they are stopped, each at one node, on a few keys."""

    def __init__(self, network: Network, count: int, keys: int, seed: int) -> None:
        self.network = network
        self.keys = keys
        self.records: list[dict[str, Any]] = []
        self.order = itertools.count(1)
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.work, args=(i, random.Random(seed * 1000 + i)))
            for i in range(count)
        ]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(END_SECONDS_MAX)

    def work(self, place: int, rng: random.Random) -> None:
        node = self.network.names[place % len(self.network.names)]
        number = next(self.numbers)
        while not self.stopping.is_set():
            record = self.operate(node, number, rng)
            if record.get("outcome") == "pending":
                number = next(self.numbers)  # its process has crashed, as Jepsen has it
            if record.get("outcome"):
                time.sleep(0.02)

    def operate(self, node: str, number: int, rng: random.Random) -> dict[str, Any]:
        key, kind = rng.randrange(self.keys), rng.choice(("read", "write", "cas"))
        body: dict[str, Any] = {"type": kind, "key": key}
        record: dict[str, Any] = {"client": number, "kind": kind, "key": str(key)}
        if kind == "write":
            body["value"] = rng.randrange(5)
        if kind == "cas":
            body |= {"from": rng.randrange(5), "to": rng.randrange(5)}
            record["expected"] = str(body["from"])
        if kind != "read":
            record["value"] = str(body.get("value", body.get("to")))
        with self.lock:
            record |= {"call": time.monotonic_ns() // 1000, "from": next(self.order)}
            self.records.append(record)
        answer = self.network.ask(node, body, seconds=1.0)
        with self.lock:
            self.note(record, answer)
        return record

    def note(self, record: dict[str, Any], answer: dict[str, Any] | None) -> None:
        code = (answer or {}).get("code")
        if answer is None or code == TIMEOUT:
            record["outcome"] = "pending"
            return
        record |= {"return": time.monotonic_ns() // 1000, "to": next(self.order)}
        if code == UNAVAILABLE:
            record["outcome"] = "failed"
        elif code in (NO_KEY, OTHER_VALUE):
            record["result"] = None if record["kind"] == "read" else 0
        elif answer["type"] == "read_ok":
            record["result"] = str(answer["value"])
        elif answer["type"] == "cas_ok":
            record["result"] = 1
        else:
            assert answer["type"] == "write_ok", answer

    def answered(self, kind: str) -> int:
        return sum(1 for r in self.records if r["kind"] == kind and "outcome" not in r)

    def judge(self, path: pathlib.Path) -> dict[str, Any]:
        """What `raftsim linearize` makes of what they saw."""
        path.write_text("".join(json.dumps(record) + "\n" for record in self.records))
        done = subprocess.run(
            [str(build.program("raftsim")), "linearize", str(path)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout, done.stderr
        return json.loads(done.stdout.splitlines()[-1])
