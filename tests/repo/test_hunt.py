"""make hunt: known bugs, found by the simulator."""

import itertools
import re
import subprocess
import sys

import pytest

from raftlab import build

sys.path.insert(0, str(build.ROOT / "labs" / "mutants"))
import hunt  # noqa: E402

def test_slices_give_each_size_of_cluster_every_seed_once() -> None:
    taken = list(itertools.islice(hunt.slices(), 5 * len(hunt.NODES)))
    for nodes in hunt.NODES:
        seeds = [s for n, a, b in taken if n == nodes for s in range(a, b + 1)]
        assert seeds == list(range(1, len(seeds) + 1))


def test_a_bug_is_chosen_by_name_by_number_or_as_figure8() -> None:
    name = "commits-an-older-term-by-counting"
    assert hunt.chosen(["figure8"]) == hunt.chosen(["1"]) == hunt.chosen([name]) == [name]
    assert len(hunt.chosen(["54"])) > 1 and hunt.chosen([]) == hunt.core_names()
    with pytest.raises(SystemExit, match="there is no bug"):
        hunt.chosen(["no-such-bug"])


@pytest.mark.timeout(600)
def test_figure_8_is_found_and_told() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "hunt", "BUG=figure8"],
        cwd=build.ROOT, env=build.environment(), capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Figure 8." in done.stdout
    assert re.search(r"^Found after \d+ seeds?, \d+\.\d s of one core: ", done.stdout, re.M)
    assert "swarm: 1 of 1 found" in done.stdout
