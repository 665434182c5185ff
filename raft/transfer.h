// transfer.h: handing leadership over (dissertation 3.10).
//
// The leader takes no proposals meanwhile, brings the target's log up to its own, and
// tells it to campaign at once (TimeoutNow). Voters grant that campaign although they
// hear a leader. If no one has taken over within an election timeout the leader leads
// on. Once anyone was told to campaign, this term's leases are void: the message may
// arrive at any later time.
#ifndef RAFT_TRANSFER_H
#define RAFT_TRANSFER_H

#include "raft/raft.h"

// As leader: begins. to 0: the voter that is heard, of the highest priority, with the
// longest log. RAFT_INVALID where `to` is no other voter, RAFT_NOT_CAUGHT_UP where
// there is no one to choose, RAFT_TRANSFERRING where one is under way.
enum raft_status transfer_start(struct raft *raft, raft_id to,
                                struct raft_output *output);

// As leader: tells the target to campaign once it has everything; gives up in time.
void transfer_advance(struct raft *raft, struct raft_output *output);

// As leader, about to step down: tells the best of those who have everything, if any.
void transfer_hand_over(struct raft *raft, struct raft_output *output);

// TimeoutNow arrived.
enum raft_status transfer_receive(struct raft *raft, const struct raft_message *message,
                                  struct raft_output *output);

#endif
