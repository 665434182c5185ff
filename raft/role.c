#include "raft/role.h"

#include "raft/configuration.h"
#include "raft/durability.h"
#include "raft/membership.h"
#include "raft/propose.h"
#include "raft/read_index.h"
#include "raft/state.h"
#include "raft/timer.h"

static void forget_votes(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++)
        raft->peers[i].vote = PROGRESS_VOTE_UNKNOWN;
}

static void set_role(struct raft *raft, enum raft_role role, raft_id leader_id)
{
    if (raft->leader_id != leader_id)
        read_index_abandon(raft);
    raft->role = role;
    raft->leader_id = leader_id;
    raft->transfer_to = 0;
}

void role_become_follower(struct raft *raft, raft_id leader_id)
{
    // BEGIN SOLUTION lab1: ALL-2
    if (raft->role == RAFT_LEADER) // its heartbeat deadline says nothing to a follower
        timer_reset_election(raft);
    set_role(raft, RAFT_FOLLOWER, leader_id);
    // END SOLUTION
}

static void hear_leader(struct raft *raft, raft_id leader_id)
{
    // BEGIN SOLUTION lab1: CAND-3, FOL-2
    role_become_follower(raft, leader_id);
    timer_reset_election(raft);
    // END SOLUTION
}

void role_follow(struct raft *raft, raft_id leader_id, struct raft_output *output)
{
    if (raft->role != RAFT_FOLLOWER) {
        state_note(output, "leader heard -> follower"); // CAND-3
        state_reach(raft, RAFT_MARK_CAND_3);
    }
    hear_leader(raft, leader_id);
    raft->leader_heard = true;
    raft->leader_contact_ms = raft->now_ms;
}

static void enter_term(struct raft *raft, raft_term term, struct raft_output *output)
{
    // BEGIN SOLUTION lab1: ALL-2, STATE-1, STATE-2
    raft->hard_state.current_term = term;
    raft->hard_state.voted_for = 0;
    state_persist_hard_state(raft, output);
    role_become_follower(raft, 0);
    // END SOLUTION
}

void role_adopt_term(struct raft *raft, raft_term term, struct raft_output *output)
{
    assert(term > raft->hard_state.current_term);
    enter_term(raft, term, output);
    state_note(output, "term higher -> follower"); // ALL-2
    state_reach(raft, RAFT_MARK_ALL_2);
}

bool role_may_campaign_again(const struct raft *raft)
{
    if (raft->hard_state.current_term == STATE_TERM_MAX)
        return false;
    return raft->role != RAFT_CANDIDATE ||
           raft->durability.reported >= raft->campaign_write;
}

void role_become_pre_candidate(struct raft *raft)
{
    assert(raft->role != RAFT_LEADER);
    set_role(raft, RAFT_PRE_CANDIDATE, 0);
    forget_votes(raft);
    timer_reset_election(raft);
}

static void begin_campaign(struct raft *raft, struct raft_output *output)
{
    // BEGIN SOLUTION lab1: CAND-1a, CAND-1b, CAND-1c
    set_role(raft, RAFT_CANDIDATE, 0);
    raft->hard_state.current_term++;              // CAND-1a
    raft->hard_state.voted_for = raft->config.id; // CAND-1b
    state_persist_hard_state(raft, output);
    forget_votes(raft);
    timer_reset_election(raft); // CAND-1c
    // END SOLUTION
}

void role_become_candidate(struct raft *raft, struct raft_output *output)
{
    assert(raft->role != RAFT_LEADER);
    begin_campaign(raft, output);
    raft->elections++;
    // The own vote counts like any other: only once it cannot be forgotten.
    raft->campaign_write = durability_newest_write(raft, output);
    raft->campaign_durable = false;
    state_note(output, "-> candidate");
    state_reach(raft, RAFT_MARK_CAND_1);
    if (!membership_counts(raft))
        state_reach(raft, RAFT_MARK_CAMPAIGN_LEAVING);
}

static void take_office(struct raft *raft)
{
    // BEGIN SOLUTION lab1: CAND-2, LEAD-1, STATE-6, STATE-7
    set_role(raft, RAFT_LEADER, raft->config.id);
    timer_reset_heartbeat(raft);
    for (uint32_t i = 0; i < raft->configuration.count; i++)
        progress_reset(&raft->peers[i], raft->log.last_index, raft->now_ms);
    // END SOLUTION
}

void role_become_leader(struct raft *raft, struct raft_output *output)
{
    assert(raft->role == RAFT_CANDIDATE);
    take_office(raft);
    read_index_reset(raft);
    raft->term_start_index = raft->log.last_index + 1;
    propose_begin_term(raft);
    state_note(output, "-> leader");
    state_reach(raft, RAFT_MARK_CAND_2);
    if (configuration_is_joint(&raft->configuration))
        state_reach(raft, RAFT_MARK_ELECTION_JOINT);
}
