// propose.h: what a leader adds to its own log (section 5.3; dissertation 6.4).
//
// Commands of clients, and a no-op at the start of its term. Nobody else may append but
// what a leader has sent, so the terms of a log's entries tell who led when.
#ifndef RAFT_PROPOSE_H
#define RAFT_PROPOSE_H

#include "raft/raft.h"

// Commands for the log: all are taken, or none (LEAD-2). Where they are, the output
// tells the place of the first one. RAFT_NOT_LEADER for a node that does not lead,
// whatever the commands; else what keeps a leader from taking them: RAFT_INVALID (there
// are none), RAFT_TOO_LARGE, RAFT_TRANSFERRING, RAFT_BACKLOG_FULL or RAFT_LOG_FULL: also
// as long as the no-op of its term has found no room.
enum raft_status propose_receive(struct raft *raft, const struct raft_command *commands,
                                 uint32_t count, struct raft_output *output);

// As leader: appends the no-op of its term where that is still to be done. Before the
// first call role_become_leader() has set raft->term_start_index to last_index + 1, and
// nothing else of this term comes before the no-op: it is in the log as soon as that
// reaches to term_start_index. Called as the term begins and then in each step, since
// the log may have had no room before.
void propose_begin_term(struct raft *raft);

#endif
