"""The judge itself: what the harness records is what raftsim's checker reads."""

import pathlib

import pytest

from raftlab.history import History, Operation, verdict


def ended(history: History, operation: Operation, result: object = None) -> None:
    operation.outcome = "ok"
    operation.result = result
    operation.returned = operation.call + 5


def judged(history: History, directory: pathlib.Path) -> str:
    for moment, operation in enumerate(history.operations):
        length = 0 if operation.returned is None else operation.returned - operation.call
        operation.call = 10 * moment
        operation.returned = operation.call + length if length else None
    path = directory / "history.jsonl"
    history.write(path)
    return verdict(path)["linearizable"]


def one_of_each_kind() -> History:
    """One operation after another, each with the answer that it must have."""
    history = History()
    ended(history, history.call(1, "read", "x"), None)
    ended(history, history.call(1, "write", "x", value="1"))
    ended(history, history.call(2, "read", "x"), "1")
    ended(history, history.call(2, "append", "a", value="+"), 1)
    ended(history, history.call(1, "append", "a", value="+"), 2)
    ended(history, history.call(2, "incr", "n", by=1), 1)
    ended(history, history.call(1, "incr", "n", by=1), 2)
    ended(history, history.call(1, "delete", "x"), 1)
    history.call(1, "write", "x", value="who knows")
    ended(history, history.call(2, "read", "x"), None)
    return history


def test_a_history_of_every_kind_of_operation_is_linearizable(
    tmp_path: pathlib.Path,
) -> None:
    assert judged(one_of_each_kind(), tmp_path) == "yes"


@pytest.mark.parametrize(
    ("number", "lie"), [(0, "1"), (2, None), (2, "2"), (4, 3), (6, 1), (7, 0), (9, "1")]
)
def test_one_wrong_answer_makes_it_not_linearizable(
    tmp_path: pathlib.Path, number: int, lie: object
) -> None:
    history = one_of_each_kind()
    history.operations[number].result = lie
    assert judged(history, tmp_path) == "no"


def test_an_unanswered_write_may_take_effect_late_or_never(
    tmp_path: pathlib.Path,
) -> None:
    history = one_of_each_kind()
    history.operations[9].result = "who knows"
    assert judged(history, tmp_path) == "yes"
