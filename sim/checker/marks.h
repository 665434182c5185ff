// marks.h: a log as the checker remembers it: for each index the term and the *chain*,
// a hash over all entries from 1 up to there.
//
// Two logs are equal up to an index exactly where their chains at it are equal. Marks
// up to a base need not be kept: what a node knows as committed is the same everywhere.
#ifndef SIM_MARKS_H
#define SIM_MARKS_H

#include <assert.h>
#include <stdbool.h>

#include "raft/raft.h"

struct mark {
    raft_term term;
    uint64_t chain;
};

// All zeroes is an empty log. Index 0 has term 0 and chain 0.
struct marks {
    struct mark *at; // of base + 1 and on
    raft_index base;
    raft_index last;
    uint64_t capacity;
};

void marks_release(struct marks *marks);

void marks_make_room(struct marks *marks);

// The mark at `index`, which is above `base` (or 0) and at most `last`.
static inline struct mark marks_at(const struct marks *marks, raft_index index)
{
    if (index == 0)
        return (struct mark){0, 0};
    assert(index > marks->base && index <= marks->last);
    return marks->at[index - marks->base - 1];
}

// Sets the mark at last + 1.
static inline void marks_push(struct marks *marks, struct mark mark)
{
    if (marks->last - marks->base == marks->capacity)
        marks_make_room(marks);
    marks->at[marks->last++ - marks->base] = mark;
}

// Drops all marks beyond `last`.
void marks_cut(struct marks *marks, raft_index last);

// Leaves no marks: the next one is that of base + 1.
void marks_restart(struct marks *marks, raft_index base);

// Marks up to `index` are not needed any more; they go once they are many.
void marks_raise(struct marks *marks, raft_index index);

// The mark that this entry has behind a log that ends with `before`.
struct mark marks_follow(struct mark before, const struct raft_entry *entry);

// A map from two numbers (the second not 0) to a third. All zeroes is an empty one.
struct mark_map_slot {
    uint64_t first;
    uint64_t second;
    uint64_t value;
};

struct mark_map {
    struct mark_map_slot *slots;
    uint64_t count;
    uint64_t capacity;
};

void marks_map_release(struct mark_map *map);

// Gives the value kept for (first, second); where there is none, `value` becomes it.
uint64_t marks_map_keep(struct mark_map *map, uint64_t first, uint64_t second,
                        uint64_t value);

// Adds bits to the value kept for (first, second), which is 0 at first; gives it.
uint64_t marks_map_join(struct mark_map *map, uint64_t first, uint64_t second,
                        uint64_t bits);

#endif
