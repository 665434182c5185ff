"""make hunt: known bugs, found by the simulator; docs/hunt.md has a row for each."""

import itertools
import pathlib
import re
import subprocess
import sys

import pytest

from raftlab import build, tree

sys.path.insert(0, str(build.ROOT / "labs" / "mutants"))
import hunt  # noqa: E402
import run as mutants  # noqa: E402

ROW = re.compile(
    r"^\| (\d+) \| `([a-z0-9-]+)` \| (sweep|explore|\*\*not found\*\*) \| (.+?) \| (.*?) \|"
    r" (\d*) \| (.*?) \|$",
    re.MULTILINE,
)


def document() -> str:
    return tree.read(hunt.DOCUMENT.relative_to(build.ROOT))


def test_every_mutant_of_the_core_and_the_host_has_its_row() -> None:
    rows = [(int(bug), name) for bug, name, *_ in ROW.findall(document())]
    loaded = (mutants.load(mutants.HERE / f"{name}.toml") for name in hunt.core_names())
    assert rows == [(mutant.bug, mutant.name) for mutant in loaded]
    assert len(rows) >= 40


def test_a_row_tells_what_was_found_or_that_nothing_was() -> None:
    for _, name, by, after, rule, events, _ in ROW.findall(document()):
        if by == "**not found**":
            assert re.fullmatch(r"not in \d+ seeds", after) and not rule and not events, name
        else:
            assert re.fullmatch(r"\d+ (seeds?|states), \d+\.\d s", after) and rule, name


def test_what_is_said_above_the_table_is_what_it_shows() -> None:
    rows = ROW.findall(document())
    found = sum(by != "**not found**" for _, _, by, *_ in rows)
    assert f"swarm: {found} of {len(rows)} found within" in document()
    assert found >= 0.9 * len(rows)


def test_each_bug_that_is_not_found_is_explained() -> None:
    text = document().partition("## Those that are not found")[2]
    told = set(re.findall(r"^- `([a-z0-9-]+)`: \S", text, re.MULTILINE))
    missing = {name for _, name, by, *_ in ROW.findall(document()) if by == "**not found**"}
    assert told == missing


def test_slices_give_each_size_of_cluster_every_seed_once() -> None:
    taken = list(itertools.islice(hunt.slices(), 5 * len(hunt.NODES)))
    for nodes in hunt.NODES:
        seeds = [s for n, a, b in taken if n == nodes for s in range(a, b + 1)]
        assert seeds == list(range(1, len(seeds) + 1))


def test_a_bug_is_chosen_by_name_by_number_or_as_figure8() -> None:
    name = "commits-an-older-term-by-counting"
    assert hunt.chosen(["figure8"]) == hunt.chosen(["1"]) == hunt.chosen([name]) == [name]
    assert len(hunt.chosen(["54"])) > 1 and hunt.chosen([]) == hunt.core_names()
    with pytest.raises(SystemExit, match="has no bug"):
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


def test_rows_that_are_found_anew_take_the_place_of_the_old_ones(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = hunt.core_names()[:2]
    monkeypatch.setattr(hunt, "DOCUMENT", tmp_path / "hunt.md")
    hunt.DOCUMENT.write_text("before\n<!-- hunt -->\n<!-- end -->\nafter\n")
    slow = hunt.Catch(61.0, seeds=9, rule="log matching", events=7)
    quick = hunt.Catch(2.0, seeds=1, rule="log matching", events=5)
    never = hunt.Catch(60.0, seeds=9000)
    hunt.write_document({name: hunt.row(name, {"swarm": slow}) for name in (first, second)})
    assert "swarm" not in hunt.DOCUMENT.read_text().split("| Bug")[0]  # not within its time
    hunt.write_document({second: hunt.row(second, {"swarm": quick, "fixed": never})})
    text = hunt.DOCUMENT.read_text()
    assert "swarm: 1 of 2 found within 60 s of one core, median 2.0 s" in text
    assert "shrunk: 2, median 6 events" in text
    assert text.count(f"`{first}`") == text.count(f"`{second}`") == 1
    assert "| 1 seed, 2.0 s |" in text and "| not in 9000 seeds |" in text
    assert text.startswith("before\n") and text.endswith("after\n")
