"""Many commands of one connection under way: their order, and their bounds."""

import random
import socket
import time
from collections.abc import Iterator

import pytest

from raftlab.resp import RespError, encode
from raftlab.single import Single, single


@pytest.fixture(scope="module")
def server() -> Iterator[Single]:
    with single("--fsync", "no", "--pipeline-max", "64", sanitized=True) as one:
        yield one
        assert one.terminate() == 0, one.text()


def test_replies_come_in_the_order_of_the_commands(server: Single) -> None:
    commands = []
    for number in range(2000):
        kinds = (["SET", "k", number], ["ECHO", number], ["GET", "k"], ["NOSUCH"])
        commands.append(kinds[number % 4])
    with server.client() as client:
        replies = client.pipeline(*commands)
    for number, reply in enumerate(replies):
        kind = number % 4
        if kind == 0:
            assert reply == "OK"
        elif kind == 1:
            assert reply == str(number).encode()
        elif kind == 2:
            assert reply == str(number - 2).encode()
        else:
            assert isinstance(reply, RespError) and reply.code == "ERR"


def test_a_read_sees_what_stands_before_it_and_nothing_behind(server: Single) -> None:
    draw = random.Random(3)
    for _ in range(50):
        commands, expected, value = [["SET", "x", -1]], ["OK"], -1
        for number in range(draw.randrange(1, 60)):
            if draw.random() < 0.5:
                value = number
                commands.append(["SET", "x", number])
                expected.append("OK")
            else:
                commands.append(["GET", "x"])
                expected.append(str(value).encode())
        with server.client() as client:
            assert client.pipeline(*commands) == expected


def test_local_answers_wait_for_the_writes_before_them(server: Single) -> None:
    with server.client() as client:
        before = client.do("RAFT.HASH")
        after = client.pipeline(["SET", "h", time.monotonic_ns()], ["RAFT.HASH"])[1]
        assert after[0] != before[0] and after[1] > before[1]
        assert client.do("RAFT.HASH") == after


def test_an_inline_command_may_follow_an_array(server: Single) -> None:
    with server.client() as client:
        client.send(b"SET i 1\r\n" + encode("INCR", "i") + b"INCRBY i 40\n" + b"GET i\n")
        assert [client.read_reply() for _ in range(4)] == ["OK", 2, 42, b"42"]


def test_a_pipeline_longer_than_its_limit_is_served_to_the_end(server: Single) -> None:
    with server.client(seconds=60) as client:
        client.do("SET", "count", 0)
        replies = client.pipeline(*[["INCR", "count"]] * 20000)
        assert replies == list(range(1, 20001))


def test_a_client_that_leaves_with_writes_under_way_hurts_nobody(
    server: Single,
) -> None:
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(encode("INCR", "left") * 100 + encode("GET", "left") * 50)
    with server.client() as client:
        assert client.do("PING") == "PONG"
        assert int(client.do("INCR", "left")) > 0


def test_a_client_that_does_not_read_is_not_read_from(server: Single) -> None:
    """It would take 64 MB at the server otherwise; others are served meanwhile."""
    with server.client() as client:
        client.do("SET", "large", b"x" * 100_000)
        with socket.create_connection(("127.0.0.1", server.port)) as slow:
            slow.setblocking(False)
            request = encode("GET", "large") * 50
            sent, limit = 0, time.monotonic() + 5
            while sent < 2_000_000 and time.monotonic() < limit:
                try:
                    sent += slow.send(request)
                except BlockingIOError:
                    break
                assert client.do("PING") == "PONG"
            text = client.do("CLIENT", "LIST").decode()
            held = [int(word[4:]) for word in text.split() if word.startswith("obl=")]
            held += [int(word[5:]) for word in text.split() if word.startswith("omem=")]
            assert max(held) < 16 << 20


def test_more_output_than_the_limit_closes() -> None:
    with single("--fsync", "no", "--output-bytes-max", "100k") as server:
        with server.client() as client:
            client.do("SET", "k", "x" * 90_000)
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            with pytest.raises(ConnectionError):
                for _ in range(100_000):  # far more replies than any socket buffers
                    raw.sendall(b"GET k\r\n" * 10)
        with server.client() as client:
            info = client.do("INFO", "stats").decode()
            assert "client_output_buffer_limit_disconnections:1" in info


def test_one_reply_beyond_the_limit_is_refused() -> None:
    with single("--fsync", "no", "--output-bytes-max", "100k") as server:
        with server.client() as client:
            client.do("SET", "k", "x" * 90_000)
            assert client.do("MGET", "k") == [b"x" * 90_000]
            with pytest.raises(RespError, match="the reply would be longer than 102400"):
                client.do("MGET", "k", "k")
            assert client.do("STRLEN", "k") == 90_000


def test_a_word_longer_than_the_limit_closes() -> None:
    with single("--fsync", "no", "--value-bytes-max", "1000") as server:
        with server.client() as client:
            assert client.do("SET", "k", "x" * 1000) == "OK"
            with pytest.raises(RespError, match="Protocol error: invalid bulk length"):
                client.do("SET", "k", "x" * 1001)
        with server.client() as client:
            assert client.do("STRLEN", "k") == 1000


def test_a_command_too_large_for_one_entry_is_refused() -> None:
    with single("--fsync", "no", "--value-bytes-max", "600k") as server:
        words = ["MSET"]
        for number in range(3):
            words += [f"k{number}", "x" * 600_000]
        with server.client() as client:
            with pytest.raises(RespError, match="too large for one log entry"):
                client.do(*words)
            assert client.do("DBSIZE") == 0


def test_idle_connections_are_many_and_cheap() -> None:
    with single("--fsync", "no", "--max-clients", "3000") as server:
        crowd = [
            socket.create_connection(("127.0.0.1", server.port)) for _ in range(2000)
        ]
        with server.client() as client:
            assert client.pipeline(*[["INCR", "n"]] * 1000)[-1] == 1000
            info = client.do("INFO", "clients").decode()
            assert "connected_clients:2001" in info
        for one in crowd:
            one.close()
