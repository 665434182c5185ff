"""`raftsim experiment`: few trials of each, and the shape of what they find."""

import csv
import functools
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
from typing import Any

import pytest

from raftlab import build

SECONDS_MAX = 240
TRIALS = {"election-timeouts": 30, "availability": 2, "batching": 1, "leases": 30}
Rows = list[dict[str, str]]


def experiment(
    name: str,
    directory: pathlib.Path,
    *flags: Any,
    sanitized: bool = False,
    path: str | None = None,
) -> subprocess.CompletedProcess[str]:
    program = build.program("raftsim", sanitized=sanitized)
    return subprocess.run(
        [str(program), "experiment", name, "--out", str(directory), *map(str, flags)],
        cwd=build.ROOT if path is None else path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        env=os.environ | {"MPLCONFIGDIR": str(directory)},
    )


@functools.cache
def found(name: str) -> tuple[Rows, dict[str, Any], str]:
    """The table, the summary and what was told of one run with few trials."""
    with tempfile.TemporaryDirectory() as directory:
        done = experiment(name, pathlib.Path(directory), "--trials", TRIALS[name])
        assert done.returncode == 0, done.stderr
        with open(f"{directory}/{name}.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return rows, json.loads(done.stdout), done.stderr


# ---- all -----------------------------------------------------------------------------


def test_the_experiments_are_listed() -> None:
    done = subprocess.run(
        [str(build.program("raftsim")), "experiment"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(TRIALS)


@pytest.mark.parametrize("name", TRIALS)
def test_an_experiment_has_a_page_with_its_figure(name: str) -> None:
    page = (build.ROOT / f"docs/experiments/{name}.md").read_text(encoding="utf-8")
    assert f"]({name}.png)" in page and f"raftsim experiment {name}" in page


@pytest.mark.parametrize("name", TRIALS)
def test_each_compiler_counts_the_same(name: str, tmp_path: pathlib.Path) -> None:
    tables = []
    for sanitized in (False, True):
        directory = tmp_path / str(sanitized)
        flags = ("--trials", 1, "--seed", 5, "--plot", "no")
        done = experiment(name, directory, *flags, sanitized=sanitized)
        assert done.returncode == 0, done.stderr
        assert "plot" not in json.loads(done.stdout) and "no plot" not in done.stderr
        tables.append((directory / f"{name}.csv").read_bytes())
    assert tables[0] == tables[1] and tables[0].count(b"\n") > 10


@pytest.mark.parametrize("name", TRIALS)
def test_there_is_a_plot_exactly_where_matplotlib_is(name: str) -> None:
    asked = [
        subprocess.run([python, "-c", "import matplotlib"], capture_output=True)
        for python in ("/usr/bin/python3",)
    ]
    _, summary, told = found(name)
    assert ("plot" in summary) == (asked[0].returncode == 0)
    assert ("no plot: Python's matplotlib is not here" in told) != ("plot" in summary)


def test_without_the_plotter_there_is_a_table(tmp_path: pathlib.Path) -> None:
    alone = tmp_path / "alone" / "bin"
    alone.mkdir(parents=True)
    program = alone / "raftsim"
    program.write_bytes(build.program("raftsim").read_bytes())
    program.chmod(0o755)
    done = subprocess.run(
        [str(program), "experiment", "availability", "--trials", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0
    assert "no plot: docs/experiments/plot.py is not here" in done.stderr
    assert (tmp_path / "availability.csv").exists()
    assert "plot" not in json.loads(done.stdout)


@pytest.mark.parametrize(
    "flags, told",
    [
        (("nonsense",), 'there is no experiment "nonsense"'),
        (("availability", "--trials", "0"), "--trials must be"),
        (("availability", "--seed", "x"), "--seed must be"),
        (("availability", "--plot", "maybe"), "--plot must be"),
        (("availability", "--speed", "1"), "unknown flag --speed"),
        (("availability", "--trials"), "--trials needs a value"),
        (("availability", "--out", "/dev/null/x"), "cannot make /dev/null/x"),
    ],
)
def test_bad_input_is_named(flags: tuple[str, ...], told: str) -> None:
    done = subprocess.run(
        [str(build.program("raftsim")), "experiment", *flags], capture_output=True, text=True
    )
    assert done.returncode == 2 and told in done.stderr and done.stdout == ""


# ---- election-timeouts ---------------------------------------------------------------


def leaderless(vote_us: int, low: int, high: int, pre_vote: int = 0) -> list[int]:
    rows, _, _ = found("election-timeouts")
    asked = (f"{vote_us}", f"{pre_vote}", f"{low}", f"{high}")
    chosen = [
        int(row["leaderless_us"])
        for row in rows
        if (row["vote_us"], row["pre_vote"], row["low_ms"], row["high_ms"]) == asked
    ]
    assert len(chosen) == TRIALS["election-timeouts"]
    return chosen


def test_the_table_of_election_timeouts_has_its_columns() -> None:
    rows, summary, _ = found("election-timeouts")
    assert list(rows[0]) == (
        "vote_us pre_vote low_ms high_ms trial leaderless_us terms ended first_us winner".split()
    )
    assert len(rows) == TRIALS["election-timeouts"] * len(summary["results"])


def test_the_summary_tells_what_the_table_says() -> None:
    _, summary, _ = found("election-timeouts")
    for result in summary["results"]:
        asked = (result["vote_us"], result["low_ms"], result["high_ms"], result["pre_vote"])
        times = leaderless(*map(int, asked))
        assert result["least_us"] == min(times) and result["worst_us"] == max(times)
        assert result["median_us"] == statistics.median_low(times)
        assert result["mean_us"] == sum(times) // len(times)


def test_the_papers_figures_stand_beside_ours() -> None:
    _, summary, told = found("election-timeouts")
    at_15_ms = {
        (r["low_ms"], r["high_ms"]): r
        for r in summary["results"]
        if r["vote_us"] == 15000 and not r["pre_vote"]
    }
    assert at_15_ms[150, 155]["paper_median_ms"] == 287
    assert at_15_ms[150, 200]["paper_worst_ms"] == 513
    assert at_15_ms[12, 24]["paper_mean_ms"] == 35
    assert at_15_ms[12, 24]["paper_worst_ms"] == 152
    assert "paper: median 287" in told


def test_nobody_leads_before_a_timeout_less_a_heartbeat() -> None:
    for vote_us in (15000, 5000):
        for low, high in ((150, 300), (100, 200), (50, 100)):
            assert min(leaderless(vote_us, low, high)) >= low * 500


def test_who_lacks_entries_of_two_others_never_wins() -> None:
    rows, _, _ = found("election-timeouts")
    assert {r["winner"] for r in rows if r["ended"] == "1"} == {"3", "4"}
    for row in rows:
        assert int(row["first_us"]) <= int(row["leaderless_us"])


def test_without_randomness_nobody_is_ever_elected() -> None:
    rows, _, _ = found("election-timeouts")
    exact = [r for r in rows if (r["low_ms"], r["high_ms"]) == ("150", "150")]
    assert {r["ended"] for r in exact if r["pre_vote"] == "0"} == {"0"}
    assert {r["ended"] for r in exact if r["pre_vote"] == "1"} == {"1"}


def test_a_narrow_range_elects_slower_than_a_wide_one() -> None:
    medians = [
        statistics.median(leaderless(15000, 150, high)) for high in (150, 151, 155, 175)
    ]
    assert medians == sorted(medians, reverse=True)
    assert medians[2] > 4 * statistics.median(leaderless(15000, 150, 200))


def test_shorter_timeouts_elect_sooner_where_votes_are_fast() -> None:
    scale = [(12, 24), (25, 50), (50, 100), (100, 200), (150, 300)]
    medians = [statistics.median(leaderless(5000, *range_ms)) for range_ms in scale]
    assert medians == sorted(medians)


def test_the_papers_median_lies_between_votes_of_five_and_of_seven_ms() -> None:
    medians = [
        statistics.median(leaderless(vote_us, 150, 155)) for vote_us in (2500, 7500, 15000)
    ]
    assert medians[0] < 287000 < medians[1] < medians[2]


def test_pre_votes_do_not_split() -> None:
    split = leaderless(15000, 150, 155)
    asked = leaderless(15000, 150, 155, pre_vote=1)
    assert max(asked) < statistics.median(split)


def test_more_than_one_term_is_a_split_vote_or_a_log_too_short() -> None:
    rows, _, _ = found("election-timeouts")
    for row in rows:
        if row["ended"] == "1":
            assert int(row["terms"]) >= 1
            if row["low_ms"] == "150" and int(row["leaderless_us"]) > 400000:
                assert int(row["terms"]) > 1


# ---- availability --------------------------------------------------------------------


def partitioned(pattern: str, what: str) -> dict[tuple[bool, bool], list[int]]:
    """For (pre-vote, check-quorum): what was found in each trial."""
    rows, _, _ = found("availability")
    result: dict[tuple[bool, bool], list[int]] = {}
    for row in rows:
        if row["pattern"] == pattern:
            key = (row["pre_vote"] == "1", row["check_quorum"] == "1")
            result.setdefault(key, []).append(int(row[what]))
    assert len(result) == (1 if pattern == "none" else 4)
    assert all(len(values) == TRIALS["availability"] for values in result.values())
    return result


def test_the_table_of_availability_has_its_columns() -> None:
    rows, _, _ = found("availability")
    assert list(rows[0]) == (
        "pattern pre_vote check_quorum trial available_permille longest_gap_us writes "
        "leaders terms healing_us"
    ).split()


def test_with_all_links_nothing_happens() -> None:
    for permille in partitioned("none", "available_permille").values():
        assert set(permille) == {1000}
    for terms in partitioned("none", "terms").values():
        assert set(terms) == {0}


def test_pre_vote_alone_never_gets_out_of_a_quorum_loss() -> None:
    available = partitioned("quorum-loss", "available_permille")
    for mechanisms, permille in available.items():
        if mechanisms == (True, False):
            assert set(permille) == {0}
        else:
            assert min(permille) > 900
    assert set(partitioned("quorum-loss", "leaders")[True, True]) == {1}


def test_nothing_gets_out_of_a_constrained_election() -> None:
    for permille in partitioned("constrained", "available_permille").values():
        assert set(permille) == {0}
    for (pre_vote, _), terms in partitioned("constrained", "terms").items():
        assert max(terms) == 0 if pre_vote else min(terms) > 100


def test_a_chain_is_left_alone_by_both_mechanisms_together() -> None:
    assert set(partitioned("chained", "terms")[True, True]) == {0}
    assert min(partitioned("chained", "leaders")[False, False]) >= 1


def test_check_quorum_alone_pays_when_a_chain_is_healed() -> None:
    gaps_us = partitioned("chained", "healing_us")
    assert min(gaps_us[False, True]) > 100000 > max(gaps_us[True, True])


# ---- batching ------------------------------------------------------------------------


def batched(batch: int, window: int, outstanding: int) -> dict[str, int]:
    _, summary, _ = found("batching")
    asked = (batch, window, outstanding)
    (result,) = (
        r
        for r in summary["results"]
        if (r["batch"], r["window"], r["outstanding"]) == asked
    )
    return result


def test_the_table_of_batching_has_its_columns() -> None:
    rows, summary, _ = found("batching")
    assert list(rows[0]) == (
        "batch window outstanding trial commands_per_s median_us p99_us "
        "messages_per_kilo syncs_per_kilo"
    ).split()
    assert len(rows) == len(summary["results"]) * TRIALS["batching"]


def test_a_longer_window_or_a_larger_batch_does_more_until_the_cable_is_full() -> None:
    for batch in (1, 8):
        rates = [batched(batch, w, 1024)["commands_per_s"] for w in (1, 2, 4, 8, 16, 32)]
        assert rates == sorted(rates)
    for window in (1, 2):
        rates = [batched(b, window, 1024)["commands_per_s"] for b in (1, 8, 64, 256)]
        assert rates == sorted(rates)
    assert batched(256, 32, 1024)["commands_per_s"] < batched(256, 2, 1024)["commands_per_s"]


def test_one_at_a_time_is_a_round_trip_and_a_sync() -> None:
    alone = batched(1, 1, 1)
    assert 1300 < alone["median_us"] < 1800 and alone["syncs_per_kilo"] in range(980, 1021)


def test_group_commit_shares_syncs() -> None:
    assert batched(1, 8, 1024)["syncs_per_kilo"] < 300


def test_latency_times_throughput_is_what_is_outstanding() -> None:
    for batch, window in ((1, 1), (8, 8), (64, 8), (256, 32)):
        result = batched(batch, window, 1024)
        outstanding = result["median_us"] * result["commands_per_s"] / 1e6
        assert 900 < outstanding < 1150


# ---- leases --------------------------------------------------------------------------


def test_the_table_of_leases_has_its_columns() -> None:
    rows, _, _ = found("leases")
    assert list(rows[0]) == (
        "bound_percent drift_percent trial written_us stale_reads stale_us".split()
    )


def test_a_lease_holds_up_to_its_bound_and_not_far_beyond() -> None:
    _, summary, _ = found("leases")
    for result in summary["results"]:
        bound, drift = result["bound_percent"], result["drift_percent"]
        assert result["trials"] == TRIALS["leases"]
        if drift * (100 - bound) <= 100 * bound:
            assert result["broken"] == 0 and result["stale_reads"] == 0
        if drift >= 2 * bound + 40:
            assert result["broken"] > 0


def test_more_drift_breaks_more_leases() -> None:
    _, summary, _ = found("leases")
    for bound in (1, 10, 30):
        broken = [r["broken"] for r in summary["results"] if r["bound_percent"] == bound]
        assert broken == sorted(broken) and broken[-1] > 2 * broken[len(broken) // 2]


def test_an_old_value_is_read_no_longer_than_the_gap_is() -> None:
    _, summary, _ = found("leases")
    for result in summary["results"]:
        lease_ms = 150 * (100 - result["bound_percent"]) / 100
        earliest_ms = 150 * 100 / (100 + result["drift_percent"])
        assert result["longest_us"] <= max(0, (lease_ms - earliest_ms) * 1000)
