#include "raft/append_entries.h"

#include "raft/commit.h"
#include "raft/durability.h"
#include "raft/membership.h"
#include "raft/read_index.h"
#include "raft/role.h"
#include "raft/state.h"

// ---- what no correct leader sends -----------------------------------------------

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

// Whether a committed entry would have to go.
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

static bool is_possible(const struct raft *raft, const struct raft_message *message)
{
    if (!is_well_formed(message))
        return false;
    return message->term < raft->hard_state.current_term ||
           (raft->role != RAFT_LEADER &&
            !contradicts_committed(raft, &message->append_entries));
}

// ---- the follower's log, and what hangs on it -----------------------------------

// Whether the log has the entry of this index and term. What is behind the log's base
// lies in a snapshot, and is known to match.
static bool holds(const struct raft *raft, raft_index index, raft_term term)
{
    return index < raft->log.base_index || log_matches(&raft->log, index, term);
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

// Drops the entry at `index` and all behind it; a report of the disk vouches for them
// no more, and a configuration among them is in use no more.
static void drop_from(struct raft *raft, raft_index index, struct raft_output *output)
{
    reach_truncation(raft, index);
    log_truncate(&raft->log, index);
    durability_forget(raft, index);
    membership_entries_dropped(raft, index);
    state_note(output, "conflict -> truncate");
}

// Adds an entry behind the last, to be written in this step; a configuration is in use
// from now on. False where the log is full.
static bool add(struct raft *raft, const struct raft_entry *entry,
                struct raft_output *output)
{
    if (!log_append(&raft->log, entry->term, entry->type, entry->data, entry->size)) {
        state_note(output, "log full");
        state_reach(raft, RAFT_MARK_FOLLOWER_LOG_FULL);
        return false;
    }
    state_reach(raft, RAFT_MARK_AE_4);
    state_persist_entries(raft, entry->index);
    if (entry->type == RAFT_ENTRY_CONFIGURATION)
        membership_entry_added(raft, entry);
    return true;
}

// ---- the follower's answers -----------------------------------------------------

static struct raft_message answer_to(const struct raft *raft,
                                     const struct raft_message *message)
{
    struct raft_message reply =
        state_reply(raft, RAFT_APPEND_ENTRIES_REPLY, message->from);
    // Its sender may lead again, in the term that it is told now: an echo of what it
    // said in an older one would pass for an answer to what it says in this.
    if (message->term < reply.term)
        return reply;
    reply.append_entries_reply.prev_log_index = message->append_entries.prev_log_index;
    reply.append_entries_reply.round = message->append_entries.round;
    return reply;
}

// "No." Where it is for want of a match, the two tell where to go on; else they are 0.
static void answer_no(struct raft *raft, const struct raft_message *message,
                      raft_index conflict_index, raft_term conflict_term)
{
    struct raft_message reply = answer_to(raft, message);
    reply.append_entries_reply.conflict_index = conflict_index;
    reply.append_entries_reply.conflict_term = conflict_term;
    durability_defer(raft, &reply, raft->durability.hard_state_write);
}

// "My log equals yours up to match_index." It leaves once that is durable. The answer
// to a heartbeat does not wait, and tells of what is durable now.
static void answer_yes(struct raft *raft, const struct raft_message *message,
                       raft_index match_index, struct raft_output *output)
{
    const struct raft_append_entries *request = &message->append_entries;
    if (request->count > 0 && match_index < raft->log.last_index)
        state_reach(raft, RAFT_MARK_OLD_APPEND);
    if (request->prev_log_index < raft->log.base_index)
        state_reach(raft, RAFT_MARK_PREV_COMPACTED);
    struct raft_message reply = answer_to(raft, message);
    reply.append_entries_reply.success = true;
    reply.append_entries_reply.match_index = match_index;
    uint64_t needs = raft->durability.hard_state_write;
    if (match_index > raft->durability.durable_index) {
        if (request->count > 0) {
            needs = durability_newest_write(raft, output); // STATE-0, STATE-3
        } else {
            reply.append_entries_reply.match_index = raft->durability.durable_index;
            state_reach(raft, RAFT_MARK_HEARTBEAT_WHILE_WRITING);
        }
    }
    durability_defer(raft, &reply, needs);
}

// ---- follower -------------------------------------------------------------------

// AE-3 and AE-4. Returns the index of the last entry that is known to match: the last
// of the message, or fewer where the log is full.
static raft_index take_entries(struct raft *raft,
                               const struct raft_append_entries *request,
                               struct raft_output *output)
{
    // BEGIN SOLUTION lab2: AE-3, AE-4
    for (uint32_t i = 0; i < request->count; i++) {
        const struct raft_entry *entry = &request->entries[i];
        if (holds(raft, entry->index, entry->term))
            continue;
        if (entry->index <= raft->log.last_index) // AE-3
            drop_from(raft, entry->index, output);
        if (!add(raft, entry, output)) // AE-4
            return entry->index - 1;
    }
    return request->prev_log_index + request->count;
    // END SOLUTION
}

// AE-2, with the place up to which the two logs may be equal (section 5.3).
static void refuse(struct raft *raft, const struct raft_message *message)
{
    // BEGIN SOLUTION lab2: AE-2
    const struct raft_append_entries *request = &message->append_entries;
    raft_index index =
        log_find_conflict(&raft->log, request->prev_log_index, request->prev_log_term);
    raft_term term;
    bool known = log_term(&raft->log, index, &term);
    assert(known);
    (void)known;
    answer_no(raft, message, index, term);
    state_reach(raft, RAFT_MARK_AE_2);
    // END SOLUTION
}

// A message of the current or an older term, which a correct leader may have sent.
static void receive(struct raft *raft, const struct raft_message *message,
                    struct raft_output *output)
{
    // BEGIN SOLUTION lab2: AE-1, AE-2, AE-5, CAND-3
    const struct raft_append_entries *request = &message->append_entries;
    if (message->term < raft->hard_state.current_term) { // AE-1
        state_reach(raft, RAFT_MARK_AE_1);
        state_note(output, "term lower -> refuse");
        answer_no(raft, message, 0, 0);
        return;
    }
    role_follow(raft, message->from, output);                            // CAND-3
    if (!holds(raft, request->prev_log_index, request->prev_log_term)) { // AE-2
        state_note(output, "no match at prev -> refuse");
        refuse(raft, message);
        return;
    }
    raft_index last_new = take_entries(raft, request, output);
    commit_follow(raft, request->leader_commit, last_new); // AE-5
    answer_yes(raft, message, last_new, output);
    // END SOLUTION
}

enum raft_status append_entries_receive(struct raft *raft,
                                        const struct raft_message *message,
                                        struct raft_output *output)
{
    if (!is_possible(raft, message))
        return RAFT_INVALID;
    // A sender's messages may be longer than ours: one step's write has no room for
    // all.
    struct raft_message taken = *message;
    if (taken.append_entries.count > raft->config.message_entries_max)
        taken.append_entries.count = raft->config.message_entries_max;
    receive(raft, &taken, output);
    return RAFT_OK;
}

// ---- the leader hears an answer -------------------------------------------------

static bool reply_is_possible(const struct raft *raft,
                              const struct raft_append_entries_reply *reply)
{
    return reply->round <= raft->round_started &&
           (!reply->success || reply->match_index <= raft->log.last_index);
}

// Reads wait for answers to a round of heartbeats (dissertation 6.4).
static void note_round(struct progress *peer,
                       const struct raft_append_entries_reply *reply)
{
    if (reply->round > peer->acked_round)
        peer->acked_round = reply->round;
}

// Sends this peer a probe from there, in this very step. Where there is nothing else to
// offer than what it has just refused, the next heartbeat asks again.
static void probe_from(struct raft *raft, struct progress *peer, raft_index next_index)
{
    if (peer->state == RAFT_PROBE && next_index >= peer->next_index)
        return;
    progress_become_probe(peer, next_index);
    peer->ping = true;
    state_reach(raft, RAFT_MARK_LEAD_3B);
}

static void back_up(struct raft *raft, struct progress *peer,
                    const struct raft_append_entries_reply *refusal)
{
    // BEGIN SOLUTION lab2: LEAD-3b
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
    probe_from(raft, peer, next);
    // END SOLUTION
}

// LEAD-3a. The peer's log equals the own up to match_index, or did so a while ago.
static void move_up(struct progress *peer, raft_index match_index)
{
    // BEGIN SOLUTION lab2: LEAD-3a
    // Messages may arrive in any order: an old acknowledgement says nothing new.
    if (match_index <= peer->match_index)
        return;
    peer->match_index = match_index; // LEAD-3a
    if (peer->next_index <= match_index)
        peer->next_index = match_index + 1;
    // END SOLUTION
}

bool append_entries_matched(struct progress *peer, raft_index match_index)
{
    raft_index before = peer->match_index;
    move_up(peer, match_index);
    progress_arrived(peer);
    return peer->match_index > before;
}

// What an acknowledgement changes beside the two indices.
static void go_on(struct raft *raft, struct progress *peer, raft_index match_index)
{
    // A peer that took nothing of what there is has no room: more would be wasted on
    // it, and each heartbeat asks again.
    bool found =
        match_index >= peer->next_index || (match_index + 1 == peer->next_index &&
                                            peer->next_index > raft->log.last_index);
    if (append_entries_matched(peer, match_index))
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
}

enum raft_status append_entries_receive_reply(struct raft *raft,
                                              const struct raft_message *message,
                                              struct raft_output *output)
{
    // BEGIN SOLUTION lab2: LEAD-3a, LEAD-3b
    const struct raft_append_entries_reply *reply = &message->append_entries_reply;
    struct progress *peer = state_peer(raft, message->from);
    if (raft->role != RAFT_LEADER || peer == NULL ||
        message->term != raft->hard_state.current_term)
        return RAFT_OK;
    if (!reply_is_possible(raft, reply))
        return RAFT_INVALID;
    note_round(peer, reply);
    if (reply->success) {
        go_on(raft, peer, reply->match_index);
    } else {
        state_note(output, "refused -> back up");
        back_up(raft, peer, reply);
    }
    return RAFT_OK;
    // END SOLUTION
}

// ---- the leader sends -----------------------------------------------------------

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

// A message to this peer, with the entries from `first` on: `count` of them, or as many
// as this step's output still has room for. NULL where it has none; the host calls
// again at once. Indices and terms are left for the caller to fill in.
static struct raft_append_entries *message_to(struct raft *raft, struct progress *peer,
                                              raft_index first, uint32_t count,
                                              struct raft_output *output)
{
    const struct raft_entry *entries = NULL;
    if (count > 0) {
        entries = state_view(raft, first, &count);
        if (count == 0)
            return NULL;
    }
    struct raft_message *message =
        state_message(raft, output, RAFT_APPEND_ENTRIES, peer->id);
    if (message == NULL)
        return NULL;
    message->append_entries.round = raft->round_started;
    message->append_entries.entries = entries;
    message->append_entries.count = count;
    return &message->append_entries;
}

// The message is complete: it is in flight now, and next_index behind it.
static void note_sent(struct raft *raft, struct progress *peer,
                      const struct raft_append_entries *request)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < request->count; i++)
        bytes += request->entries[i].size;
    progress_sent(peer, request->prev_log_index + request->count, bytes);
    if (request->count > 0)
        state_reach(raft, RAFT_MARK_LEAD_3);
}

// Whether a message with entries may go to this peer now. One that needs what the log
// has dropped waits for a snapshot (section 7), a probed one for an answer, and
// one whose window is full for an acknowledgement.
static bool may_send(struct raft *raft, struct progress *peer)
{
    if (peer->state != RAFT_SNAPSHOT && peer->next_index <= raft->log.base_index) {
        progress_become_snapshot(peer, raft->snapshot_index);
        state_reach(raft, RAFT_MARK_SNAPSHOT_NEEDED);
    }
    if (progress_may_send(peer, &raft->config))
        return true;
    if (peer->state == RAFT_REPLICATE)
        state_reach(raft, RAFT_MARK_WINDOW_FULL);
    return false;
}

// The index behind which a message without entries may stand. What is certain of a peer
// that waits for a snapshot is nothing, and index 0 matches everywhere.
static raft_index heartbeat_index(const struct progress *peer)
{
    return peer->state == RAFT_SNAPSHOT ? 0 : peer->next_index - 1;
}

// Sends up to `count` entries behind prev_log_index; false where the output is full.
static bool send_one(struct raft *raft, struct progress *peer,
                     raft_index prev_log_index, uint32_t count,
                     struct raft_output *output)
{
    // BEGIN SOLUTION lab2: LEAD-3
    struct raft_append_entries *request =
        message_to(raft, peer, prev_log_index + 1, count, output);
    if (request == NULL)
        return false;
    request->prev_log_index = prev_log_index;
    bool known = prev_log_index == 0 ||
                 log_term(&raft->log, prev_log_index, &request->prev_log_term);
    assert(known);
    (void)known;
    request->leader_commit = raft->commit_index;
    note_sent(raft, peer, request);
    return true;
    // END SOLUTION
}

static void send_to(struct raft *raft, struct progress *peer,
                    struct raft_output *output)
{
    // BEGIN SOLUTION lab2: LEAD-1, LEAD-3
    bool ping = peer->ping;
    bool probing = peer->state == RAFT_PROBE;
    while (peer->next_index <= raft->log.last_index && may_send(raft, peer)) { // LEAD-3
        if (!send_one(raft, peer, peer->next_index - 1,
                      batch_count(raft, peer->next_index), output))
            return;
    }
    // LEAD-1. Without entries, so that the answer does not wait for a disk. A probe
    // that has just gone out is as good.
    if (ping && !(probing && !peer->ping))
        send_one(raft, peer, heartbeat_index(peer), 0, output);
    // END SOLUTION
}

void append_entries_send(struct raft *raft, struct raft_output *output)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        if (raft->peers[i].id != raft->config.id)
            send_to(raft, &raft->peers[i], output);
    }
}
