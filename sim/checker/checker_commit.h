// checker_commit.h: what is committed and applied, and what leaders believe of
// followers.
//
// There is one committed log for the whole run. The first node that shows an entry as
// committed extends it, and a majority has to hold that entry on disk at that moment.
#ifndef SIM_CHECKER_COMMIT_H
#define SIM_CHECKER_COMMIT_H

#include "sim/checker/checker_state.h"

// The last index that was committed by a leader of a term before `term`.
raft_index checker_commit_before(const struct checker *checker, raft_term term);

// The node's commit index, the entries it gives out to apply, its match indices.
void checker_commit_check(struct checker *checker, raft_id id,
                          const struct raft_view *view);
void checker_commit_apply(struct checker *checker, raft_id id,
                          const struct raft_output *output);
void checker_commit_match(struct checker *checker, raft_id id,
                          const struct raft_view *view);

#endif
