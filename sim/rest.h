// rest.h: whether a world has come to rest; where it has not, what is missing.
//
// `missing` takes the first thing that is missing in words, such as "node 8 is still
// joining"; it may be NULL with a size of 0, and is left alone where nothing is.
#ifndef SIM_REST_H
#define SIM_REST_H

#include "sim/world.h"

enum { REST_TEXT_BYTES = 100 };

// Whether there is a leader of a configuration that is not joint and in which nobody is
// joining, and all of its members are up, have applied all that is committed and agree
// on the state.
bool rest_is_settled(struct world *world, char *missing, size_t size);

// Whether all clients have their answers.
bool rest_has_answered(const struct world *world, char *missing, size_t size);

// NULL where the members count nothing as under way: reads, uncommitted bytes,
// messages; else what, and who counts it.
const char *rest_under_way(struct world *world, raft_id *node);

#endif
