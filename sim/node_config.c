#include "sim/node_config.h"

#include "sim/world.h"

// The smaller ones that the world asks for.
static void set_limits(const struct world_config *world, struct raft_config *raft)
{
    if (world->message_entries_max > 0)
        raft->message_entries_max = world->message_entries_max;
    if (world->message_bytes_max > 0)
        raft->message_bytes_max = (uint32_t)world->message_bytes_max;
    if (world->inflight_max > 0)
        raft->inflight_max = world->inflight_max;
    if (world->inflight_bytes_max > 0)
        raft->inflight_bytes_max = world->inflight_bytes_max;
    if (world->uncommitted_bytes_max > 0)
        raft->uncommitted_bytes_max = world->uncommitted_bytes_max;
    if (world->command_bytes_max > 0)
        raft->command_bytes_max = (uint32_t)world->command_bytes_max;
}

void node_config_make(struct node *node, struct host_config *config)
{
    const struct world_config *world = &node->world->config;
    struct raft_config *raft = &config->raft;

    host_config_default(config);
    config->cluster_id = 1;
    if (world->segment_bytes_max > 0)
        config->segment_bytes_max = world->segment_bytes_max;
    config->snapshot_entries = world->snapshot_entries;
    config->snapshot_bytes = 0;
    config->snapshot_tail_entries = world->snapshot_tail_entries;
    if (world->snapshot_chunk_bytes > 0)
        config->snapshot_chunk_bytes = world->snapshot_chunk_bytes;
    raft->id = node->id;
    raft->seed = random_u64(&node->seeds);
    if (world->equal_seeds)
        raft->seed = world->seed + node->incarnation; // not that of the last start
    raft->start_ms = node_now_ms(node);
    raft->election_timeout_ms = world->election_timeout_ms;
    raft->election_spread_ms = world->election_spread_ms;
    raft->pre_vote = world->pre_vote;
    raft->check_quorum = world->check_quorum;
    raft->heartbeat_ms = world->heartbeat_ms;
    raft->log_entries_max = world->log_entries_max;
    raft->log_bytes_max = world->log_bytes_max;
    raft->lease_drift_percent = world->lease_drift_percent;
    set_limits(world, raft);
    if (node->id > world->member_count)
        return; // a spare waits to be added
    raft->configuration.count = world->member_count;
    for (uint32_t i = 0; i < world->member_count; i++)
        raft->configuration.members[i] = (struct raft_member){i + 1, RAFT_VOTER};
}
