"""The harness of raftlab's tests: clusters, clients and histories.

    from raftlab import cluster_of
    with cluster_of("real", nodes=3) as cluster:     # or "simulated"
        cluster.set("x", "1")
        assert cluster.get("x") == "1"

Everything but the Redis client that some tests bring themselves is standard library.
"""

from typing import Any

from raftlab.cluster import Cluster


def cluster_of(
    world: str, nodes: int = 3, *, seed: int = 1, spares: int = 0, **options: Any
) -> Cluster:
    """A cluster in the "real" or in the "simulated" world; the seed counts in the
    simulated one, where a run repeats. Up to `spares` nodes may join it; among real
    ones no link can be cut then."""
    if world == "real":
        from raftlab.real import RealCluster

        return RealCluster(nodes, cables=spares == 0, **options)
    from raftlab.simulated import SimulatedCluster

    return SimulatedCluster(nodes, seed=seed, spares=spares, **options)
