"""`make demo`: a cluster of three loses its leader, its network and its power, and no
write that it acknowledged.

Everything here is real: three raftkv processes on loopback with their logs on this
disk, four Redis clients, SIGKILL, and cables (proxies between the servers) that are cut.
The exit code is 0 only where nothing was lost and all replicas are equal."""

import dataclasses
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from raftlab.cluster import Node, Unreachable  # noqa: E402  (the path comes first)
from raftlab.real import RealCluster  # noqa: E402
from raftlab.writer import KEEP_TRYING_SECONDS, Writer  # noqa: E402

WRITERS = 4
ACT_SECONDS = 4.0  # of quiet writing between two misfortunes
READ_BATCH = 500


@dataclasses.dataclass
class Act:
    """A misfortune, and the longest time around it without an acknowledged write."""

    name: str
    started: float
    pause: float = 0.0


class Story:
    """What is printed, with the seconds since the start."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    def tell(self, text: str) -> None:
        print(f"  {time.monotonic() - self.start:5.1f} s  {text}", flush=True)


class Demo:
    def __init__(self, cluster: RealCluster) -> None:
        self.cluster = cluster
        self.story = Story()
        ports = [cluster.client_ports[node] for node in cluster.nodes]
        self.writers = [Writer(f"client{n + 1}", ports) for n in range(WRITERS)]
        self.acts: list[Act] = []

    def total(self) -> int:
        return sum(writer.acknowledged for writer in self.writers)

    def others(self, node: Node) -> list[Node]:
        return [other for other in self.cluster.nodes if other != node]

    def write_for(self, seconds: float) -> None:
        """Lets the clients write, and sees to it that all of them do."""
        before = [writer.acknowledged for writer in self.writers]
        time.sleep(seconds)
        limit = time.monotonic() + KEEP_TRYING_SECONDS
        for writer, count in zip(self.writers, before):
            while writer.acknowledged == count and not writer.problem:
                if time.monotonic() > limit:
                    return
                time.sleep(0.01)

    def act(self, name: str) -> None:
        self.acts.append(Act(name, time.monotonic()))

    # ---- the misfortunes -------------------------------------------------------------

    def kill_the_leader(self) -> Node:
        leader = self.cluster.leader()
        self.act("the leader killed")
        self.cluster.crash(leader)
        self.story.tell(
            f"{self.total():,} writes so far. kill -9: node {leader}, the leader, is gone"
        )
        second = self.cluster.leader(among=self.others(leader))
        term = self.cluster.status(second).term
        self.story.tell(f"node {second} was elected and leads term {term}")
        return leader

    def bring_back(self, node: Node) -> None:
        self.cluster.restart(node)
        recovered = self.cluster.status(node).last_index
        self.story.tell(f"node {node} is back with {recovered:,} entries from its disk")
        self.catches_up(node)

    def catches_up(self, node: Node) -> None:
        goal = self.cluster.status(self.cluster.leader()).commit_index

        def caught_up() -> bool:
            return self.cluster.status(node).applied_index >= goal

        self.cluster.wait(caught_up, f"node {node} catches up")
        self.story.tell(f"node {node} has caught up and follows")

    def cut_the_leader_off(self) -> Node:
        leader = self.cluster.leader()
        self.act("the leader cut off")
        self.cluster.isolate(leader)
        self.story.tell(
            f"{self.total():,} writes so far. node {leader}, the leader, is cut off "
            "from both others"
        )
        second = self.cluster.leader(among=self.others(leader))
        term = self.cluster.status(second).term
        stale = self.cluster.status(leader)
        self.story.tell(
            f"node {second} leads term {term}; node {leader}, alone in term "
            f"{stale.term}, can commit nothing"
        )
        return leader

    def heal(self, node: Node) -> None:
        self.cluster.heal()
        self.story.tell("the cables are mended")
        self.catches_up(node)

    def power_cut(self) -> None:
        self.act("all three killed")
        for node in self.cluster.nodes:
            self.cluster.crash(node)
        self.story.tell(f"{self.total():,} writes so far. kill -9: all three at once")
        for node in self.cluster.nodes:
            self.cluster.restart(node)
        leader = self.cluster.leader()
        self.story.tell(f"all are back from their disks, and node {leader} leads")

    # ---- the end ---------------------------------------------------------------------

    def measure_pauses(self) -> None:
        """The longest time in which no client at all got an acknowledgement."""
        times = sorted(when for writer in self.writers for when in writer.times)
        for earlier, later in zip(times, times[1:]):
            for act in reversed(self.acts):
                if later >= act.started:
                    act.pause = max(act.pause, later - earlier)
                    break

    def lost_on(self, node: Node) -> int:
        """Acknowledged writes that this replica's own state does not hold."""
        lost = 0
        with self.cluster.client(node, seconds=60) as client:
            client.do("READONLY", "STALE")
            for writer in self.writers:
                for first in range(0, writer.acknowledged, READ_BATCH):
                    last = min(first + READ_BATCH, writer.acknowledged)
                    keys = [f"{writer.prefix}:{n}" for n in range(first, last)]
                    values = client.do("MGET", *keys)
                    for number, value in zip(range(first, last), values):
                        lost += value != f"value {number}".encode()
        return lost

    def run(self) -> bool:
        cluster, tell = self.cluster, self.story.tell
        leader = cluster.leader()
        ports = ", ".join(str(cluster.client_ports[node]) for node in cluster.nodes)
        tell(f"three servers are up (client ports {ports})")
        tell(f"node {leader} was elected and leads term {cluster.status(leader).term}")
        for writer in self.writers:
            writer.start()
        tell(f"{WRITERS} Redis clients write, one new key after another")
        self.write_for(ACT_SECONDS)
        killed = self.kill_the_leader()
        self.write_for(ACT_SECONDS)
        self.bring_back(killed)
        self.write_for(ACT_SECONDS)
        isolated = self.cut_the_leader_off()
        self.write_for(ACT_SECONDS)
        self.heal(isolated)
        self.write_for(ACT_SECONDS)
        self.power_cut()
        self.write_for(ACT_SECONDS / 2)
        for writer in self.writers:
            writer.ending.set()
        for writer in self.writers:
            writer.join(KEEP_TRYING_SECONDS)
        tell("the clients stop; every write is now read back from every replica")
        cluster.wait_applied_equal()
        return self.verdict()

    def verdict(self) -> bool:
        problems = [writer.problem for writer in self.writers if writer.problem]
        lost = {node: self.lost_on(node) for node in self.cluster.nodes}
        hashes = {node: self.cluster.status(node).hash for node in self.cluster.nodes}
        equal = len(set(hashes.values())) == 1
        self.measure_pauses()
        print(f"\n  writes acknowledged   {self.total():,}")
        print(f"  writes lost             {sum(lost.values())}", end="")
        print("   (" + ", ".join(f"node {n}: {k}" for n, k in lost.items()) + ")")
        worst = max(self.acts, key=lambda act: act.pause)
        print(f"  longest pause           {worst.pause * 1000:.0f} ms   ({worst.name})")
        for act in self.acts:
            print(f"      {act.name:20}{act.pause * 1000:.0f} ms")
        for node, text in hashes.items():
            print(f"  state of node {node}         {text}")
        print(f"  the replicas are        {'equal' if equal else 'NOT EQUAL'}")
        for problem in problems:
            print(f"  a client failed: {problem}")
        good = equal and not problems and not any(lost.values()) and self.total() > 0
        print("\n  " + ("Nothing was lost." if good else "THE CLUSTER BROKE ITS WORD."))
        return good


def main() -> int:
    print("Three servers, four clients, and a bad day:\n")
    cluster = RealCluster(3, fsync=True)
    try:
        with cluster:
            try:
                good = Demo(cluster).run()
            except (AssertionError, Unreachable) as error:
                print(f"\n  the demo failed: {error}")
                good = False
            if not good:
                print(cluster.logs(), file=sys.stderr)
    except KeyboardInterrupt:
        print("\n  stopped")
        return 130
    except (AssertionError, OSError) as error:  # while the servers started
        print(f"\n  the demo did not start: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
