#include "raft/timer.h"

#include "raft/membership.h"
#include "raft/read_index.h"
#include "raft/state.h"

// splitmix64: one addition and a mix, every seed is a good one.
uint64_t timer_draw(struct raft *raft)
{
    uint64_t value = raft->random += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

void timer_seed(struct raft *raft, uint64_t seed)
{
    raft->random = seed;
    uint64_t mixed = timer_draw(raft) ^ raft->config.id;
    raft->random = mixed;
}

void timer_advance(struct raft *raft, uint64_t now_ms)
{
    if (now_ms > raft->now_ms)
        raft->now_ms = now_ms;
}

// When a timeout from [shortest, shortest + spread) that begins now is over; the spread
// is not 0.
static uint64_t draw_deadline_ms(struct raft *raft, uint32_t shortest_ms,
                                 uint32_t spread_ms)
{
    // BEGIN SOLUTION lab1: FOL-2, CAND-1c
    return raft->now_ms + shortest_ms + timer_draw(raft) % spread_ms;
    // END SOLUTION
}

void timer_reset_election(struct raft *raft)
{
    uint32_t shortest_ms = raft->config.election_timeout_ms;
    uint32_t spread_ms = raft->config.election_spread_ms;
    if (spread_ms == 0)
        spread_ms = shortest_ms;
    if (!raft->preferred)
        shortest_ms += shortest_ms / 2;
    raft->election_deadline_ms = draw_deadline_ms(raft, shortest_ms, spread_ms);
}

// Whether the end of an election timeout means anything here: one that may not campaign
// has nothing to wait for but the end of its leader. timer_election_is_due() asks this.
static bool election_concerns(const struct raft *raft)
{
    return raft->leader_id != 0 || membership_may_campaign(raft);
}

// FOL-2, CAND-4
bool timer_election_is_due(const struct raft *raft)
{
    // BEGIN SOLUTION lab1: FOL-2, CAND-4
    return raft->role != RAFT_LEADER && raft->now_ms >= raft->election_deadline_ms &&
           election_concerns(raft);
    // END SOLUTION
}

// LEAD-1
bool timer_heartbeat_is_due(const struct raft *raft)
{
    // BEGIN SOLUTION lab1: LEAD-1
    return raft->role == RAFT_LEADER && raft->now_ms >= raft->heartbeat_deadline_ms;
    // END SOLUTION
}

void timer_reset_heartbeat(struct raft *raft)
{
    // BEGIN SOLUTION lab1: LEAD-1
    raft->heartbeat_deadline_ms = raft->now_ms + raft->config.heartbeat_ms;
    // END SOLUTION
}

static uint64_t contact_of(const struct raft *raft, uint32_t member)
{
    if (raft->peers[member].id == raft->config.id)
        return raft->now_ms;
    return raft->peers[member].contact_ms;
}

bool timer_quorum_is_lost(const struct raft *raft)
{
    return raft->config.check_quorum &&
           raft->now_ms - membership_quorum(raft, contact_of) >=
               raft->config.election_timeout_ms;
}

// When this node's role has something to do, if nothing arrives before.
static uint64_t own_deadline_ms(const struct raft *raft)
{
    // BEGIN SOLUTION lab1: FOL-2, LEAD-1
    return raft->role == RAFT_LEADER ? raft->heartbeat_deadline_ms
                                     : raft->election_deadline_ms;
    // END SOLUTION
}

uint64_t timer_deadline(const struct raft *raft)
{
    bool waits = raft->role == RAFT_LEADER || election_concerns(raft);
    uint64_t own = waits ? own_deadline_ms(raft) : UINT64_MAX;
    uint64_t question = read_index_deadline(raft);
    return question < own ? question : own;
}

bool timer_leader_is_recent(const struct raft *raft)
{
    return raft->leader_heard &&
           raft->now_ms - raft->leader_contact_ms < raft->config.election_timeout_ms;
}
