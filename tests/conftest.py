"""Makes every TEST(claim) of tests/*/*_test.c a pytest case in a process of its own,
once in the default build and once under ASan and UBSan."""

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Optional

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))

from raftlab import build, cluster, confine, labs  # noqa: E402  (the path above comes first)

CLAIM = re.compile(r"TEST\((\w+)\)")
SECONDS_MAX = {"plain": 60, "sanitized": 240}
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


class CTestFailed(Exception):
    """A C test ended badly; the text is what it left on its standard streams."""


class CTestFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        claims = c_claims(self.path)
        for variant in ("plain", "sanitized"):
            for claim, lab in claims:
                yield CTest.from_parent(
                    self, name=f"{claim}[{variant}]", claim=claim, variant=variant, lab=lab
                )


def c_claims(path: pathlib.Path) -> list[tuple[str, Optional[labs.Claim]]]:
    """The names of a file's tests, each with what the LAB line right above it says."""
    claims = []
    above = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = CLAIM.match(line)
        if found is not None:
            claims.append((found[1], above))
        elif above is not None:
            raise pytest.Collector.CollectError(
                f"{path}:{number - 1}: a LAB line stands right above its TEST"
            )
        above = None
        if re.match(r"\s*//\s*LAB\b", line):
            try:
                above = labs.parse_claim(line)
            except ValueError as error:
                raise pytest.Collector.CollectError(f"{path}:{number}: {error}") from None
    return claims


class CTest(pytest.Item):
    def __init__(
        self, *, claim: str, variant: str, lab: Optional[labs.Claim], **keywords
    ) -> None:
        super().__init__(**keywords)
        self.claim = claim
        self.variant = variant
        self.add_marker(variant)
        if lab is not None:
            self.add_marker(lab.mark())
        self.add_marker(pytest.mark.timeout(build.BUILD_SECONDS_MAX))

    def runtest(self) -> None:
        name = str(self.path.relative_to(TESTS.parent).with_suffix(""))
        sanitized = self.variant == "sanitized"
        program = build.program(name, sanitized=sanitized)
        if confine.wanted():
            if problem := confine.problem(program, self.claim, sanitized=sanitized):
                raise CTestFailed(problem)
            return
        try:
            done = subprocess.run(
                [str(program), self.claim],
                cwd=build.ROOT,
                env=os.environ | SANITIZER_OPTIONS,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=SECONDS_MAX[self.variant],
            )
        except subprocess.TimeoutExpired as error:
            text = (error.stdout or b"").decode(errors="replace")
            raise CTestFailed(f"still running after {error.timeout} s\n{text}") from None
        if done.returncode != 0:
            text = done.stdout.decode(errors="replace")
            raise CTestFailed(f"{text}\n{ending(done.returncode)}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo, style=None):
        if isinstance(excinfo.value, (CTestFailed, build.BuildFailed)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        lines = self.path.read_text(encoding="utf-8").splitlines()
        head = f"TEST({self.claim})"
        line = next((n for n, text in enumerate(lines) if text.startswith(head)), 0)
        return self.path, line, f"{self.claim} [{self.variant}]"


def ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def pytest_collect_file(file_path: pathlib.Path, parent: pytest.Collector):
    if file_path.name.endswith("_test.c"):
        return CTestFile.from_parent(parent, path=file_path)
    return None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds", type=int, default=5, help="rounds of kill -9 in tests/cluster"
    )
    parser.addoption(
        "--record",
        action="store_true",
        help="write what raftsim prints into the documents that show it",
    )
    parser.addoption("--seed", type=int, default=None, help="the seed of those rounds")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "plain: a C test in the default build")
    config.addinivalue_line("markers", "sanitized: a C test under ASan and UBSan")
    for number in labs.NUMBERS:
        config.addinivalue_line(
            "markers", f"lab{number}(step, points, rules): a claim of lab {number}"
        )


def pytest_itemcollected(item: pytest.Item) -> None:
    """What a claim of a lab is worth goes into every report of it."""
    for marker in item.iter_markers():
        if re.fullmatch(r"lab\d", marker.name):
            item.user_properties.append(("lab", int(marker.name[3:])))
            item.user_properties.extend(marker.kwargs.items())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed test shows what the nodes of its clusters have written."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and isinstance(call.excinfo.value, labs.LabFailure):
        report.longrepr = str(call.excinfo.value)
    if report.failed:
        for live in cluster.LIVE:
            report.sections.append((f"{type(live).__name__}", live.logs()))
