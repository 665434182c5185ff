"""A Redis client that writes without end and remembers what was acknowledged."""

import threading
import time
from typing import Optional

from raftlab.resp import RespClient, RespError

KEEP_TRYING_SECONDS = 60.0


class Writer(threading.Thread):
    """A client that sets one new key after another. It repeats each write until it is
    acknowledged, at whichever server takes it, and remembers what was."""

    def __init__(
        self, name: str, ports: list[int], attempt_seconds: float = 0.4
    ) -> None:
        super().__init__(daemon=True)
        self.prefix = name
        self.ports = ports
        self.attempt_seconds = attempt_seconds  # waits longer: tries another server
        self.port = ports[0]
        self.client: Optional[RespClient] = None
        self.ending = threading.Event()
        self.acknowledged = 0
        self.times: list[float] = []
        self.problem = ""

    def run(self) -> None:
        while not self.ending.is_set():
            number = self.acknowledged
            if not self.write(f"{self.prefix}:{number}", f"value {number}"):
                return
            self.times.append(time.monotonic())
            self.acknowledged += 1
        self.leave()

    def write(self, key: str, value: str) -> bool:
        limit = time.monotonic() + KEEP_TRYING_SECONDS
        while time.monotonic() < limit:
            try:
                if self.client is None:
                    self.client = RespClient(self.port, seconds=self.attempt_seconds)
                if self.client.do("SET", key, value) == "OK":
                    return True
            except RespError as error:
                if error.code == "MOVED":
                    self.go_to(error.moved_to()[1])
                    continue
                if error.code not in ("CLUSTERDOWN", "TIMEOUT", "TRYAGAIN"):
                    self.problem = f"{key}: {error}"
                    return False
                # Its node may be cut off from a majority that has a leader of its own.
                self.go_to(self.next_port())
                time.sleep(0.01)
            except OSError:
                self.go_to(self.next_port())
                time.sleep(0.01)
        self.problem = f"{key}: not acknowledged in {KEEP_TRYING_SECONDS:.0f} s"
        return False

    def next_port(self) -> int:
        return self.ports[(self.ports.index(self.port) + 1) % len(self.ports)]

    def go_to(self, port: int) -> None:
        self.leave()
        self.port = port

    def leave(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None
