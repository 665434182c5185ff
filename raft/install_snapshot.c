#include "raft/install_snapshot.h"

#include "raft/append_entries.h"
#include "raft/commit.h"
#include "raft/configuration.h"
#include "raft/durability.h"
#include "raft/membership.h"
#include "raft/role.h"
#include "raft/state.h"

// ---- any node -------------------------------------------------------------------

// Who is being sent the one before the newest, the host still has it, and part of it
// has arrived, or may be about to.
static bool may_go_on(const struct raft *raft, const struct progress *peer)
{
    bool is_heard = raft->now_ms - peer->contact_ms < raft->config.election_timeout_ms;
    return peer->snapshot_index == raft->snapshot_index_before &&
           (peer->snapshot_offset > 0 || is_heard);
}

// The host holds the two newest. A transfer of the older one is gone on with, unless it
// has not begun: who is away is sent the newest once it is back, and only that.
static void restart_transfers(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        struct progress *peer = &raft->peers[i];
        if (peer->state != RAFT_SNAPSHOT)
            continue;
        if (may_go_on(raft, peer)) {
            state_reach(raft, RAFT_MARK_SNAPSHOT_TAKEN_WHILE_SENT);
            continue;
        }
        if (peer->snapshot_index != raft->snapshot_index_before)
            state_reach(raft, RAFT_MARK_SNAPSHOT_GONE_WHILE_SENT);
        progress_become_snapshot(peer, raft->snapshot_index);
    }
}

// ---- follower -------------------------------------------------------------------

static bool is_well_formed(const struct raft_message *message)
{
    const struct raft_install_snapshot *chunk = &message->install_snapshot;
    return chunk->last_included_index > 0 &&
           chunk->last_included_index <= STATE_INDEX_MAX &&
           chunk->last_included_term > 0 &&
           chunk->last_included_term <= message->term && chunk->size > 0 &&
           chunk->offset < chunk->total && chunk->size <= chunk->total - chunk->offset;
}

// BEGIN SOLUTION lab4: IS-2
static bool is_under_way(const struct snapshot_receipt *receipt,
                         const struct raft_install_snapshot *chunk)
{
    return receipt->index == chunk->last_included_index &&
           receipt->term == chunk->last_included_term &&
           receipt->total == chunk->total && receipt->checksum == chunk->checksum;
}
// END SOLUTION

// BEGIN SOLUTION lab4: IS-2
// A snapshot that the same leader has replaced by a newer one meanwhile.
static bool is_stale(const struct snapshot_receipt *receipt,
                     const struct raft_message *message)
{
    return receipt->sent_in == message->term &&
           receipt->index > message->install_snapshot.last_included_index;
}
// END SOLUTION

static void reply_with(struct raft *raft, raft_id to, raft_index index,
                       uint64_t next_offset)
{
    struct raft_message reply = state_reply(raft, RAFT_INSTALL_SNAPSHOT_REPLY, to);
    reply.install_snapshot_reply.last_included_index = index;
    reply.install_snapshot_reply.next_offset = next_offset;
    durability_defer(raft, &reply, raft->durability.hard_state_write);
}

// The durable log covers the snapshot, or will once what is under way is written.
static void reply_installed(struct raft *raft, raft_id to, raft_index index,
                            const struct raft_output *output)
{
    struct raft_message reply = state_reply(raft, RAFT_INSTALL_SNAPSHOT_REPLY, to);
    reply.install_snapshot_reply.last_included_index = index;
    reply.install_snapshot_reply.installed = true;
    uint64_t needs = raft->durability.hard_state_write;
    if (raft->durability.durable_index < index)
        needs = durability_newest_write(raft, output);
    durability_defer(raft, &reply, needs);
}

// BEGIN SOLUTION lab4: IS-6
// IS-6: an entry of that index and term means that all before it are equal, too, and a
// snapshot shows that they are committed.
static bool has_it_already(struct raft *raft, raft_index index, raft_term term)
{
    if (index > raft->commit_index && !log_matches(&raft->log, index, term))
        return false;
    state_reach(raft, RAFT_MARK_IS_6);
    commit_follow(raft, index, index);
    return true;
}
// END SOLUTION

// BEGIN SOLUTION lab4: IS-2, IS-3, IS-4
static void take_chunk(struct raft *raft, const struct raft_message *message,
                       struct raft_output *output)
{
    const struct raft_install_snapshot *chunk = &message->install_snapshot;
    struct snapshot_receipt *receipt = &raft->receipt;
    if (!is_under_way(receipt, chunk)) {
        if (receipt->complete || is_stale(receipt, message)) {
            state_reach(raft, receipt->complete ? RAFT_MARK_SNAPSHOT_BUSY
                                                : RAFT_MARK_SNAPSHOT_STALE);
            return; // the host is busy with one, or there is a better one
        }
        state_reach(raft, RAFT_MARK_IS_2);
        if (receipt->index != 0)
            state_reach(raft, RAFT_MARK_SNAPSHOT_REPLACED);
        *receipt = (struct snapshot_receipt){.index = chunk->last_included_index,
                                             .term = chunk->last_included_term,
                                             .total = chunk->total,
                                             .checksum = chunk->checksum}; // IS-2
        state_note(output, "a snapshot begins to arrive");
    } else if (receipt->sent_in != message->term) {
        state_reach(raft, RAFT_MARK_SNAPSHOT_NEXT_LEADER);
    }
    receipt->sent_in = message->term;
    if (receipt->complete)
        return; // the answer goes once the host has checked it
    if (chunk->offset == receipt->next_offset) {
        output->snapshot_store = chunk; // IS-3
        receipt->next_offset += chunk->size;
        receipt->complete = receipt->next_offset == receipt->total;
        state_reach(raft, RAFT_MARK_IS_3);
    } else {
        state_reach(raft, RAFT_MARK_SNAPSHOT_CHUNK_ODD);
    }
    if (receipt->complete)
        return;
    reply_with(raft, message->from, receipt->index, receipt->next_offset); // IS-4
    state_reach(raft, RAFT_MARK_IS_4);
}
// END SOLUTION

enum raft_status install_snapshot_receive(struct raft *raft,
                                          const struct raft_message *message,
                                          struct raft_output *output)
{
    // BEGIN SOLUTION lab4: IS-1, IS-6
    const struct raft_install_snapshot *chunk = &message->install_snapshot;
    if (!is_well_formed(message))
        return RAFT_INVALID;
    if (message->term < raft->hard_state.current_term) { // IS-1
        state_reach(raft, RAFT_MARK_IS_1);
        state_note(output, "term lower -> refuse");
        reply_with(raft, message->from, 0, 0); // not about a snapshot of this term
        return RAFT_OK;
    }
    if (raft->role == RAFT_LEADER)
        return RAFT_INVALID;
    role_follow(raft, message->from, output);
    if (has_it_already(raft, chunk->last_included_index, chunk->last_included_term))
        reply_installed(raft, message->from, chunk->last_included_index, output);
    else
        take_chunk(raft, message, output);
    return RAFT_OK;
    // END SOLUTION
}

static void reach_restore(struct raft *raft, const struct raft_snapshot_meta *meta)
{
    state_reach(raft, RAFT_MARK_IS_7);
    if (meta->configuration_index != raft->configuration_index)
        state_reach(raft, RAFT_MARK_IS_8);
    if (configuration_is_joint(&raft->configuration))
        state_reach(raft, RAFT_MARK_SNAPSHOT_DURING_JOINT);
    if (configuration_is_joint(&meta->configuration))
        state_reach(raft, RAFT_MARK_SNAPSHOT_OF_JOINT);
    if (raft->log.last_index > raft->commit_index)
        state_reach(raft, RAFT_MARK_SNAPSHOT_DROPS_UNCOMMITTED);
}

// BEGIN SOLUTION lab4: IS-7, IS-8
// IS-7 and IS-8: nothing in the log is worth keeping behind a base that it contradicts
// or does not reach.
static void restore(struct raft *raft, const struct raft_snapshot_meta *meta,
                    struct raft_output *output)
{
    raft_index index = meta->last_included_index;
    reach_restore(raft, meta);
    log_restart(&raft->log, index, meta->last_included_term);
    durability_restart(raft, index);
    raft->commit_index = index;
    raft->apply_given = index;
    raft->snapshot_index_before = 0; // the host has older ones, but not their entries
    raft->snapshot_index = index;
    membership_start(raft, &meta->configuration, meta->configuration_index);
    if (!membership_may_campaign(raft)) { // nor go on with a campaign
        if (raft->role != RAFT_FOLLOWER)
            state_reach(raft, RAFT_MARK_SNAPSHOT_ENDS_CAMPAIGN);
        role_become_follower(raft, raft->leader_id);
    }
    raft->restored = *meta;
    output->snapshot_restore = &raft->restored;
    state_note(output, "snapshot -> the log begins anew behind it");
}
// END SOLUTION

// The host holds a newer one than before, which it may be asked for.
static void note_newest(struct raft *raft, raft_index index)
{
    if (index <= raft->snapshot_index)
        return;
    raft->snapshot_index_before = raft->snapshot_index;
    raft->snapshot_index = index;
    if (raft->role == RAFT_LEADER)
        restart_transfers(raft);
}

// BEGIN SOLUTION lab4: IS-5
static bool is_what_was_announced(const struct raft_snapshot_meta *meta,
                                  const struct snapshot_receipt *receipt)
{
    return meta->last_included_index == receipt->index &&
           meta->last_included_term == receipt->term &&
           meta->configuration_index <= meta->last_included_index &&
           meta->configuration.count > 0 &&
           configuration_problem(&meta->configuration) == NULL;
}
// END SOLUTION

enum raft_status install_snapshot_received(struct raft *raft,
                                           const struct raft_snapshot_meta *meta,
                                           bool failed, struct raft_output *output)
{
    // BEGIN SOLUTION lab4: IS-5, IS-6, IS-7, IS-8
    struct snapshot_receipt receipt = raft->receipt;
    if (receipt.index == 0 || meta == NULL || (!failed && !receipt.complete))
        return RAFT_INVALID;
    raft->receipt = (struct snapshot_receipt){0};
    if (failed || !is_what_was_announced(meta, &receipt)) {
        state_note(output, "the snapshot is of no use -> ask for it again");
        state_reach(raft, RAFT_MARK_SNAPSHOT_USELESS);
        if (raft->leader_id != 0 && raft->role == RAFT_FOLLOWER)
            reply_with(raft, raft->leader_id, receipt.index, 0);
        return RAFT_OK;
    }
    if (has_it_already(raft, receipt.index, receipt.term)) {
        state_reach(raft, RAFT_MARK_SNAPSHOT_UNNEEDED);
        note_newest(raft, receipt.index);
    } else if (raft->role != RAFT_LEADER) {
        restore(raft, meta, output); // who was elected with what it had needs no more
    }
    if (raft->role == RAFT_FOLLOWER && raft->leader_id != 0)
        reply_installed(raft, raft->leader_id, receipt.index, output);
    return RAFT_OK;
    // END SOLUTION
}

// ---- leader ---------------------------------------------------------------------

enum raft_status install_snapshot_receive_reply(struct raft *raft,
                                                const struct raft_message *message)
{
    // BEGIN SOLUTION lab4: IS-4
    const struct raft_install_snapshot_reply *reply = &message->install_snapshot_reply;
    struct progress *peer = state_peer(raft, message->from);
    if (raft->role != RAFT_LEADER || peer == NULL ||
        message->term != raft->hard_state.current_term)
        return RAFT_OK;
    if (reply->installed) {
        if (reply->last_included_index > raft->log.last_index)
            return RAFT_INVALID;
        append_entries_matched(peer, reply->last_included_index);
        if (peer->state == RAFT_SNAPSHOT)
            progress_become_probe(peer, peer->match_index + 1);
        return RAFT_OK;
    }
    if (peer->state != RAFT_SNAPSHOT ||
        reply->last_included_index != peer->snapshot_index)
        return RAFT_OK;
    // Who wants the chunk that is under way has not seen it yet: an answer to an older
    // one, or to its double.
    if (reply->next_offset == peer->snapshot_offset)
        return RAFT_OK;
    peer->snapshot_offset = reply->next_offset;
    // From the start again, after more of it: it restarted, or could not use what it
    // got. A disk that goes on failing must not make the whole go round and round.
    if (reply->next_offset == 0) {
        peer->snapshot_sent_ms = raft->now_ms;
        state_reach(raft, RAFT_MARK_SNAPSHOT_FROM_START);
    } else {
        peer->snapshot_sent = false;
    }
    return RAFT_OK;
    // END SOLUTION
}

// Whether a peer that waits for a snapshot is to be sent the chunk at its offset now.
static bool chunk_is_due(const struct raft *raft, const struct progress *peer)
{
    // BEGIN SOLUTION lab4: IS-4
    uint32_t patience_ms = raft->config.election_timeout_ms;
    if (!peer->snapshot_sent)
        return true;
    // Again only to a peer that can be heard: the others are asked by the heartbeat.
    return raft->now_ms - peer->snapshot_sent_ms >= patience_ms &&
           raft->now_ms - peer->contact_ms < patience_ms;
    // END SOLUTION
}

void install_snapshot_send(struct raft *raft, struct raft_output *output)
{
    struct raft_snapshot_send *sends =
        (struct raft_snapshot_send *)((uintptr_t)raft + raft->sends_offset);
    output->snapshot_sends = sends;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        struct progress *peer = &raft->peers[i];
        if (peer->id == raft->config.id || peer->state != RAFT_SNAPSHOT ||
            !chunk_is_due(raft, peer))
            continue;
        if (peer->snapshot_sent)
            state_reach(raft, RAFT_MARK_SNAPSHOT_CHUNK_AGAIN);
        peer->snapshot_sent = true;
        peer->snapshot_sent_ms = raft->now_ms;
        sends[output->snapshot_send_count++] =
            (struct raft_snapshot_send){.to = peer->id,
                                        .last_included_index = peer->snapshot_index,
                                        .offset = peer->snapshot_offset};
    }
}

enum raft_status install_snapshot_taken(struct raft *raft, raft_index index,
                                        raft_index keep_from)
{
    // BEGIN SOLUTION lab4: IS-5
    raft_term term;
    if (index > raft->last_applied || index < raft->snapshot_index ||
        !log_term(&raft->log, index, &term))
        return RAFT_INVALID;
    note_newest(raft, index);
    raft_index base = keep_from > index ? index : keep_from - (keep_from > 0);
    if (base > raft->log.base_index) {
        membership_compact(raft, base);
        log_compact(&raft->log, base);
    }
    return RAFT_OK;
    // END SOLUTION
}
