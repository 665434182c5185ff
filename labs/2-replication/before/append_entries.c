#include "raft/append_entries.h"

#include "raft/durability.h"
#include "raft/read_index.h"
#include "raft/role.h"
#include "raft/state.h"

// Heartbeats alone: they hold no entries, and say nothing of the log.

enum raft_status append_entries_receive(struct raft *raft,
                                        const struct raft_message *message,
                                        struct raft_output *output)
{
    struct raft_message reply =
        state_reply(raft, RAFT_APPEND_ENTRIES_REPLY, message->from);
    reply.append_entries_reply.prev_log_index = message->append_entries.prev_log_index;
    reply.append_entries_reply.round = message->append_entries.round;
    if (message->term < raft->hard_state.current_term) { // AE-1
        state_note(output, "term lower -> refuse");
    } else if (raft->role == RAFT_LEADER) {
        return RAFT_INVALID;
    } else {
        role_follow(raft, message->from, output); // CAND-3
        reply.append_entries_reply.success = true;
    }
    durability_defer(raft, &reply, raft->durability.hard_state_write);
    return RAFT_OK;
}

enum raft_status append_entries_receive_reply(struct raft *raft,
                                              const struct raft_message *message,
                                              struct raft_output *output)
{
    (void)output;
    struct progress *peer = state_peer(raft, message->from);
    uint64_t round = message->append_entries_reply.round;
    if (raft->role == RAFT_LEADER && peer != NULL && round > peer->acked_round &&
        message->term == raft->hard_state.current_term)
        peer->acked_round = round;
    return RAFT_OK;
}

bool append_entries_matched(struct progress *peer, raft_index match_index)
{
    (void)peer;
    (void)match_index;
    return false;
}

void append_entries_heartbeat(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++)
        raft->peers[i].ping = true; // LEAD-1
    read_index_heartbeat(raft);
}

void append_entries_send(struct raft *raft, struct raft_output *output)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        struct progress *peer = &raft->peers[i];
        if (peer->id == raft->config.id || !peer->ping)
            continue;
        struct raft_message *message =
            state_message(raft, output, RAFT_APPEND_ENTRIES, peer->id);
        if (message == NULL)
            return;
        message->append_entries.round = raft->round_started;
        peer->ping = false;
    }
}
