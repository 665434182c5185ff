// timer.h: election and heartbeat deadlines (section 5.2).
//
// The core has no clock: each event says what time it is, and the output says when to
// call again. Timeouts are drawn anew each time from [T, 2T), or from as wide a range
// as the configuration says, so that split votes are rare and do not repeat.
#ifndef RAFT_TIMER_H
#define RAFT_TIMER_H

#include "raft/raft.h"

// Seeds the generator; the id is mixed in, since nodes may be given the same seed.
void timer_seed(struct raft *raft, uint64_t seed);

// Takes the event's time. Time does not go back.
void timer_advance(struct raft *raft, uint64_t now_ms);

// A number from the generator.
uint64_t timer_draw(struct raft *raft);

// Begins a new election timeout; half a one longer where another is preferred.
void timer_reset_election(struct raft *raft);

// Begins a new time of silence of a leader.
void timer_reset_heartbeat(struct raft *raft);

// Whether a follower or candidate has waited for long enough: to campaign, or where it
// may not, to forget the leader that it followed.
bool timer_election_is_due(const struct raft *raft);

// Whether a leader has.
bool timer_heartbeat_is_due(const struct raft *raft);

// Whether a leader has not heard a quorum for an election timeout (dissertation 6.2).
bool timer_quorum_is_lost(const struct raft *raft);

// When the next RAFT_EVENT_TICK is due.
uint64_t timer_deadline(const struct raft *raft);

// Whether a leader was heard within the shortest election timeout (dissertation 4.2.3).
bool timer_leader_is_recent(const struct raft *raft);

#endif
