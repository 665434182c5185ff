#include "raft/invariants.h"

#include "raft/state.h"

static const char *broken_in_log(const struct raft *raft)
{
    const struct log *log = &raft->log;
    if (log_last_term(log) > raft->hard_state.current_term)
        return "an entry's term is higher than the current term";
    if (raft->commit_index > log->last_index)
        return "the commit index is beyond the log";
    if (raft->durability.durable_index > log->last_index)
        return "the durable index is beyond the log";
    if (raft->apply_given > raft->commit_index)
        return "an entry was given for apply that is not committed";
    if (raft->apply_given > raft->durability.durable_index)
        return "an entry was given for apply that is not durable";
    if (raft->last_applied > raft->apply_given)
        return "an entry was applied that was not given for it";
    if (log->base_index > raft->snapshot_index)
        return "entries were dropped that no snapshot holds";
    if (raft->snapshot_index > raft->commit_index)
        return "a snapshot holds what is not committed";
    if (log->base_index > raft->apply_given)
        return "entries were dropped that are not applied";
    if (log_bytes_used(log) > log->byte_count)
        return "the log holds more bytes than it has room for";
    return NULL;
}

static const char *broken_in_role(const struct raft *raft)
{
    const struct raft_hard_state *hard_state = &raft->hard_state;
    switch (raft->role) {
    case RAFT_CANDIDATE:
        if (hard_state->voted_for != raft->config.id)
            return "a candidate did not vote for itself";
        break;
    case RAFT_LEADER:
        if (hard_state->voted_for != raft->config.id)
            return "a leader did not vote for itself";
        if (!durability_of_hard_state(raft))
            return "a leader's term is not durable";
        if (raft->leader_id == 0)
            return "a leader's leader_id is 0, not its own id";
        if (raft->leader_id != raft->config.id)
            return "a leader follows another";
        break;
    case RAFT_FOLLOWER:
    case RAFT_PRE_CANDIDATE:
        if (raft->leader_id == raft->config.id)
            return "a node that does not lead follows itself";
        break;
    }
    return NULL;
}

static const char *broken_in_membership(const struct raft *raft)
{
    if (raft->configuration_index > raft->log.last_index)
        return "the configuration in use is not in the log";
    if (raft->base_configuration_index > raft->log.base_index)
        return "the base's configuration is beyond the base";
    if (raft->transfer_to != 0 && raft->role != RAFT_LEADER)
        return "a node that does not lead hands leadership over";
    if (raft->receipt.next_offset > raft->receipt.total)
        return "more of a snapshot has arrived than there is";
    return NULL;
}

static const char *broken_in_peers(const struct raft *raft)
{
    if (raft->role != RAFT_LEADER)
        return NULL;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct progress *peer = &raft->peers[i];
        if (peer->match_index >= peer->next_index)
            return "a peer's match index is not below its next index";
        if (peer->id != raft->config.id && peer->next_index > raft->log.last_index + 1)
            return "a peer's next index is beyond the log's end";
        if (peer->inflight_count > raft->config.inflight_max)
            return "more messages are in flight to a peer than allowed";
        if (peer->acked_round > raft->round_started)
            return "a peer confirmed a round that was not started";
    }
    return NULL;
}

const char *invariants_broken(const struct raft *raft)
{
    const char *broken = broken_in_log(raft);
    if (broken == NULL)
        broken = broken_in_role(raft);
    if (broken == NULL)
        broken = broken_in_membership(raft);
    if (broken == NULL)
        broken = broken_in_peers(raft);
    return broken;
}
