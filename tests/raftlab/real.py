"""The cluster of real processes: raftkv on loopback ports, cables that can be cut."""

import atexit
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any, Optional

from raftlab import build, proxy
from raftlab.cluster import Cluster, Node, Status, Unreachable
from raftlab.jsonrpc import JsonRpcClient
from raftlab.resp import Reply, RespClient, RespError, Session, Word

LOOPBACK = "127.0.0.1"
# Nodes that never begin an election by themselves, however long a leader stands still.
PATIENT = ("--election-timeout-ms", "300000", "--request-timeout-ms", "20000")
LOG_TAIL_LINES = 40


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, below those that outgoing connections get, so that
    a node finds its own port free again after a restart."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as trial:
            try:
                trial.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def scratch_directory(durable: bool) -> pathlib.Path:
    """On the real disk where durability is the point, else in memory where there is
    some."""
    in_memory = os.access("/dev/shm", os.W_OK | os.X_OK) and not durable
    parent = "/dev/shm" if in_memory else str(build.OUT)
    return pathlib.Path(tempfile.mkdtemp(prefix="raftlab-", dir=parent))


class Process:
    """A child that is always ended by its own pid, and whose output is kept."""

    def __init__(self, command: list[str], log: pathlib.Path) -> None:
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        atexit.register(self.kill)

    def running(self) -> bool:
        return self.child.poll() is None

    def signal(self, number: signal.Signals) -> None:
        if self.running():
            self.child.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.child.wait()
        atexit.unregister(self.kill)

    def terminate(self, seconds: float = 30) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        code = self.child.wait(seconds)
        atexit.unregister(self.kill)
        return code


class Cables:
    """The proxy process, spoken to in lines. It ends when its input does."""

    def __init__(self, peer_ports: dict[Node, int]) -> None:
        links = [
            f"{dialer}:{listener}={port}"
            for dialer in peer_ports
            for listener, port in peer_ports.items()
            if dialer != listener
        ]
        self.child = subprocess.Popen(
            [sys.executable, proxy.__file__, *links],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ports: dict[str, int] = json.loads(self.child.stdout.readline())

    def ask(self, command: str) -> None:
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        assert answer == "ok\n", f"{command}: {answer!r}"

    def stop(self) -> None:
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()


class RealCluster(Cluster):
    """raftkv processes. `fsync` puts their data on the real disk and has it synced.

    Without `cables` no link can be cut, but members may come and go: with them, each
    node knows the others by addresses of its own, which the log cannot tell."""

    def __init__(
        self,
        nodes: int = 3,
        *,
        fsync: bool = False,
        flags: tuple[str, ...] = (),
        sanitized: bool = False,
        cables: bool = True,
    ) -> None:
        super().__init__(nodes)
        self.founders = self.nodes
        self.joined: dict[Node, list[str]] = {}  # with what flags
        self.with_cables = cables
        self.program = build.program("raftkv", sanitized=sanitized)
        self.flags = flags
        self.directory = scratch_directory(durable=fsync)
        ports = free_ports(2 * nodes)
        self.peer_ports = dict(zip(self.nodes, ports[:nodes]))
        self.client_ports = dict(zip(self.nodes, ports[nodes:]))
        self.processes: dict[Node, Process] = {}
        self.clients: dict[Node, RespClient] = {}
        self.observers: dict[Node, RespClient] = {}
        self.session: Optional[Session] = None
        self.cables: Optional[Cables] = None

    # ---- processes -------------------------------------------------------------------

    def start(self) -> None:
        if self.cables is None and self.with_cables:
            self.cables = Cables(self.peer_ports)
        for node in self.nodes:
            if node not in self.processes:
                self.launch(node)

    def stop(self) -> None:
        for node in list(self.processes):
            self.forget(node)
            self.processes.pop(node).kill()
        if self.cables is not None:
            self.cables.stop()
            self.cables = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def member(self, dialer: Node, node: Node) -> str:
        """How `dialer` is told of `node`: through the cable between them."""
        own = dialer == node or not self.with_cables
        peer = self.peer_ports[node] if own else self.cables.ports[f"{dialer}:{node}"]
        return f"{node}={LOOPBACK}:{peer}/{self.client_ports[node]}"

    def command(self, node: Node) -> list[str]:
        if node in self.joined:
            place = self.joined[node]
        else:
            members = ",".join(self.member(node, other) for other in self.founders)
            place = ["--cluster", members]
        return [
            *(str(self.program), "--id", str(node), *self.flags, *place),
            *("--dir", str(self.directory / str(node))),
        ]

    def log_path(self, node: Node) -> pathlib.Path:
        return self.directory / f"{node}.log"

    def launch(self, node: Node) -> None:
        process = Process(self.command(node), self.log_path(node))
        self.processes[node] = process

        def listens() -> bool:
            if not process.running():
                log = self.log_path(node).read_text(errors="replace")
                code = process.child.returncode
                raise AssertionError(f"node {node} ended with {code}: {log}")
            self.status(node)
            return True

        self.wait(listens, f"node {node} listens")

    # ---- members ---------------------------------------------------------------------

    def join(self, *flags: str) -> Node:
        node = self.invite(*flags)
        self.launch(node)
        return node

    def invite(self, *flags: str) -> Node:
        """The number of a node that will join once it is launched."""
        assert not self.with_cables
        node = max([*self.founders, *self.joined]) + 1
        self.peer_ports[node], self.client_ports[node] = free_ports(2)
        asked = self.up()[0]
        self.joined[node] = [
            *("--join", f"{LOOPBACK}:{self.client_ports[asked]}"),
            *("--peer-listen", f"{LOOPBACK}:{self.peer_ports[node]}"),
            *("--port", str(self.client_ports[node]), *flags),
        ]
        self.nodes = (*self.nodes, node)
        return node

    def remove(self, node: Node) -> None:
        self.again_if_known("RAFT.MEMBER", "REMOVE", node)
        self.nodes = tuple(n for n in self.nodes if n != node)

    def again_if_known(self, *words: Word) -> None:
        """Until it is done, also where an earlier attempt's answer was lost."""

        def done() -> bool:
            try:
                return self.do(*words) == "OK"
            except RespError as error:
                if "is not in the configuration" in str(error):
                    return True
                if error.code != "TIMEOUT":
                    raise
                return False

        self.wait(done, f"an answer to {words}")

    def members(self, node: Node) -> dict[Node, dict[str, Any]]:
        """As that node's configuration tells them."""
        return {m["node"]: m for m in self.raw_status(node)["members"]}

    def roles(self, node: Node) -> dict[Node, str]:
        status = self.raw_status(node)
        if status["configuration_index"] > status["commit_index"]:
            return {}
        return {member["node"]: member["role"] for member in status["members"]}

    def transfer(self, to: Node = 0) -> Node:
        words = ["RAFT.TRANSFER", to] if to else ["RAFT.TRANSFER"]

        def handed() -> bool:
            try:
                return self.do(*words) == "OK"
            except RespError as error:
                # On a busy machine its time may be up, or nobody was heard for too long.
                if not re.search("did not succeed|can lead now|^TIMEOUT", str(error)):
                    raise
                return False

        self.wait(handed, f"{words} succeeds")
        return self.leader()

    def snapshot(self, node: Node) -> int:
        """Has that node take one; the index that it covers."""
        before = self.raw_status(node)["snapshots_taken"]
        assert self.do_on(node, "RAFT.SNAPSHOT") == "OK"

        def taken() -> int:
            status = self.raw_status(node)
            return status["snapshots_taken"] > before and status["snapshot_index"]

        return self.wait(taken, f"a snapshot of node {node}")

    # ---- faults ----------------------------------------------------------------------

    def wipe(self, node: Node) -> None:
        """A crashed node's disk is gone."""
        shutil.rmtree(self.directory / str(node))

    def crash(self, node: Node) -> None:
        self.forget(node)
        self.processes.pop(node).kill()
        self.down.add(node)
        self.paused.discard(node)

    def terminate(self, node: Node) -> int:
        """SIGTERM: the node finishes what is in flight. Its exit code."""
        self.forget(node)
        code = self.processes.pop(node).terminate()
        self.down.add(node)
        return code

    def restart(self, node: Node) -> None:
        self.down.discard(node)
        self.launch(node)

    def pause(self, node: Node) -> None:
        self.processes[node].signal(signal.SIGSTOP)
        self.paused.add(node)

    def resume(self, node: Node) -> None:
        self.forget(node)
        self.processes[node].signal(signal.SIGCONT)
        self.paused.discard(node)

    def cut(self, sender: Node, receiver: Node) -> None:
        self.cables.ask(f"cut {sender} {receiver}")

    def heal(self) -> None:
        self.cables.ask("heal")

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> float:
        return time.monotonic()

    def logs(self) -> str:
        parts = []
        for node in self.nodes:
            if self.log_path(node).exists():
                text = self.log_path(node).read_text(errors="replace")
                tail = "\n".join(text.splitlines()[-LOG_TAIL_LINES:])
                parts.append(f"--- node {node}\n{tail}")
        return "\n".join(parts)

    # ---- clients ---------------------------------------------------------------------

    def client(self, node: Node, seconds: float = 10) -> RespClient:
        """A connection of the caller's own."""
        return RespClient(self.client_ports[node], seconds=seconds)

    def rpc(self, node: Node, seconds: float = 10) -> JsonRpcClient:
        return JsonRpcClient(self.client_ports[node], seconds=seconds)

    def forget(self, node: Node) -> None:
        for kept in (self.clients, self.observers):
            if client := kept.pop(node, None):
                client.close()

    def do_on(self, node: Node, *words: Word, seconds: float = 5) -> Reply:
        return self.through(self.clients, node, *words, seconds=seconds)

    def ask(self, node: Node, *words: Word) -> Reply:
        """What the node answers on its own, by another connection than commands go."""
        return self.through(self.observers, node, *words, seconds=5)

    def through(
        self, kept: dict[Node, RespClient], node: Node, *words: Word, seconds: float
    ) -> Reply:
        if node in self.down or node in self.paused:
            raise Unreachable(f"node {node} is down or paused")
        try:
            if node not in kept:
                kept[node] = self.client(node)
                if kept is self.observers:
                    # Reads show this node's own state.
                    kept[node].do("READONLY", "STALE")
            kept[node].socket.settimeout(seconds)
            return kept[node].do(*words)
        except OSError as error:
            if node in kept:
                kept.pop(node).close()
            raise Unreachable(f"node {node}: {error}") from error

    def once(self, *words: Word) -> Reply:
        if self.session is None:
            self.session = Session(self.do("RAFT.REGISTER", again=True))
        again = self.session.words(self.session.next(), *words)
        return self.do(*again, again=True)

    def holds(self, node: Node, key: str, value: Optional[str]) -> bool:
        found = self.ask(node, "GET", key)
        return (found.decode() if isinstance(found, bytes) else None) == value

    def raw_status(self, node: Node) -> dict[str, Any]:
        """RAFT.STATUS: names and values in turn, in nested lists."""
        return fields(self.ask(node, "RAFT.STATUS"))

    def status(self, node: Node) -> Status:
        raw = self.raw_status(node)
        return Status(
            node=node,
            role=raw["role"],
            term=raw["term"],
            leader=raw["leader"],
            commit_index=raw["commit_index"],
            applied_index=raw["applied_index"],
            last_index=raw["last_index"],
            hash=raw["state_hash"],
        )

    def moved_to(self, error: RespError) -> Optional[Node]:
        port = error.moved_to()[1]
        return next((n for n, p in self.client_ports.items() if p == port), None)


def fields(reply: list) -> dict[str, Any]:
    names = [name.decode() for name in reply[0::2]]
    return dict(zip(names, map(plain, reply[1::2])))


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return [fields(item) for item in value] if isinstance(value, list) else value
