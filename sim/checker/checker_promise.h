// checker_promise.h: what a node has promised, and what it owes. Internal to
// sim/checker*.c.
//
// Safety alone does not tell a node that does its duty from one that does nothing, or
// from one that breaks a promise in a moment when nobody relies on it. These rules look
// at single steps: a vote that was given is given again, nobody votes against a leader
// that it has just heard (what leases rest on; dissertation 6.2 and 6.4.1), a leader
// that hears no majority steps down, one whose majority has an entry commits it, and a
// read names no index below what was committed when it was asked for.
#ifndef SIM_CHECKER_PROMISE_H
#define SIM_CHECKER_PROMISE_H

#include "sim/checker/checker.h"

// Looks at one step; `before` is the hard state before it. To be called once the shadow
// has been brought up to date.
void checker_promise_step(struct checker *checker, raft_id id,
                          const struct checker_step *step,
                          const struct raft_hard_state *before);

// The node starts anew. What it has promised under a lease holds on.
void checker_promise_open(struct checker *checker, raft_id id);

#endif
