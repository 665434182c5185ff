"""The scenarios in the labs' folders come true on the reference, and their handouts name them."""

import json
import pathlib
import subprocess

import pytest

from raftlab import build

STORIES = sorted((build.ROOT / "labs").glob("[0-9]-*/*.scenario"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_story_of_a_handout_comes_true(path: pathlib.Path) -> None:
    program = build.program("raftsim")
    done = subprocess.run([program, "script", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert path.name in (path.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "commands, chunk, chunks, bytes_, told",
    [
        (60, 100, 32, 5223, "32 chunks and 5,223 bytes;"),
        (60, 200, 16, 4199, "; 16 and 4,199;"),
        (60, 1000, 4, 3431, "; 4 and 3,431;"),
        (60, 4000, 1, 3239, "; 1 and 3,239:"),
        (18, 200, 0, 0, "18: none;"),
        (19, 200, 6, 1519, "19: six chunks (1,519 bytes)"),
    ],
)
def test_what_lab_4_predicts_is_what_its_script_comes_to(
    tmp_path: pathlib.Path, commands: int, chunk: int, chunks: int, bytes_: int, told: str
) -> None:
    folder = build.ROOT / "labs/4-snapshots"
    words = ["sh", folder / "away.sh", str(commands), str(chunk)]
    scenario = tmp_path / "away.scenario"
    scenario.write_bytes(subprocess.run(words, capture_output=True, check=True).stdout)
    program = build.program("raftsim")
    done = subprocess.run([program, "script", scenario], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    counters, files = (json.loads(line) for line in done.stdout.splitlines()[-3::2])
    assert counters["messages_snapshot"] == chunks
    assert counters["message_bytes_snapshot"] == bytes_
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert told in page and "away.sh" in page
    if commands == 60:
        assert max(files["files"].items())[1] == 3175 and "has 3,175 bytes" in page
