"""The service against a real redis-server: the same bytes to both, the same replies.

Commands are drawn at random from a grammar that favours the odd corners (options that
contradict each other, numbers at the edge, keys of every kind of byte) and are sent in
batches; the raw replies must be equal. Seeds make a failure repeat."""

import pathlib
import random
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from raftlab import build
from raftlab.resp import encode

REDIS = shutil.which("redis-server")
WAIT_SECONDS = 20

pytestmark = pytest.mark.skipif(REDIS is None, reason="there is no redis-server here")


class Pipe:
    """Sends requests and cuts the replies out of the stream."""

    def __init__(self) -> None:
        self.buffer = b""

    def send(self, data: bytes) -> None:
        raise NotImplementedError

    def receive(self) -> bytes:
        raise NotImplementedError

    def more(self) -> None:
        data = self.receive()
        if not data:
            raise ConnectionError(f"closed, with {self.buffer!r} left over")
        self.buffer += data

    def end_of_reply(self, start: int) -> int:
        missing, at = 1, start
        while missing:
            while (line := self.buffer.find(b"\r\n", at)) < 0:
                self.more()
            kind, number = self.buffer[at : at + 1], self.buffer[at + 1 : line]
            at = line + 2
            missing -= 1
            if kind == b"$" and number != b"-1":
                at += int(number) + 2
                while len(self.buffer) < at:
                    self.more()
            elif kind == b"*":
                missing += max(0, int(number))
        return at

    def reply(self) -> bytes:
        end = self.end_of_reply(0)
        reply, self.buffer = self.buffer[:end], self.buffer[end:]
        return reply

    def batch(self, commands: list[bytes]) -> list[bytes]:
        # Written from aside: large replies must be read while requests still go out.
        writer = threading.Thread(target=self.send, args=[b"".join(commands)])
        writer.start()
        replies = [self.reply() for _ in commands]
        writer.join(WAIT_SECONDS)
        return replies

    def all_until_closed(self) -> bytes:
        while data := self.receive():
            self.buffer += data
        return self.buffer


class Shell(Pipe):
    def __init__(self, program: pathlib.Path) -> None:
        super().__init__()
        self.process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def send(self, data: bytes) -> None:
        self.process.stdin.write(data)

    def receive(self) -> bytes:
        return self.process.stdout.read(1 << 16)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(WAIT_SECONDS)


class Redis(Pipe):
    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_SECONDS)
        self.socket.connect(str(path))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        return self.socket.recv(1 << 16)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture(scope="module")
def redis_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """A redis-server of our own that listens on a Unix socket alone."""
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "socket"
    process = subprocess.Popen(
        [REDIS, "--port", "0", "--unixsocket", str(path), "--save", ""]
        + ["--dir", str(folder), "--hash-max-listpack-entries", "128"],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            Redis(path).close()
            break
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                process.kill()
                raise
            time.sleep(0.02)
    yield path
    process.terminate()
    process.wait(WAIT_SECONDS)


@pytest.fixture
def redis(redis_path: pathlib.Path) -> Iterator[Redis]:
    client = Redis(redis_path)
    client.batch([encode("FLUSHALL")])
    yield client
    client.close()


@pytest.fixture
def shell() -> Iterator[Shell]:
    client = Shell(build.program("tests/kvserver/service_shell"))
    yield client
    client.close()


# ---- the grammar ----------------------------------------------------------------

KEYS = [b"a", b"b", b"c", b"", b"a\0b", b"\xff\xfe", b"key:1", b"key:2", b"k" * 70]
NUMBERS = ["0", "1", "-1", "7", "10", "99", "9223372036854775807"]
NUMBERS += ["-9223372036854775808", "9223372036854775806", "9223372036854775808"]
ODD_NUMBERS = ["", "-0", "01", "+1", " 1", "1 ", "1.5", "abc", "-", "0x10", "1e3"]
ODD_NUMBERS += ["-9223372036854775809", "18446744073709551615", "9" * 30]
# Unix times that lie behind, or so far ahead that the test will not see them come.
SECONDS_AT = ["1", "4000000000", "5000000000", "1000000000", "0", "-5"]
SECONDS_AT += ["9223372036854775", "9223372036854776", "9223372036854775807"]
GLOBS = [b"*", b"a*", b"?", b"k?y:[0-9]", b"[^a]*", b"*\\*", b"", b"**", b"[", b"[a"]
GLOBS += [b"[z-a]", b"key:[21]", b"\\", b"*b", b"k*1*", b"[\\]]", b"[a-", b"*[^\x00]"]


class Grammar:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def key(self) -> bytes:
        return self.random.choice(KEYS)

    def number(self) -> str:
        return self.random.choice(NUMBERS * 3 + ODD_NUMBERS)

    def value(self) -> bytes:
        draw = self.random.random()
        if draw < 0.5:
            return self.random.choice(NUMBERS).encode()
        if draw < 0.6:
            return self.random.choice(ODD_NUMBERS).encode()
        if draw < 0.62:
            return self.random.randbytes(70000)
        return self.random.randbytes(self.random.randrange(20))

    def case(self, word: str) -> str:
        return self.random.choice([word, word.lower(), word.capitalize()])

    def set_option(self) -> list:
        word = self.random.choice("NX XX GET KEEPTTL EXAT PXAT EX PX FOO".split())
        words = [self.case(word)]
        if word in ("EXAT", "PXAT") and self.random.random() < 0.9:
            words.append(self.random.choice(SECONDS_AT))
        elif word in ("EX", "PX") and self.random.random() < 0.9:
            # Far enough off that both clocks round alike is not to be had: these are
            # refused, or are taken away again by what follows.
            words.append(self.random.choice(["0", "-1", "x", "9223372036854775807"]))
        return words

    def set(self) -> list:
        words = ["SET", self.key(), self.value()]
        for _ in range(self.random.choice([0, 0, 0, 1, 1, 2, 3])):
            words += self.set_option()
        return words

    def expire_at(self) -> list:
        words = [self.random.choice(["EXPIREAT", "PEXPIREAT"]), self.key()]
        words.append(self.random.choice(SECONDS_AT + ODD_NUMBERS[:5]))
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            words.append(self.case(self.random.choice("NX XX GT LT FOO".split())))
        return words

    def expire(self) -> list:
        times = ["0", "-1", "-100", "x", "9223372036854775807", "9223372036854775"]
        times += ["-9223372036854775808", "-9223372036854775807", "-9223372036854775"]
        command = self.random.choice(["EXPIRE", "PEXPIRE"])
        return [command, self.key(), self.random.choice(times)]

    def setex(self) -> list:
        command = self.random.choice(["SETEX", "PSETEX"])
        times = ["0", "-1", "x", "9223372036854775807"]
        return [command, self.key(), self.random.choice(times), self.value()]

    def keys(self, count_max: int = 4) -> list:
        return [self.key() for _ in range(self.random.randrange(1, count_max))]

    def many(self) -> list:
        command = self.random.choice("DEL EXISTS MGET UNLINK TOUCH".split())
        return [command, *self.keys()]

    def mset(self) -> list:
        pairs = [[self.key(), self.value()] for _ in range(self.random.randrange(4))]
        words = ["MSET", *[word for pair in pairs for word in pair]]
        return words + ([self.key()] if self.random.random() < 0.2 else [])

    def one_key(self) -> list:
        names = "GET STRLEN TYPE PERSIST INCR DECR EXPIRETIME PEXPIRETIME GETDEL"
        return [self.random.choice(names.split()), self.key()]

    def number_change(self) -> list:
        name = self.random.choice(["INCRBY", "DECRBY"])
        return [name, self.key(), self.number()]

    def key_value(self) -> list:
        name = self.random.choice(["APPEND", "GETSET", "SETNX"])
        return [name, self.key(), self.value()]

    def server(self) -> list:
        # Not DBSIZE alone: Redis counts keys that are gone and not yet swept.
        commands = [["DBSIZE", "x"], ["FLUSHALL"], ["FLUSHDB", "ASYNC"]]
        commands += [["FLUSHALL", "FOO"], ["FLUSHDB", "SYNC", "SYNC"], ["KEYS"]]
        commands += [["SCAN"], ["SCAN", "x"], ["SCAN", "0", "COUNT", "0"]]
        commands += [["SCAN", "0", "COUNT", "x"], ["SCAN", "0", "FOO"], ["SCAN", "1 "]]
        commands += [["SCAN", "0", "MATCH"], ["SCAN", "0", "FOO", "BAR"]]
        commands += [["COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"]]
        commands += [["COMMAND", "GETKEYS", "GET"], ["COMMAND", "GETKEYS", "x", "y"]]
        commands += [["COMMAND", "COUNT", "x"], ["COMMAND", "FOO"]]
        return self.random.choice(commands)

    def wrong(self) -> list:
        names = "GET INCR DECRBY APPEND MSET DEL TTL STRLEN TYPE PERSIST DBSIZE"
        words = [self.case(self.random.choice(names.split() + ["NOPE", "", "g\r\nt"]))]
        least = words[0].upper() == "DBSIZE"
        count = self.random.randrange(least, 6)
        return words + [self.value()[:300] for _ in range(count)]

    def command(self) -> list:
        kinds = [self.set] * 6 + [self.expire_at] * 3 + [self.many] * 3
        kinds += [self.one_key] * 6 + [self.number_change] * 4 + [self.key_value] * 4
        kinds += [self.expire, self.setex, self.mset, self.server, self.wrong]
        return self.random.choice(kinds)()


def shown(words: list) -> str:
    return " ".join(repr(word)[:80] for word in words)


def compare(shell: Pipe, redis: Pipe, commands: list[list]) -> None:
    data = [encode(*words) for words in commands]
    ours, theirs = shell.batch(data), redis.batch(data)
    for number, words in enumerate(commands):
        if ours[number] != theirs[number]:
            before = "\n".join(shown(words) for words in commands[:number][-40:])
            pytest.fail(
                f"{before}\n{shown(words)}\n"
                f"ours:   {ours[number][:400]!r}\ntheirs: {theirs[number][:400]!r}"
            )


@pytest.mark.parametrize("seed", range(1, 9))
def test_random_commands_get_redis_replies(
    shell: Shell, redis: Redis, seed: int
) -> None:
    grammar = Grammar(seed)
    for _ in range(10):
        compare(shell, redis, [grammar.command() for _ in range(250)])


def test_the_keys_left_are_the_same(shell: Shell, redis: Redis) -> None:
    grammar = Grammar(100)
    for _ in range(60):
        commands = [encode(*grammar.command()) for _ in range(20)]
        shell.batch(commands)
        redis.batch(commands)
        for pattern in GLOBS:
            request = [encode("KEYS", pattern)]
            ours, theirs = shell.batch(request)[0], redis.batch(request)[0]
            assert elements(ours) == elements(theirs), pattern
            if pattern == b"*":
                count = b":%d\r\n" % len(elements(ours))
                assert shell.batch([encode("DBSIZE")]) == [count]


def elements(reply: bytes) -> list[bytes]:
    """The elements of a flat array of bulk strings, sorted."""
    head, _, rest = reply.partition(b"\r\n")
    assert head[:1] == b"*", reply
    found = []
    for _ in range(int(head[1:])):
        size, _, rest = rest.partition(b"\r\n")
        length = int(size[1:])
        found.append(rest[:length])
        rest = rest[length + 2 :]
    assert rest == b""
    return sorted(found)


@pytest.mark.parametrize("seed", range(1, 5))
def test_patterns_match_what_redis_matches(
    shell: Shell, redis: Redis, seed: int
) -> None:
    draw = random.Random(seed)
    alphabet = b"ab\\[]^-*?z\x80\xff\n"

    def text(most: int) -> bytes:
        return bytes(draw.choice(alphabet) for _ in range(draw.randrange(1, most)))

    keys = [text(7) for _ in range(300)]
    fill = [encode("SET", key, "") for key in keys]
    shell.batch(fill)
    redis.batch(fill)
    patterns = [text(9) for _ in range(400)]
    requests = [encode("KEYS", pattern) for pattern in patterns]
    for pattern, ours, theirs in zip(
        patterns, shell.batch(requests), redis.batch(requests)
    ):
        assert elements(ours) == elements(theirs), pattern


def test_relative_deadlines_agree_within_a_second(shell: Shell, redis: Redis) -> None:
    commands = []
    for number, words in enumerate(
        [["EX", "100"], ["PX", "250000"], ["EX", "7", "NX"], ["EX", "5", "EX", "9"]]
    ):
        commands.append(["SET", f"s{number}", "v", *words])
    commands += [["SETEX", "t", "60", "v"], ["PSETEX", "u", "61000", "v"]]
    commands += [["SET", "w", "v"], ["EXPIRE", "w", "50"], ["EXPIRE", "w", "40", "GT"]]
    commands += [["PEXPIRE", "w", "70000", "GT"], ["PEXPIRE", "w", "66000", "LT", "XX"]]
    commands += [["SET", "x", "v", "EX", "30"], ["SET", "x", "w", "KEEPTTL"]]
    compare(shell, redis, commands)
    for key in ["s0", "s1", "s2", "s3", "t", "u", "w", "x", "none"]:
        for command, tolerance in (("TTL", 2), ("PTTL", 2000), ("PEXPIRETIME", 2000)):
            request = [encode(command, key)]
            ours, theirs = shell.batch(request)[0], redis.batch(request)[0]
            difference = int(ours[1:]) - int(theirs[1:])
            assert abs(difference) <= tolerance, (command, key, ours, theirs)


def test_a_key_vanishes_when_its_time_has_come(shell: Shell, redis: Redis) -> None:
    compare(shell, redis, [["SET", "k", "v", "PX", "60"], ["GET", "k"]])
    deadline = time.monotonic() + WAIT_SECONDS
    gone = encode("EXISTS", "k")
    while shell.batch([gone]) != [b":0\r\n"] or redis.batch([gone]) != [b":0\r\n"]:
        assert time.monotonic() < deadline
    compare(shell, redis, [["GET", "k"], ["TTL", "k"], ["DBSIZE"], ["TYPE", "k"]])


@pytest.mark.parametrize("count", ["1", "3", "7", "1000"])
def test_scan_returns_every_key_that_stays(shell: Shell, count: str) -> None:
    shell.batch([encode("SET", f"stay:{i}", "v") for i in range(500)])
    seen, cursor, churn = [], b"0", 0
    while True:
        shell.send(encode("SCAN", cursor, "COUNT", count, "MATCH", "stay:*"))
        reply = shell.reply()
        cursor = re.match(rb"\*2\r\n\$\d+\r\n(\d+)\r\n", reply).group(1)
        seen += elements(reply.split(b"\r\n", 3)[3])
        if cursor == b"0":
            break
        churn += 1
        change = [encode("SET", f"come:{churn}", "v"), encode("DEL", f"come:{churn - 3}")]
        shell.batch(change)
    assert sorted(seen) == sorted(f"stay:{i}".encode() for i in range(500))


def test_command_describes_each_command_as_redis_does(
    shell: Shell, redis: Redis
) -> None:
    names = elements(shell.batch([encode("COMMAND", "LIST")])[0])
    names = [name for name in names if not name.startswith(b"raft.")]
    assert len(names) > 40
    # Name, arity, flags and key positions; what follows differs in detail.
    head = re.compile(rb"\*1\r\n\*10\r\n(.*?:-?\d+\r\n:-?\d+\r\n:-?\d+\r\n)", re.DOTALL)
    for name in names:
        request = [encode("COMMAND", "INFO", name)]
        ours, theirs = shell.batch(request)[0], redis.batch(request)[0]
        assert head.match(ours).group(1) == head.match(theirs).group(1), name


BAD_INPUT = [
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$abc\r\n",
    b"*1\r\n$+3\r\n",
    b"*1\r\n$03\r\n",
    b"*1\r\n$\r\n",
    b"*2147483648\r\n",
    b"*abc\r\n",
    b"*3x\r\n",
    b"*" + b"1" * 20 + b"\r\n",
    b"*1\r\n:3\r\n",
    b"*1\r\n*1\r\n",
    b"*1\r\n\r\n",
    b"*-1\r\n*0\r\n*-10\r\n*1\r\n!\r\n",
    b'SET a "foo\r\n',
    b'"a"b\r\n',
    b"'foo\r\n",
    b"DBSIZE\r\nSET a 'b'c\r\n",
    b"a" * 70000,
    b"*" + b"1" * 70000,
    b"*1\r\n$" + b"1" * 70000,
]


@pytest.mark.parametrize("data", BAD_INPUT, ids=lambda data: repr(data[:24]))
def test_malformed_input_gets_redis_error_and_ends_the_connection(
    shell: Shell, redis: Redis, data: bytes
) -> None:
    shell.send(data)
    redis.send(data)
    assert shell.all_until_closed() == redis.all_until_closed()


INLINE = [
    b"SET inline \"\\x41\\n\\\"\" \r\n",
    b"GET inline\r\n",
    b"  \r\n\r\n   get    inline\n",
    b"SET 'single quote' 'a\\'b \\n'\r\n",
    b"GET 'single quote'\n",
    b"SET half\"way\" x\r\n",
    b"KEYS half*\r\n",
    b"STRLEN \"\"\r\n",
    b"get\tinline\r\n",
    b"set \"\\a\\b\\q\\x4\\xzz\" v\r\nKEYS *qx4*\r\n",
]


def test_inline_commands_are_read_as_redis_reads_them(
    shell: Shell, redis: Redis
) -> None:
    for line in INLINE:
        data = line + b"ECHO_END\r\n"
        shell.send(data)
        redis.send(data)
        ours, theirs = [], []
        for pipe, replies in ((shell, ours), (redis, theirs)):
            while not replies or b"ECHO_END" not in replies[-1]:
                replies.append(pipe.reply())
        assert ours == theirs, line
