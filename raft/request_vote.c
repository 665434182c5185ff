#include "raft/request_vote.h"

#include "raft/configuration.h"
#include "raft/durability.h"
#include "raft/membership.h"
#include "raft/role.h"
#include "raft/state.h"
#include "raft/timer.h"

// ---- what the votes amount to -----------------------------------------------------

// BEGIN SOLUTION lab1: CAND-2
static uint64_t granted_by(const struct raft *raft, uint32_t member)
{
    return raft->peers[member].vote == PROGRESS_VOTE_GRANTED;
}

static uint64_t not_refused_by(const struct raft *raft, uint32_t member)
{
    return raft->peers[member].vote != PROGRESS_VOTE_REFUSED;
}
// END SOLUTION

enum request_vote_state request_vote_outcome(const struct raft *raft)
{
    // BEGIN SOLUTION lab1: CAND-2
    if (membership_quorum(raft, granted_by) != 0)
        return REQUEST_VOTE_WON;
    if (membership_quorum(raft, not_refused_by) == 0)
        return REQUEST_VOTE_LOST;
    return REQUEST_VOTE_OPEN;
    // END SOLUTION
}

// ---- who is heard at all ----------------------------------------------------------

bool request_vote_is_unwanted(const struct raft *raft,
                              const struct raft_message *message)
{
    const struct raft_hard_state *own = &raft->hard_state;
    if (message->term == own->current_term && message->from == own->voted_for)
        return false; // it has the vote, and its answer was lost
    return raft->config.check_quorum && !message->request_vote.transfer &&
           message->term >= own->current_term &&
           request_vote_has_leader(raft, message->from);
}

// Its own question is exempt: a leader would not ask if it still led.
bool request_vote_has_leader(const struct raft *raft, raft_id candidate)
{
    if (raft->role == RAFT_LEADER)
        return true;
    return timer_leader_is_recent(raft) && raft->leader_id != candidate;
}

// ---- the voter --------------------------------------------------------------------

bool request_vote_is_up_to_date(const struct raft *raft,
                                const struct raft_request_vote *request)
{
    // BEGIN SOLUTION lab1: RV-2b
    raft_term own_last_term = log_last_term(&raft->log);
    if (request->last_log_term != own_last_term)
        return request->last_log_term > own_last_term;
    return request->last_log_index >= raft->log.last_index;
    // END SOLUTION
}

// BEGIN SOLUTION lab1: RV-1, RV-2a, RV-2b
static bool may_grant(struct raft *raft, const struct raft_message *message,
                      struct raft_output *output)
{
    if (message->term < raft->hard_state.current_term) { // RV-1
        state_reach(raft, RAFT_MARK_RV_1);
        state_note(output, "term lower -> refuse");
        return false;
    }
    raft_id voted_for = raft->hard_state.voted_for;
    if (voted_for != 0 && voted_for != message->from) { // RV-2a
        state_reach(raft, RAFT_MARK_RV_2A);
        state_note(output, "voted for another -> refuse");
        return false;
    }
    if (!request_vote_is_up_to_date(raft, &message->request_vote)) { // RV-2b
        state_reach(raft, RAFT_MARK_RV_2B);
        state_note(output, "log behind -> refuse");
        return false;
    }
    return true;
}

static void reach_grant(struct raft *raft, const struct raft_message *message)
{
    const struct raft_member *candidate =
        configuration_find(&raft->configuration, message->from);
    state_reach(raft, RAFT_MARK_FOL_1);
    if (raft->hard_state.voted_for == message->from)
        state_reach(raft, RAFT_MARK_VOTE_REPEATED);
    if (candidate == NULL || !configuration_counts(candidate->role))
        state_reach(raft, RAFT_MARK_VOTE_FOR_STRANGER);
    if (!membership_counts(raft))
        state_reach(raft, RAFT_MARK_VOTE_BY_NON_VOTER);
    if (message->request_vote.transfer && request_vote_has_leader(raft, message->from))
        state_reach(raft, RAFT_MARK_VOTE_FOR_TRANSFER);
}
// END SOLUTION

void request_vote_receive(struct raft *raft, const struct raft_message *message,
                          struct raft_output *output)
{
    // BEGIN SOLUTION lab1: RV-1, RV-2a, RV-2b, FOL-1, FOL-2
    bool granted = may_grant(raft, message, output);
    if (granted) {
        reach_grant(raft, message);
        if (raft->hard_state.voted_for != message->from) {
            raft->hard_state.voted_for = message->from;
            state_persist_hard_state(raft, output);
        }
        timer_reset_election(raft); // FOL-2: granting a vote counts as news
        state_note(output, "grant");
    }
    struct raft_message reply =
        state_reply(raft, RAFT_REQUEST_VOTE_REPLY, message->from);
    reply.request_vote_reply.vote_granted = granted;
    uint64_t needs = raft->durability.hard_state_write; // STATE-0, STATE-2
    durability_defer(raft, &reply, needs);
    // END SOLUTION
}

// ---- the candidate ----------------------------------------------------------------

void request_vote_start(struct raft *raft, bool transfer, struct raft_output *output)
{
    // BEGIN SOLUTION lab1: CAND-1d
    struct raft_message message = state_reply(raft, RAFT_REQUEST_VOTE, 0);
    message.request_vote.last_log_index = raft->log.last_index;
    message.request_vote.last_log_term = log_last_term(&raft->log);
    message.request_vote.transfer = transfer;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        message.to = raft->configuration.members[i].id;
        if (message.to == raft->config.id ||
            !configuration_counts(raft->configuration.members[i].role))
            continue;
        // CAND-1d. The log's end is durable with the vote, or the promise would be
        // void.
        durability_defer(raft, &message, durability_newest_write(raft, output));
    }
    // END SOLUTION
}

// Acts on what the votes amount to. A node leads only in a term that is on its disk.
static void count_votes(struct raft *raft, struct raft_output *output)
{
    switch (request_vote_outcome(raft)) {
    case REQUEST_VOTE_WON: // CAND-2
        if (raft->durability.reported >= raft->campaign_write)
            role_become_leader(raft, output);
        break;
    case REQUEST_VOTE_LOST:
        state_reach(raft, RAFT_MARK_ELECTION_LOST);
        state_note(output, "election lost -> follower");
        role_become_follower(raft, 0);
        break;
    case REQUEST_VOTE_OPEN:
        break;
    }
}

void request_vote_receive_reply(struct raft *raft, const struct raft_message *message,
                                struct raft_output *output)
{
    // BEGIN SOLUTION lab1: CAND-2
    struct progress *peer = state_peer(raft, message->from);
    if (raft->role != RAFT_CANDIDATE || peer == NULL)
        return;
    if (message->term != raft->hard_state.current_term) { // a vote of an older term
        state_reach(raft, RAFT_MARK_VOTE_OLD);
        return;
    }
    bool granted = message->request_vote_reply.vote_granted;
    peer->vote = granted ? PROGRESS_VOTE_GRANTED : PROGRESS_VOTE_REFUSED;
    state_note(output, granted ? "vote granted" : "vote refused");
    count_votes(raft, output);
    // END SOLUTION
}

void request_vote_persisted(struct raft *raft, struct raft_output *output)
{
    if (raft->role != RAFT_CANDIDATE ||
        raft->durability.reported < raft->campaign_write)
        return;
    struct progress *self = state_peer(raft, raft->config.id);
    if (raft->campaign_durable)
        return;
    raft->campaign_durable = true;
    state_note(output, "own vote durable");
    // Who is no member has no vote that counts, and leads if the others want it.
    if (self != NULL)
        self->vote = PROGRESS_VOTE_GRANTED; // CAND-1b, durable
    count_votes(raft, output);
}
