"""Known bugs, put into a copy of the sources, are noticed by the tests that they name."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from raftlab import tree

# All of the list, but for what a client concludes (docs/bugs.md tells of those).
CATALOGUE = set(range(1, 63)) - {56, 57}


@pytest.mark.timeout(900)
def test_every_mutant_is_killed_by_the_tests_it_names() -> None:
    run = subprocess.run(
        [sys.executable, "labs/mutants/run.py"], cwd=tree.ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    killed = {int(bug) for bug in re.findall(r"^killed +bug +(\d+)", run.stdout, re.MULTILINE)}
    assert killed >= CATALOGUE, f"no mutant for bugs {sorted(CATALOGUE - killed)}"


def test_every_mutant_stands_in_the_list_of_bugs() -> None:
    """To mend it: put what `labs/mutants/run.py --table` prints into docs/bugs.md."""
    run = subprocess.run(
        [sys.executable, "labs/mutants/run.py", "--table"],
        cwd=tree.ROOT, capture_output=True, text=True, check=True,
    )
    assert run.stdout in (tree.ROOT / "docs/bugs.md").read_text()
