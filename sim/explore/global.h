// global.h: a state of the whole cluster: numbers of nodes, of what is in flight, and
// of a book.
//
// Its name under a permutation is the sum of the hashes of its parts under it; sums,
// because what is in flight is a set (each message names its link), and because a move
// changes few of them. The name of the state is the least of those: equal for all
// states that a change of places leads to. Messages stand in the order of sending, so
// that a place on a link can be told, but the order is no part of the name.
#ifndef SIM_EXPLORE_GLOBAL_H
#define SIM_EXPLORE_GLOBAL_H

#include "sim/explore/model.h"

enum {
    GLOBAL_MESSAGES_MAX = 127,
    GLOBAL_BYTES_MAX = 5 * (PERMUTATION_NODES_MAX + 2 + GLOBAL_MESSAGES_MAX),
};

struct global {
    uint32_t nodes[PERMUTATION_NODES_MAX]; // node id is at id - 1
    uint32_t book;
    uint32_t count;
    uint32_t messages[GLOBAL_MESSAGES_MAX];
};

struct global_name {
    uint64_t name;
    uint32_t orbit; // how many states differ from it in their nodes' places alone
};

void global_start(struct global *global, struct model *model);

// As few bytes as it takes; returns how many.
uint32_t global_pack(const struct global *global, uint32_t node_count, uint8_t *bytes);
uint32_t global_unpack(struct global *global, uint32_t node_count,
                       const uint8_t *bytes);

// The sums of its hashes, by permutation.
void global_sum(const struct global *global, const struct model *model, uint64_t *sums);
struct global_name global_name(const uint64_t *sums, uint32_t count);

// The message at this place is in flight no more.
void global_take_away(struct global *global, uint32_t place);

#endif
