"""Servers built with ASan and UBSan, under load and faults, that end without a finding.

A finding ends the server at once or, for a leak, turns its exit code; either fails."""

import random

from raftlab.history import Clients, Load
from raftlab.real import RealCluster


def test_servers_under_sanitizers_go_through_faults_and_end_cleanly() -> None:
    chance = random.Random(5)
    with RealCluster(3, sanitized=True) as cluster:
        first = cluster.leader()
        load = Load(ports=list(cluster.client_ports.values()), seed=5)
        with Clients(load) as clients:
            clients.wait_more(cluster, 100)
            cluster.isolate(first)
            clients.wait_more(cluster, 100)
            cluster.heal()
            victim = chance.choice(cluster.nodes)
            cluster.crash(victim)
            clients.wait_more(cluster, 100)
            cluster.restart(victim)
            clients.wait_more(cluster, 100)
        cluster.wait_applied_equal()
        assert len(cluster.hashes()) == 1
        codes = {node: cluster.terminate(node) for node in cluster.nodes}
        assert codes == {node: 0 for node in cluster.nodes}, cluster.logs()
