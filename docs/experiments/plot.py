"""Draws what `raftsim experiment` has counted: plot.py TABLE.csv SUMMARY.json FIGURE.png

Ends with 3 where matplotlib is not there."""

import csv
import json
import sys
from collections import defaultdict
from typing import Any

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    sys.exit(3)

NO_MATPLOTLIB = 3
COLOURS = ["#1b6ca8", "#e07b39", "#3a9d5d", "#b03a6f", "#7a6ac2", "#7f7f7f"]
Row = dict[str, str]
Summary = dict[str, Any]


def legend(axes: Any, **options: Any) -> None:
    axes.legend(fontsize=7, frameon=False, **options)


# ---- election-timeouts ---------------------------------------------------------------

RANDOMNESS = [(150, 150), (150, 151), (150, 155), (150, 175), (150, 200), (150, 300)]
SCALE = [(12, 24), (25, 50), (50, 100), (100, 200), (150, 300)]


def cumulative(axes: Any, rows: list[Row], results: list[Summary], ranges: list) -> None:
    """One curve for each range, and the paper's figures as stars of its colour."""
    times = defaultdict(list)
    for row in rows:
        if row["ended"] == "1":
            times[int(row["low_ms"]), int(row["high_ms"])].append(
                int(row["leaderless_us"]) / 1000
            )
    trials = defaultdict(int)
    for row in rows:
        trials[int(row["low_ms"]), int(row["high_ms"])] += 1
    for colour, key in zip(COLOURS, ranges):
        label = f"{key[0]}\N{EN DASH}{key[1]} ms"
        shown = sorted(times[key])
        share = [100 * (i + 1) / trials[key] for i in range(len(shown))]
        if not shown:
            label += " (never)"
        axes.step(shown, share, where="post", color=colour, linewidth=1.2, label=label)
        told = next(r for r in results if (r["low_ms"], r["high_ms"]) == key)
        star = {"color": colour, "marker": "*", "markersize": 11, "zorder": 5}
        star |= {"markeredgecolor": "black", "markeredgewidth": 0.6, "linestyle": ""}
        if "paper_median_ms" in told:
            axes.plot([told["paper_median_ms"]], [50], **star)
        if "paper_worst_ms" in told:
            axes.plot([told["paper_worst_ms"]], [100], clip_on=False, **star)
        if "paper_mean_ms" in told:
            axes.axvline(told["paper_mean_ms"], color=colour, linestyle=":", linewidth=1.2)
        if "paper_above_ms" in told:
            axes.axvspan(told["paper_above_ms"], 100000, color=colour, alpha=0.12, linewidth=0)
    axes.set_xscale("log")
    axes.set_ylim(0, 102)
    axes.grid(alpha=0.25)


def window(axes: Any, results: list[Summary]) -> None:
    """The three figures of the paper against the time that a vote takes."""
    wanted = [
        ((150, 155), "median", COLOURS[2]),
        ((150, 200), "worst", COLOURS[4]),
        ((12, 24), "mean", COLOURS[0]),
    ]
    for key, what, colour in wanted:
        ours = sorted(
            (r["vote_us"] / 1000, r[f"{what}_us"] / 1000, r[f"paper_{what}_ms"])
            for r in results
            if (r["low_ms"], r["high_ms"]) == key and not r["pre_vote"]
        )
        label = f"{key[0]}\N{EN DASH}{key[1]} ms: {what}"
        axes.plot([o[0] for o in ours], [o[1] for o in ours], "o-", color=colour, label=label)
        axes.axhline(ours[0][2], color=colour, linestyle=":", linewidth=1.2)
    axes.set_yscale("log")
    axes.set_xlabel("time of a vote (ms): own write, there, their write, back")
    axes.set_ylabel("time without a leader (ms)")
    axes.set_title("what would explain the paper's figures (dotted)", fontsize=9)
    axes.grid(alpha=0.25)
    legend(axes)


def election_timeouts(rows: list[Row], summary: Summary) -> Any:
    figure, axes = pyplot.subplots(3, 2, figsize=(9.5, 10), sharey=False)
    lines = [(15000, False), (5000, False)]
    for line, (vote_us, pre_vote) in enumerate(lines):
        named = f"a vote takes {vote_us // 1000} ms"
        chosen = [
            r
            for r in rows
            if int(r["vote_us"]) == vote_us and (r["pre_vote"] == "1") == pre_vote
        ]
        told = [
            r
            for r in summary["results"]
            if r["vote_us"] == vote_us and r["pre_vote"] == pre_vote
        ]
        for column, ranges in enumerate((RANDOMNESS, SCALE)):
            at = axes[line][column]
            cumulative(at, chosen, told, ranges)
            at.set_xlim(*((80, 100000) if column == 0 else (10, 1000)))
            at.set_ylabel("% of trials")
            at.set_xlabel("time without a leader (ms)")
            at.set_title(f"{('randomness', 'scale')[column]}: {named}", fontsize=9)
            legend(at, loc="lower right")
    window(axes[2][0], summary["results"])
    with_pre_vote = [r for r in rows if r["pre_vote"] == "1"]
    told = [
        {k: v for k, v in r.items() if not k.startswith("paper")}
        for r in summary["results"]
        if r["pre_vote"]
    ]
    cumulative(axes[2][1], with_pre_vote, told, RANDOMNESS)
    axes[2][1].set_xlim(80, 100000)
    axes[2][1].set_xlabel("time without a leader (ms)")
    axes[2][1].set_title("randomness: a vote takes 15 ms, with pre-vote", fontsize=9)
    legend(axes[2][1], loc="lower right")
    figure.suptitle(
        "Time without a leader, ours (curves) and the paper's figure 16 "
        "(stars: median, worst; dotted: mean; shade: \N{GREATER-THAN OR EQUAL TO} 10 s)",
        fontsize=9,
    )
    return figure


# ---- availability ---------------------------------------------------------------------

PATTERNS = ["quorum-loss", "chained", "constrained"]
MECHANISMS = {
    (False, False): "neither",
    (True, False): "pre-vote alone",
    (False, True): "check-quorum alone",
    (True, True): "both",
}


def bars(axes: Any, results: list[Summary], what: str, scale: float) -> None:
    """A group of bars for each pattern; whiskers from the least to the most."""
    for number, (mechanisms, label) in enumerate(MECHANISMS.items()):
        told = {
            r["pattern"]: r
            for r in results
            if (r["pre_vote"], r["check_quorum"]) == mechanisms
        }
        for group, pattern in enumerate(PATTERNS):
            mean, least, most = (
                told[pattern][what + end] / scale for end in ("", "_least", "_most")
            )
            axes.bar(
                group + 0.2 * (number - 1.5),
                mean,
                0.18,
                yerr=[[max(0, mean - least)], [max(0, most - mean)]],
                color=COLOURS[number],
                label=label if group == 0 else None,
                error_kw={"linewidth": 0.8},
            )
    axes.set_xticks(range(len(PATTERNS)), PATTERNS, fontsize=8)
    axes.grid(axis="y", alpha=0.25)


def availability(rows: list[Row], summary: Summary) -> Any:
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.4))
    results = summary["results"]
    bars(axes[0], results, "available_permille", 10)
    axes[0].set_title("time in which a write succeeds (%)", fontsize=9)
    bars(axes[1], results, "terms", 1)
    axes[1].set_title("terms used up in 30 s", fontsize=9)
    bars(axes[2], results, "healing_us", 1000)
    axes[2].set_title("longest gap once all is healed (ms)", fontsize=9)
    legend(axes[1], loc="upper left")
    return figure


# ---- batching -------------------------------------------------------------------------

BATCHES = [1, 8, 64, 256]
COMBINATIONS = [(1, 1), (1, 32), (64, 1), (64, 8), (256, 32)]


def batching(rows: list[Row], summary: Summary) -> Any:
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.6))
    results = summary["results"]
    most = max(r["outstanding"] for r in results)
    for colour, batch in zip(COLOURS, BATCHES):
        chosen = [r for r in results if r["batch"] == batch and r["outstanding"] == most]
        windows = [r["window"] for r in chosen]
        label = f"batches of {batch}"
        rates = [r["commands_per_s"] for r in chosen]
        axes[0].plot(windows, rates, "o-", color=colour, label=label)
        medians = [r["median_us"] / 1000 for r in chosen]
        axes[1].plot(windows, medians, "o-", color=colour, label=label)
    for at, what in zip(axes, ("commands a second", "median latency (ms)")):
        at.set_xscale("log", base=2)
        at.set_yscale("log")
        at.set_xlabel("window (messages in flight to a follower)")
        at.set_title(f"{what}, {most} commands outstanding", fontsize=9)
    for colour, (batch, window) in zip(COLOURS, COMBINATIONS):
        chosen = [r for r in results if (r["batch"], r["window"]) == (batch, window)]
        axes[2].plot(
            [r["commands_per_s"] for r in chosen],
            [r["median_us"] / 1000 for r in chosen],
            "o-",
            color=colour,
            label=f"batch {batch}, window {window}",
        )
    axes[2].set_xscale("log")
    axes[2].set_yscale("log")
    axes[2].set_xlabel("commands a second")
    axes[2].set_title("median latency (ms), 1, 16, 128, 1024 outstanding", fontsize=9)
    for at in axes:
        at.grid(alpha=0.25)
        legend(at)
    return figure


# ---- leases ---------------------------------------------------------------------------

TIMEOUT_MS = 150


def expected(bound: int, drift: float, taken_ms: float) -> float:
    """The share of elections that end, with a write, before the lease does: the earlier
    of two timeouts in [T, 2T), on clocks that are fast, against (1 - bound) T less 1 ms."""
    left_ms = TIMEOUT_MS * (100 - bound) / 100 - 1 - taken_ms
    within = (left_ms * (1 + drift / 100) - TIMEOUT_MS) / TIMEOUT_MS
    return 1 - (1 - min(max(within, 0), 1)) ** 2


def leases(rows: list[Row], summary: Summary) -> Any:
    figure, axes = pyplot.subplots(1, 2, figsize=(9.5, 3.8))
    results = summary["results"]
    drifts = [d / 2 for d in range(0, 201)]
    for colour, bound in zip(COLOURS, sorted({r["bound_percent"] for r in results})):
        chosen = [r for r in results if r["bound_percent"] == bound]
        at = [r["drift_percent"] for r in chosen]
        label = f"lease for {bound} %"
        broken = [100 * r["broken"] / r["trials"] for r in chosen]
        axes[0].plot(at, broken, "o", markersize=4, color=colour, label=label)
        line = [100 * expected(bound, drift, 1.5) for drift in drifts]
        axes[0].plot(drifts, line, "-", color=colour, linewidth=0.8)
        axes[0].axvline(100 * bound / (100 - bound), color=colour, linestyle=":", linewidth=1)
        longest = [r["longest_us"] / 1000 for r in chosen]
        axes[1].plot(at, longest, "o-", markersize=4, color=colour, label=label)
    axes[0].set_title(
        "trials with an old value (%); line: expected; dotted: safe up to here", fontsize=9
    )
    axes[1].set_title("an old value for so long at most (ms)", fontsize=9)
    for place in axes:
        place.set_xlabel("how much faster the others' clocks run (%)")
        place.grid(alpha=0.25)
        legend(place)
    return figure


# ---- all -----------------------------------------------------------------------------

FIGURES = {
    "election-timeouts": election_timeouts,
    "availability": availability,
    "batching": batching,
    "leases": leases,
}


def main(table: str, told: str, picture: str) -> int:
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with open(told, encoding="utf-8") as file:
        summary = json.load(file)
    figure = FIGURES[summary["experiment"]](rows, summary)
    figure.tight_layout()
    figure.savefig(picture, dpi=80, metadata={"Software": None})
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
