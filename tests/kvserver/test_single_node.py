"""One process: what it keeps over kill -9, how it ends, what it tells of itself."""

import re
import resource
import signal
import socket
import time

import pytest

from raftlab.resp import RespError, encode
from raftlab.single import Single, single


def test_a_killed_node_keeps_what_it_acknowledged() -> None:
    with single(durable=True) as server:
        written = -1
        for round_number in range(3):
            with server.client() as client:
                client.send(b"".join(encode("SET", f"{round_number}:{n}", n)
                                     for n in range(500)))
                for number in range(200):  # killed with the rest under way
                    assert client.read_reply() == "OK"
                    written = number
                server.crash()
            server.start()
            with server.client() as client:
                for number in range(written + 1):
                    value = client.do("GET", f"{round_number}:{number}")
                    assert value == str(number).encode()


def test_sigterm_finishes_what_is_under_way_and_exits_0() -> None:
    with single("--pipeline-max", "64", durable=True, sanitized=True) as server:
        with server.client() as client, server.client() as idle:
            assert idle.do("PING") == "PONG"
            client.send(encode("INCR", "n") * 20_000)
            assert client.read_reply() == 1
            assert server.terminate() == 0, server.text()
            answered = 1
            while (reply := maybe_reply(client)) is not None:
                answered = reply
            assert idle.stream.read() == b""
        assert "stopping (SIGTERM)" in server.text() and "stopped" in server.text()
        server.start()
        with server.client() as client:
            assert int(client.do("GET", "n")) == answered


def asked(server: Single, times: int) -> socket.socket:
    """A client that has sent more than it reads the replies of."""
    with server.client() as client:
        client.do("SET", "big", "x" * 4_000)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    raw.settimeout(30)
    raw.connect(("127.0.0.1", server.port))
    raw.sendall((encode("INCR", "n") + encode("GET", "big")) * times)
    return raw


def test_sigterm_delivers_the_replies_that_are_on_their_way() -> None:
    """Requests that nobody will read must not cost the answered ones their replies."""
    with single("--fsync", "no", sanitized=True) as server:
        with asked(server, 20_000) as raw:
            received = raw.recv(16)  # it has begun, and then waits for its reader
            server.process.signal(signal.SIGTERM)
            received += all_of(raw)
        assert server.process.child.wait(30) == 0
        server.start()
        with server.client() as client:
            done = int(client.do("GET", "n"))
            assert done < 20_000  # the rest was never taken
            assert received.count(b"\r\n:") + 1 == done


def test_replies_arrive_although_the_client_goes_on_asking() -> None:
    """What comes after the last reply was written must not reset the connection."""
    with single("--fsync", "no", sanitized=True) as server:
        with asked(server, 2_000) as raw:
            received = raw.recv(16)
            server.process.signal(signal.SIGTERM)
            while chunk := raw.recv(1 << 14):
                received += chunk
                raw.send(encode("PING"))
        assert server.process.child.wait(30) == 0
        server.start()
        with server.client() as client:
            assert received.count(b"\r\n:") + 1 == int(client.do("GET", "n"))


def all_of(raw: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := raw.recv(1 << 16):
            received += chunk
    except ConnectionError:
        pass
    return received


def maybe_reply(client) -> object:
    try:
        return client.read_reply()
    except (ConnectionError, ConnectionResetError):
        return None


def test_sigint_ends_it_too() -> None:
    with single("--fsync", "no") as server:
        server.process.signal(signal.SIGINT)
        assert server.process.child.wait(30) == 0


def test_a_refused_port_is_free_again_at_once() -> None:
    """A restart does not wait for the connections of the last run."""
    with single("--fsync", "no") as server:
        for _ in range(3):
            with server.client() as client:
                client.do("PING")
                assert server.terminate() == 0
            server.start()


def test_the_state_is_the_same_after_a_restart() -> None:
    with single("--fsync", "no") as server:
        with server.client() as client:
            for number in range(100):
                client.do("SET", f"k{number}", number)
            client.do("DEL", "k3", "k4")
            client.do("SET", "gone", 1, "PX", 3_600_000)
            number = client.do("RAFT.REGISTER")
            client.do("RAFT.SESSION", number, 1, "INCR", "once")
            before = client.do("RAFT.HASH")[0]
        server.crash()
        server.start()
        with server.client() as client:
            assert client.do("RAFT.HASH")[0] == before
            assert client.do("RAFT.SESSION", number, 1, "INCR", "once") == 1
            assert client.do("GET", "once") == b"1"


def test_a_key_is_gone_when_its_time_is_over() -> None:
    with single("--fsync", "no") as server:
        with server.client() as client:
            client.do("SET", "short", 1, "PX", 30)
            client.do("SET", "long", 1, "EX", 1000)
            limit = time.monotonic() + 20
            while client.do("DBSIZE") != 1:  # by a clock entry alone: nobody writes
                assert time.monotonic() < limit
                time.sleep(0.005)
            assert client.do("GET", "short") is None
            assert 990 <= client.do("TTL", "long") <= 1000
            info = client.do("INFO", "raft").decode()
            assert int(re.search(r"raft_clock_entries:(\d+)", info)[1]) >= 1


def test_a_full_log_is_told_and_reads_go_on() -> None:
    flags = ("--log-entries-max", "1000", "--snapshot-entries", "0")
    with single("--fsync", "no", *flags, "--snapshot-bytes", "0") as server:
        with server.client() as client:
            with pytest.raises(RespError, match="^TRYAGAIN the log is full"):
                for number in range(2000):
                    client.do("SET", "n", number)
            assert int(client.do("GET", "n")) > 500
            assert client.do("PING") == "PONG"


def test_a_session_makes_a_retry_harmless() -> None:
    with single("--fsync", "no") as server:
        with server.client() as client:
            session = client.do("RAFT.REGISTER")
            assert client.do("RAFT.SESSION", session, 1, "INCR", "n") == 1
            assert client.do("RAFT.SESSION", session, 1, "INCR", "n") == 1
            assert client.do("RAFT.SESSION", session, 2, "INCR", "n") == 2
            with pytest.raises(RespError, match="^SESSION "):
                client.do("RAFT.SESSION", session, 9, "INCR", "n")
            with pytest.raises(RespError, match="^SESSION "):
                client.do("RAFT.SESSION", 12345, 1, "INCR", "n")
            assert client.do("RAFT.SESSION", session, 3, "GET", "n") == b"2"


def test_info_has_its_sections() -> None:
    with single("--fsync", "no") as server, server.client() as client:
        client.do("SET", "a", 1)
        info = client.do("INFO").decode()
        for title in ("Server", "Clients", "Memory", "Stats", "Replication", "Raft"):
            assert f"# {title}\r\n" in info
        assert "db0:keys=1" in info and "role:master" in info
        assert client.do("INFO", "raft").startswith(b"# Raft\r\n")
        assert client.do("INFO", "nothing") == b""
        two = client.do("INFO", "server", "keyspace").decode()
        assert "# Server" in two and "# Keyspace" in two and "# Raft" not in two


def test_connections_have_names_and_are_listed() -> None:
    with single("--fsync", "no") as server:
        with server.client() as one, server.client() as two:
            assert one.do("CLIENT", "GETNAME") is None
            assert one.do("CLIENT", "SETNAME", "first") == "OK"
            assert one.do("CLIENT", "GETNAME") == b"first"
            assert two.do("CLIENT", "ID") > one.do("CLIENT", "ID")
            lines = two.do("CLIENT", "LIST").decode().splitlines()
            assert len(lines) == 2 and any(" name=first " in line for line in lines)
            with pytest.raises(RespError, match="cannot contain spaces"):
                one.do("CLIENT", "SETNAME", "a b")
            assert one.do("RESET") == "RESET"
            assert one.do("CLIENT", "GETNAME") is None
            reply = one.do("HELLO", 2, "SETNAME", "again")
            assert reply[:2] == [b"server", b"redis"] and reply[5] == 2
            assert one.do("CLIENT", "GETNAME") == b"again"


def test_config_get_takes_patterns() -> None:
    with single("--fsync", "no") as server, server.client() as client:
        reply = client.do("CONFIG", "GET", "save", "APPEND*")
        assert dict(zip(reply[::2], reply[1::2])) == {
            b"save": b"",
            b"appendonly": b"yes",
            b"appendfsync": b"no",
        }
        assert client.do("CONFIG", "GET", "nothing") == []


def test_a_stopped_reader_does_not_stop_the_end() -> None:
    """A client that never reads cannot hold SIGTERM up for more than its bound."""
    with single("--fsync", "no") as server:
        with server.client() as client:
            client.do("SET", "large", b"x" * 500_000)
            with socket.create_connection(("127.0.0.1", server.port)) as slow:
                slow.sendall(encode("GET", "large") * 40)
                assert client.do("PING") == "PONG"
                assert server.terminate() == 0


def test_a_disk_that_takes_no_more_ends_the_node_and_loses_nothing() -> None:
    """The limit on a file's size stands for a full disk: the write fails."""
    with single("--fsync", "no") as server:
        process = server.process.child
        room = 1 << 20
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
        acknowledged = 0
        with server.client() as client, pytest.raises(OSError):
            while acknowledged < 5000:
                client.do("SET", f"k{acknowledged}", "x" * 1000)
                acknowledged += 1
        assert process.wait(30) == 1
        assert "stops: " in server.text() and "File too large" in server.text()
        server.start()
        with server.client() as client:
            keys = [f"k{number}" for number in range(acknowledged)]
            assert acknowledged > 0 and client.do("EXISTS", *keys) == acknowledged


def test_two_servers_do_not_share_a_hash_by_chance() -> None:
    def hash_of(value: str) -> bytes:
        server = Single("--fsync", "no")
        try:
            with server.client() as client:
                client.do("SET", "k", value)
                return client.do("RAFT.HASH")[0]
        finally:
            server.close()

    assert hash_of("a") != hash_of("b")
