"""Other right solutions reach full points: no claim demands more than its handout says."""

import subprocess
import sys

import pytest

from raftlab import build

FOLDER = build.ROOT / "labs" / "alternatives"
LABS = range(9)
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))


def of_lab(number: int) -> list[str]:
    head = f"lab = {number}\n"
    return [name for name in NAMES if head in (FOLDER / f"{name}.toml").read_text()]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", sorted(number for number in LABS if of_lab(number)))
def test_right_solutions_of_another_kind_reach_full_points(number: int) -> None:
    done = subprocess.run(
        [sys.executable, "labs/tools/alternatives.py", "--lab", str(number)],
        cwd=build.ROOT, env=build.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_lab_has_two_of_them() -> None:
    counts = {number: len(of_lab(number)) for number in LABS if number != 7}
    assert {number: count for number, count in counts.items() if count < 2} == {}
