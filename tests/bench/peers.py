"""The servers that are compared: started on free loopback ports, each with its data in a
directory of its own, and always ended by their own pids."""

import base64
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable

import load
from load import LoadFailed, Sample, Workload
from raftlab.jsonrpc import JsonRpcClient, RpcError
from raftlab.real import free_ports
from raftlab.resp import RespClient

NODES = (1, 2, 3)
SECONDS_MAX = 30.0
ENTRIES_MAX = 2_500_000  # raftkv then starts anew: this version never compacts its log
VALUE = b"x" * load.VALUE_BYTES


def die_with_parent() -> None:
    """In a new child: SIGKILL once this program has gone, however it went."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + SECONDS_MAX
    while not condition():
        if time.monotonic() > limit:
            raise LoadFailed(f"{what}: not within {SECONDS_MAX:.0f} s")
        time.sleep(0.05)


def ask(port: int, *words: str | bytes) -> object:
    with RespClient(port) as client:
        return client.do(*words)


class Peer:
    """One system: a few processes, and how it is spoken to."""

    name = ""
    programs: tuple[str, ...] = ()
    pipelines = True

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory / self.name
        self.children: list[subprocess.Popen[bytes]] = []

    def absence(self) -> str:
        """Why it cannot be measured here, or nothing."""
        missing = [name for name in self.programs if shutil.which(name) is None]
        return f"{', '.join(missing)} not found" if missing else ""

    def spawn(self, command: list[str], name: str) -> None:
        with open(self.directory / f"{name}.log", "wb") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
            )
        self.children.append(child)

    def start(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.launch()
        wait_for(self.ready, f"{self.name} is ready (see {self.directory}/*.log)")
        self.prime()

    def stop(self) -> None:
        for child in self.children:
            child.kill()  # by its pid; nothing of what it holds is wanted
            child.wait()
        self.children.clear()
        for data in self.directory.glob("*/"):
            shutil.rmtree(data, ignore_errors=True)

    def alive(self) -> bool:
        return all(child.poll() is None for child in self.children)

    def measure(self, work: Workload, requests: int) -> Sample:
        """Runs the load, and counts at the server that it was really done."""
        before = self.served(work.command)
        sample = self.put_load(work, requests)
        served = self.served(work.command) - before
        if served < requests:
            raise LoadFailed(f"{self.name} served {served} of {requests}")
        stored = self.stored()
        if not isinstance(stored, bytes) or len(stored) != load.VALUE_BYTES:
            raise LoadFailed(f"{self.name} does not hold a value of that size: {stored!r}")
        return sample

    def launch(self) -> None:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    def put_load(self, work: Workload, requests: int) -> Sample:
        raise NotImplementedError

    def served(self, command: str) -> int:
        """How many of these commands it has done without an error, by its own count."""
        raise NotImplementedError

    def prime(self) -> None:
        """Sets the value that is read."""
        raise NotImplementedError

    def stored(self) -> object:
        """What a client reads there."""
        raise NotImplementedError

    def make_room(self) -> None:
        """Called before each measurement, outside of it."""


class RaftKv(Peer):
    """Three raftkv processes; the load goes to the leader."""

    name = "raftkv"
    programs = ("redis-benchmark",)

    def __init__(self, directory: pathlib.Path, program: pathlib.Path) -> None:
        super().__init__(directory)
        self.program = program

    def absence(self) -> str:
        if not self.program.exists():
            return f"{self.program} is not built"
        return super().absence()

    def launch(self) -> None:
        ports = free_ports(2 * len(NODES))
        self.client_ports = dict(zip(NODES, ports[: len(NODES)]))
        peer_ports = dict(zip(NODES, ports[len(NODES) :]))
        members = ",".join(
            f"{n}=127.0.0.1:{peer_ports[n]}/{self.client_ports[n]}" for n in NODES
        )
        for node in NODES:
            data = str(self.directory / str(node))
            flags = ["--id", str(node), "--cluster", members, "--dir", data]
            self.spawn([str(self.program), *flags], str(node))

    def status(self, node: int) -> dict[str, object]:
        with JsonRpcClient(self.client_ports[node], seconds=5) as client:
            return client.call("raft.status")

    def ready(self) -> bool:
        """Whether there is a leader to whom both others have caught up."""
        for node in NODES:
            try:
                status = self.status(node)
            except (OSError, RpcError):
                return False
            if status["role"] == "leader":
                self.leader = node
                last = status["last_index"]
                return all(p["match_index"] == last for p in status["peers"])
        return False

    def put_load(self, work: Workload, requests: int) -> Sample:
        return load.redis_benchmark(self.client_ports[self.leader], work, requests)

    def served(self, command: str) -> int:
        """Writes and reads that the leader took; a refused one is redis-benchmark's error."""
        name = {"SET": "writes", "GET": "reads"}[command]
        return int(self.status(self.leader)[name])

    def prime(self) -> None:
        ask(self.client_ports[self.leader], "SET", load.KEY, VALUE)

    def stored(self) -> object:
        return ask(self.client_ports[self.leader], "GET", load.KEY)

    def make_room(self) -> None:
        if self.status(self.leader)["last_index"] > ENTRIES_MAX:
            self.stop()
            self.start()


class Redis(Peer):
    """A single redis-server that syncs its append-only file before it answers."""

    name = "redis"
    programs = ("redis-server", "redis-benchmark")

    def launch(self) -> None:
        (self.port,) = free_ports(1)
        data = self.directory / "1"
        data.mkdir()
        self.spawn(
            [
                *("redis-server", "--bind", "127.0.0.1", "--port", str(self.port)),
                *("--dir", str(data), "--save", "", "--appendonly", "yes"),
                *("--appendfsync", "always"),
            ],
            "1",
        )

    def ready(self) -> bool:
        try:
            return self.alive() and ask(self.port, "PING") == "PONG"
        except OSError:
            return False

    def put_load(self, work: Workload, requests: int) -> Sample:
        return load.redis_benchmark(self.port, work, requests)

    def served(self, command: str) -> int:
        info = ask(self.port, "INFO", "commandstats").decode()
        found = re.search(
            rf"cmdstat_{command.lower()}:calls=(\d+),.*"
            r"rejected_calls=(\d+),failed_calls=(\d+)",
            info,
        )
        return int(found[1]) - int(found[2]) - int(found[3]) if found else 0

    def prime(self) -> None:
        ask(self.port, "SET", load.KEY, VALUE)

    def stored(self) -> object:
        return ask(self.port, "GET", load.KEY)


class Etcd(Peer):
    """Three etcd processes; the load goes to the leader, whose reads are linearizable."""

    name = "etcd"
    programs = ("etcd", "etcdctl", "h2load")
    pipelines = False

    def launch(self) -> None:
        ports = free_ports(2 * len(NODES))
        self.client_ports = dict(zip(NODES, ports[: len(NODES)]))
        peer_urls = {
            n: f"http://127.0.0.1:{port}" for n, port in zip(NODES, ports[len(NODES) :])
        }
        members = ",".join(f"n{n}={url}" for n, url in peer_urls.items())
        for node in NODES:
            client_url = f"http://127.0.0.1:{self.client_ports[node]}"
            self.spawn(
                [
                    *("etcd", "--name", f"n{node}"),
                    *("--data-dir", str(self.directory / str(node))),
                    *("--listen-client-urls", client_url),
                    *("--advertise-client-urls", client_url),
                    *("--listen-peer-urls", peer_urls[node]),
                    *("--initial-advertise-peer-urls", peer_urls[node]),
                    *("--initial-cluster", members, "--initial-cluster-state", "new"),
                    *("--quota-backend-bytes", str(8 << 30)),
                    *("--logger", "zap", "--log-level", "error"),
                ],
                str(node),
            )

    def etcdctl(self, *words: str) -> list | dict:
        ports = self.client_ports.values()
        endpoints = ",".join(f"http://127.0.0.1:{port}" for port in ports)
        done = subprocess.run(
            ["etcdctl", "--endpoints", endpoints, "--write-out", "json", *words],
            env={**os.environ, "ETCDCTL_API": "3"},
            capture_output=True,
            timeout=SECONDS_MAX,
        )
        if done.returncode != 0:
            raise LoadFailed(f"etcdctl: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def ready(self) -> bool:
        for port in self.client_ports.values():
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        try:
            statuses = self.etcdctl("endpoint", "status")
        except LoadFailed:
            return False
        for entry in statuses:
            status = entry["Status"]
            if status["header"]["member_id"] == status.get("leader"):
                self.port = int(entry["Endpoint"].rpartition(":")[2])
                return len(statuses) == len(NODES)
        return False

    def put_load(self, work: Workload, requests: int) -> Sample:
        return load.h2load(self.port, work, requests, self.directory)

    def served(self, command: str) -> int:
        """h2load sees HTTP's status alone, so the server is asked how many ended in OK."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(url, timeout=SECONDS_MAX) as answer:
            text = answer.read().decode()
        method = load.GRPC_METHOD[command]
        found = re.search(
            rf'grpc_server_handled_total{{grpc_code="OK",grpc_method="{method}",'
            r'grpc_service="etcdserverpb\.KV",grpc_type="unary"} (\S+)',
            text,
        )
        return int(float(found[1])) if found else 0

    def prime(self) -> None:
        self.etcdctl("put", load.KEY.decode(), VALUE.decode())

    def stored(self) -> object:
        kvs = self.etcdctl("get", load.KEY.decode()).get("kvs", [])
        return base64.b64decode(kvs[0]["value"]) if kvs else None
