"""libraftlab as a user has it: installed into a prefix, found by pkg-config alone."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

from raftlab import build

EXAMPLES = build.ROOT / "docs/examples"
SECONDS_MAX = 30


def run(*command: str | pathlib.Path, **options) -> subprocess.CompletedProcess:
    """A command that must succeed; what it said is in the failure."""
    done = subprocess.run(
        [str(word) for word in command],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=build.BUILD_SECONDS_MAX,
        **options,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done


class Prefix:
    """`make install PREFIX=path`."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        build.make("install", f"OUT={build.relative(build.OUT)}", f"PREFIX={path}")

    def environment(self) -> dict[str, str]:
        return build.environment() | {
            "PKG_CONFIG_PATH": str(self.path / "lib/pkgconfig"),
            "LD_LIBRARY_PATH": str(self.path / "lib"),
        }

    def flags(self, *options: str) -> list[str]:
        done = run("pkg-config", *options, "raftlab", env=self.environment())
        return done.stdout.split()

    def headers(self) -> list[pathlib.Path]:
        return sorted((self.path / "include/raftlab").glob("*.h"))

    def example(self, name: str, to: pathlib.Path, *arguments: str) -> pathlib.Path:
        """Copies an example away from the sources and builds it there."""
        shutil.copytree(EXAMPLES / name, to)
        run("make", "-C", to, *arguments, env=self.environment())
        return to / name


def exported(*command: str | pathlib.Path) -> set[str]:
    """The names of nm's lines, without versions and without the versions themselves."""
    lines = [line.split() for line in run("nm", *command).stdout.splitlines()]
    return {line[2].split("@")[0] for line in lines if len(line) == 3 and line[1] != "A"}


def declared(header: str) -> set[str]:
    """The functions that a header declares."""
    text = re.sub(r"//.*|^#.*", "", header, flags=re.MULTILINE)
    names = re.findall(r"^[a-z][\w ]*[ *](\w+)\(|^(\w+)\(", text, flags=re.MULTILINE)
    return {first or second for first, second in names} - {"static_assert"}


# ---- three counters -----------------------------------------------------------------


def free_ports(count: int) -> list[int]:
    """Peer ports whose client ports, 100 above, are free as well."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            pair = [stack.enter_context(socket.socket()) for _ in range(2)]
            pair[0].bind(("127.0.0.1", 0))
            port = pair[0].getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                pair[1].bind(("127.0.0.1", port + 100))
                found.append(port)
    return found


class Counters:
    """Processes of docs/examples/counter, each with a directory of its own."""

    def __init__(
        self, program: pathlib.Path, directory: pathlib.Path, environment: dict[str, str]
    ) -> None:
        self.program, self.directory, self.environment = program, directory, environment
        self.ports = free_ports(3)
        self.running: dict[int, subprocess.Popen] = {}
        directory.mkdir()

    def start(self, node: int) -> None:
        addresses = [f"127.0.0.1:{port}" for port in self.ports]
        with open(self.directory / f"{node}.log", "a", encoding="utf-8") as log:
            self.running[node] = subprocess.Popen(
                [self.program, str(node), self.directory / str(node), *addresses],
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def kill(self, node: int) -> None:
        process = self.running.pop(node)
        process.kill()
        process.wait()

    def logs(self) -> str:
        logs = sorted(self.directory.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text(encoding='utf-8')}" for log in logs)

    def ask(self, node: int, line: str) -> str:
        """One line to one node, and its answer; empty where it does not answer."""
        place = ("127.0.0.1", self.ports[node - 1] + 100)
        try:
            with socket.create_connection(place, timeout=5) as connection:
                connection.sendall(f"{line}\n".encode())
                with connection.makefile("r", encoding="utf-8") as answers:
                    return answers.readline().strip()
        except OSError:
            return ""

    def until_counted(self, line: str) -> tuple[int, int, int]:
        """Asks whoever runs until one counts: (count, node, attempts of unknown end)."""
        unknown = 0
        end = time.monotonic() + SECONDS_MAX
        while time.monotonic() < end:
            for node in sorted(self.running):
                answer = self.ask(node, line)
                if counted := re.fullmatch(r"count (-?\d+)", answer):
                    return int(counted[1]), node, unknown
                unknown += not answer.startswith("refused")
            time.sleep(0.02)
        raise AssertionError(f"nobody counts\n{self.logs()}")


@contextlib.contextmanager
def three_counters(
    program: pathlib.Path, directory: pathlib.Path, prefix: Prefix
) -> Iterator[Counters]:
    counters = Counters(program, directory, prefix.environment())
    try:
        for node in (1, 2, 3):
            counters.start(node)
        yield counters
    finally:
        for node in list(counters.running):
            counters.kill(node)


def bare_machine_problem() -> str:
    """Why the test on a bare machine cannot run here, or nothing."""
    if "RAFTLAB_BARE" not in os.environ:
        return "RAFTLAB_BARE is not set: it downloads a Debian system"
    if os.geteuid() != 0:
        return "it needs root, for chroot"
    return "" if shutil.which("debootstrap") else "it needs debootstrap"
