#include "raft/propose.h"

#include "raft/state.h"

// A leader has nothing to say yet, and takes nothing.

enum raft_status propose_receive(struct raft *raft, const struct raft_command *commands,
                                 uint32_t count, struct raft_output *output)
{
    (void)commands;
    (void)count;
    (void)output;
    return raft->role == RAFT_LEADER ? RAFT_LOG_FULL : RAFT_NOT_LEADER;
}

void propose_begin_term(struct raft *raft)
{
    (void)raft;
}
