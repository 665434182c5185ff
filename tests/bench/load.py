"""Load on a server, by programs at native speed, each on one thread.

redis-benchmark speaks to raftkv and to redis. etcd speaks gRPC, which is HTTP/2 with a
prefix of five bytes before each message: h2load sends that, and the message is so small
that it is written by hand here. Both send the same key and the same value over and over,
so that no peer gains from an easier key."""

import csv
import dataclasses
import io
import pathlib
import struct
import subprocess

KEY = b"key:__rand_int__"  # what redis-benchmark uses where no random keys are asked for
VALUE_BYTES = 100
SECONDS_MAX = 120


class LoadFailed(Exception):
    """The load did not run to its end, or not every reply was a good one."""


@dataclasses.dataclass(frozen=True)
class Workload:
    command: str  # SET or GET
    clients: int
    pipeline: int

    @property
    def outstanding(self) -> int:
        return self.clients * self.pipeline


@dataclasses.dataclass(frozen=True)
class Sample:
    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float


def run(command: list[str]) -> str:
    """What it printed; LoadFailed where it failed or complained."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"{command[0]} did not end in {SECONDS_MAX} s") from error
    complaints = [line for line in done.stderr.splitlines() if "rror" in line]
    if done.returncode != 0 or complaints:
        raise LoadFailed(f"{command[0]}: {complaints or done.stderr or done.stdout}")
    return done.stdout


# ---- RESP ----------------------------------------------------------------------------


def redis_benchmark(port: int, work: Workload, requests: int) -> Sample:
    printed = run(
        [
            *("redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "--csv"),
            *("-t", work.command.lower(), "-d", str(VALUE_BYTES), "-n", str(requests)),
            *("-c", str(work.clients), "-P", str(work.pipeline)),
        ]
    )
    rows = [row for row in csv.DictReader(io.StringIO(printed)) if row.get("rps")]
    if len(rows) != 1 or rows[0]["test"] != work.command:
        raise LoadFailed(f"redis-benchmark printed {printed!r}")
    return Sample(
        requests=requests,
        per_second=float(rows[0]["rps"]),
        p50_ms=float(rows[0]["p50_latency_ms"]),
        p99_ms=float(rows[0]["p99_latency_ms"]),
    )


# ---- gRPC ----------------------------------------------------------------------------


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field of a protobuf message: wire type 2."""
    assert number < 16 and len(data) < 128, "each length fits into one byte"
    return bytes([number << 3 | 2, len(data)]) + data


def grpc_body(command: str, value: bytes) -> bytes:
    """etcd's PutRequest {key = 1, value = 2} or RangeRequest {key = 1}, uncompressed.

    A RangeRequest is linearizable unless it asks not to be."""
    message = field(1, KEY) + (field(2, value) if command == "SET" else b"")
    return struct.pack(">BI", 0, len(message)) + message


GRPC_METHOD = {"SET": "Put", "GET": "Range"}


def h2load(port: int, work: Workload, requests: int, scratch: pathlib.Path) -> Sample:
    """One stream at a time on each of the connections, as with clients that wait."""
    assert work.pipeline == 1
    body = scratch / f"{work.command}.grpc"
    body.write_bytes(grpc_body(work.command, b"x" * VALUE_BYTES))
    log = scratch / "h2load.log"
    log.unlink(missing_ok=True)
    printed = run(
        [
            *("h2load", "-t", "1", "-m", "1", "-c", str(work.clients)),
            *("-n", str(requests), "-d", str(body), f"--log-file={log}"),
            *("-H", "content-type: application/grpc", "-H", "te: trailers"),
            f"http://127.0.0.1:{port}/etcdserverpb.KV/{GRPC_METHOD[work.command]}",
        ]
    )
    if f" {requests} succeeded, 0 failed, 0 errored, 0 timeout" not in printed:
        raise LoadFailed(f"h2load printed {printed}")
    return from_log(log.read_text())


def from_log(text: str) -> Sample:
    """From a line a request: when it began (in us), the HTTP status, how long it took."""
    rows = [tuple(map(int, line.split())) for line in text.splitlines()]
    begun = min(start for start, _, _ in rows)
    ended = max(start + took for start, _, took in rows)
    times_ms = sorted(took / 1000 for _, _, took in rows)
    return Sample(
        requests=len(rows),
        per_second=len(rows) / (ended - begun) * 1e6,
        p50_ms=times_ms[len(rows) // 2],
        p99_ms=times_ms[len(rows) * 99 // 100],
    )
