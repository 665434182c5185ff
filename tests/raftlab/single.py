"""One raftkv process as a cluster of one: `raftkv --dir DIR --port PORT`."""

import contextlib
import pathlib
import shutil
import time
from collections.abc import Iterator

from raftlab import build
from raftlab.jsonrpc import JsonRpcClient
from raftlab.real import Process, free_ports, scratch_directory
from raftlab.resp import RespClient

START_SECONDS_MAX = 30.0


class Single:
    """Starts at once; a crash or a clean end leaves the data for the next start()."""

    def __init__(self, *flags: str, durable: bool = False, sanitized: bool = False):
        self.program = build.program("raftkv", sanitized=sanitized)
        self.flags = flags
        self.directory = scratch_directory(durable=durable)
        self.log = self.directory / "log"
        self.port = free_ports(1)[0]
        self.start()

    def start(self) -> None:
        self.process = Process(
            [
                *(str(self.program), "--dir", str(self.directory / "data")),
                *("--port", str(self.port), *self.flags),
            ],
            self.log,
        )
        limit = time.monotonic() + START_SECONDS_MAX
        while not self.leads():
            assert self.process.running(), self.text()
            assert time.monotonic() < limit, self.text()
            time.sleep(0.005)

    def leads(self) -> bool:
        try:
            with self.client() as client:
                leads = b"raft_role:leader" in client.do("INFO", "raft")
                client.quit()
                return leads
        except OSError:
            return False

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def client(self, seconds: float = 10) -> RespClient:
        return RespClient(self.port, seconds=seconds)

    def rpc(self, seconds: float = 10) -> JsonRpcClient:
        return JsonRpcClient(self.port, seconds=seconds)

    def crash(self) -> None:
        self.process.kill()

    def terminate(self) -> int:
        return self.process.terminate()

    def files(self) -> list[pathlib.Path]:
        return sorted((self.directory / "data").iterdir())

    def close(self) -> None:
        self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def single(*flags: str, durable: bool = False, sanitized: bool = False) -> Iterator[Single]:
    server = Single(*flags, durable=durable, sanitized=sanitized)
    try:
        yield server
    finally:
        server.close()
