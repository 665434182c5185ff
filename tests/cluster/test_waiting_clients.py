"""Clients that wait at a leader get on when it is cut off from the others: it answers
them, and they find the one that the others elect."""

from raftlab.real import RealCluster
from raftlab.writer import Writer

PATIENCE_SECONDS = 50.0  # far longer than an election: the server must answer first


def test_clients_that_wait_at_a_leader_that_is_cut_off_get_on_while_it_is():
    with RealCluster(3) as cluster:
        ports = [cluster.client_ports[node] for node in cluster.nodes]
        writers = [Writer(f"c{n}", ports, PATIENCE_SECONDS) for n in range(4)]
        for writer in writers:
            writer.start()

        def all_write_ten_more() -> None:
            goals = [writer.acknowledged + 10 for writer in writers]

            def done() -> bool:
                problems = [writer.problem for writer in writers if writer.problem]
                assert not problems, problems
                return all(w.acknowledged >= goal for w, goal in zip(writers, goals))

            cluster.wait(done, "every client gets ten more writes acknowledged")

        all_write_ten_more()
        leader = cluster.leader()
        cluster.isolate(leader)
        all_write_ten_more()
        others = [node for node in cluster.nodes if node != leader]
        assert cluster.leader(among=others) != leader
        cluster.heal()
        all_write_ten_more()
        for writer in writers:
            writer.ending.set()
        for writer in writers:
            writer.join(PATIENCE_SECONDS)
        for writer in writers:
            keys = [f"{writer.prefix}:{n}" for n in range(writer.acknowledged)]
            values = [f"value {n}".encode() for n in range(writer.acknowledged)]
            assert cluster.do("MGET", *keys) == values
