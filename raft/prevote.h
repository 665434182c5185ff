// prevote.h: ask before campaigning (dissertation 9.6).
//
// A node that cannot win must not raise the cluster's term. It first asks whether an
// election could be won; the question changes nothing on either side: no term, no vote,
// no timer. Its term is the one that the campaign would have. A grant repeats that
// term; a refusal tells the refuser's own, so that one who has fallen behind catches
// up.
#ifndef RAFT_PREVOTE_H
#define RAFT_PREVOTE_H

#include "raft/raft.h"

// Asks all members, as a pre-candidate.
void prevote_start(struct raft *raft, struct raft_output *output);

// A RequestVote with pre_vote set.
void prevote_receive(struct raft *raft, const struct raft_message *message,
                     struct raft_output *output);

// A RequestVote reply with pre_vote set.
void prevote_receive_reply(struct raft *raft, const struct raft_message *message,
                           struct raft_output *output);

#endif
