#include "raft/commit.h"

#include "raft/state.h"

// There is nothing to commit.

void commit_advance(struct raft *raft, struct raft_output *output)
{
    (void)raft;
    (void)output;
}

void commit_follow(struct raft *raft, raft_index leader_commit, raft_index last_new)
{
    (void)raft;
    (void)leader_commit;
    (void)last_new;
}

void commit_apply(struct raft *raft, struct raft_output *output)
{
    (void)raft;
    (void)output;
}

enum raft_status commit_applied(struct raft *raft, raft_index index)
{
    return index > raft->apply_given ? RAFT_INVALID : RAFT_OK;
}
