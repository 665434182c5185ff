"""The marks of raft/reached.h: each is set, and the rules of Figure 2 have theirs."""

import pathlib
import re

from raftlab import tree

LIST = pathlib.Path("raft/reached.h")
FIGURE = pathlib.Path("docs/figure2.md")
MARK = re.compile(r'^    X\((\w+), "([^"]*)", "([^"]+)"\)', re.MULTILINE)
# Not decisions of the core: what is persistent or volatile, and what a host does.
NO_DECISION = re.compile(r"STATE-\d|IS-5")


def marks() -> list[tuple[str, str, str]]:
    found = MARK.findall(tree.read(LIST))
    assert len(found) == tree.read(LIST).count("    X(")
    return found


def test_each_mark_is_set_in_the_core() -> None:
    sources = [n for n in tree.named(".c") if n.parent == pathlib.Path("raft")]
    used = set(re.findall(r"RAFT_MARK_(\w+)", "".join(map(tree.read, sources))))
    names = [name for name, _, _ in marks()]
    assert len(names) == len(set(names)) and set(names) == used


def test_each_decision_of_figure_2_has_a_mark() -> None:
    listed = re.findall(r"^\|\s*([A-Z]{2,}-\d+[a-z]?)\s*\|", tree.read(FIGURE), re.MULTILINE)
    decisions = {label for label in listed if not NO_DECISION.fullmatch(label)}
    marked = {label for _, label, _ in marks() if label}
    # A campaign's four parts are one place.
    whole = {re.sub(r"^CAND-1[a-d]$", "CAND-1", label) for label in decisions}
    assert whole == marked


def test_the_rare_places_have_words_of_their_own() -> None:
    rare = [text for _, label, text in marks() if not label]
    assert len(rare) >= 30
    texts = [text for _, _, text in marks()]
    assert len(texts) == len(set(texts))
