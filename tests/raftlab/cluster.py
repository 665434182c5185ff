"""What a test may do to a cluster, whichever world it lives in.

A backend gives the few abstract methods; everything that waits is written once, here,
upon `pass_time`: real seconds in one world, virtual ones in the other. Conditions are
awaited with generous limits and never slept for."""

import abc
import dataclasses
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Optional, Union

from raftlab.resp import Reply, RespError, Word

Node = int
# Refusals that leave no trace: the command was not taken and may be sent again.
NOT_TAKEN = ("MOVED", "CLUSTERDOWN", "TRYAGAIN")
LIVE: "weakref.WeakSet[Cluster]" = weakref.WeakSet()


class Unreachable(Exception):
    """The node gave no answer: it is down, cut off, or was stopped while answering."""


class NotInTime(AssertionError):
    """What was awaited did not come; the text tells what each node said at the end."""


@dataclasses.dataclass(frozen=True)
class Status:
    """What a node says of itself."""

    node: Node
    role: str  # follower, pre-candidate, candidate, leader
    term: int
    leader: Node  # 0: it knows of none
    commit_index: int
    applied_index: int
    last_index: int
    hash: str  # of the state machine


class Cluster(abc.ABC):
    """Nodes 1 to n. Use it as a context: it starts and always cleans up."""

    seconds_max = 60.0  # for one condition; virtual where time is

    def __init__(self, nodes: int) -> None:
        self.nodes: tuple[Node, ...] = tuple(range(1, nodes + 1))
        self.down: set[Node] = set()
        self.paused: set[Node] = set()

    def __enter__(self) -> "Cluster":
        LIVE.add(self)
        try:
            self.start()
        except BaseException:
            print(self.logs(), file=sys.stderr)
            self.stop()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        LIVE.discard(self)
        self.stop()

    # ---- what a backend gives --------------------------------------------------------

    @abc.abstractmethod
    def start(self) -> None:
        """Starts every node."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Ends everything that was started. May be called twice."""

    @abc.abstractmethod
    def do_on(self, node: Node, *words: Word, seconds: float = 5) -> Reply:
        """One command at that node, once. RespError: it was refused. Unreachable: no
        answer, and nobody knows whether it was taken."""

    @abc.abstractmethod
    def once(self, *words: Word) -> Reply:
        """One write, applied exactly once however often it has to be sent: within a
        client session (dissertation 6.3)."""

    @abc.abstractmethod
    def holds(self, node: Node, key: str, value: Optional[str]) -> bool:
        """Whether that node's own applied state, however old, has this value there
        (None: no value)."""

    @abc.abstractmethod
    def status(self, node: Node) -> Status:
        """Asks that node alone; Unreachable where it cannot answer."""

    @abc.abstractmethod
    def crash(self, node: Node) -> None:
        """kill -9: what was not synced may be lost."""

    @abc.abstractmethod
    def restart(self, node: Node) -> None:
        """Starts a crashed node again, upon its own disk."""

    @abc.abstractmethod
    def pause(self, node: Node) -> None:
        """The process stands still, as at SIGSTOP; its memory stays."""

    @abc.abstractmethod
    def resume(self, node: Node) -> None:
        """A paused node goes on."""

    @abc.abstractmethod
    def cut(self, sender: Node, receiver: Node) -> None:
        """Nothing that `sender` sends reaches `receiver` any more. One way."""

    @abc.abstractmethod
    def heal(self) -> None:
        """All links work again."""

    @abc.abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Lets so much of the cluster's time pass."""

    @abc.abstractmethod
    def now(self) -> float:
        """The cluster's time in seconds."""

    @abc.abstractmethod
    def logs(self) -> str:
        """What the nodes wrote, for the report of a failed test."""

    @abc.abstractmethod
    def join(self) -> Node:
        """A new node, under a new number, that asks to be a member. It may not be a
        voter yet when this returns: see wait_voters()."""

    @abc.abstractmethod
    def remove(self, node: Node) -> None:
        """Out of the configuration; the node itself goes on."""

    @abc.abstractmethod
    def transfer(self, to: Node = 0) -> Node:
        """Hands leadership over, to the best where nobody is named; who leads then."""

    @abc.abstractmethod
    def roles(self, node: Node) -> dict[Node, str]:
        """Of the members, as that node's newest configuration tells them; nothing while
        that is not known to be committed."""

    def check(self) -> None:
        """What the world itself can judge of the run so far."""

    # ---- links -----------------------------------------------------------------------

    def partition(self, *groups: Iterable[Node]) -> None:
        """Cuts every link between nodes of different groups, both ways."""
        sides = [set(group) for group in groups]
        for side in sides:
            for sender in side:
                for receiver in set(self.nodes) - side:
                    self.cut(sender, receiver)

    def isolate(self, node: Node) -> None:
        self.partition([node], set(self.nodes) - {node})

    # ---- waiting ---------------------------------------------------------------------

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 0) -> Any:
        """The first true value of `condition`; Unreachable counts as not yet."""
        limit = self.now() + (seconds or self.seconds_max)
        while True:
            try:
                value = condition()
            except Unreachable:
                value = None
            if value:
                return value
            if self.now() > limit:
                raise NotInTime(f"not in time: {what}\n{self.describe()}")
            self.pass_time(0.02)

    def describe(self) -> str:
        lines = []
        for node in self.nodes:
            try:
                lines.append(str(self.status(node)))
            except Unreachable as reason:
                lines.append(f"node {node} gives no answer ({reason})")
        return "\n".join(lines)

    def up(self) -> list[Node]:
        return [n for n in self.nodes if n not in self.down and n not in self.paused]

    def leader(self, among: Optional[Iterable[Node]] = None) -> Node:
        """Waits for one leader that a majority of all nodes follows in its term.

        With `among`, that leader and those followers are looked for in there only."""
        nodes = list(self.up() if among is None else among)

        def agreed() -> Optional[Node]:
            seen = self.statuses(nodes)
            for status in seen:
                follow = [
                    s for s in seen if s.term == status.term and s.leader == status.node
                ]
                if status.role == "leader" and 2 * len(follow) > len(self.nodes):
                    return status.node
            return None

        return self.wait(agreed, f"a leader among {nodes}")

    def statuses(self, nodes: Iterable[Node]) -> list[Status]:
        """Of those that answer."""
        found = []
        for node in nodes:
            try:
                found.append(self.status(node))
            except Unreachable:
                pass
        return found

    def wait_applied_equal(self, nodes: Optional[Iterable[Node]] = None) -> None:
        """Until these nodes have applied the same entries, as far as any has one."""
        nodes = list(self.nodes if nodes is None else nodes)

        def equal() -> bool:
            seen = [self.status(node) for node in nodes]
            last = max(status.last_index for status in seen)
            return all(
                status.applied_index == last == status.commit_index for status in seen
            )

        self.wait(equal, f"nodes {nodes} apply the same entries")

    def hashes(self, nodes: Optional[Iterable[Node]] = None) -> set[str]:
        """The state machines' hashes at one and the same index: one, if all is well."""
        nodes = list(self.nodes if nodes is None else nodes)

        def at_one_index() -> Optional[list[Status]]:
            seen = [self.status(node) for node in nodes]
            return seen if len({status.applied_index for status in seen}) == 1 else None

        seen = self.wait(at_one_index, "all replicas stand at one index")
        return {status.hash for status in seen}

    def wait_voters(self, *voters: Node) -> None:
        """Until these are the voters, as their leader tells, and nothing is under way."""

        def settled() -> bool:
            return self.roles(self.leader()) == {node: "voter" for node in voters}

        self.wait(settled, f"{voters} are the voters")

    # ---- a client --------------------------------------------------------------------

    def do(self, *words: Word, again: bool = False) -> Reply:
        """One command, at whichever node takes it.

        Refusals that leave no trace are tried again elsewhere. Where no answer came,
        the command may have been taken: it is tried again only with `again`, which is
        right for what may be done twice, and raises Unreachable otherwise."""
        order = self.up()

        def attempt() -> Optional[list[Reply]]:
            node = order[0]
            try:
                return [self.do_on(node, *words)]
            except RespError as error:
                if error.code not in NOT_TAKEN:
                    raise
                order.remove(node)
                leader = self.moved_to(error) if error.code == "MOVED" else None
                if leader in order:
                    order.remove(leader)
                    order.insert(0, leader)
                order.append(node)
            except Unreachable:
                if not again:
                    raise
                order.append(order.pop(0))
            return None

        if again:
            return self.wait(attempt, f"an answer to {words}")[0]
        limit = self.now() + self.seconds_max
        while self.now() <= limit:
            if answer := attempt():
                return answer[0]
            self.pass_time(0.02)
        raise NotInTime(f"not in time: an answer to {words}\n{self.describe()}")

    def moved_to(self, error: RespError) -> Optional[Node]:
        """The node that a MOVED points at."""
        return None

    def set(self, key: str, value: Union[str, int]) -> None:
        reply = self.do("SET", key, value, again=True)
        assert reply == "OK", reply

    def get(self, key: str) -> Optional[str]:
        """A linearizable read."""
        reply = self.do("GET", key, again=True)
        return reply.decode() if isinstance(reply, bytes) else reply
