"""raft-maelstrom: several processes, a router that cuts and delays, and a judge."""

import json
import pathlib
import queue
import subprocess
import time
from collections.abc import Iterator

import pytest

from raftlab import build
from raftlab.maelstrom import (
    MALFORMED,
    NO_KEY,
    NOT_SUPPORTED,
    OTHER_VALUE,
    TIMEOUT,
    UNAVAILABLE,
    Clients,
    Network,
)

SECONDS_MAX = 30


@pytest.fixture
def network(tmp_path: pathlib.Path) -> Iterator[Network]:
    three = Network(3, tmp_path, seed=1, delay_s=0.002)
    yield three
    codes = three.close()
    assert three.errors == [] and set(codes) <= {0}


def until_answered(network: Network, node: str, body: dict) -> dict:
    end = time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        answer = network.ask(node, body, seconds=2)
        if answer is not None and answer.get("code") != UNAVAILABLE:
            assert answer["in_reply_to"] == 1
            return answer
    raise AssertionError(f"{node} does not answer {body}")


def until(condition, what: str) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def check(clients: Clients, path: pathlib.Path) -> None:
    clients.stop()
    verdict = clients.judge(path)
    assert verdict["linearizable"] == "yes", verdict


# ---- one thing at a time -------------------------------------------------------------


def test_each_answer_is_that_of_the_workload(network: Network) -> None:
    def ask(node: str, **body) -> dict:
        answer = until_answered(network, node, body)
        return {k: v for k, v in answer.items() if k not in ("in_reply_to", "text")}

    assert ask("n1", type="read", key=1) == {"type": "error", "code": NO_KEY}
    cas = {"type": "cas", "key": 1, "from": 1, "to": 2}
    assert ask("n2", **cas) == {"type": "error", "code": NO_KEY}
    for node in network.names:  # whoever leads
        assert ask(node, type="write", key=1, value=1) == {"type": "write_ok"}
        assert ask(node, **cas) == {"type": "cas_ok"}
        assert ask(node, **cas) == {"type": "error", "code": OTHER_VALUE}
        for other in network.names:
            assert ask(other, type="read", key=1) == {"type": "read_ok", "value": 2}
    assert ask("n3", **(cas | {"key": 2}), create_if_not_exists=True) == {"type": "cas_ok"}
    strange = {"a": [1, None, "é"]}
    assert ask("n1", type="write", key="k", value=strange) == {"type": "write_ok"}
    assert ask("n2", type="read", key="k") == {"type": "read_ok", "value": strange}
    assert ask("n1", type="echo")["code"] == NOT_SUPPORTED
    assert ask("n1", type="write", key=1)["code"] == MALFORMED


def test_what_is_no_message_is_passed_over(tmp_path: pathlib.Path) -> None:
    lines = [
        *("nonsense", "{}", '{"src":1,"dest":"n1","body":{"type":"init"}}', "[" * 100),
        '{"src":"n2","dest":"n1","body":{"type":"raft","line":"{}"}}',
        '{"src":"c1","dest":"n1","body":{"type":"read","msg_id":3,"key":1}}',
        '{"src":"c1","dest":"n1","body":{"type":"init","msg_id":4}}',
    ]
    for sanitized in (False, True):
        program = build.program("raft-maelstrom", sanitized=sanitized)
        done = subprocess.run(
            [str(program), "--dir", str(tmp_path)],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line)["body"] for line in done.stdout.splitlines()]
        assert [(a["in_reply_to"], a["code"]) for a in answers] == [
            (3, UNAVAILABLE),
            (4, MALFORMED),
        ]


def test_a_write_of_which_nobody_can_tell_what_became_ends_in_the_indefinite_error(
    network: Network,
) -> None:
    write = {"type": "write", "key": 1, "value": 1}
    until_answered(network, "n1", write)
    inbox = network.inboxes["c"] = queue.Queue()
    for name, process in network.processes.items():
        line = {"src": "c", "dest": name, "body": write | {"value": 2, "msg_id": 1}}
        process.stdin.write(json.dumps(line) + "\n")
        process.stdin.close()  # whoever leads hears from no other after it
    answer = inbox.get(timeout=SECONDS_MAX)
    assert (answer["type"], answer["code"], answer["in_reply_to"]) == ("error", TIMEOUT, 1)


# ---- clients at work -----------------------------------------------------------------


def test_a_history_under_partitions_is_linearizable(
    network: Network, tmp_path: pathlib.Path
) -> None:
    clients = Clients(network, count=6, keys=3, seed=1)
    for cut in ("n1", "n2", "n3"):
        done = clients.answered("write") + clients.answered("cas")
        until(lambda: clients.answered("write") + clients.answered("cas") > done + 20, "stuck")
        network.partition(cut)
        time.sleep(0.9)  # long enough for another leader
        network.heal()
    done = clients.answered("write")
    until(lambda: clients.answered("write") > done + 20, "no write after the last cut")
    check(clients, tmp_path / "history")
    assert network.lost > 0
    assert all(clients.answered(kind) > 20 for kind in ("read", "write", "cas"))


def test_a_history_with_killed_processes_is_linearizable(
    network: Network, tmp_path: pathlib.Path
) -> None:
    clients = Clients(network, count=6, keys=3, seed=2)
    for victims in (("n1",), ("n2", "n3"), ("n1", "n2", "n3")):
        done = clients.answered("write")
        until(lambda: clients.answered("write") > done + 20, "stuck")
        for name in victims:
            network.kill(name)
        for name in victims:
            network.start(name)
    done = clients.answered("read")
    until(lambda: clients.answered("read") > done + 20, "no read after the last kill")
    check(clients, tmp_path / "history")
    # What was acknowledged before all three were killed came back from their disks.
    assert all((tmp_path / name).is_dir() for name in network.names)


def test_the_judge_sees_a_lost_write(network: Network, tmp_path: pathlib.Path) -> None:
    clients = Clients(network, count=3, keys=1, seed=3)
    until(lambda: clients.answered("read") > 20 and clients.answered("write") > 20, "stuck")
    clients.stop()
    reads = [r for r in clients.records if r["kind"] == "read" and r.get("result")]
    reads[-1]["result"] = "never written"
    assert clients.judge(tmp_path / "history")["linearizable"] == "no"
