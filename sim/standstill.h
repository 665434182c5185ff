// standstill.h: whether time still passes, and messages come to an end.
//
// A world jumps from event to event, and a node that always has something to do at once
// would keep it there for ever, while terms, messages and memory grow; or almost there,
// where each message wakes another. Past a number of steps within one millisecond, the
// unit of the nodes' clocks, that no core needs which ever comes to rest, the process
// says so and ends. So it does where each message leads to more than one other, and all
// of them are under way before time has passed far.
#ifndef SIM_STANDSTILL_H
#define SIM_STANDSTILL_H

#include "raft/raft.h"

enum {
    STANDSTILL_STEPS_MAX = 100000,
    STANDSTILL_UNDER_WAY_MAX = 50000, // messages, and whatever else is to come
    STANDSTILL_EXIT = 71,             // the exit code
};

struct standstill {
    uint64_t time_ms;
    uint32_t steps; // of all nodes in that millisecond
};

// Counts a step; false where it is one too many.
bool standstill_step(struct standstill *standstill, uint64_t now_us);

// What comes next does so because somebody wants it: the count begins anew.
void standstill_reset(struct standstill *standstill);

// Ends the process with one line on stderr, about this last step.
_Noreturn void standstill_end(uint64_t now_us, const struct raft *raft,
                              const struct raft_event *event,
                              const struct raft_output *output);

// The same where more is under way than a cluster ever needs.
_Noreturn void standstill_flood(uint64_t now_us, const struct raft *raft,
                                const struct raft_event *event,
                                const struct raft_output *output);

#endif
