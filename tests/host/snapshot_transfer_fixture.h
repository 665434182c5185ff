// snapshot_transfer_fixture.h: three nodes, of which one is far behind.
#ifndef TESTS_HOST_SNAPSHOT_TRANSFER_FIXTURE_H
#define TESTS_HOST_SNAPSHOT_TRANSFER_FIXTURE_H

#include "tests/host/cluster_fixture.h"

static struct cluster_copy beginning;
static struct node *leader;
static struct node *behind;

static uint32_t chunk_bytes = CHUNK_BYTES;

static inline void start_three(void)
{
    cluster_init(3, 11);
    for (uint32_t i = 0; i < 3; i++) {
        cluster.nodes[i].config.segment_bytes_max = 4096;
        cluster.nodes[i].config.snapshot_chunk_bytes = chunk_bytes;
        cluster.nodes[i].config.snapshot_tail_entries = 20; // one snapshot is enough
        node_open(&cluster.nodes[i]);
    }
    cluster_propose(3);
}

// Two nodes go on without the third, and drop what it lacks. It is still cut off.
static inline void begin(uint32_t commands)
{
    start_three();
    leader = cluster_elect();
    behind = leader == &cluster.nodes[2] ? &cluster.nodes[1] : &cluster.nodes[2];
    cluster_run(500);
    behind->cut_off = true;
    cluster_propose(commands);
    cluster_run(1000);
    leader = cluster_elect();
    CHECK(node_view(leader).first_index > node_view(behind).last_index + 1);
}

static inline void check_caught_up(void)
{
    cluster_settle();
    CHECK_EQ(node_view(behind).last_index, node_view(leader).last_index);
    CHECK_EQ(behind->machine.state.hash, leader->machine.state.hash);
    CHECK(node_view(behind).first_index > 1);
    check_durable_is_the_cores(behind);
}

static inline bool has_aside(struct node *node)
{
    const struct memory_file *file =
        memory_disk_find(&node->disk, SNAPSHOT_FILE_RECEIVING);
    return file != NULL && file->now.exists;
}

// Some chunks have arrived, and not all.
static inline void receive_some(uint64_t chunks)
{
    uint64_t before = node_counters(leader).snapshot_chunks_sent;
    behind->cut_off = false;
    for (int i = 0;
         i < 5000 && node_counters(leader).snapshot_chunks_sent < before + chunks;
         i++) {
        if (!cluster_step())
            cluster_pass_time(cluster.now_ms + 10);
    }
    CHECK(has_aside(behind));
    CHECK_EQ(node_counters(behind).snapshots_received, 0);
}

#endif
