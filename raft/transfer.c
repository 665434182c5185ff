#include "raft/transfer.h"

#include "raft/configuration.h"
#include "raft/membership.h"
#include "raft/request_vote.h"
#include "raft/role.h"
#include "raft/state.h"

static bool may_lead(const struct raft *raft, uint32_t member)
{
    const struct raft_member *candidate = &raft->configuration.members[member];
    return candidate->id != raft->config.id &&
           configuration_counts_in_new(candidate->role);
}

static bool is_better(const struct raft *raft, uint32_t member, uint32_t than)
{
    uint32_t priority = raft->configuration.members[member].priority;
    uint32_t other = raft->configuration.members[than].priority;
    if (priority != other)
        return priority > other;
    return raft->peers[member].match_index > raft->peers[than].match_index;
}

// The best of those who were heard lately and have the log up to `match_index`; 0 where
// there is none.
static raft_id best(const struct raft *raft, raft_index match_index)
{
    uint32_t chosen = RAFT_MEMBERS_MAX;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct progress *peer = &raft->peers[i];
        if (!may_lead(raft, i) || peer->match_index < match_index ||
            raft->now_ms - peer->contact_ms >= raft->config.election_timeout_ms)
            continue;
        if (chosen == RAFT_MEMBERS_MAX || is_better(raft, i, chosen))
            chosen = i;
    }
    return chosen == RAFT_MEMBERS_MAX ? 0 : raft->peers[chosen].id;
}

static bool is_candidate_for_it(const struct raft *raft, raft_id to)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        if (raft->configuration.members[i].id == to)
            return may_lead(raft, i);
    }
    return false;
}

enum raft_status transfer_start(struct raft *raft, raft_id to,
                                struct raft_output *output)
{
    if (raft->role != RAFT_LEADER)
        return RAFT_NOT_LEADER;
    if (raft->transfer_to != 0)
        return RAFT_TRANSFERRING;
    if (to == 0) {
        to = best(raft, 0);
        if (to == 0)
            return RAFT_NOT_CAUGHT_UP;
    } else if (!is_candidate_for_it(raft, to)) {
        return RAFT_INVALID;
    }
    raft->transfer_to = to;
    raft->transfer_deadline_ms = raft->now_ms + raft->config.election_timeout_ms;
    raft->transfer_sent = false;
    state_note(output, "transfer begins");
    state_reach(raft, RAFT_MARK_TRANSFER_BEGINS);
    return RAFT_OK;
}

static bool tell(struct raft *raft, raft_id to, struct raft_output *output)
{
    raft->lease_forfeited = true;
    return state_message(raft, output, RAFT_TIMEOUT_NOW, to) != NULL;
}

void transfer_advance(struct raft *raft, struct raft_output *output)
{
    if (raft->transfer_to == 0)
        return;
    if (raft->now_ms >= raft->transfer_deadline_ms ||
        !is_candidate_for_it(raft, raft->transfer_to)) {
        raft->transfer_to = 0;
        state_note(output, "transfer given up");
        state_reach(raft, RAFT_MARK_TRANSFER_GIVEN_UP);
        return;
    }
    const struct progress *peer = state_peer(raft, raft->transfer_to);
    if (!raft->transfer_sent && peer->match_index == raft->log.last_index)
        raft->transfer_sent = tell(raft, raft->transfer_to, output);
}

void transfer_hand_over(struct raft *raft, struct raft_output *output)
{
    raft_id to = best(raft, raft->log.last_index);
    if (to != 0 && tell(raft, to, output))
        state_reach(raft, RAFT_MARK_LEADER_REMOVED_HANDS_OVER);
}

enum raft_status transfer_receive(struct raft *raft, const struct raft_message *message,
                                  struct raft_output *output)
{
    if (message->term < raft->hard_state.current_term) {
        state_reach(raft, RAFT_MARK_TRANSFER_LATE);
        return RAFT_OK; // who sent it leads no more
    }
    if (raft->role == RAFT_LEADER)
        return RAFT_INVALID;
    // A leader tells its followers alone, and a node that knows itself to be no voter
    // had better not.
    if (raft->role == RAFT_CANDIDATE || !membership_counts(raft) ||
        (raft->leader_id != 0 && raft->leader_id != message->from) ||
        !role_may_campaign_again(raft)) {
        state_reach(raft, RAFT_MARK_TRANSFER_UNFIT);
        return RAFT_OK;
    }
    state_note(output, "told to take over -> candidate");
    state_reach(raft, RAFT_MARK_TRANSFER_TOLD);
    role_become_candidate(raft, output);
    request_vote_start(raft, true, output);
    return RAFT_OK;
}
