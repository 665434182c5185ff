#include "raft/append_entries.h"

#include "raft/commit.h"
#include "raft/durability.h"
#include "raft/membership.h"
#include "raft/read_index.h"
#include "raft/role.h"
#include "raft/state.h"

// ---- follower -------------------------------------------------------------------

static bool data_is_well_formed(const struct raft_entry *entry)
{
    struct raft_configuration configuration;
    return entry->type != RAFT_ENTRY_CONFIGURATION ||
           raft_configuration_decode(entry->data, entry->size, &configuration);
}

static bool is_well_formed(const struct raft_message *message)
{
    const struct raft_append_entries *request = &message->append_entries;
    raft_term term = request->prev_log_term;
    if ((request->prev_log_index == 0) != (term == 0))
        return false;
    for (uint32_t i = 0; i < request->count; i++) {
        const struct raft_entry *entry = &request->entries[i];
        if (entry->index != request->prev_log_index + 1 + i || entry->term < term ||
            entry->term == 0 || (unsigned)entry->type >= RAFT_ENTRY_TYPE_COUNT ||
            !data_is_well_formed(entry))
            return false;
        term = entry->term;
    }
    return term <= message->term;
}

static void reach_truncation(struct raft *raft, raft_index index)
{
    state_reach(raft, RAFT_MARK_AE_3);
    if (raft->durability.durable_index >= index)
        state_reach(raft, RAFT_MARK_TRUNCATE_DURABLE);
    if (raft->durability.reported < raft->durability.issued &&
        raft->durability.durable_index < raft->log.last_index)
        state_reach(raft, RAFT_MARK_TRUNCATE_WRITING);
}

// AE-3 and AE-4. Returns the index of the last entry that is known to match: the last
// of the message, or fewer where the log is full, or where the sender's messages are
// longer than ours, for which one step's write has no room.
static raft_index take_entries(struct raft *raft,
                               const struct raft_append_entries *request,
                               struct raft_output *output)
{
    uint32_t count = request->count;
    if (count > raft->config.message_entries_max)
        count = raft->config.message_entries_max;
    for (uint32_t i = 0; i < count; i++) {
        const struct raft_entry *entry = &request->entries[i];
        if (entry->index <= raft->log.base_index ||
            log_matches(&raft->log, entry->index, entry->term))
            continue;
        if (entry->index <= raft->log.last_index) { // AE-3
            reach_truncation(raft, entry->index);
            log_truncate(&raft->log, entry->index);
            durability_forget(raft, entry->index);
            membership_entries_dropped(raft, entry->index);
            state_note(output, "conflict -> truncate");
        }
        if (!log_append(&raft->log, entry->term, entry->type, entry->data,
                        entry->size)) { // AE-4
            state_note(output, "log full");
            state_reach(raft, RAFT_MARK_FOLLOWER_LOG_FULL);
            return entry->index - 1;
        }
        state_reach(raft, RAFT_MARK_AE_4);
        state_persist_entries(raft, entry->index);
        if (entry->type == RAFT_ENTRY_CONFIGURATION)
            membership_entry_added(raft, entry);
    }
    return request->prev_log_index + count;
}

// Whether a committed entry would have to go: then the sender is no correct leader.
static bool contradicts_committed(const struct raft *raft,
                                  const struct raft_append_entries *request)
{
    for (uint32_t i = 0; i < request->count; i++) {
        const struct raft_entry *entry = &request->entries[i];
        if (entry->index > raft->commit_index)
            return false;
        if (entry->index >= raft->log.base_index &&
            !log_matches(&raft->log, entry->index, entry->term))
            return true;
    }
    return false;
}

static void refuse(struct raft *raft, const struct raft_message *message,
                   struct raft_message *reply)
{
    const struct raft_append_entries *request = &message->append_entries;
    struct raft_append_entries_reply *refusal = &reply->append_entries_reply;
    refusal->conflict_index =
        log_find_conflict(&raft->log, request->prev_log_index, request->prev_log_term);
    bool known = log_term(&raft->log, refusal->conflict_index, &refusal->conflict_term);
    assert(known);
    (void)known;
    durability_defer(raft, reply, raft->durability.hard_state_write);
    state_reach(raft, RAFT_MARK_AE_2);
}

static void accept(struct raft *raft, const struct raft_message *message,
                   struct raft_message *reply, struct raft_output *output)
{
    const struct raft_append_entries *request = &message->append_entries;
    raft_index last_new = take_entries(raft, request, output);
    commit_follow(raft, request->leader_commit, last_new); // AE-5
    if (request->count > 0 && last_new < raft->log.last_index)
        state_reach(raft, RAFT_MARK_OLD_APPEND);
    if (request->prev_log_index < raft->log.base_index)
        state_reach(raft, RAFT_MARK_PREV_COMPACTED);
    struct raft_append_entries_reply *success = &reply->append_entries_reply;
    success->success = true;
    success->match_index = last_new;
    uint64_t needs = raft->durability.hard_state_write;
    if (last_new > raft->durability.durable_index) {
        if (request->count > 0) {
            needs = durability_newest_write(raft, output); // STATE-0, STATE-3
        } else {
            success->match_index = raft->durability.durable_index;
            state_reach(raft, RAFT_MARK_HEARTBEAT_WHILE_WRITING);
        }
    }
    durability_defer(raft, reply, needs);
}

// The first log index that differs decides; entries below the snapshot are known to
// match.
static bool prev_matches(const struct raft *raft,
                         const struct raft_append_entries *request)
{
    return request->prev_log_index < raft->log.base_index ||
           log_matches(&raft->log, request->prev_log_index, request->prev_log_term);
}

enum raft_status append_entries_receive(struct raft *raft,
                                        const struct raft_message *message,
                                        struct raft_output *output)
{
    const struct raft_append_entries *request = &message->append_entries;
    struct raft_message reply =
        state_reply(raft, RAFT_APPEND_ENTRIES_REPLY, message->from);
    reply.append_entries_reply.prev_log_index = request->prev_log_index;
    reply.append_entries_reply.round = request->round;
    if (!is_well_formed(message))
        return RAFT_INVALID;
    if (message->term < raft->hard_state.current_term) { // AE-1
        state_reach(raft, RAFT_MARK_AE_1);
        state_note(output, "term lower -> refuse");
        durability_defer(raft, &reply, raft->durability.hard_state_write);
        return RAFT_OK;
    }
    if (raft->role == RAFT_LEADER || contradicts_committed(raft, request))
        return RAFT_INVALID;
    role_follow(raft, message->from, output); // CAND-3
    if (!prev_matches(raft, request)) {       // AE-2
        state_note(output, "no match at prev -> refuse");
        refuse(raft, message, &reply);
    } else {
        accept(raft, message, &reply, output);
    }
    return RAFT_OK;
}

// ---- leader ---------------------------------------------------------------------

static void back_up(struct raft *raft, struct progress *peer,
                    const struct raft_append_entries_reply *refusal)
{
    if (!progress_refusal_is_news(peer, refusal->prev_log_index)) {
        state_reach(raft, RAFT_MARK_REFUSAL_IS_OLD);
        return;
    }
    // LEAD-3b, a whole term at a time: above this nothing can match.
    raft_index next =
        log_find_conflict(&raft->log, refusal->conflict_index, refusal->conflict_term) +
        1;
    if (next > refusal->prev_log_index)
        next = refusal->prev_log_index;
    if (next <= peer->match_index) {
        next = peer->match_index + 1;
        state_reach(raft, RAFT_MARK_REFUSAL_BELOW_MATCH);
    }
    // There is nothing else to offer: the next heartbeat asks again.
    if (peer->state == RAFT_PROBE && next >= peer->next_index)
        return;
    progress_become_probe(peer, next);
    peer->ping = true;
    state_reach(raft, RAFT_MARK_LEAD_3B);
}

static enum raft_status go_on(struct raft *raft, struct progress *peer,
                              const struct raft_append_entries_reply *reply)
{
    if (reply->match_index > raft->log.last_index)
        return RAFT_INVALID;
    // A peer that took nothing of what there is has no room: more would be wasted on
    // it, and each heartbeat asks again.
    bool found = reply->match_index >= peer->next_index ||
                 (reply->match_index + 1 == peer->next_index &&
                  peer->next_index > raft->log.last_index);
    if (progress_acknowledged(peer, reply->match_index)) // LEAD-3a
        state_reach(raft, RAFT_MARK_LEAD_3A);
    if (!found && peer->state == RAFT_PROBE)
        state_reach(raft, RAFT_MARK_PEER_HAS_NO_ROOM);
    if (found && peer->state == RAFT_PROBE)
        progress_become_replicate(peer);
    // It has got there without the snapshot, and the log goes on from there.
    if (peer->state == RAFT_SNAPSHOT && peer->match_index > 0 &&
        peer->match_index >= raft->log.base_index) {
        progress_become_probe(peer, peer->match_index + 1);
        state_reach(raft, RAFT_MARK_SNAPSHOT_OVERTAKEN);
    }
    progress_advance_round(peer, raft->log.last_index, raft->now_ms,
                           raft->config.election_timeout_ms);
    return RAFT_OK;
}

enum raft_status append_entries_receive_reply(struct raft *raft,
                                              const struct raft_message *message,
                                              struct raft_output *output)
{
    const struct raft_append_entries_reply *reply = &message->append_entries_reply;
    struct progress *peer = state_peer(raft, message->from);
    if (raft->role != RAFT_LEADER || peer == NULL ||
        message->term != raft->hard_state.current_term)
        return RAFT_OK;
    if (reply->round > raft->round_started)
        return RAFT_INVALID;
    if (reply->round > peer->acked_round)
        peer->acked_round = reply->round;
    if (reply->success)
        return go_on(raft, peer, reply);
    if (reply->prev_log_index == 0)
        return RAFT_INVALID; // nothing stands before the first entry
    state_note(output, "refused -> back up");
    back_up(raft, peer, reply);
    return RAFT_OK;
}

void append_entries_heartbeat(struct raft *raft)
{
    state_reach(raft, RAFT_MARK_LEAD_1);
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        raft->peers[i].ping = true; // LEAD-1
        raft->peers[i].probe_sent = false;
    }
    raft->transfer_sent = false; // TimeoutNow may have been lost, too
    read_index_heartbeat(raft);
}

// How many entries from next_index on go into one message.
static uint32_t batch_count(const struct raft *raft, raft_index next_index)
{
    uint64_t bytes = 0;
    uint32_t count = 0;
    while (count < raft->config.message_entries_max &&
           next_index + count <= raft->log.last_index) {
        struct raft_entry entry;
        log_entry(&raft->log, next_index + count, &entry);
        bytes += entry.size;
        if (count > 0 && bytes > raft->config.message_bytes_max)
            break;
        count++;
    }
    return count;
}

static uint64_t bytes_of(const struct raft_entry *entries, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += entries[i].size;
    return bytes;
}

// Sends up to `count` entries behind prev_log_index; false where the output is full.
static bool send_one(struct raft *raft, struct progress *peer,
                     raft_index prev_log_index, uint32_t count,
                     struct raft_output *output)
{
    raft_term prev_log_term = 0;
    bool known =
        prev_log_index == 0 || log_term(&raft->log, prev_log_index, &prev_log_term);
    assert(known);
    (void)known;
    const struct raft_entry *entries = NULL;
    if (count > 0) {
        entries = state_view(raft, prev_log_index + 1, &count);
        if (count == 0)
            return false;
    }
    struct raft_message *message =
        state_message(raft, output, RAFT_APPEND_ENTRIES, peer->id);
    if (message == NULL)
        return false;
    message->append_entries.prev_log_index = prev_log_index;
    message->append_entries.prev_log_term = prev_log_term;
    message->append_entries.leader_commit = raft->commit_index;
    message->append_entries.round = raft->round_started;
    message->append_entries.entries = entries;
    message->append_entries.count = count;
    progress_sent(peer, prev_log_index + count, bytes_of(entries, count));
    if (count > 0)
        state_reach(raft, RAFT_MARK_LEAD_3);
    return true;
}

// Section 7: where what comes before the next entry is known no more, a snapshot goes.
static bool needs_snapshot(const struct raft *raft, const struct progress *peer)
{
    return peer->state != RAFT_SNAPSHOT && peer->next_index <= raft->log.base_index;
}

static void send_to(struct raft *raft, struct progress *peer,
                    struct raft_output *output)
{
    bool ping = peer->ping;
    bool probing = peer->state == RAFT_PROBE;
    if (needs_snapshot(raft, peer)) {
        progress_become_snapshot(peer, raft->snapshot_index);
        state_reach(raft, RAFT_MARK_SNAPSHOT_NEEDED);
    }
    while (peer->next_index <= raft->log.last_index &&
           progress_may_send(peer, &raft->config)) { // LEAD-3
        if (!send_one(raft, peer, peer->next_index - 1,
                      batch_count(raft, peer->next_index), output))
            return;
    }
    if (peer->state == RAFT_REPLICATE && peer->next_index <= raft->log.last_index)
        state_reach(raft, RAFT_MARK_WINDOW_FULL);
    // LEAD-1. Without entries, so that the answer does not wait for a disk. A probe
    // that has just gone out is as good. What is certain of a peer that waits for a
    // snapshot is nothing, and index 0 matches everywhere.
    bool unknown = peer->state == RAFT_SNAPSHOT;
    if (ping && !(probing && !peer->ping))
        send_one(raft, peer, unknown ? 0 : peer->next_index - 1, 0, output);
}

void append_entries_send(struct raft *raft, struct raft_output *output)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        if (raft->peers[i].id != raft->config.id)
            send_to(raft, &raft->peers[i], output);
    }
}
