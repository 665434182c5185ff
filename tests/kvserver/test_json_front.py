"""JSON-RPC on the client port: methods, errors, sessions, odd bytes."""

import base64
import json
import socket
from collections.abc import Iterator

import pytest

from raftlab.jsonrpc import RpcError
from raftlab.single import Single, single


@pytest.fixture(scope="module")
def server() -> Iterator[Single]:
    with single("--fsync", "no", sanitized=True) as one:
        yield one
        assert one.terminate() == 0, one.text()


def exchange(server: Single, data: bytes) -> list[dict]:
    """All lines that come back for these bytes and the end behind them."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while part := client.recv(65536):
            received += part
    assert received == b"" or received.endswith(b"\n")
    return [json.loads(line) for line in received.splitlines()]


def test_a_line_as_nc_sends_it_is_answered(server: Single) -> None:
    line = b'{"jsonrpc":"2.0","id":1,"method":"kv.set",'
    line += b'"params":{"key":"nc","value":"1"}}\n'
    expected = {"jsonrpc": "2.0", "id": 1, "result": {"ok": True}}
    assert exchange(server, line) == [expected]


def test_every_method_does_what_it_says(server: Single) -> None:
    with server.rpc() as rpc:
        assert rpc.call("kv.get", key="m") == {"value": None}
        assert rpc.call("kv.set", key="m", value="a") == {"ok": True}
        assert rpc.call("kv.set", key="m", value="b", nx=True) == {"ok": False}
        assert rpc.call("kv.set", key="m", value="b", xx=True) == {"ok": True}
        assert rpc.call("kv.append", key="m", value="cd") == {"length": 3}
        assert rpc.call("kv.get", key="m") == {"value": "bcd"}
        assert rpc.call("kv.incr", key="i") == {"value": 1}
        assert rpc.call("kv.incr", key="i", by=-5) == {"value": -4}
        assert rpc.call("kv.delete", key="m") == {"deleted": 1}
        assert rpc.call("kv.delete", key="m") == {"deleted": 0}
        assert rpc.call("kv.set", key="e", value="1", ex=100) == {"ok": True}
        assert 90 < rpc.call("kv.command", words=["TTL", "e"])["reply"] <= 100
        assert rpc.call("kv.command", words=["MGET", "i", "m"]) == {"reply": ["-4", None]}
        status = rpc.call("raft.status")
        assert status["role"] == "leader" and status["peers"] == []
        answer = rpc.call("raft.hash")
        assert answer["hash"] == status["state_hash"]
        assert answer["applied_index"] == status["applied_index"]


def test_nested_replies_keep_their_shape(server: Single) -> None:
    with server.rpc() as rpc:
        for number in range(3):
            rpc.call("kv.set", key=f"scan{number}", value="v")
        cursor, keys = rpc.call(
            "kv.command", words=["SCAN", "0", "MATCH", "scan*", "COUNT", "1000"]
        )["reply"]
        assert cursor == "0" and sorted(keys) == ["scan0", "scan1", "scan2"]
        nothing = rpc.call("kv.command", words=["SCAN", "0", "MATCH", "zzz"])["reply"]
        assert nothing[1] == []
        assert rpc.call("kv.command", words=["KEYS", "zzz*"]) == {"reply": []}


def test_bytes_that_are_no_text_travel_as_base64(server: Single) -> None:
    raw = base64.b64encode(bytes(range(256))).decode()
    with server.rpc() as rpc:
        assert rpc.call("kv.set", key_base64="/w==", value_base64=raw) == {"ok": True}
        assert rpc.call("kv.get", key_base64="/w==") == {"value_base64": raw}
        words = [{"base64": base64.b64encode(b"MGET").decode()}, {"base64": "/w=="}]
        assert rpc.call("kv.command", words=words) == {"reply": [{"base64": raw}]}
    with server.client() as client:
        assert client.do("GET", b"\xff") == bytes(range(256))


def test_a_number_beyond_what_json_keeps_exact_comes_as_text(server: Single) -> None:
    with server.rpc() as rpc:
        rpc.call("kv.set", key="big", value=str(2**53 - 2))
        assert rpc.call("kv.incr", key="big") == {"value": 2**53 - 1}
        assert rpc.call("kv.incr", key="big") == {"value": str(2**53)}


def test_a_session_makes_a_retry_harmless(server: Single) -> None:
    with server.rpc() as rpc:
        number = rpc.call("session.register")["session"]
        for _ in range(3):
            reply = rpc.call("kv.incr", key="once", session=number, sequence=1)
            assert reply == {"value": 1}
        with pytest.raises(RpcError) as caught:
            rpc.call("kv.incr", key="once", session=number, sequence=7)
        assert caught.value.code == -32005


@pytest.mark.parametrize(
    "method, params, code",
    [
        ("kv.nonsense", {}, -32601),
        ("kv.get", {}, -32602),
        ("kv.get", {"key": 1}, -32602),
        ("kv.get", {"key": "a", "key_base64": "YQ=="}, -32602),
        ("kv.get", {"key_base64": "?"}, -32602),
        ("kv.get", {"key": "a", "more": 1}, -32602),
        ("kv.set", {"key": "a", "value": "b", "nx": 1}, -32602),
        ("kv.set", {"key": "a", "value": "b", "ex": "1"}, -32602),
        ("kv.set", {"key": "a", "value": "b", "session": 1}, -32602),
        ("kv.incr", {"key": "a", "session": 1, "sequence": 0}, -32602),
        ("kv.set", {"key": "a", "value": "b", "ex": 0}, -32000),
        ("kv.set", {"key": "a", "value": "b", "nx": True, "xx": True}, -32000),
        ("kv.command", {"words": []}, -32602),
        ("kv.command", {"words": [1]}, -32602),
        ("kv.command", {"words": "GET a"}, -32602),
        ("kv.command", {"words": ["NOSUCH"]}, -32000),
        ("kv.command", {"words": ["GET"]}, -32000),
        ("raft.status", {"more": 1}, -32602),
    ],
)
def test_a_bad_call_gets_its_error_code(
    server: Single, method: str, params: dict, code: int
) -> None:
    with server.rpc() as rpc:
        with pytest.raises(RpcError) as caught:
            rpc.call(method, **params)
        assert caught.value.code == code
        assert rpc.call("kv.delete", key="after") == {"deleted": 0}


@pytest.mark.parametrize(
    "line, code, number",
    [
        (b"{", -32700, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"kv.get"} x', -32700, None),
        (b'{"id":1,"method":"kv.get"}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1,"result":1}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":"x","method":"kv.get","params":[]}', -32602, "x"),
    ],
)
def test_a_bad_line_gets_its_error_and_the_next_is_served(
    server: Single, line: bytes, code: int, number: object
) -> None:
    good = b'{"jsonrpc":"2.0","id":9,"method":"kv.get","params":{"key":"none"}}\n'
    first, second = exchange(server, line + b"\r\n\n" + good)
    assert first["error"]["code"] == code and first["id"] == number
    assert second == {"jsonrpc": "2.0", "id": 9, "result": {"value": None}}


def test_a_notification_is_done_and_not_answered(server: Single) -> None:
    line = b'{"jsonrpc":"2.0","method":"kv.set","params":{"key":"quiet","value":"1"}}\n'
    assert exchange(server, line) == []
    with server.client() as client:
        assert client.do("GET", "quiet") == b"1"


@pytest.mark.parametrize("call", ['"kv.get"', '"kv.nonsense"', '"kv.get","params":[]'])
def test_not_even_a_bad_notification_is_answered(server: Single, call: str) -> None:
    assert exchange(server, b'{"jsonrpc":"2.0","method":%s}\n' % call.encode()) == []


def test_lines_are_answered_in_order(server: Single) -> None:
    lines, expected = b"", []
    for number in range(500):
        method = "kv.incr" if number % 2 == 0 else "kv.get"
        params = {"key": "order"}
        lines += json.dumps(
            {"jsonrpc": "2.0", "id": f"i{number}", "method": method, "params": params}
        ).encode() + b"\n"
        value: object = number // 2 + 1
        expected.append((f"i{number}", value if number % 2 == 0 else str(value)))
    replies = exchange(server, lines)
    assert [(reply["id"], reply["result"]["value"]) for reply in replies] == expected


def test_an_endless_line_closes(server: Single) -> None:
    data = b'{"jsonrpc":"' + b"x" * (5 << 20)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        received = b""
        try:
            client.sendall(data)
            while part := client.recv(65536):
                received += part
        except (ConnectionResetError, BrokenPipeError):
            pass
    if received:
        assert json.loads(received)["error"]["message"] == "the line is too long"
    with server.client() as client:
        assert client.do("PING") == "PONG"
