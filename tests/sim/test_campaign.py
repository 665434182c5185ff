"""tests/raftlab/sweep.py: seeds on many machines, and one SQLite file of what they did."""

import json
import pathlib
import subprocess
from typing import Any

import pytest

from raftlab import build, sweep

FLAGS = ["--duration", "300ms"]
BROKEN = ["--nodes", "3", "--clients", "4", "--keys", "1", "--duration", "2s"] + [
    *("--faults", "partition"),
    *("--lease", "1", "--drift", "80"),
]


def campaign(
    db: pathlib.Path, seeds: str, *more: str, flags: list[str] = FLAGS
) -> tuple[int, sweep.Results]:
    program = str(build.program("raftsim"))
    words = ["--db", str(db), "--seeds", seeds, "--program", program, *more, "--", *flags]
    return sweep.main(words), sweep.Results(str(db))


def rows(results: sweep.Results, query: str) -> list[tuple]:
    return results.db.execute(query).fetchall()


def everything(results: sweep.Results) -> list[list[tuple]]:
    """What depends on the seeds alone."""
    columns = ", ".join(name for name in sweep.COLUMNS if name != "wall_ms")
    queries = (
        f"SELECT seed, {columns} FROM run ORDER BY CAST(seed AS INTEGER)",
        "SELECT * FROM strike ORDER BY 2, 3",
        "SELECT * FROM violation ORDER BY 2, 3",
        "SELECT * FROM mark ORDER BY 2",
    )
    return [rows(results, query) for query in queries]


# ---- ranges ----------------------------------------------------------------------------


def test_ranges_cover_each_seed_once_and_meet_whatever_the_first_is() -> None:
    for first, last, size in ((1, 1000, 200), (5, 5, 10), (0, 99, 100), (37, 612, 50)):
        ranges = list(sweep.split(first, last, size))
        seeds = [seed for low, high in ranges for seed in range(low, high + 1)]
        assert seeds == list(range(first, last + 1))
        assert all(low % size == 0 for low, _ in ranges[1:])
        assert all(high - low < size for low, high in ranges)


# ---- what is kept ----------------------------------------------------------------------


def test_the_file_holds_what_the_sweep_reports(tmp_path: pathlib.Path) -> None:
    code, results = campaign(tmp_path / "r.sqlite", "1..30", "--range", "8")
    program = str(build.program("raftsim"))
    words = [program, "sweep", "--seeds", "1..30", *FLAGS]
    whole = json.loads(subprocess.run(words, capture_output=True, text=True).stdout)
    assert code == 0
    assert rows(results, "SELECT count(*), sum(ok) FROM run") == [(30, 30)]
    for name in "events elections committed messages configurations".split():
        assert rows(results, f"SELECT sum({name}) FROM run") == [(whole[name],)]
    assert dict(rows(results, "SELECT kind, sum(strikes) FROM strike GROUP BY kind")) == (
        whole["strikes"]
    )
    reached = dict(rows(results, "SELECT name, runs FROM mark WHERE runs > 0"))
    assert reached == whole["reached"]
    assert {name for (name,) in rows(results, "SELECT name FROM mark WHERE runs = 0")} == set(
        whole["not_reached"]
    )


def test_seeds_that_are_there_are_not_run_again(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "r.sqlite"
    campaign(path, "1..20", "--range", "7")
    before = rows(campaign(path, "1..20", "--range", "5")[1], "SELECT rowid, * FROM range")
    assert len(before) == 3
    _, results = campaign(path, "10..30", "--range", "7")
    assert rows(results, "SELECT count(*) FROM run") == [(30,)]
    assert rows(results, "SELECT sum(last - first + 1) FROM range") == [(30,)]
    _, fresh = campaign(tmp_path / "fresh.sqlite", "1..30")
    assert everything(results) == everything(fresh)


def test_other_flags_are_another_campaign(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "r.sqlite"
    campaign(path, "1..3")
    _, results = campaign(path, "1..3", flags=[*FLAGS, "--nodes", "3"])
    assert rows(results, "SELECT campaign, count(*) FROM run GROUP BY 1") == [(1, 3), (2, 3)]


def test_failures_are_kept_with_their_rule_and_fail_the_campaign(
    tmp_path: pathlib.Path, capsys: Any
) -> None:
    code, results = campaign(tmp_path / "r.sqlite", "1..30", flags=BROKEN)
    assert code == 1
    heads, found = results.show("failures")
    failure = dict(zip(heads, found[0]))
    assert failure["rule"] == "linearizability" and failure["runs"] >= 1
    assert rows(results, "SELECT count(*) FROM run WHERE NOT ok") == [(failure["runs"],)]
    assert f"--seed {failure['first_seed']}" in capsys.readouterr().err


@pytest.mark.parametrize("name", sweep.QUERIES)
def test_every_query_has_an_answer(name: str, tmp_path: pathlib.Path) -> None:
    _, results = campaign(tmp_path / "r.sqlite", "1..5")
    heads, found = results.show(name)
    assert heads and all(len(row) == len(heads) for row in found)
    assert found or name == "failures"


def test_the_figure_is_drawn(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib", reason="python3-matplotlib is not installed")
    _, results = campaign(tmp_path / "r.sqlite", "1..5")
    sweep.plot(results, str(tmp_path / "figure.png"))
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_worker_that_cannot_run_it_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RuntimeError, match="unknown flag --nothing"):
        campaign(tmp_path / "r.sqlite", "1..3", flags=["--nothing", "1"])


# ---- Dask ------------------------------------------------------------------------------


# Of Debian 12's tornado, which Dask uses.
@pytest.mark.filterwarnings("ignore:make_current is deprecated:DeprecationWarning")
def test_a_dask_cluster_finds_the_same(tmp_path: pathlib.Path) -> None:
    distributed = pytest.importorskip(
        "distributed", reason="python3-distributed is not installed (tests/bootstrap.sh)"
    )
    _, here = campaign(tmp_path / "here.sqlite", "1..24", "--range", "6")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        code, there = campaign(
            tmp_path / "there.sqlite", "1..24", "--range", "6", "--dask", address
        )
    assert code == 0
    assert everything(here) == everything(there)
    workers = rows(there, "SELECT DISTINCT worker FROM range")
    assert workers and all(worker.startswith("tcp://127.0.0.1:") for (worker,) in workers)
