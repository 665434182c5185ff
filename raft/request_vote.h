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

// Asks all who count, as a candidate; one whom the leader told to take over says so.
void request_vote_start(struct raft *raft, bool transfer, struct raft_output *output);

// Whether a leader was heard so lately that a campaign is none of this node's business:
// the question is not answered and its term not adopted, or any node that was removed
// could depose leaders (section 6; dissertation 4.2.3).
bool request_vote_is_unwanted(const struct raft *raft,
                              const struct raft_message *message);

// Whether this node leads, or has heard another leader than the candidate lately.
bool request_vote_has_leader(const struct raft *raft, raft_id candidate);

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
