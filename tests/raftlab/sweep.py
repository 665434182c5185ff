#!/usr/bin/env python3
"""Campaigns of raftsim sweep, past one machine, into one SQLite file that can be queried.

    tests/raftlab/sweep.py --seeds 1..100000 --db results.sqlite -- --nodes 3
    tests/raftlab/sweep.py --seeds 1..100000 --db results.sqlite --dask tcp://host:8786
    tests/raftlab/sweep.py --db results.sqlite --show failures
    tests/raftlab/sweep.py --db results.sqlite --plot figure.png

What follows `--` are flags of `raftsim sweep`. Seeds are handed out in ranges: to threads
here, to a Dask cluster (--dask), or to one that is started on this machine (--local). A
worker needs raftsim (--program, the same path everywhere) and nothing of this project.
Ranges that the file holds already, for the same flags and version, are not run again, so
that a campaign can be interrupted, and made longer. docs/sweep.md has the schema.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Optional

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RANGE = 200  # seeds at a time
Range = tuple[int, int]

SCHEMA = """
CREATE TABLE IF NOT EXISTS campaign (
    id      INTEGER PRIMARY KEY,
    flags   TEXT NOT NULL,            -- of raftsim sweep, as JSON
    version TEXT NOT NULL,            -- raftsim --version
    UNIQUE (flags, version));
CREATE TABLE IF NOT EXISTS range (    -- what has been run
    campaign INTEGER NOT NULL REFERENCES campaign,
    first INTEGER NOT NULL, last INTEGER NOT NULL,
    worker TEXT NOT NULL, wall_ms INTEGER NOT NULL, trace_hash TEXT NOT NULL,
    PRIMARY KEY (campaign, first, last));
CREATE TABLE IF NOT EXISTS run (      -- one for each seed
    campaign INTEGER NOT NULL REFERENCES campaign, seed TEXT NOT NULL,
    ok INTEGER NOT NULL, linearizable TEXT, trace_hash TEXT,
    nodes INTEGER, spares INTEGER, lease INTEGER,
    events INTEGER, virtual_ms INTEGER, wall_ms INTEGER, settle_ms INTEGER,
    elections INTEGER, committed INTEGER, operations INTEGER, unknown_outcomes INTEGER,
    retries INTEGER, messages INTEGER, messages_lost INTEGER, configurations INTEGER,
    snapshots_taken INTEGER, snapshots_received INTEGER,
    report TEXT NOT NULL,             -- the whole line of JSON
    PRIMARY KEY (campaign, seed));
CREATE TABLE IF NOT EXISTS strike (   -- how often each kind of fault struck
    campaign INTEGER NOT NULL, seed TEXT NOT NULL, kind TEXT NOT NULL,
    strikes INTEGER NOT NULL, PRIMARY KEY (campaign, seed, kind));
CREATE TABLE IF NOT EXISTS violation (
    campaign INTEGER NOT NULL, seed TEXT NOT NULL, place INTEGER NOT NULL,
    rule TEXT NOT NULL, event INTEGER, time_us INTEGER, node INTEGER, text TEXT,
    PRIMARY KEY (campaign, seed, place));
CREATE TABLE IF NOT EXISTS mark (     -- runs that came by each mark of raft/reached.h
    campaign INTEGER NOT NULL, name TEXT NOT NULL, runs INTEGER NOT NULL,
    PRIMARY KEY (campaign, name));
"""

COLUMNS = (
    "ok linearizable trace_hash nodes spares lease events virtual_ms wall_ms settle_ms "
    "elections committed operations unknown_outcomes retries messages messages_lost "
    "configurations snapshots_taken snapshots_received"
).split()

QUERIES = {
    "summary": """
        SELECT campaign, count(*) AS runs, sum(NOT ok) AS failures, sum(events) AS events,
               sum(virtual_ms) / 1000 AS virtual_s, sum(elections) AS elections,
               sum(configurations) AS changes, sum(snapshots_received) AS snapshots,
               sum(events) * 1000 / max(1, sum(wall_ms)) AS events_a_second
        FROM run GROUP BY campaign""",
    "failures": """
        SELECT v.campaign, v.rule, count(*) AS runs, min(CAST(v.seed AS INTEGER)) AS first_seed,
               v.text AS example
        FROM violation v WHERE v.place = 0 GROUP BY v.campaign, v.rule ORDER BY runs DESC""",
    "marks": """
        SELECT campaign, name, runs FROM mark ORDER BY campaign, runs, name""",
    "strikes": """
        SELECT s.kind, sum(s.strikes) AS strikes, sum(s.strikes > 0) AS runs,
               round(avg(CASE WHEN s.strikes > 0 THEN r.elections END), 2) AS elections_with,
               round(avg(CASE WHEN s.strikes = 0 THEN r.elections END), 2) AS elections_without
        FROM strike s JOIN run r USING (campaign, seed) GROUP BY s.kind ORDER BY s.kind""",
    "slowest": """
        SELECT campaign, seed, wall_ms, events, operations
        FROM run ORDER BY wall_ms DESC LIMIT 10""",
}


# ---- the work --------------------------------------------------------------------------


def split(first: int, last: int, size: int) -> Iterator[Range]:
    """Ranges that lie at the same places whatever the first seed is, so that they meet."""
    while first <= last:
        end = min(last, (first // size + 1) * size - 1)
        yield first, end
        first = end + 1


def run_range(program: str, seeds: Range, flags: list[str]) -> dict[str, Any]:
    """On a worker: the seeds' summary and the reports of the single runs."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "runs.jsonl"
        words = ["sweep", "--seeds", f"{seeds[0]}..{seeds[1]}", "--jobs", "1", "--out", str(out)]
        done = subprocess.run([program, *words, *flags], capture_output=True, text=True)
        if done.returncode not in (0, 1) or not done.stdout:
            raise RuntimeError(f"raftsim {' '.join(words)}: {done.stderr.strip()}")
        summary = json.loads(done.stdout)
        if summary["seeds"] != seeds[1] - seeds[0] + 1:
            raise RuntimeError(f"only {summary['seeds']} of {seeds} were run")
        return {"summary": summary, "runs": out.read_text().splitlines()}


# Takes the ranges, and gives each with its result and who ran it, in any order.
Runner = Callable[[list[Range]], Iterable[tuple[Range, dict[str, Any], str]]]


def in_threads(program: str, flags: list[str], jobs: int) -> Runner:
    def runner(ranges: list[Range]) -> Iterator[tuple[Range, dict[str, Any], str]]:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            waiting = {pool.submit(run_range, program, seeds, flags): seeds for seeds in ranges}
            try:
                for done in concurrent.futures.as_completed(waiting):
                    yield waiting[done], done.result(), "here"
            finally:
                pool.shutdown(cancel_futures=True)

    return runner


def on_dask(program: str, flags: list[str], client: Any) -> Runner:
    """`client` is a distributed.Client. This module goes to the workers by value."""
    import cloudpickle
    from distributed import as_completed

    cloudpickle.register_pickle_by_value(sys.modules[__name__])

    def runner(ranges: list[Range]) -> Iterator[tuple[Range, dict[str, Any], str]]:
        waiting = {
            client.submit(run_on_dask, program, seeds, flags, pure=False): seeds
            for seeds in ranges
        }
        for done in as_completed(waiting):
            result, worker = done.result()
            yield waiting[done], result, worker

    return runner


def run_on_dask(program: str, seeds: Range, flags: list[str]) -> tuple[dict[str, Any], str]:
    from distributed import get_worker

    return run_range(program, seeds, flags), str(get_worker().address)


# ---- the results -----------------------------------------------------------------------


class Results:
    """The SQLite file; what is added of a range is added at once, or not at all."""

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path)
        self.db.executescript(SCHEMA)

    def campaign(self, flags: list[str], version: str) -> int:
        key = (json.dumps(flags), version)
        with self.db:
            self.db.execute("INSERT OR IGNORE INTO campaign (flags, version) VALUES (?, ?)", key)
        found = self.db.execute("SELECT id FROM campaign WHERE flags = ? AND version = ?", key)
        return found.fetchone()[0]

    def missing(self, campaign: int, ranges: Iterable[Range]) -> list[Range]:
        """Those of which some seed is not there; a seed is never counted twice."""
        there = self.db.execute("SELECT first, last FROM range WHERE campaign = ?", (campaign,))
        known = set(there.fetchall())
        seeds = {seed for first, last in known for seed in range(first, last + 1)}
        wanted: list[Range] = []
        for first, last in ranges:
            rest = [seed for seed in range(first, last + 1) if seed not in seeds]
            for seed in rest:
                if wanted and wanted[-1][1] == seed - 1 and wanted[-1][0] >= first:
                    wanted[-1] = (wanted[-1][0], seed)
                else:
                    wanted.append((seed, seed))
        return wanted

    def add(self, campaign: int, seeds: Range, result: dict[str, Any], worker: str) -> None:
        summary = result["summary"]
        with self.db:
            self.db.execute(
                "INSERT INTO range VALUES (?, ?, ?, ?, ?, ?)",
                (campaign, *seeds, worker, summary["wall_ms"], summary["trace_hash"]),
            )
            for line in result["runs"]:
                self.add_run(campaign, json.loads(line), line)
            marks = {**summary["reached"], **dict.fromkeys(summary["not_reached"], 0)}
            self.db.executemany(
                "INSERT INTO mark VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
                "SET runs = runs + excluded.runs",
                [(campaign, name, runs) for name, runs in marks.items()],
            )

    def add_run(self, campaign: int, report: dict[str, Any], line: str) -> None:
        seed = str(report["seed"])  # SQLite's numbers end at 2^63
        marks = ", ".join("?" * (len(COLUMNS) + 3))
        self.db.execute(
            f"INSERT INTO run (campaign, seed, report, {', '.join(COLUMNS)}) VALUES ({marks})",
            (campaign, seed, line, *(report.get(name) for name in COLUMNS)),
        )
        self.db.executemany(
            "INSERT INTO strike VALUES (?, ?, ?, ?)",
            [(campaign, seed, kind, n) for kind, n in report.get("strikes", {}).items()],
        )
        violations = list(report.get("violations", []))
        if not violations and not report["ok"]:
            violations = [{"property": "unknown verdict"}]
        for place, found in enumerate(violations):
            rest = (found.get(name) for name in ("event", "time_us", "node", "text"))
            self.db.execute(
                "INSERT INTO violation VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (campaign, seed, place, found["property"], *rest),
            )

    def show(self, name: str) -> tuple[list[str], list[tuple]]:
        found = self.db.execute(QUERIES[name])
        return [column[0] for column in found.description], found.fetchall()

    def close(self) -> None:
        self.db.close()


def collect(
    results: Results, campaign: int, ranges: Iterable[Range], runner: Runner
) -> tuple[int, int]:
    """Runs what is missing; how many runs there were, and how many failed."""
    runs = failures = 0
    wanted = results.missing(campaign, ranges)
    total = sum(last - first + 1 for first, last in wanted)
    for seeds, result, worker in runner(wanted) if wanted else ():
        results.add(campaign, seeds, result, worker)
        runs += result["summary"]["seeds"]
        failures += result["summary"]["failures"]
        print(f"{runs} of {total} runs, {failures} failures", file=sys.stderr)
        for rule in result["summary"]["rules"]:
            print(f"{rule['rule']}: {rule['replay']}: {rule['text']}", file=sys.stderr)
    return runs, failures


def plot(results: Results, path: str) -> None:
    """Elections against events of each run; and how many runs came by each mark."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 12))
    for ok, colour in ((1, "tab:blue"), (0, "tab:red")):
        found = results.db.execute("SELECT events, elections FROM run WHERE ok = ?", (ok,))
        points = [point for point in found if point[0] is not None]
        left.scatter(
            [p[0] for p in points], [p[1] for p in points],
            s=8, color=colour, label=f"{len(points)} runs {'well' if ok else 'failed'}",
        )
    left.set(xlabel="events", ylabel="leaders elected")
    left.legend()
    marks = results.db.execute("SELECT name, sum(runs) FROM mark GROUP BY name ORDER BY 2, 1")
    names, counts = zip(*marks.fetchall())
    right.barh(names, counts)
    right.set_xscale("symlog")
    right.tick_params(axis="y", labelsize=4)
    right.set(xlabel="runs that came by")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


# ---- the command -----------------------------------------------------------------------


def parse(words: Optional[list[str]]) -> tuple[argparse.Namespace, list[str]]:
    words = sys.argv[1:] if words is None else words
    at = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        description="many seeds on many machines", epilog="Flags of raftsim sweep follow --."
    )
    parser.add_argument("--seeds", metavar="A..B", help="to be run; those that are there are not")
    parser.add_argument("--db", default="results.sqlite", help="(results.sqlite)")
    parser.add_argument("--program", default=str(ROOT / "build" / "raftsim"))
    parser.add_argument("--range", type=int, default=RANGE, help="seeds at a time (200)")
    parser.add_argument("--jobs", type=int, default=2, help="here, or of --local (2)")
    parser.add_argument("--dask", metavar="tcp://HOST:PORT", help="a Dask scheduler")
    parser.add_argument("--local", action="store_true", help="a Dask cluster on this machine")
    parser.add_argument("--show", choices=QUERIES, help="print a query's answer")
    parser.add_argument("--plot", metavar="FILE", help="draw what the file holds")
    return parser.parse_args(words[:at]), words[at + 1 :]


@contextlib.contextmanager
def made_runner(arguments: argparse.Namespace, flags: list[str]) -> Iterator[Runner]:
    if not arguments.dask and not arguments.local:
        yield in_threads(arguments.program, flags, arguments.jobs)
        return
    from distributed import Client

    how = {"address": arguments.dask} if arguments.dask else {
        "n_workers": arguments.jobs, "threads_per_worker": 1, "dashboard_address": None,
        "host": "127.0.0.1",
    }
    with Client(**how) as client:
        yield on_dask(arguments.program, flags, client)


def show(results: Results, name: str) -> None:
    heads, rows = results.show(name)
    print("\t".join(heads))
    for row in rows:
        print("\t".join("" if cell is None else str(cell) for cell in row))


def main(words: Optional[list[str]] = None) -> int:
    arguments, flags = parse(words)
    results = Results(arguments.db)
    failures = 0
    if arguments.seeds:
        first, _, last = arguments.seeds.partition("..")
        version = subprocess.run(
            [arguments.program, "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
        campaign = results.campaign(flags, version)
        ranges = split(int(first), int(last or first), arguments.range)
        with made_runner(arguments, flags) as runner:
            _, failures = collect(results, campaign, ranges, runner)
    if arguments.show or not arguments.plot:
        show(results, arguments.show or "summary")
    if arguments.plot:
        plot(results, arguments.plot)
    results.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
