// electorate.h: configurations as sets of nodes, and which of them each log holds.
//
// A set is a bit for each id. The list of a log grows and is cut with it: the newest
// configuration in a log is the one in use (section 6), and a truncated one gives way
// to the one before.
#ifndef SIM_ELECTORATE_H
#define SIM_ELECTORATE_H

#include <stdbool.h>

#include "raft/raft.h"

struct electorate {
    uint32_t voters;     // count in the (new) majority
    uint32_t old_voters; // joint: count in the old one; 0: it is simple
    uint32_t learners;   // and those that join
    uint64_t hash;       // of everything that is told of the members
};

struct electorate_place {
    raft_index index; // 0: of the first start
    struct electorate electorate;
};

// All zeroes is a list without any.
struct electorate_list {
    struct electorate_place *at;
    uint32_t count;
    uint32_t capacity;
};

struct electorate electorate_of(const struct raft_configuration *configuration);

// Whether these nodes are enough to decide: of a joint one, both majorities.
bool electorate_is_quorum(const struct electorate *electorate, uint32_t nodes);
bool electorate_votes(const struct electorate *electorate, raft_id id);

// NULL where `to` may follow `from` in a log, else one phrase that says why not: the
// majorities of both must overlap, by the rules of sections 4.1 and 4.3 of the
// dissertation.
const char *electorate_step_problem(const struct electorate *from,
                                    const struct electorate *to);

void electorate_release(struct electorate_list *list);
void electorate_push(struct electorate_list *list, raft_index index,
                     const struct electorate *electorate);
void electorate_cut(struct electorate_list *list, raft_index last);

// The newest at or below `index`; its index is 0 where there is none.
struct electorate_place electorate_at(const struct electorate_list *list,
                                      raft_index index);

static inline struct electorate_place
electorate_newest(const struct electorate_list *list)
{
    return list->count == 0 ? (struct electorate_place){0} : list->at[list->count - 1];
}

#endif
