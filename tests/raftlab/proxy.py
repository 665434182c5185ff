"""The cables between real nodes: a TCP proxy on loopback for each ordered pair.

Node i reaches node j through a port of this process, so that the link can be cut. A cut
direction goes silent: what is sent that way is read and thrown away, as by a switch
that drops packets, and nobody is told. A connection that lost bytes is closed when its
link is healed, so that no frame is ever delivered in part.

Runs as a process of its own: `python proxy.py 1:2=7102 ...` (node 1 dials node 2, which
listens on 7102) prints one JSON line with the ports it chose. Then, on standard input:
`cut 1 2` (that direction), `heal`; each is answered with `ok`. It ends with its input.
"""

import asyncio
import json
import sys

Link = tuple[int, int]


class Cables:
    def __init__(self) -> None:
        self.cut: set[Link] = set()
        self.pairs: set["Pair"] = set()

    def heal(self) -> None:
        self.cut.clear()
        for pair in list(self.pairs):
            if pair.lost_bytes:
                pair.close()


class Pair:
    """One connection through the proxy: the dialer's side and the listener's side."""

    def __init__(self, cables: Cables, link: Link) -> None:
        self.cables = cables
        self.link = link
        self.lost_bytes = False
        self.writers: list[asyncio.StreamWriter] = []
        cables.pairs.add(self)

    def close(self) -> None:
        self.cables.pairs.discard(self)
        for writer in self.writers:
            writer.close()

    async def pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Link
    ) -> None:
        try:
            while data := await reader.read(65536):
                if way in self.cables.cut:
                    self.lost_bytes = True
                else:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        self.close()

    async def run(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        self.writers.append(writer)
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            self.close()
            return
        self.writers.append(to_writer)
        there, back = self.link, (self.link[1], self.link[0])
        await asyncio.gather(
            self.pump(reader, to_writer, there), self.pump(to_reader, writer, back)
        )


async def listen(cables: Cables, link: Link, port: int) -> int:
    async def accepted(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await Pair(cables, link).run(reader, writer, port)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    return server.sockets[0].getsockname()[1]


async def obey(cables: Cables) -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := await commands.readline():
        words = line.decode().split()
        if words[0] == "cut":
            cables.cut.add((int(words[1]), int(words[2])))
        elif words[0] == "heal":
            cables.heal()
        print("ok", flush=True)


async def main(arguments: list[str]) -> None:
    cables = Cables()
    ports = {}
    for argument in arguments:
        link, _, port = argument.partition("=")
        dialer, _, listener = link.partition(":")
        ports[link] = await listen(cables, (int(dialer), int(listener)), int(port))
    print(json.dumps(ports), flush=True)
    await obey(cables)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
