"""Worlds in which each message is handed on by hand, so that a reply can be lost just when
it matters. Clients are numbers; what they are told is kept."""

import re
from typing import Any, Optional

from raftlab.labs import World
from raftlab.simulated import quoted

KINDS = {
    "PreVote": "pre-vote",
    "PreVoteReply": "pre-vote-reply",
    "RequestVote": "vote",
    "RequestVoteReply": "vote-reply",
    "AppendEntries": "append",
    "AppendEntriesReply": "append-reply",
    "InstallSnapshot": "snapshot",
    "InstallSnapshotReply": "snapshot-reply",
    "ReadIndex": "read-index",
    "ReadIndexReply": "read-index-reply",
}
MESSAGE = re.compile(r"(\w+) n(\d+)>n(\d+) ")
ROUNDS_MAX = 200


class ByHand:
    """A cluster of `nodes` in that world, whose first leader is node 1."""

    def __init__(self, world: World, nodes: int = 3, **settings: Any) -> None:
        self.world = world
        self.answers: dict[int, dict[str, Any]] = {}  # client -> the last one
        world.cluster(nodes, "manual", pre_vote="off", **settings)
        self.lead(1)

    def tell(self, *words: Any) -> dict[str, Any]:
        answer = self.world.tell(*words)
        for told in answer.get("answers", []):
            self.answers[told["client"]] = told
        return answer

    def flight(self) -> list[tuple[str, int, int]]:
        """(kind, from, to) of all that is under way, in the order of sending."""
        found = [MESSAGE.match(text) for text in self.tell("flight")["messages"]]
        return [(KINDS[m[1]], int(m[2]), int(m[3])) for m in found if m and m[1] in KINDS]

    def pass_on(self, among: Optional[set[int]] = None, kinds: str = "") -> None:
        """Hands on all messages among these nodes (None: all that run), and what follows."""
        up = {s["node"] for s in self.world.statuses() if s["state"] == "up"}
        among = up if among is None else among & up
        wanted = set(kinds.split())
        for _ in range(ROUNDS_MAX):
            now = [m for m in self.flight() if {m[1], m[2]} <= among]
            now = [m for m in now if not wanted or m[0] in wanted]
            if not now:
                return
            kind, sender, receiver = now[0]
            self.tell("deliver", sender, receiver, kind)
        self.world.fail(f"the nodes have nothing more to say after {ROUNDS_MAX} messages",
                        str(self.flight()))  # fmt: skip

    def lead(self, node: int, among: Optional[set[int]] = None) -> None:
        """That node campaigns until it leads, and commits something."""
        for _ in range(5):
            # Who has heard a leader of late votes for nobody; another may have won meanwhile.
            self.tell("pass", "1s")
            self.tell("timeout", node)
            self.pass_on(among)
            if self.world.status(node)["role"] == "leader":
                self.tell("timeout", node)  # a heartbeat tells all what is committed
                self.pass_on(among)
                return
        self.world.fail(
            f"node {node} is elected", self.world.situation(), line=f"expect role {node} leader"
        )

    # ---- clients -----------------------------------------------------------------

    def ask(self, client: int, node: int, *words: Any) -> None:
        self.answers.pop(client, None)
        self.tell("client", client, "at", node, *words)

    def register(self, client: int, node: int = 1) -> None:
        self.answers.pop(client, None)
        self.tell("client", client, "register", "at", node)
        self.pass_on()

    def again(self, client: int, node: int) -> None:
        """The same request once more, in the same session and with the same number."""
        self.answers.pop(client, None)
        self.tell("client", client, "again", "at", node)

    def reply(self, client: int, expected: str) -> None:
        """That client has this reply."""
        answer = self.answers.get(client)
        if answer is None or answer.get("reply") != expected:
            seen = "no answer" if answer is None else str(answer.get("reply", answer))
            self.world.fail(
                f"client {client} is told {expected}",
                seen,
                line=f"expect answer {client} {quoted(expected)}",
            )

    def silent(self, client: int) -> None:
        """That client has no answer, or is sent elsewhere."""
        answer = self.answers.get(client)
        if answer is not None and "reply" in answer:
            self.world.fail(
                f"client {client} has no answer yet",
                f"it is told {answer['reply']}",
                line=f"expect no answer {client}",
            )
