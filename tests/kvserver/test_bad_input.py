"""Malformed and odd input: the replies of Redis 7.0, to the byte."""

import socket
from collections.abc import Iterator

import pytest

from raftlab.single import Single, single

PING = b"PING\r\n"
PONG = b"+PONG\r\n"
LINE_MAX = 64 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[Single]:
    with single("--fsync", "no", sanitized=True) as one:
        yield one
        assert one.terminate() == 0, one.text()


def talk(server: Single, data: bytes, *, half_close: bool = True) -> bytes:
    """All that the server sends until it closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(data)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while part := client.recv(65536):
                received += part
        except ConnectionResetError:
            pass
        return received


PROTOCOL = b"-ERR Protocol error: "


@pytest.mark.parametrize(
    "head", [b"536870913", b"-1", b"-5", b"abc", b"+3", b"03", b" 3", b"", b"9" * 20]
)
def test_a_bad_bulk_length_closes(server: Single, head: bytes) -> None:
    sent = b"*2\r\n$3\r\nGET\r\n$" + head + b"\r\n" + PING
    assert talk(server, sent, half_close=False) == PROTOCOL + b"invalid bulk length\r\n"


@pytest.mark.parametrize("head", [b"2147483648", b"abc", b"3x", b"9" * 20, b"03"])
def test_a_bad_array_length_closes(server: Single, head: bytes) -> None:
    sent = b"*" + head + b"\r\n" + PING
    expected = PROTOCOL + b"invalid multibulk length\r\n"
    assert talk(server, sent, half_close=False) == expected


@pytest.mark.parametrize("head", [b"-1", b"-10", b"0"])
def test_an_array_of_nothing_is_passed_over(server: Single, head: bytes) -> None:
    assert talk(server, b"*" + head + b"\r\n" + PING) == PONG


def test_a_huge_announced_array_costs_nothing(server: Single) -> None:
    with server.client() as client:
        before = resident(server)
        with socket.create_connection(("127.0.0.1", server.port)) as other:
            other.sendall(b"*1048577\r\n$3\r\nSET\r\n$400000\r\n")
            assert client.do("PING") == "PONG"
            assert resident(server) - before < 8 << 20


def resident(server: Single) -> int:
    with open(f"/proc/{server.process.child.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


@pytest.mark.parametrize("odd", [b":3\r\n", b"*1\r\n", b"!\r\n"])
def test_an_element_that_is_no_bulk_string_closes(server: Single, odd: bytes) -> None:
    sent = PING + b"*1\r\n" + odd + PING
    expected = PONG + PROTOCOL + b"expected '$', got '" + odd[:1] + b"'\r\n"
    assert talk(server, sent, half_close=False) == expected


@pytest.mark.parametrize(
    "sent, said",
    [
        (b"x" * (LINE_MAX + 1), b"too big inline request"),
        (b"*" + b"1" * (LINE_MAX + 1), b"too big mbulk count string"),
        (b"*1\r\n$" + b"1" * (LINE_MAX + 1), b"too big bulk count string"),
    ],
)
def test_an_endless_line_closes(server: Single, sent: bytes, said: bytes) -> None:
    assert talk(server, sent, half_close=False) == PROTOCOL + said + b"\r\n"


@pytest.mark.parametrize("line", [b'SET a "foo', b'"a"b', b"'foo", b'GET "a\\'])
def test_unbalanced_quotes_close(server: Single, line: bytes) -> None:
    expected = PROTOCOL + b"unbalanced quotes in request\r\n"
    assert talk(server, line + b"\r\n" + PING, half_close=False) == expected


@pytest.mark.parametrize(
    "sent, received",
    [
        (b"PING\n", PONG),
        (b"\r\n\r\n\nPING\r\n", PONG),
        (b"   PING   \r\n", PONG),
        (b"\tPING\tx\r\n", b"$1\r\nx\r\n"),
        (b'ECHO "\\x41\\n\\"b"\r\n', b'$4\r\nA\n"b\r\n'),
        (b"ECHO 'a\\'b\\n'\r\n", b"$5\r\na'b\\n\r\n"),
        (b'ECHO ""\r\n', b"$0\r\n\r\n"),
        (b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", b"$0\r\n\r\n"),
        (b"*2\r\n$4\r\nECHOxx$1\r\nyzz", b"$1\r\ny\r\n"),  # ends are not looked at
        (b"*2\r\n$4\r\nECHO\r\n$3\r\n\r\n\0\r\n", b"$3\r\n\r\n\0\r\n"),
    ],
)
def test_odd_but_served(server: Single, sent: bytes, received: bytes) -> None:
    assert talk(server, sent) == received


@pytest.mark.parametrize("sent", [b"PING\0\r\n", b"*1\n$4\nPING\n", b"*2\r\n$4\r\nECHO"])
def test_half_a_request_and_an_end_is_closed_in_silence(
    server: Single, sent: bytes
) -> None:
    assert talk(server, sent) == b""


@pytest.mark.parametrize("second", [b"POST /x HTTP/1.1", b"Host: localhost"])
def test_a_browser_is_closed_in_silence(server: Single, second: bytes) -> None:
    reply = talk(server, second + b"\r\nPING\r\n", half_close=False)
    assert reply == b""


@pytest.mark.parametrize(
    "line, reply",
    [
        (
            b"foo bar x",
            b"ERR unknown command 'foo', with args beginning with: 'bar' 'x' ",
        ),
        (b"GET", b"ERR wrong number of arguments for 'get' command"),
        (b"CONFIG GET", b"ERR wrong number of arguments for 'config|get' command"),
        (b"CONFIG", b"ERR wrong number of arguments for 'config' command"),
        (b"CLIENT foo", b"ERR unknown subcommand 'foo'. Try CLIENT HELP."),
        (b"CONFIG foo", b"ERR unknown subcommand 'foo'. Try CONFIG HELP."),
        (b"PING a b", b"ERR wrong number of arguments for 'ping' command"),
        (b"SELECT 99", b"ERR DB index is out of range"),
        (b"SELECT x", b"ERR value is not an integer or out of range"),
        (b"HELLO 3", b"NOPROTO unsupported protocol version"),
        (b"HELLO 4", b"NOPROTO unsupported protocol version"),
        (b"HELLO abc", b"ERR Protocol version is not an integer or out of range"),
        (
            b"AUTH secret",
            b"ERR AUTH <password> called without any password configured for the "
            b"default user. Are you sure your configuration is correct?",
        ),
        (
            b"AUTH someone secret",
            b"WRONGPASS invalid username-password pair or user is disabled.",
        ),
        (b"SET k v EX 0", b"ERR invalid expire time in 'set' command"),
        (b"SET k v FOO", b"ERR syntax error"),
        (b"INCRBY k x", b"ERR value is not an integer or out of range"),
        (b"RAFT.SESSION 0 1 SET a b", b"ERR session and sequence must be positive"),
        (b"RAFT.SESSION 1 0 SET a b", b"ERR session and sequence must be positive"),
    ],
)
def test_a_refusal_reads_as_in_redis(server: Single, line: bytes, reply: bytes) -> None:
    received = talk(server, line + b"\r\n" + PING)
    assert received.startswith(b"-" + reply) and received.endswith(b"\r\n" + PONG)
    if not line.startswith(b"RAFT."):
        assert received == b"-" + reply + b"\r\n" + PONG


def test_what_stands_behind_quit_is_dropped(server: Single) -> None:
    sent = PING + b"QUIT\r\n" + PING
    assert talk(server, sent, half_close=False) == PONG + b"+OK\r\n"


def test_a_half_closed_connection_gets_its_replies(server: Single) -> None:
    assert talk(server, b"SET half 1\r\nGET half\r\n" + PING) == (
        b"+OK\r\n$1\r\n1\r\n" + PONG
    )


def test_a_request_may_come_byte_by_byte(server: Single) -> None:
    with server.client() as client:
        for byte in b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n":
            client.send(bytes([byte]))
        assert client.read_reply() == b"hello"


def test_random_bytes_never_hurt(server: Single) -> None:
    import random

    draw = random.Random(7)
    alphabet = b"*$:+-\r\n0123456789 \"'\\xGETSET{}[],\0\xff"
    for _ in range(300):
        talk(server, bytes(draw.choice(alphabet) for _ in range(draw.randrange(1, 200))))
    with server.client() as client:
        assert client.do("PING") == "PONG"


def test_more_clients_than_allowed_are_told() -> None:
    with single("--fsync", "no", "--max-clients", "2") as server:
        with server.client() as one, server.client() as two:
            assert [one.do("PING"), two.do("PING")] == ["PONG", "PONG"]
            said = talk(server, b"", half_close=False)
            assert said == b"-ERR max number of clients reached\r\n"
