// permutation.h: the ways in which a cluster's nodes can change places.
//
// The core treats all nodes alike: it compares ids, but only for equality. So where a
// permutation of ids maps one state of the cluster to another, whatever follows from
// the one follows, mapped, from the other, and only one of them need be visited
// (symmetry reduction). Members of the first start keep among themselves, and so do the
// others, since the first configuration is built into every node.
#ifndef SIM_EXPLORE_PERMUTATION_H
#define SIM_EXPLORE_PERMUTATION_H

#include <stdbool.h>

#include "raft/raft.h"

enum {
    PERMUTATION_NODES_MAX = 5,
    PERMUTATION_COUNT_MAX = 120,
};

struct permutations {
    uint32_t count;                           // the first one changes nothing
    uint8_t names[PERMUTATION_COUNT_MAX][16]; // by permutation and id; of id 0: 0
};

// All of them, or, without symmetry, the first alone.
void permutation_list(struct permutations *permutations, uint32_t node_count,
                      uint32_t member_count, bool symmetry);

#endif
