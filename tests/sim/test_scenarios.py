"""The stories of sim/scenarios: each holds, and says what its transcript says."""

import pathlib
import re
import subprocess

import pytest

from raftlab import build

FOLDER = build.ROOT / "sim" / "scenarios"
SCENARIOS = sorted(FOLDER.glob("*.scenario"))
TRANSCRIPTS = FOLDER / "transcripts"
SECONDS_MAX = 60


def script(scenario: pathlib.Path, sanitized: bool = False):
    program = build.program("raftsim", sanitized=sanitized)
    return subprocess.run(
        [str(program), "script", str(scenario)],
        cwd=build.ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_says_what_its_transcript_says(
    scenario: pathlib.Path, pytestconfig: pytest.Config
) -> None:
    transcript = TRANSCRIPTS / f"{scenario.stem}.txt"
    done = script(scenario)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "expect violations 0" in done.stdout or "expect violation " in done.stdout
    if pytestconfig.getoption("record"):
        transcript.parent.mkdir(exist_ok=True)
        transcript.write_text(done.stdout)
    else:
        assert done.stdout == transcript.read_text()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_holds_under_sanitizers(scenario: pathlib.Path) -> None:
    done = script(scenario, sanitized=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_every_scenario_is_listed_and_tells_its_story_first() -> None:
    text = (build.ROOT / "docs" / "scenarios.md").read_text()
    listed = re.findall(r"^\| `([\w-]+\.scenario)` \|", text, re.MULTILINE)
    assert sorted(listed) == [path.name for path in SCENARIOS]
    assert len(listed) >= 40
    for path in SCENARIOS:
        assert path.read_text().startswith("# "), path.name


def test_no_transcript_outlives_its_scenario() -> None:
    kept = {path.stem for path in TRANSCRIPTS.glob("*.txt")}
    assert kept == {path.stem for path in SCENARIOS}
