// request_vote.h: the RequestVote RPC (Figure 2; sections 5.2 and 5.4.1).
//
// Rules: at most one vote a term, given to the first who asks and whose log is at least
// as up to date; the same candidate that asks again gets the same answer, since the
// first one may have been lost. A vote leaves only once it is durable, and so does a
// candidate's own; what it says of its log is durable by then, too.
#ifndef RAFT_REQUEST_VOTE_H
#define RAFT_REQUEST_VOTE_H

#include "raft/raft.h"

enum request_vote_state {
    REQUEST_VOTE_OPEN = 0,
    REQUEST_VOTE_WON,
    REQUEST_VOTE_LOST,
};

// Asks all members, as a candidate.
void request_vote_start(struct raft *raft, struct raft_output *output);

void request_vote_receive(struct raft *raft, const struct raft_message *message,
                          struct raft_output *output);
void request_vote_receive_reply(struct raft *raft, const struct raft_message *message,
                                struct raft_output *output);

// A write became durable: the own vote may count now.
void request_vote_persisted(struct raft *raft, struct raft_output *output);

// What the (pre-)votes known so far amount to.
enum request_vote_state request_vote_outcome(const struct raft *raft);

// Section 5.4.1: the later last term is more up to date; at equal terms the longer log.
bool request_vote_is_up_to_date(const struct raft *raft,
                                const struct raft_request_vote *request);

#endif
