// shrink.h: cuts a tape that breaks a rule down to what it takes to break it.
//
// Delta debugging: parts are left out, large ones first, then single acts, then pairs;
// what is left is kept where it fails in the same way. After each success the tape
// is what really happened, so that what no longer applies has gone by itself. In
// between whatever makes a tape long or odd to read is taken away in one go
// (simplify.h).
//
// It is driven from outside, which may run candidates in processes of their own:
//
//     while (shrink_next(&shrink))
//         shrink_take(&shrink, played, or NULL where it did not fail in the same way);
//
// The work is counted in acts, not in time: the same tape shrinks to the same.
#ifndef SIM_SHRINK_SHRINK_H
#define SIM_SHRINK_SHRINK_H

#include "sim/shrink/tape.h"

enum shrink_phase { SHRINK_SIMPLIFY, SHRINK_PIECES, SHRINK_PAIRS, SHRINK_OVER };

// Plain data but for the two tapes, which belong to the caller.
struct shrink {
    struct tape *best;      // in: what fails; out: the shortest found
    struct tape *candidate; // to be played next
    uint64_t work_max;      // in acts; 0: no limit
    uint64_t tests;
    uint64_t work;

    enum shrink_phase phase;
    bool any;          // there was a success in this round
    uint32_t size;     // of the pieces that are left out...
    uint32_t size_min; // ...down to this
    uint32_t at;       // where the next piece begins
    uint32_t second;   // the other act of a pair
    uint32_t way;      // of simplifying
    uint32_t which;
};

void shrink_begin(struct shrink *shrink, struct tape *best, struct tape *candidate,
                  uint64_t work_max);

// Makes the next candidate; false where there is none left.
bool shrink_next(struct shrink *shrink);

// Whether this is better than the best so far.
bool shrink_is_better(const struct shrink *shrink, const struct tape *played);

// The candidate was played, and failed in the same way up to here, or did not (NULL).
void shrink_take(struct shrink *shrink, const struct tape *played);

#endif
