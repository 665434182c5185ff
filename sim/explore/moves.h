// moves.h: what can happen next in a state of the cluster, within the bounds.
//
// Reduction (all of it exact for the properties that are judged, since none speaks of
// what is in flight):
// - A loss is a message that is never delivered. A state from which it has gone can do
//   nothing that the state in which it waits for ever cannot, so no loss is explored,
//   and however many there may be are covered.
// - So too where a delivery changes nothing and sends nothing: it is a loss.
// - A node that is down is one to which nothing happens. So a crash and the restart are
//   one event, and one of a node that loses nothing by it is none.
// - Two equal messages in flight are delivered in one order.
// - A stale reply is forgotten (model_is_stale(), which tells why that is exact).
// Where any number of duplicates may be, nothing that is delivered ever leaves: what is
// in flight is then the set of all that was sent, and the fewest states cover the most.
#ifndef SIM_EXPLORE_MOVES_H
#define SIM_EXPLORE_MOVES_H

#include "sim/explore/judge.h"

#define MOVES_ANY UINT32_MAX

struct moves_bounds {
    uint32_t terms;
    uint32_t used[BOOK_USE_COUNT]; // by enum book_use: how often at the most
    bool reduction;
    bool drop_stale; // replies that nobody waits for: model_is_stale()
};

// What happens, in 16 bits: four of the kind, and a place, or a node and a member.
enum moves_kind {
    MOVES_DELIVER = 0,
    MOVES_AGAIN,
    MOVES_DROP,
    MOVES_NODE = 3, // and MODEL_TIMEOUT to MODEL_SYNC
    MOVES_REMOVE,
    MOVES_ADD,
    MOVES_RESTART,
};

static inline uint16_t moves_action(enum moves_kind kind, uint32_t value)
{
    return (uint16_t)((uint32_t)kind << 12 | value);
}

// One thing that can happen, and the state behind it.
struct moves_next {
    uint16_t action;
    struct judge_finding finding;
    const struct global *global;
    struct global_name name;
};

struct moves {
    struct model *model;
    const struct moves_bounds *bounds;
    bool may_compute; // else what nobody has computed is a miss
    bool nameless;    // names are not asked for

    // Called for each; false ends it.
    bool (*found)(void *context, const struct moves_next *next);
    // A move that somebody has to compute: of a node, or (`page`) of a book.
    void (*missed)(void *context, uint32_t node, uint32_t event, bool page,
                   uint32_t use);
    void *context;

    // Scratch.
    const struct global *from;
    struct global next;
    uint64_t sums[PERMUTATION_COUNT_MAX];
    uint64_t next_sums[PERMUTATION_COUNT_MAX];
    bool missing;
    bool ended;
};

// All that can happen in this state, in an order that is always the same. False where
// something was missed: then nothing more was found from there on.
bool moves_list(struct moves *moves, const struct global *from);

#endif
