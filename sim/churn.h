// churn.h: what an operator does at odd times: members that come and go, leadership
// handed over, snapshots; and machines that are lost for good.
//
// Members are added as learners or joiners, promoted, demoted, removed, or replaced
// several at a time through joint consensus. A removed node runs on or comes back with
// its disk; one that has lost its disk never does: it is removed, and a spare takes its
// place. No configuration is asked for that leaves fewer than three voters (or than at
// the first start), and at most one of them is lost, so that a majority can be had.
#ifndef SIM_CHURN_H
#define SIM_CHURN_H

#include "raft/raft.h"

struct world;

void churn_init(struct world *world);

// One thing each, at the node that says it leads; it may refuse.
void churn_members(struct world *world);
raft_id churn_transfer(struct world *world); // whom it named; 0: nobody
void churn_snapshot(struct world *world);

// Asks that this voter be none any more, where the others are enough.
void churn_demote(struct world *world, raft_id id);

// Once faults are over: sees to it that members that are lost are removed.
void churn_settle(struct world *world);

#endif
