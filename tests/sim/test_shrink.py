"""raftsim shrink: from a seed that fails to a scenario that a human reads."""

import json
import pathlib
import re
import shlex
import signal
import subprocess
import tomllib
from typing import Any

import pytest

from raftlab import build

ALL = ("--faults", "all", "--duration", "15s")
DOCUMENT = build.ROOT / "docs" / "shrinking.md"
JOINT = "labs/mutants/a-joint-configuration-is-never-left.toml"
SECONDS_MAX = 100
SEEDS_MAX = 60


def ask(program: pathlib.Path, *arguments: Any):
    return subprocess.run(
        [str(program), *map(str, arguments)],
        cwd=build.ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )


def shrink(program: pathlib.Path, out: pathlib.Path, *flags: Any) -> dict[str, Any]:
    done = ask(program, "shrink", *flags, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    return json.loads(line)


def commands(scenario: pathlib.Path) -> list[str]:
    lines = scenario.read_text().splitlines()
    return [line.split("#")[0].strip() for line in lines if not line.startswith("#")]


def with_bug(folder: pathlib.Path, file: str, find: str, replace: str) -> pathlib.Path:
    """raftsim with a textual change of one file of the core, which alone is compiled."""
    build.program("raftsim")
    text = (build.ROOT / file).read_text()
    assert text.count(find) == 1
    source, compiled = folder / "bug.c", folder / "bug.o"
    source.write_text(text.replace(find, replace))
    program = folder / "raftsim"
    libraries = [build.OUT / f"lib{name}.a" for name in "sim service host core".split()]
    tools = sorted((build.OUT / "obj/sim/tool").glob("*.o"))
    flags = shlex.split("-std=c11 -D_GNU_SOURCE -O1 -I.")
    for line in (
        ["gcc", *flags, "-c", "-o", compiled, source],
        ["gcc", "-o", program, *tools, compiled, *libraries, *extra_libraries()],
    ):
        subprocess.run(list(map(str, line)), cwd=build.ROOT, check=True)
    return program


def extra_libraries() -> list[str]:
    """What raftsim is linked with besides, as the Makefile says."""
    asked = subprocess.run(
        ["make", "-n", "-B", "V=1", "MAKEFLAGS=", f"OUT={build.OUT}", f"{build.OUT}/raftsim"],
        cwd=build.ROOT,
        capture_output=True,
        text=True,
    ).stdout
    line = [line for line in asked.splitlines() if f"-o {build.OUT}/raftsim" in line][-1]
    others = [str(build.OUT / "librpc.a"), str(build.OUT / "libposix.a")]
    words = line.split()
    return [word for word in words if word in others or word.startswith("-l")]


def failing(program: pathlib.Path, *flags: Any) -> tuple[Any, ...]:
    """These flags with the first seed that fails."""
    for seed in range(1, SEEDS_MAX + 1):
        if ask(program, "run", "--seed", seed, *flags).returncode == 1:
            return ("--seed", seed, *flags)
    raise AssertionError(f"none of {SEEDS_MAX} seeds fails")


@pytest.fixture(scope="module")
def figure_8(tmp_path_factory) -> pathlib.Path:
    """A core that commits entries of older terms by counting replicas."""
    return with_bug(
        tmp_path_factory.mktemp("figure-8"),
        "raft/commit.c",
        "term != raft->hard_state.current_term",
        "term > raft->hard_state.current_term",
    )


def test_a_bug_of_the_core_becomes_a_short_scenario_that_replays(
    figure_8: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "bug.scenario"
    report = shrink(figure_8, out, *failing(figure_8, *ALL))
    assert report["rule"] == "commit in own term"
    assert report["replays"] and report["finished"]
    assert report["commands"] <= 25 < report["acts"]
    told = commands(out)
    assert told[0].startswith("cluster ") and " manual" in told[0]
    assert told[-1] == 'expect violation "commit in own term"'
    assert len(told) == report["commands"] + 2
    assert ask(figure_8, "script", out).returncode == 0


def test_the_scenario_of_a_bug_does_not_hold_without_it(
    figure_8: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "bug.scenario"
    shrink(figure_8, out, *failing(figure_8, *ALL))
    done = ask(build.program("raftsim"), "script", out)
    assert done.returncode == 1 and "no rule is broken" in done.stderr


def test_the_same_seed_shrinks_to_the_same_scenario(
    figure_8: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    flags = failing(figure_8, *ALL)
    shrink(figure_8, one, *flags)
    shrink(figure_8, two, *flags)
    assert one.read_text() == two.read_text()


def test_the_scenario_in_the_document_is_what_shrink_writes(
    figure_8: pathlib.Path, tmp_path: pathlib.Path, pytestconfig: pytest.Config
) -> None:
    text = DOCUMENT.read_text()
    (told,) = re.findall(r"^```scenario\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    seed = re.search(r"raftsim shrink --seed (\d+)", text)[1]
    out = tmp_path / "shrunk"
    if pytestconfig.getoption("record"):
        flags = failing(figure_8, *ALL)
        shrink(figure_8, out, *flags)
        text = text.replace(told, out.read_text())
        text = text.replace(f"--seed {seed} ", f"--seed {flags[1]} ")
        DOCUMENT.write_text(text.replace(f"shrunk-{seed}.", f"shrunk-{flags[1]}."))
    else:
        shrink(figure_8, out, "--seed", seed, *ALL)
        assert out.read_text() == told


def test_a_crash_of_the_core_is_a_failure_too(tmp_path: pathlib.Path) -> None:
    program = with_bug(
        tmp_path,
        "raft/commit.c",
        "term != raft->hard_state.current_term",
        "(assert(raft->hard_state.current_term < 2),"
        " term != raft->hard_state.current_term)",
    )
    out = tmp_path / "crash.scenario"
    flags = ("--nodes", 3, "--duration", "5s", "--faults", "partition")
    report = shrink(program, out, *flags)
    assert report["rule"] == "a crash (SIGABRT)" and report["replays"]
    assert "current_term < 2" in report["text"]
    assert report["commands"] <= 25
    assert "current_term < 2" in out.read_text()
    assert ask(program, "script", out).returncode == -signal.SIGABRT


def test_an_endless_loop_is_a_failure_too(tmp_path: pathlib.Path) -> None:
    program = with_bug(
        tmp_path,
        "raft/commit.c",
        "term != raft->hard_state.current_term",
        "({ while (raft->commit_index > 2) continue; false; }) ||"
        " term != raft->hard_state.current_term",
    )
    out = tmp_path / "loop.scenario"
    flags = ("--nodes", 3, "--clients", 1, "--duration", "1s", "--cpu", 30)
    report = shrink(program, out, *flags, "--seconds", 5)
    assert report["rule"] == "an endless loop" and report["replays"]
    assert report["commands"] < report["acts"]


def test_stale_reads_are_shrunk_with_their_clients(tmp_path: pathlib.Path) -> None:
    program = build.program("raftsim")
    flags = ("--nodes", 3, "--clients", 4, "--keys", 1, "--duration", "2s")
    flags += ("--faults", "partition", "--lease", 1, "--drift", 80)
    flags = failing(program, *flags)
    out = tmp_path / "lease.scenario"
    report = shrink(program, out, *flags, "--seconds", 8)
    assert report["rule"] == "linearizability" and report["replays"]
    assert report["commands"] < report["acts"]
    told = commands(out)
    assert told[-2:] == ["check", 'expect violation "linearizability"']
    assert any(line.startswith("client ") for line in told)


@pytest.fixture(scope="module")
def joint(tmp_path_factory) -> pathlib.Path:
    """A core that never leaves a joint configuration: nothing happens, and that is the bug."""
    mutant = tomllib.loads((build.ROOT / JOINT).read_text())
    return with_bug(
        tmp_path_factory.mktemp("joint"), mutant["file"], mutant["find"], mutant["replace"]
    )


def test_what_fails_only_on_the_clock_becomes_a_scenario_on_the_clock(
    joint: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = failing(joint, "--faults", "members,crash,loss", "--duration", "4s")
    out = tmp_path / "joint.scenario"
    report = shrink(joint, out, *flags)
    assert report["rule"] == "liveness" and report["form"] == "on the clock"
    assert report["replays"] and report["commands"] <= 5
    told = commands(out)
    assert told[0].startswith("cluster ") and "manual" not in told[0]
    assert any(re.match(r"at \d+m?s change ", line) for line in told)
    assert told[-1] == 'expect violation "liveness"'
    assert len(told) == report["commands"] + 2
    assert ask(joint, "script", out).returncode == 0
    done = ask(build.program("raftsim"), "script", out)
    assert done.returncode == 1 and "no rule is broken" in done.stderr


def test_the_same_seed_shrinks_to_the_same_scenario_on_the_clock(
    joint: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    flags = failing(joint, "--faults", "members,crash,loss", "--duration", "4s")
    shrink(joint, one, *flags)
    shrink(joint, two, *flags)
    assert one.read_text() == two.read_text()


def test_a_crash_on_the_clock_alone_is_told_without_its_end(tmp_path: pathlib.Path) -> None:
    """Its last line ends the process."""
    program = with_bug(
        tmp_path,
        "raft/commit.c",
        "term != raft->hard_state.current_term",
        "(assert(raft->commit_index < 20), term != raft->hard_state.current_term)",
    )
    out = tmp_path / "crash.scenario"
    report = shrink(program, out, "--nodes", 3, "--duration", "3s", "--faults", "none")
    assert report["rule"] == "a crash (SIGABRT)" and report["replays"]
    assert ask(program, "script", out).returncode == -signal.SIGABRT


def test_a_run_that_breaks_no_rule_is_not_shrunk(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "nothing"
    done = ask(build.program("raftsim"), "shrink", "--seed", 1, "--duration", "1s", "--out", out)
    assert done.returncode == 2 and "breaks no rule" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    "last, held",
    [
        ('expect violation "linearizability"', True),
        ('expect violation "log matching"', False),
        ("status", False),
        ("", False),
    ],
)
def test_a_scenario_that_breaks_a_rule_has_to_say_so(
    last: str, held: bool, tmp_path: pathlib.Path
) -> None:
    story = build.ROOT / "sim" / "scenarios" / "lease-by-hand.scenario"
    lines = story.read_text().splitlines()
    assert lines[-2:] == ["check", "expect violation linearizability"]
    path = tmp_path / "story"
    path.write_text("\n".join(lines[:-1] + ["# a comment between", last]) + "\n")
    done = ask(build.program("raftsim"), "script", path)
    assert done.returncode == (0 if held else 1)
    if last in ("", "status"):  # then it is the check that failed
        assert f"story:{len(lines) - 1}: " in done.stderr
