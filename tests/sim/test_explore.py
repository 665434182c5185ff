"""raftsim explore: what it finds in cores with a bug, and that its scenarios replay."""

import json
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

from raftlab import build

sys.path.insert(0, str(build.ROOT / "labs" / "mutants"))
import run as mutants  # noqa: E402

SECONDS_MAX = 300
# Node 1 leads term 1 and has told nobody; node 3 leads term 2 with node 2's vote.
FIGURE_8 = """
timeout 1
deliver 1 2
deliver 2 1
deliver 1 3
timeout 3
deliver 3 2
deliver 2 3
"""


def explore(program: pathlib.Path, *arguments: Any, text: str = "") -> dict[str, Any]:
    done = subprocess.run(
        [str(program), "explore", *map(str, arguments)],
        input=text, capture_output=True, text=True, timeout=SECONDS_MAX,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    report["scenario"] = done.stderr
    return report


def replays(program: pathlib.Path, scenario: pathlib.Path) -> bool:
    done = subprocess.run(
        [str(program), "script", str(scenario)],
        capture_output=True, text=True, timeout=SECONDS_MAX,
    )
    return done.returncode == 0


def built_with(bug: str, tree: pathlib.Path) -> pathlib.Path:
    """raftsim with this bug in it; only what the bug touches is compiled anew."""
    out = build.program("raftsim").parent
    mutants.copy_sources(tree)
    shutil.copytree(out / "obj", tree / "build" / "obj", copy_function=shutil.copy2)
    for stamp in ("obj.flags", ".sources"):
        shutil.copy2(out / stamp, tree / "build" / stamp)
    mutants.apply(mutants.load(mutants.HERE / f"{bug}.toml"), tree)
    made = subprocess.run(
        ["make", "-j2", "build/raftsim"],
        cwd=tree, capture_output=True, text=True, env=build.environment(),
    )
    assert made.returncode == 0, made.stderr
    return tree / "build" / "raftsim"


@pytest.fixture(scope="module")
def early_votes(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    tree = tmp_path_factory.mktemp("votes")
    return built_with("a-vote-leaves-before-it-is-durable", tree)


@pytest.fixture(scope="module")
def counts_older_terms(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    tree = tmp_path_factory.mktemp("commits")
    return built_with("commits-an-older-term-by-counting", tree)


def test_a_vote_that_a_crash_takes_back_is_found_and_replays(
    early_votes: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    scenario = tmp_path / "vote.scenario"
    report = explore(early_votes, "--sync-by-hand", "--crashes", 1, "--out", scenario)
    assert report["rule"] == "vote durable" and report["commands"] == 3
    assert replays(early_votes, scenario)
    assert not replays(build.program("raftsim"), scenario)


def test_a_double_vote_is_found_by_what_comes_of_it(early_votes: pathlib.Path) -> None:
    report = explore(early_votes, "--sync-by-hand", "--crashes", 1, "--outcomes")
    assert report["rule"] == "one vote a term"
    assert "\ncrash " in report["scenario"]


def test_figure_8_is_found_from_an_empty_cluster_and_replays(
    counts_older_terms: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    scenario = tmp_path / "figure-8.scenario"
    report = explore(counts_older_terms, "--terms", 2, "--batch", 1, "--out", scenario)
    assert report["rule"] == "commit in own term" and report["commands"] == 11
    assert replays(counts_older_terms, scenario)
    assert not replays(build.program("raftsim"), scenario)


def test_figure_8_loses_what_was_committed(counts_older_terms: pathlib.Path) -> None:
    flags = ["--terms", 4, "--batch", 1, "--outcomes", "--from", "-"]
    report = explore(counts_older_terms, *flags, text=FIGURE_8)
    assert report["rule"] == "leader completeness" and report["commands"] == 19


def test_one_job_and_two_count_the_same() -> None:
    program = build.program("raftsim")
    one, two = (
        explore(program, "--terms", 2, "--jobs", jobs) for jobs in (1, 2)
    )
    for field in ("states", "states_without_symmetry", "transitions", "depth"):
        assert one[field] == two[field]
    assert one["result"] == "exhausted" and one["states"] == 218883


@pytest.mark.parametrize(
    "flags, complaint",
    [
        (["--nodes", "6"], "from 0 to 5"),
        (["--nodes", "0"], "1 to 5 nodes"),
        (["--terms", "20"], "from 0 to 15"),
        (["--goal", "peace"], "a goal is"),
        (["--pre-vote"], "bound --timeouts"),
        (["--from", "/nowhere"], "cannot read"),
        (["--wonder"], "unknown flag"),
    ],
)
def test_what_cannot_be_explored_is_refused(flags: list[str], complaint: str) -> None:
    done = subprocess.run(
        [str(build.program("raftsim")), "explore", *flags],
        capture_output=True, text=True, timeout=SECONDS_MAX,
    )
    assert done.returncode == 2 and complaint in done.stderr
