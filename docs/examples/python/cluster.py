#!/usr/bin/env python3
"""Three Raft cores in one process: an election, a command, a partition, and its end.

    python3 cluster.py [SEED]

Time is a number, the network is a list, and chance is one seeded generator: the same
seed prints the same lines. A write is durable as soon as it is asked for; raft.h says
what a host with a real disk has to do."""

import argparse
import ctypes
import random
from collections.abc import Callable
from ctypes import byref

import raftlab
from raftlab import CONSTANTS as RAFT

NODES = (1, 2, 3)
LINE_BYTES = 400


class Node:
    """A core, its memory, and what it has applied."""

    def __init__(self, world: "World", number: int) -> None:
        self.world, self.number = world, number
        self.applied: list[str] = []
        config = raftlab.Config()
        configure(world.library, config, number, world.random.getrandbits(64))
        size = world.library.raft_size(byref(config))
        self.memory = ctypes.create_string_buffer(size + 16)
        start = (ctypes.addressof(self.memory) + 15) // 16 * 16
        nothing = raftlab.HardState(), raftlab.SnapshotMeta()
        self.raft = world.library.raft_init(start, byref(config), *map(byref, nothing))
        self.deadline_ms = 0

    def view(self) -> raftlab.View:
        view = raftlab.View()
        self.world.library.raft_observe(self.raft, byref(view))
        return view

    def leads(self) -> bool:
        return self.view().role == RAFT["LEADER"]

    def step(self, kind: str, **body: object) -> int:
        """One event in, its effects out; then those that follow from them."""
        event = raftlab.Event(type=RAFT[f"EVENT_{kind}"], now_ms=self.world.now_ms)
        for name, value in body.items():
            setattr(event, name, value)
        output = raftlab.Output()
        status = self.world.library.raft_step(self.raft, byref(event), byref(output))
        self.world.tell(self, event, output)
        self.deadline_ms = output.deadline_ms
        # All that the output points at is borrowed until the next step: copied first.
        follow_ups = []
        for message in output.messages[: output.message_count]:
            self.world.send(self.number, message)
        for entry in output.apply[: output.apply_count]:
            if entry.type == RAFT["ENTRY_COMMAND"]:
                self.applied.append(ctypes.string_at(entry.data, entry.size).decode())
            follow_ups.append(("APPLIED", {"applied": raftlab.Applied(entry.index)}))
        if output.write:
            follow_ups.append(("PERSISTED", {"persisted": raftlab.Persisted(output.write)}))
        for name, value in follow_ups:
            self.step(name, **value)
        problem = self.world.library.raft_check(self.raft)
        assert problem is None, problem
        return status

    def propose(self, text: str) -> int:
        data = ctypes.create_string_buffer(text.encode(), len(text.encode()))
        command = raftlab.Command(ctypes.addressof(data), len(data))
        return self.step("PROPOSE", propose=raftlab.Propose(ctypes.pointer(command), 1))


def configure(
    library: ctypes.CDLL, config: raftlab.Config, number: int, seed: int
) -> None:
    library.raft_config_default(byref(config))
    config.id, config.seed = number, seed
    config.configuration.count = len(NODES)
    for i, member in enumerate(NODES):
        config.configuration.members[i].id = member
        config.configuration.members[i].role = RAFT["VOTER"]
    problem = library.raft_config_problem(byref(config))
    assert problem is None, problem


class World:
    """The clock, the network and the nodes."""

    def __init__(self, seed: int) -> None:
        self.library = raftlab.load()
        self.random = random.Random(seed)
        self.now_ms = 0
        self.sent = 0
        self.on_the_way: list[tuple[int, int, int, list]] = []  # when, number, from, parts
        self.cut: set[int] = set()
        self.nodes = {number: Node(self, number) for number in NODES}

    def tell(self, node: Node, event: raftlab.Event, output: raftlab.Output) -> None:
        text = ctypes.create_string_buffer(LINE_BYTES)
        self.library.raft_trace_step(
            text, LINE_BYTES, node.raft, byref(event), byref(output)
        )
        if output.note_count:
            print(text.value.decode())

    def send(self, sender: int, message: raftlab.Message) -> None:
        """Copies all that the message points at, as a network would."""
        copy = raftlab.Message.from_buffer_copy(message)
        parts = [copy]
        if message.type == RAFT["APPEND_ENTRIES"] and message.append_entries.count:
            count = message.append_entries.count
            entries = (raftlab.Entry * count)(*message.append_entries.entries[:count])
            for entry in entries:
                data = ctypes.create_string_buffer(
                    ctypes.string_at(entry.data, entry.size), entry.size
                )
                entry.data = ctypes.addressof(data)
                parts.append(data)
            copy.append_entries.entries = entries
            parts.append(entries)
        self.sent += 1
        arrival_ms = self.now_ms + self.random.randint(1, 5)
        self.on_the_way.append((arrival_ms, self.sent, sender, parts))

    def turn(self) -> None:
        """To the next moment at which something happens, and through it."""
        moments = [node.deadline_ms for node in self.nodes.values()]
        moments += [letter[0] for letter in self.on_the_way]
        self.now_ms = max(self.now_ms, min(moments))
        due = sorted(x for x in self.on_the_way if x[0] <= self.now_ms)
        self.on_the_way = [x for x in self.on_the_way if x[0] > self.now_ms]
        for _, _, sender, parts in due:
            to = parts[0].to
            if sender not in self.cut and to not in self.cut:
                self.nodes[to].step("MESSAGE", message=ctypes.pointer(parts[0]))
        for node in self.nodes.values():
            if node.deadline_ms <= self.now_ms:
                node.step("TICK")

    def run_until(self, condition: Callable[[], object]) -> None:
        limit_ms = self.now_ms + 20_000
        while not condition():
            assert self.now_ms < limit_ms, "it did not come"
            self.turn()

    def leader(self, among: set[int]) -> Node | None:
        return next((n for n in self.nodes.values() if n.number in among and n.leads()), None)


def main(seed: int) -> None:
    world = World(seed)
    everyone = set(NODES)

    print("--- an election")
    world.run_until(lambda: world.leader(everyone))
    first = world.leader(everyone)

    print("--- a command for all")
    assert first.propose("x=1") == RAFT["OK"]
    world.run_until(lambda: all(n.applied == ["x=1"] for n in world.nodes.values()))

    print(f"--- node {first.number} is cut off: what it takes now is not committed")
    world.cut = {first.number}
    majority = everyone - world.cut
    assert first.propose("lost=1") == RAFT["OK"]
    world.run_until(lambda: world.leader(majority))
    second = world.leader(majority)
    assert second.propose("x=2") == RAFT["OK"]
    world.run_until(lambda: all(world.nodes[n].applied[-1] == "x=2" for n in majority))
    assert first.applied == ["x=1"]

    print("--- the network is whole again")
    world.cut = set()
    world.run_until(lambda: first.applied == ["x=1", "x=2"])
    for node in world.nodes.values():
        view = node.view()
        print(f"node {node.number}: term {view.current_term}, applied {node.applied}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seed", type=int, nargs="?", default=1, metavar="SEED", help="(1)")
    main(parser.parse_args().seed)
