"""Client sessions over the wire: a retry is answered and not applied again."""

from collections.abc import Iterator

import pytest

from raftlab.jsonrpc import JsonRpcClient
from raftlab.real import RealCluster
from raftlab.resp import RespError


@pytest.fixture
def cluster() -> Iterator[RealCluster]:
    with RealCluster(3) as three:
        yield three


def test_a_sequence_sent_again_gets_its_first_reply(cluster: RealCluster) -> None:
    session = cluster.do("RAFT.REGISTER", again=True)
    once = ("RAFT.SESSION", session, 1, "INCR", "n")
    assert cluster.do(*once, again=True) == 1
    assert cluster.do(*once, again=True) == 1
    cluster.crash(cluster.leader())
    assert cluster.do(*once, again=True) == 1
    assert cluster.get("n") == "1"


def test_a_sequence_that_skips_or_a_session_unknown_is_refused(
    cluster: RealCluster,
) -> None:
    session = cluster.do("RAFT.REGISTER", again=True)
    for number, sequence in ((session, 2), (session + 1000, 1)):
        with pytest.raises(RespError) as refusal:
            cluster.do("RAFT.SESSION", number, sequence, "INCR", "n")
        assert refusal.value.code == "SESSION"
    assert cluster.get("n") is None


def test_a_json_rpc_client_has_the_same_sessions(cluster: RealCluster) -> None:
    session = cluster.do("RAFT.REGISTER", again=True)
    leader = cluster.leader()
    with JsonRpcClient(cluster.client_ports[leader]) as client:
        once = {"key": "x", "value": "1", "session": session, "sequence": 1}
        client.call("kv.set", **once)
        cluster.do("SET", "x", "2")
        client.call("kv.set", **once)
    assert cluster.get("x") == "2"
