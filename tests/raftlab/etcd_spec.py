"""Follows a trace through the actions of etcd-io/raft's TLA+ specification, as TLC would.

The specification (etcdraft.tla, with Traceetcdraft.tla around it) has a node's log, term, vote
and commit index, a bag of messages under way, and one of messages that leave at the node's next
Ready. Each line of a trace names an action: here it must be enabled, and its outcome must be
what the line shows. That is less than TLC does (one successor is tried, not all), so what is
followed here is a behaviour of the specification, and what is not may still be one.
"""

import collections
import dataclasses
import itertools
from typing import Any

FOLLOWER, CANDIDATE, LEADER = "StateFollower", "StateCandidate", "StateLeader"
NIL = "0"


class NotFollowed(Exception):
    """The specification has no such step here."""


@dataclasses.dataclass(frozen=True)
class Message:
    kind: str  # MsgVote, MsgVoteResp, MsgApp, MsgAppResp
    source: str
    target: str
    term: int
    index: int = 0  # of the entry before; of the last entry; that matches
    log_term: int = 0
    entries: tuple[int, ...] = ()  # their terms
    commit: int = 0
    reject: bool = False


@dataclasses.dataclass
class Node:
    voters: frozenset[str]
    term: int = 0
    vote: str = NIL
    role: str = FOLLOWER
    log: list[int] = dataclasses.field(default_factory=list)  # terms
    commit: int = 0
    granted: set[str] = dataclasses.field(default_factory=set)
    responded: set[str] = dataclasses.field(default_factory=set)
    match: dict[str, int] = dataclasses.field(default_factory=dict)

    def term_at(self, index: int) -> int:
        return self.log[index - 1] if 0 < index <= len(self.log) else 0

    def last_of(self, term: int) -> int:
        """The index of its last entry of that term, 0 where it has none."""
        return max((i for i, t in enumerate(self.log, 1) if t == term), default=0)

    def is_majority(self, nodes: set[str]) -> bool:
        return 2 * len(nodes & self.voters) > len(self.voters)


def require(condition: bool, what: str) -> None:
    if not condition:
        raise NotFollowed(what)


class Specification:
    """The state, and a method for each event of a trace.

    The specification has two habits that neither Figure 2 nor etcd itself has in this way: of
    an AppendEntries that begins at or below the commit index it takes no commit index and
    answers with its own, and an old one that comes late takes the commit index back. `exact`
    has them, too; without it, they are counted as differences and Figure 2 is followed.
    """

    def __init__(self, exact: bool = True) -> None:
        self.exact = exact
        self.nodes: dict[str, Node] = {}
        self.pending: list[Message] = []
        self.messages: collections.Counter[Message] = collections.Counter()
        self.last: dict[str, dict[str, Any]] = {}  # of each node, its last line
        self.leaders: dict[int, str] = {}
        self.differences = 0

    def follow(self, event: dict[str, Any]) -> None:
        name, nid = event["name"], event["nid"]
        if name == "InitState":
            require(nid not in self.nodes, "a restart: the commit index is durable in etcd")
            self.nodes[nid] = Node(frozenset(event["conf"][0]))
        else:
            getattr(self, f"on_{name}")(self.nodes[nid], event)
        if name not in ("Replicate", "Ready") and not name.startswith("Receive"):
            self.compare(event)
        self.last[nid] = event
        if name in ("Commit", "BecomeLeader", "ReceiveAppendEntriesRequest"):
            self.check_invariants()

    def compare(self, event: dict[str, Any]) -> None:
        """What the line shows is what the node has."""
        node, state = self.nodes[event["nid"]], event["state"]
        shown = (state["term"], state["vote"], state["commit"], event["role"], event["log"])
        here = (node.term, node.vote, node.commit, node.role, len(node.log))
        require(shown == here, f"the line shows {shown}, the specification has {here}")
        require(event["conf"] == [sorted(node.voters, key=int), []], "another configuration")

    # ---- roles ----------------------------------------------------------------------

    def on_BecomeCandidate(self, node: Node, event: dict[str, Any]) -> None:
        require(node.role in (FOLLOWER, CANDIDATE), "a leader campaigns")
        require(event["nid"] in node.voters, "who campaigns is no voter")
        node.role, node.term, node.vote = CANDIDATE, node.term + 1, event["nid"]
        node.granted, node.responded = set(), set()

    def on_BecomeLeader(self, node: Node, event: dict[str, Any]) -> None:
        require(node.role == CANDIDATE, "who leads was no candidate")
        require(node.is_majority(node.granted), f"votes of {sorted(node.granted)} alone")
        require(node.term not in self.leaders, f"term {node.term} has had a leader")
        self.leaders[node.term] = event["nid"]
        node.role = LEADER
        node.match = {peer: 0 for peer in self.nodes} | {event["nid"]: len(node.log)}

    def on_BecomeFollower(self, node: Node, event: dict[str, Any]) -> None:
        if self.is_part_of_receiving(event):
            require(node.role == FOLLOWER, "what was received made it no follower")
            raise Followed
        require(node.role in (LEADER, CANDIDATE), "a follower steps down")
        node.role = FOLLOWER

    def is_part_of_receiving(self, event: dict[str, Any]) -> bool:
        before, term = self.last[event["nid"]], event["state"]["term"]
        if not before["name"].startswith("Receive") or before["msg"]["term"] != term:
            return False
        return before["state"]["term"] < term or (
            before["name"] == "ReceiveAppendEntriesRequest" and before["role"] == CANDIDATE
        )

    # ---- what is sent ---------------------------------------------------------------

    def on_SendRequestVoteRequest(self, node: Node, event: dict[str, Any]) -> None:
        message = self.shown(event)
        require(node.role == CANDIDATE, "votes are asked for by no candidate")
        require(message.target in node.voters - node.responded, "who has answered is asked")
        last = (len(node.log), node.term_at(len(node.log)))
        require((message.index, message.log_term) == last, f"its last entry is {last}")
        self.pending.append(message)

    def on_SendRequestVoteResponse(self, node: Node, event: dict[str, Any]) -> None:
        message = self.shown(event)
        if message.source == message.target:
            require(node.role == CANDIDATE, "no candidate votes for itself")
            self.pending.append(message)

    def on_SendAppendEntriesRequest(self, node: Node, event: dict[str, Any]) -> None:
        require(event["msg"]["type"] == "MsgApp", "snapshots are not followed")
        message, count = self.shown(event), event["msg"]["entries"]
        end = message.index + count
        require(node.role == LEADER, "entries are sent by no leader")
        require(node.match[message.target] <= message.index, "what has matched is sent again")
        require(end <= len(node.log), "more is sent than there is")
        require(message.log_term == node.term_at(message.index), "another term before it")
        require(message.commit == min(node.commit, end), "another commit index")
        entries = tuple(node.log[message.index : end])
        self.pending.append(dataclasses.replace(message, entries=entries))

    def on_SendAppendEntriesResponse(self, node: Node, event: dict[str, Any]) -> None:
        message = self.shown(event)
        if message.source == message.target:
            require(node.role == LEADER, "no leader acknowledges its own entries")
            require(message.index == len(node.log), "it acknowledges less than it has")
            self.pending.append(message)

    def on_Ready(self, node: Node, event: dict[str, Any]) -> None:
        self.messages.update(self.pending)
        self.pending = []

    def on_Replicate(self, node: Node, event: dict[str, Any]) -> None:
        require(node.role == LEADER, "no leader takes a command")
        node.log.append(node.term)

    def on_Commit(self, node: Node, event: dict[str, Any]) -> None:
        require(node.role == LEADER, "no leader counts")
        agreed = [
            index
            for index in range(1, len(node.log) + 1)
            if node.is_majority({peer for peer, match in node.match.items() if match >= index})
        ]
        if agreed and node.term_at(agreed[-1]) == node.term:
            node.commit = max(node.commit, agreed[-1])

    # ---- what is received -----------------------------------------------------------

    def shown(self, event: dict[str, Any]) -> Message:
        """The message of a line, less what its entries are."""
        msg = event["msg"]
        request = msg["type"] in ("MsgVote", "MsgApp")
        return Message(
            *(msg["type"], msg["from"], msg["to"], msg["term"]),
            index=0 if msg["reject"] else msg["index"],
            log_term=msg["logTerm"] if request else 0,
            commit=msg["commit"],
            reject=msg["reject"],
        )

    def take(self, node: Node, event: dict[str, Any]) -> Message:
        """The message under way that the line shows; the receiver's term is at least its."""
        self.compare(event)
        wanted, count = self.shown(event), event["msg"]["entries"]
        for message in self.messages:
            alike = dataclasses.replace(message, entries=()) == wanted
            if alike and len(message.entries) == count:
                self.messages[message] -= 1
                self.messages += collections.Counter()
                if message.term > node.term:
                    node.term, node.vote, node.role = message.term, NIL, FOLLOWER
                return message
        raise NotFollowed(f"no such message is under way: {wanted}, {count} entries")

    def answer(self, to: Message, kind: str, **fields: Any) -> None:
        term = self.nodes[to.target].term
        self.pending.append(Message(kind, to.target, to.source, term, **fields))

    def on_ReceiveRequestVoteRequest(self, node: Node, event: dict[str, Any]) -> None:
        m = self.take(node, event)
        own_last = (node.term_at(len(node.log)), len(node.log))
        granted = (
            m.term == node.term
            and (m.log_term, m.index) >= own_last
            and node.vote in (NIL, m.source)
        )
        node.vote = m.source if granted else node.vote
        self.answer(m, "MsgVoteResp", reject=not granted)

    def on_ReceiveRequestVoteResponse(self, node: Node, event: dict[str, Any]) -> None:
        m = self.take(node, event)
        if m.term == node.term:
            node.responded.add(m.source)
            node.granted |= set() if m.reject else {m.source}

    def on_ReceiveAppendEntriesRequest(self, node: Node, event: dict[str, Any]) -> None:
        m = self.take(node, event)
        require(m.term < node.term or node.role != LEADER, "two leaders in one term")
        if m.term == node.term:
            node.role = FOLLOWER
        matches = m.index == 0 or (m.index <= len(node.log) and m.log_term == node.term_at(m.index))
        if m.term < node.term or not matches:
            self.answer(m, "MsgAppResp", reject=True)
            return
        before = node.commit
        self.take_entries(node, m)
        last_new = m.index + len(m.entries)
        commit = min(m.commit, last_new)
        if m.index < node.commit:
            if commit > node.commit or last_new < node.commit:
                self.differences += 1
            # Both answers are under way where it is not exact.
            self.answer(m, "MsgAppResp", index=node.commit)
            commit = node.commit if self.exact else max(node.commit, commit)
        elif commit < node.commit:
            self.differences += 1
            commit = commit if self.exact else node.commit
        node.commit = commit
        if m.index >= before or not self.exact:
            self.answer(m, "MsgAppResp", index=last_new)

    def take_entries(self, node: Node, m: Message) -> None:
        for index, term in enumerate(m.entries, m.index + 1):
            if index <= len(node.log) and node.term_at(index) != term:
                require(index > node.commit, f"entry {index}, which is committed, would go")
                del node.log[index - 1 :]
            if index > len(node.log):
                node.log.append(term)

    def on_ReceiveAppendEntriesResponse(self, node: Node, event: dict[str, Any]) -> None:
        m = self.take(node, event)
        if m.term == node.term and not m.reject and node.role == LEADER:
            node.match[m.source] = max(node.match[m.source], m.index)

    # ---- invariants -----------------------------------------------------------------

    def check_invariants(self) -> None:
        """Those of the specification, by its names."""
        nodes = list(self.nodes.values())
        for one, other in itertools.permutations(nodes, 2):
            self.check_pair(one, other)
        longest = max((node.log[: node.commit] for node in nodes), key=len, default=[])
        leading = [node.term for node in nodes if node.role == LEADER]
        require(len(leading) == len(set(leading)), "MoreThanOneLeaderInv")
        for node in nodes:
            require(node.log[: node.commit] == longest[: node.commit], "LogInv")
            committed = longest[: node.commit]
            have = {nid for nid, n in self.nodes.items() if n.log[: node.commit] == committed}
            require(node.commit == 0 or node.is_majority(have), "QuorumLogInv")
            if node.role == LEADER:
                older = sum(1 for term in longest if term < node.term)
                require(node.log[:older] == longest[:older], "LeaderCompletenessInv")


    def check_pair(self, one: Node, other: Node) -> None:
        """Terms stand for entries: two of one term and one index are the same."""
        last = (one.term_at(len(one.log)), len(one.log))
        others = (other.term_at(len(other.log)), len(other.log))
        if last >= others:
            committed = other.log[: other.commit]
            require(one.log[: other.commit] == committed, "MoreUpToDateCorrectInv")
        if one.role == LEADER:
            require(one.last_of(one.term) >= other.last_of(one.term), "ElectionSafetyInv")
        common = min(len(one.log), len(other.log))
        while common > 0 and one.log[common - 1] != other.log[common - 1]:
            common -= 1
        require(one.log[:common] == other.log[:common], "LogMatchingInv")


class Followed(Exception):
    """A line that shows a part of the step before it."""


def follow(events: list[dict[str, Any]], exact: bool = True) -> Specification:
    """Raises NotFollowed, with the line's number, where the specification cannot follow."""
    spec = Specification(exact)
    for number, event in enumerate(events, 1):
        try:
            spec.follow(event)
        except Followed:
            pass
        except NotFollowed as reason:
            raise NotFollowed(f"line {number}, {event['name']} of {event['nid']}: {reason}")
    return spec
