"""The harness of raftlab's tests: clusters, clients and histories.

    from raftlab import cluster_of
    with cluster_of("real", nodes=3) as cluster:     # or "simulated"
        cluster.set("x", "1")
        assert cluster.get("x") == "1"

Everything but the Redis client that some tests bring themselves is standard library.
"""
