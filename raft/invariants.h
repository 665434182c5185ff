// invariants.h: what must hold in one core after every step.
//
// What must hold between nodes (Figure 3) is checked by the simulator.
#ifndef RAFT_INVARIANTS_H
#define RAFT_INVARIANTS_H

#include "raft/raft.h"

// The first that does not hold, in words, or NULL. Constant time in the log's length.
const char *invariants_broken(const struct raft *raft);

#endif
