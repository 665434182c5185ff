// role.h: the changes of role (Figure 4, with the pre-candidate of dissertation 9.6).
//
//     follower -> pre-candidate -> candidate -> leader, and from each back to follower.
//
// With pre-votes switched off, and where a leader hands over, the pre-candidate is left
// out. Only role_adopt_term() and role_become_candidate() change the term, and only
// they and RequestVote's rule RV-2a change the vote.
#ifndef RAFT_ROLE_H
#define RAFT_ROLE_H

#include "raft/raft.h"

// Follower in the current term. leader_id 0: not known.
void role_become_follower(struct raft *raft, raft_id leader_id);

// A leader of the current term was heard: its follower from now on (CAND-3).
void role_follow(struct raft *raft, raft_id leader_id, struct raft_output *output);

// A message has shown a higher term: follower in that term, with no vote given (ALL-2).
void role_adopt_term(struct raft *raft, raft_term term, struct raft_output *output);

// False for a candidate whose vote is not on disk yet, and who has therefore asked
// nobody: where the disk is slower than the timeout, a newer campaign would only wait
// behind it, and so for ever. False, too, where there is no higher term.
bool role_may_campaign_again(const struct raft *raft);

// The term and the vote stay as they are.
void role_become_pre_candidate(struct raft *raft);

void role_become_candidate(struct raft *raft, struct raft_output *output);
void role_become_leader(struct raft *raft, struct raft_output *output);

#endif
