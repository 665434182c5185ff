"""A pytest plugin that judges one lab: which of its claims hold, and what that is worth.

    pytest -p raftlab.grading --lab 1 --lab-out build/lab1/grade.json tests/raft ...

A claim is a test with the marker lab1(step=2, points=2, rules="RV-2a"); one in C runs in
the sanitized build alone. Claims are ordered by step and then by where they stand, so
that the verdict reads the same however many workers there are and however long each
takes. What was not run, for whatever reason, does not hold."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from raftlab import build, confine
from raftlab.lab_failure import stem_of

FIELDS = ("rule", "expected", "seen", "kind", "command", "stderr")  # of a LabFailure
NOT_RUN = "it was not run"
QUIET_SECONDS = 5  # a grading that ends sooner needs no word of how far it is


@dataclasses.dataclass
class Claim:
    """One claim of a lab, and what came of it."""

    id: str  # pytest's
    file: str  # from the project's root
    line: int
    name: str
    step: int
    points: int
    rules: str
    held: bool = False
    text: str = NOT_RUN  # of the failure, whole
    seed: Optional[int] = None
    lines: list[str] = dataclasses.field(default_factory=list)  # the scenario
    facts: dict[str, str] = dataclasses.field(default_factory=dict)  # of the failure

    @property
    def words(self) -> str:
        return self.name.removeprefix("test_").replace("_", " ")

    @property
    def earned(self) -> int:
        return self.points if self.held else 0

    @property
    def stem(self) -> str:
        """What its report's files are called."""
        return stem_of(self.name)


def order(claim: Claim) -> tuple[int, str, int]:
    return claim.step, claim.file, claim.line


def load(path: pathlib.Path) -> list[Claim]:
    """The claims of a lab, in order."""
    return [Claim(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]


def save(claims: list[Claim], path: pathlib.Path) -> None:
    text = json.dumps([dataclasses.asdict(claim) for claim in claims], indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(text + "\n", encoding="utf-8")
    os.replace(new, path)


# ---- the plugin ------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lab", type=int, help="judge this lab")
    parser.addoption("--lab-step", type=int, help="only this step of it")
    parser.addoption("--lab-out", type=pathlib.Path, help="where the verdict is written")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--lab") is not None:
        config.pluginmanager.register(Judge(config), "raftlab-judge")


class Judge:
    def __init__(self, config: pytest.Config) -> None:
        self.lab: int = config.getoption("--lab")
        self.step: Optional[int] = config.getoption("--lab-step")
        self.out: pathlib.Path = config.getoption("--lab-out")
        self.works = hasattr(config, "workerinput")  # and tells another process of it
        self.results: dict[str, dict[str, Any]] = {}
        self.over: set[str] = set()  # ids
        self.told: set[int] = set()  # steps
        self.words: list[str] = []  # that wait until somebody may ask himself
        self.began = time.monotonic()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        chosen = sorted((item for item in items if self.is_wanted(item)), key=self.place)
        others = [item for item in items if item not in set(chosen)]
        items[:] = chosen
        config.hook.pytest_deselected(items=others)

    def is_wanted(self, item: pytest.Item) -> bool:
        mark = item.get_closest_marker(f"lab{self.lab}")
        if mark is None or getattr(item, "variant", "sanitized") != "sanitized":
            return False
        return self.step in (None, mark.kwargs["step"])

    def place(self, item: pytest.Item) -> tuple[int, str, int]:
        return order(self.claim(item))

    def claim(self, item: pytest.Item) -> Claim:
        mark = item.get_closest_marker(f"lab{self.lab}")
        path, line, _ = item.reportinfo()
        # The claim itself, and not what makes it one (raftlab.labs).
        if body := getattr(getattr(item, "function", None), "lab_function", None):
            line = body.__code__.co_firstlineno - 1
        path = getattr(item, "path", pathlib.Path(path))
        return Claim(
            id=item.nodeid,
            file=path.relative_to(build.ROOT).as_posix(),
            line=(line or 0) + 1,
            name=getattr(item, "claim", item.name),
            **{key: mark.kwargs[key] for key in ("step", "points", "rules")},
        )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All claims, as not run: who is killed has failed them."""
        save([self.claim(item) for item in session.items], self.out)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo
    ) -> Iterator[None]:
        outcome = yield
        report = outcome.get_result()
        if report.when == "call" or report.failed:
            report.lab_result = result(report, call)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.works:
            return
        if hasattr(report, "lab_result"):
            before = self.results.setdefault(report.nodeid, report.lab_result)
            if before["held"]:  # a teardown may fail as well
                self.results[report.nodeid] = report.lab_result
        if report.when == "teardown":
            self.over.add(report.nodeid)
            self.tell(self.keep())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.works and self.out.exists():
            self.keep()

    def keep(self) -> list[Claim]:
        """What is known by now, for who must end this before its end."""
        claims = load(self.out)
        for claim in claims:
            for key, value in self.results.get(claim.id, {}).items():
                setattr(claim, key, value)
        save(claims, self.out)
        return claims

    def tell(self, claims: list[Claim]) -> None:
        """Of each step, once its claims are over, where the grader wants to know."""
        for step in sorted({claim.step for claim in claims} - self.told):
            its = [claim for claim in claims if claim.step == step]
            if self.over.issuperset(claim.id for claim in its):
                self.told.add(step)
                held = sum(claim.held for claim in its)
                self.words.append(f"step {step}: {held} of {len(its)} claims hold\n")
        to = os.environ.get("RAFTLAB_PROGRESS")
        if to and self.words and time.monotonic() - self.began > QUIET_SECONDS:
            os.write(int(to), "".join(self.words).encode())
            self.words.clear()


def result(report: pytest.TestReport, call: pytest.CallInfo) -> dict[str, Any]:
    """What a claim's fields become."""
    if report.passed:
        return {"held": True, "text": ""}
    failure = call.excinfo.value if call.excinfo else None
    if not hasattr(failure, "expected"):
        text = report.longreprtext
        if failure is not None and str(failure) != text:  # not one of ours: what, then where
            text = f"{call.excinfo.exconly()}\n\n{text}"
        return {"held": False, "text": steady(text)}
    facts = {field: str(getattr(failure, field, "") or "") for field in FIELDS}
    return {
        "held": False,
        "text": steady(str(failure)),
        "seed": getattr(failure, "seed", None),
        "lines": list(getattr(failure, "lines", ())),
        "facts": {key: steady(value) for key, value in facts.items()},
    }


def printable(text: str) -> str:
    """Without what would do something to a terminal, and what no file of results can hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def steady(text: str) -> str:
    """Without what another run of the same would say otherwise."""
    text = confine.named(text).replace(f"{build.ROOT}/", "")
    return printable(re.sub(r"\bin \d+\.\d+ ?s(econds)?\b", "", text).strip("\n"))
