"""What rules mean: the labels of docs/figure2.md, and the checker's own names."""

from __future__ import annotations

import pathlib
import re

from reporting import play

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIGURE = ROOT / "docs" / "figure2.md"
ROW = re.compile(
    r"^\| (?:([A-Z]+-\d+[a-z]?)|`([a-z-]+)`) \| (.+?) \|(?: ([^|]*) \|)? [^|]*\|$", re.MULTILINE
)

# Where to look first when the checker says that this is broken.
LABELS = {
    "election safety": "RV-2a STATE-2 CAND-2",
    "leader append-only": "AE-3 STATE-3",
    "log matching": "AE-2 AE-3 AE-4",
    "leader completeness": "RV-2b LEAD-4",
    "state machine safety": "AE-5 LEAD-4 ALL-1",
    "apply order": "ALL-1 STATE-5 STATE-0 STATE-3",
    "monotonic term": "STATE-1 ALL-2",
    "monotonic commit index": "STATE-4 AE-5",
    "monotonic match index": "STATE-7 LEAD-3a",
    "true match index": "STATE-7 LEAD-3a",
    "commit in own term": "LEAD-4",
    "commit durable on a majority": "STATE-0 LEAD-4",
    "committed entry kept": "AE-3 RV-2b",
    "one vote a term": "RV-2a STATE-2",
    "term and vote persisted": "STATE-0 STATE-1 STATE-2",
    "vote durable": "STATE-0 RV-2a",
    "acknowledgement durable": "STATE-0 AE-4",
    "durability": "STATE-0 STATE-3",
    "votes of a majority": "CAND-2",
    "snapshot of what is committed": "IS-6 IS-7",
    "vote kept": "RV-2a",
    "election timeout": "FOL-2",
    "commit at once": "LEAD-4",
    "liveness": "FOL-2 CAND-4 LEAD-1 LEAD-3b",
}


def labels() -> dict[str, str]:
    """Each label of docs/figure2.md with its meaning, as plain text; beyond the figure, where
    to read of it, too."""
    found = ROW.findall(FIGURE.read_text(encoding="utf-8"))
    return {
        label or word: re.sub(r"[`*]", "", f"{meaning[:-1]} ({source})." if source else meaning)
        for label, word, meaning, source in found
    }


def explain(words: str) -> list[tuple[str, str]]:
    """The labels among these words, each with its meaning."""
    known = labels()
    named = dict.fromkeys(word for word in re.split(r"[\s,]+", words) if word in known)
    return [(label, known[label]) for label in named]


def meanings(program: pathlib.Path) -> dict[str, str]:
    """Of the checker's rules, as the program itself knows them."""
    answers = play.converse(program, ["rules"]).answers
    rules = answers[0].get("rules", []) if answers else []
    return {rule["rule"]: rule["meaning"] for rule in rules}
