// propose.h: what a leader adds to its own log (section 5.3; dissertation 6.4).
//
// Commands of clients, and a no-op at the start of its term. Nobody else may append but
// what a leader has sent, so the terms of a log's entries tell who led when.
#ifndef RAFT_PROPOSE_H
#define RAFT_PROPOSE_H

#include "raft/raft.h"

// Commands for the log: all are taken, or none (LEAD-2). Where they are, the output
// tells the place of the first one.
enum raft_status propose_receive(struct raft *raft, const struct raft_command *commands,
                                 uint32_t count, struct raft_output *output);

// As leader: appends the no-op of its term where that is still to be done, as where the
// log had no room for it before.
void propose_begin_term(struct raft *raft);

#endif
