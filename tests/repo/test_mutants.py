"""Known bugs, put into a copy of the sources, are noticed by the tests that they name."""

from __future__ import annotations

import fcntl
import pathlib
import re
import subprocess
import sys

import pytest

from raftlab import build, tree

sys.path.insert(0, str(build.ROOT / "labs" / "mutants"))
import run as mutants  # noqa: E402

# All of the list, but for what a client concludes (docs/bugs.md tells of those).
CATALOGUE = set(range(1, 63)) - {56, 57}


ROW = re.compile(r"^\| `([a-z0-9-]+)` \| [\d-] \| (.*?) \| (.*?) \|", re.MULTILINE)
PARTS = 6  # so that workers can share them


def names_of(part: int) -> list[str]:
    names = sorted(name.stem for name in tree.named(".toml", under="labs/mutants/"))
    return names[part::PARTS]


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> pathlib.Path:
    """A tree without a mutant, built once for all parts and all workers."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared if worker_id == "master" else shared.parent
    folder = shared / "mutants"
    with open(shared / "mutants.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = shared / "mutants.new"
            mutants.prepare(made)
            made.rename(folder)
    return folder


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_mutant_is_killed_by_the_tests_it_names(part: int, base: pathlib.Path) -> None:
    run = subprocess.run(
        [sys.executable, "labs/mutants/run.py", "--base", base, *names_of(part)],
        cwd=tree.ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", mutants.names())
def test_who_has_the_bug_loses_points_in_its_lab(name: str) -> None:
    mutants.check_points(mutants.load(mutants.HERE / f"{name}.toml"))


def test_there_is_a_mutant_for_every_bug_of_the_catalogue() -> None:
    texts = [tree.read(name) for name in tree.named(".toml", under="labs/mutants/")]
    bugs = {int(bug) for text in texts for bug in re.findall(r"^bug = (\d+)$", text, re.M)}
    assert bugs >= CATALOGUE, f"no mutant for bugs {sorted(CATALOGUE - bugs)}"


def test_every_mutant_stands_in_the_list_of_bugs() -> None:
    """To mend it: put what `labs/mutants/run.py --table` prints into docs/bugs.md."""
    run = subprocess.run(
        [sys.executable, "labs/mutants/run.py", "--table"],
        cwd=tree.ROOT, capture_output=True, text=True, check=True,
    )
    assert run.stdout in (tree.ROOT / "docs/bugs.md").read_text()


def test_the_table_of_runs_has_every_mutant_with_its_tests_killed_in_all_of_them() -> None:
    """To mend it: `labs/mutants/run.py --repeat 20 --write`."""
    rows = ROW.findall(tree.read("docs/mutants.md"))
    assert [name for name, _, _ in rows] == [mutant.name for mutant in mutants.by_lab()]
    for name, tests, runs in rows:
        killed_by = mutants.load(mutants.HERE / f"{name}.toml").killed_by
        claims = [test.partition("::")[2] for test in killed_by]
        words = [claim.removeprefix("test_") for claim in claims]
        assert re.findall(r"`(\w+)`", tests) == words, name
        assert set(runs.split("<br>")) == {"20/20"}, name
