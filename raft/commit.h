// commit.h: when an entry is committed, and when it is applied (sections 5.3
// and 5.4.2).
//
// A leader commits by counting only entries of its own term; what came before is
// committed with them (Figure 8 shows why). A follower follows its leader.
#ifndef RAFT_COMMIT_H
#define RAFT_COMMIT_H

#include "raft/raft.h"

// As leader: commits what a quorum has on disk (LEAD-4).
void commit_advance(struct raft *raft, struct raft_output *output);

// As follower: the leader has committed up to leader_commit, and the log is known to
// equal the leader's up to last_new (AE-5).
void commit_follow(struct raft *raft, raft_index leader_commit, raft_index last_new);

// Hands out the next entries to apply (ALL-1): committed, and durable here.
void commit_apply(struct raft *raft, struct raft_output *output);

// The host reports: applied up to here.
enum raft_status commit_applied(struct raft *raft, raft_index index);

#endif
