#include "raft/read_index.h"

#include "raft/durability.h"
#include "raft/membership.h"
#include "raft/state.h"

static struct read_request *read_at(struct raft *raft, uint32_t place)
{
    return &raft->reads[(raft->reads_first + place) % RAFT_READS_MAX];
}

void read_index_reset(struct raft *raft)
{
    raft->round_started = 0;
    raft->round_confirmed = 0;
    raft->lease_forfeited = false;
}

void read_index_abandon(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->reads_count; i++)
        read_at(raft, i)->refused = true;
    if (raft->reads_count > 0)
        state_reach(raft, RAFT_MARK_READ_ABANDONED);
    raft->round_confirmed = raft->round_started; // no answer is waited for
}

// ---- leases (6.4.1) -------------------------------------------------------------

bool read_index_has_lease(const struct raft *raft)
{
    uint32_t drift = raft->config.lease_drift_percent;
    if (drift == 0 || raft->role != RAFT_LEADER || raft->lease_forfeited ||
        raft->round_confirmed == 0)
        return false;
    // Less one, since a voter's clock may have been just about to reach the next ms.
    uint64_t length_ms =
        (uint64_t)raft->config.election_timeout_ms * (100 - drift) / 100;
    return length_ms > 0 && raft->now_ms < raft->lease_start_ms + length_ms - 1;
}

static void start_round(struct raft *raft)
{
    raft->round_started++;
    raft->round_started_ms = raft->now_ms;
    for (uint32_t i = 0; i < raft->configuration.count; i++)
        raft->peers[i].ping = true;
}

void read_index_heartbeat(struct raft *raft)
{
    if (raft->config.lease_drift_percent > 0 &&
        raft->round_started == raft->round_confirmed)
        start_round(raft);
}

// ---- asking ---------------------------------------------------------------------

// A lease stands for a round that was confirmed just now.
static void spare_round(struct raft *raft, struct read_request *read)
{
    if (raft->config.lease_drift_percent > 0 && raft->lease_forfeited)
        state_reach(raft, RAFT_MARK_READ_LEASE_FORFEITED);
    if (read_index_has_lease(raft)) {
        read->round = raft->round_confirmed;
        state_reach(raft, RAFT_MARK_READ_LEASE);
    }
}

// BEGIN SOLUTION lab5: dissertation 6.4, steps 1 and 2
static enum raft_status add(struct raft *raft, raft_id from, uint64_t id)
{
    if (raft->reads_count == RAFT_READS_MAX)
        return RAFT_READS_FULL;
    struct read_request *read = read_at(raft, raft->reads_count++);
    *read = (struct read_request){.from = from, .id = id};
    read->round = raft->round_started + 1; // one that starts from now on
    if (raft->role != RAFT_LEADER)
        return RAFT_OK;
    // A new leader does not know what is committed before its own no-op is.
    read->index = raft->commit_index > raft->term_start_index ? raft->commit_index
                                                              : raft->term_start_index;
    if (read->index > raft->commit_index)
        state_reach(raft, RAFT_MARK_READ_BEFORE_COMMIT);
    spare_round(raft, read);
    return RAFT_OK;
}
// END SOLUTION

enum raft_status read_index_ask(struct raft *raft, uint64_t id)
{
    // BEGIN SOLUTION lab5: dissertation 6.4, steps 1 and 2
    if (raft->leader_id == 0)
        return RAFT_NOT_LEADER;
    if (raft->role == RAFT_LEADER && raft->term_start_index > raft->log.last_index)
        return RAFT_LOG_FULL; // the no-op had no room: nothing will be confirmed
    return add(raft, 0, id);
    // END SOLUTION
}

void read_index_receive(struct raft *raft, const struct raft_message *message)
{
    // BEGIN SOLUTION lab5: dissertation 6.4, a follower asks
    if (raft->role != RAFT_LEADER || message->term != raft->hard_state.current_term ||
        state_peer(raft, message->from) == NULL)
        return;
    for (uint32_t i = 0; i < raft->reads_count; i++) {
        const struct read_request *read = read_at(raft, i);
        if (read->from == message->from && read->id == message->read_index.id) {
            state_reach(raft, RAFT_MARK_READ_DOUBLED);
            return; // asked again, or doubled on the way
        }
    }
    if (raft->term_start_index <= raft->log.last_index &&
        add(raft, message->from, message->read_index.id) == RAFT_OK)
        return;
    struct raft_message reply = state_reply(raft, RAFT_READ_INDEX_REPLY, message->from);
    reply.read_index.id = message->read_index.id;
    durability_defer(raft, &reply, 0);
    // END SOLUTION
}

void read_index_receive_reply(struct raft *raft, const struct raft_message *message)
{
    // BEGIN SOLUTION lab5: dissertation 6.4, a follower hears its leader's answer
    const struct raft_read_index *reply = &message->read_index;
    if (raft->role != RAFT_FOLLOWER || message->from != raft->leader_id ||
        message->term != raft->hard_state.current_term ||
        raft->round_started == raft->round_confirmed ||
        reply->id != raft->ask_id_base + raft->round_started) {
        state_reach(raft, RAFT_MARK_READ_ANSWER_LATE);
        return;
    }
    raft->round_confirmed = raft->round_started;
    for (uint32_t i = 0; i < raft->reads_count; i++) {
        struct read_request *read = read_at(raft, i);
        if (read->round != raft->round_confirmed)
            continue;
        read->index = reply->index;
        read->refused = read->refused || !reply->ok;
    }
    // END SOLUTION
}

// ---- rounds ---------------------------------------------------------------------

static uint64_t round_of(const struct raft *raft, uint32_t member)
{
    if (raft->peers[member].id == raft->config.id)
        return raft->round_started;
    return raft->peers[member].acked_round;
}

// Rounds follow one another, so that the newest is the one under way.
static void confirm_round(struct raft *raft, uint64_t round)
{
    raft->round_confirmed = round;
    raft->lease_start_ms = raft->round_started_ms;
    state_reach(raft, RAFT_MARK_READ_ROUND);
}

// BEGIN SOLUTION lab5: dissertation 6.4, step 3
static bool next_round_is_wanted(struct raft *raft)
{
    return raft->reads_count > 0 && raft->round_started == raft->round_confirmed &&
           read_at(raft, raft->reads_count - 1)->round > raft->round_started;
}

static void take_confirmed(struct raft *raft)
{
    uint64_t confirmed = membership_quorum(raft, round_of);
    if (confirmed > raft->round_confirmed)
        confirm_round(raft, confirmed);
}
// END SOLUTION

static void advance_as_leader(struct raft *raft)
{
    // BEGIN SOLUTION lab5: dissertation 6.4, step 3
    if (raft->round_started > raft->round_confirmed)
        take_confirmed(raft);
    if (!next_round_is_wanted(raft))
        return;
    start_round(raft);
    take_confirmed(raft); // a quorum of one
    // END SOLUTION
}

static void advance_as_follower(struct raft *raft, struct raft_output *output)
{
    // BEGIN SOLUTION lab5: dissertation 6.4, a follower asks
    bool waits = raft->round_started > raft->round_confirmed;
    if (waits ? raft->now_ms < raft->ask_deadline_ms : !next_round_is_wanted(raft))
        return;
    struct raft_message *question =
        state_message(raft, output, RAFT_READ_INDEX, raft->leader_id);
    if (question == NULL)
        return;
    if (waits)
        state_reach(raft, RAFT_MARK_READ_ASKED_AGAIN);
    raft->round_started += !waits;
    question->read_index.id = raft->ask_id_base + raft->round_started;
    raft->ask_deadline_ms = raft->now_ms + raft->config.heartbeat_ms;
    // END SOLUTION
}

void read_index_advance(struct raft *raft, struct raft_output *output)
{
    if (raft->reads_count == 0 && raft->round_started == raft->round_confirmed)
        return; // nobody waits for anything
    if (raft->role == RAFT_LEADER)
        advance_as_leader(raft);
    else if (raft->leader_id != 0)
        advance_as_follower(raft, output);
}

uint64_t read_index_deadline(const struct raft *raft)
{
    bool waits = raft->role == RAFT_FOLLOWER && raft->leader_id != 0 &&
                 raft->round_started > raft->round_confirmed;
    return waits ? raft->ask_deadline_ms : UINT64_MAX;
}

// ---- answering ------------------------------------------------------------------

// Reads are answered in the order in which they were asked: nothing is lost by that,
// for neither rounds nor indices go back.
static bool may_be_answered(const struct raft *raft, const struct read_request *read)
{
    // BEGIN SOLUTION lab5: dissertation 6.4, steps 4 and 5
    raft_index reached = read->from == 0 ? raft->last_applied : raft->commit_index;
    return read->refused ||
           (read->round <= raft->round_confirmed && read->index <= reached);
    // END SOLUTION
}

// False where there is no room for one more message: it goes with the next step.
static bool answer_follower(struct raft *raft, const struct read_request *read,
                            struct raft_output *output)
{
    // BEGIN SOLUTION lab5: dissertation 6.4, the leader answers a follower
    if (read->refused)
        return true; // it learns by itself that this node leads no more
    struct raft_message *reply =
        state_message(raft, output, RAFT_READ_INDEX_REPLY, read->from);
    if (reply == NULL)
        return false;
    reply->read_index.id = read->id;
    reply->read_index.index = read->index;
    reply->read_index.ok = true;
    state_reach(raft, RAFT_MARK_READ_FOLLOWER);
    return true;
    // END SOLUTION
}

void read_index_answer(struct raft *raft, struct raft_output *output)
{
    struct raft_read *answers =
        (struct raft_read *)((uintptr_t)raft + raft->answers_offset);
    output->reads = answers;
    while (raft->reads_count > 0) {
        const struct read_request *read = read_at(raft, 0);
        if (!may_be_answered(raft, read)) {
            if (read->round <= raft->round_confirmed)
                state_reach(raft, RAFT_MARK_READ_WAITS_FOR_APPLY);
            break;
        }
        if (read->from == 0)
            answers[output->read_count++] =
                (struct raft_read){.id = read->id,
                                   .index = read->index,
                                   .status = read->refused ? RAFT_NOT_LEADER : RAFT_OK};
        else if (!answer_follower(raft, read, output))
            break;
        raft->reads_first = (raft->reads_first + 1) % RAFT_READS_MAX;
        raft->reads_count--;
    }
}
