"""The scenarios in the labs' folders come true on the reference, and their handouts name them."""

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
