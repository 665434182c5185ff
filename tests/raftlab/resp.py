"""A small Redis client: RESP2 over one TCP connection, pipelining, errors as exceptions.

    with RespClient(7001) as client:
        client.do("SET", "x", 1)          # "OK"
        client.pipeline(["GET", "x"], ["INCR", "x"])
"""

import socket
from typing import Union

Word = Union[str, bytes, int]
Reply = Union[None, int, bytes, str, list, "RespError"]


class RespError(Exception):
    """An error reply; `code` is its first word: ERR, MOVED, CLUSTERDOWN, SESSION..."""

    @property
    def code(self) -> str:
        return str(self).split(" ", 1)[0]

    def moved_to(self) -> tuple[str, int]:
        """The address in `MOVED 0 host:port`."""
        host, _, port = str(self).split(" ")[2].rpartition(":")
        return host, int(port)


def encode(*words: Word) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


class RespClient:
    def __init__(self, port: int, host: str = "127.0.0.1", seconds: float = 10) -> None:
        self.socket = socket.create_connection((host, port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    def __enter__(self) -> "RespClient":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def quit(self) -> None:
        """Returns when the server has closed its side: it no longer counts this client."""
        self.do("QUIT")
        self.stream.read()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def do(self, *words: Word) -> Reply:
        """One command; its reply, or RespError raised."""
        self.send(encode(*words))
        reply = self.read_reply()
        if isinstance(reply, RespError):
            raise reply
        return reply

    def pipeline(self, *commands: list[Word]) -> list[Reply]:
        """All at once; the replies in order, with errors as values."""
        self.send(b"".join(encode(*words) for words in commands))
        return [self.read_reply() for _ in commands]

    def read_reply(self) -> Reply:
        """Bulk strings as bytes, simple strings as str, errors as RespError values."""
        line = self._read_line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RespError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self._read_bulk(int(rest))
        if kind == b"*":
            count = int(rest)
            return None if count < 0 else [self.read_reply() for _ in range(count)]
        raise ConnectionError(f"not RESP2: {line!r}")

    def _read_line(self) -> bytes:
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        return line[:-2]

    def _read_bulk(self, size: int) -> Union[bytes, None]:
        if size < 0:
            return None
        data = self.stream.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionError("the server closed the connection")
        return data[:-2]


class Session:
    """Exactly-once writes (dissertation 6.3): a retry repeats its sequence number.

    The connection may be another one at each try; the number lives in the log."""

    def __init__(self, number: int) -> None:
        self.number = number  # as RAFT.REGISTER answered
        self.sequence = 0

    def next(self) -> int:
        self.sequence += 1
        return self.sequence

    def words(self, sequence: int, *words: Word) -> list[Word]:
        return ["RAFT.SESSION", self.number, sequence, *words]
