#!/usr/bin/env python3
"""Asks porcupine and raftsim about the same histories: are their verdicts equal, and how long
does each take?

    compare.py --judge ./judge --histories 500        small ones, a part of them edited
    compare.py --judge ./judge --operations 10000     one, and the time that each needs

JUDGE is main.go, built. A history is that of a correct store: clients call, take effect and
return at moments drawn by chance. In an edited one a read has another read's answer, so that
many of those are not linearizable. Exit code 0 says that all verdicts were equal.
"""

import argparse
import collections
import json
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
from typing import Any, Optional

ROOT = pathlib.Path(__file__).resolve().parents[3]
KINDS = ("read", "write", "cas", "append", "delete")
LOST = 0.02  # of the answers, in small histories
SECONDS_MAX = 600

Operation = dict[str, Any]


class Store:
    """One key, and clients that use it."""

    def __init__(self, seed: int, kinds: tuple[str, ...], values: int, lost: float) -> None:
        self.random = random.Random(seed)
        self.kinds, self.values, self.lost = kinds, values, lost
        self.value: Optional[str] = None
        self.history: list[Operation] = []
        self.moment = 0

    def tick(self) -> int:
        self.moment += 1
        return self.moment

    def draw(self) -> str:
        drawn = self.random.randrange(self.values) if self.values else len(self.history)
        return f"{drawn};"

    def call(self, client: int) -> Operation:
        kind = self.random.choice(self.kinds)
        operation: Operation = {"client": client, "kind": kind, "key": "x"}
        if kind not in ("read", "delete"):
            operation["value"] = self.draw()
        if kind == "cas":
            operation["expected"] = self.random.choice([None, self.draw()])
        operation["call"] = operation["from"] = self.tick()
        self.history.append(operation)
        return operation

    def take_effect(self, operation: Operation) -> bool:
        """Whether there will be an answer."""
        kind, before = operation["kind"], self.value
        if kind == "read":
            operation["result"] = before
        elif kind == "append":
            self.value = (before or "") + operation["value"]
            operation["result"] = len(self.value)
        elif kind == "delete":
            self.value, operation["result"] = None, int(before is not None)
        elif kind == "write" or before == operation["expected"]:
            self.value = operation["value"]
        if kind == "cas":
            operation["result"] = int(before == operation["expected"])
        if self.random.random() < self.lost:
            operation.pop("result", None)
            operation["outcome"] = "pending"
            return False
        return True

    def run(self, clients: int, operations: int) -> list[Operation]:
        busy: dict[int, tuple[Operation, bool]] = {}
        while busy or len(self.history) < operations:
            client = self.random.randrange(clients)
            operation, done = busy.pop(client, (None, False))
            if operation is None and len(self.history) < operations:
                busy[client] = self.call(client), False
            elif operation is not None and done:
                operation["return"] = operation["to"] = self.tick()
            elif operation is not None and self.take_effect(operation):
                busy[client] = operation, True
        return self.history


def edit(history: list[Operation], seed: int, times: int) -> None:
    reads = [o for o in history if o["kind"] == "read" and "result" in o]
    chance = random.Random(seed)
    for _ in range(times if len(reads) > 1 else 0):
        one, other = chance.sample(reads, 2)
        one["result"] = other["result"]


def ask(command: list[str]) -> tuple[str, float]:
    """What it printed, and its CPU time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, used


def judge(history: list[Operation], arguments: argparse.Namespace) -> tuple[str, ...]:
    with tempfile.NamedTemporaryFile("w", suffix=".history") as file:
        file.writelines(json.dumps(operation) + "\n" for operation in history)
        file.flush()
        text, ours = ask([arguments.raftsim, "linearize", file.name])
        other, theirs = ask([arguments.judge, file.name])
    if arguments.operations:
        print(f"{len(history)} operations: raftsim {ours:.2f} s, {arguments.judge} {theirs:.2f} s")
    return json.loads(text)["linearizable"], (other.split() or ["none"])[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--judge", required=True)
    parser.add_argument("--raftsim", default=str(ROOT / "build" / "raftsim"))
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--operations", type=int, default=0, help="one history of so many")
    parser.add_argument("--values", type=int, default=0, help="that its writes draw from")
    arguments = parser.parse_args()
    verdicts: collections.Counter[tuple[str, ...]] = collections.Counter()
    for seed in range(1 if arguments.operations else arguments.histories):
        if arguments.operations:
            store = Store(seed, KINDS[:2], arguments.values, 0)
            history = store.run(10, arguments.operations)
        else:
            history = Store(seed, KINDS, 4, LOST).run(2 + seed % 5, 10 + seed % 50)
            edit(history, seed, seed % 3)
        verdicts[judge(history, arguments)] += 1
    for (ours, theirs), count in sorted(verdicts.items()):
        print(f"raftsim {ours}, {arguments.judge} {theirs}: {count}")
    return int(any(ours != theirs for ours, theirs in verdicts))


if __name__ == "__main__":
    sys.exit(main())
