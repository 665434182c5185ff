// timeline_shrink.h: cuts a timeline that breaks a rule down to what it takes.
//
// Stretches of time, lines, nodes and clients are left out, large parts first; then
// what is odd is made usual. A change of anything draws all delays anew, so that each
// candidate is tried with a few seeds. Driven from outside, as in shrink.h. The work is
// counted in events.
#ifndef SIM_SHRINK_TIMELINE_SHRINK_H
#define SIM_SHRINK_TIMELINE_SHRINK_H

#include "sim/shrink/timeline.h"

// Plain data but for the two timelines, which belong to the caller.
struct timeline_shrink {
    struct timeline *best;      // in: what fails; out: the shortest found
    struct timeline *candidate; // to be played next
    uint64_t work_max;
    uint64_t tests;
    uint64_t work;
    uint64_t shorter_at; // when a line was left out last, in work
    uint64_t strangers;  // other seeds tried...
    uint64_t luck;       // ...and better
    bool over;

    bool any;         // there was a success in this round
    uint32_t way;     // of making it simpler...
    uint32_t which;   // ...and the number of the candidate in it
    uint32_t attempt; // with another seed
};

void timeline_shrink_begin(struct timeline_shrink *shrink, struct timeline *best,
                           struct timeline *candidate, uint64_t work_max);

// Makes the next candidate; false where there is none left.
bool timeline_shrink_next(struct timeline_shrink *shrink);

// Whether this is better than the best so far.
bool timeline_shrink_is_better(const struct timeline_shrink *shrink,
                               const struct timeline *played);

// The candidate took so many events, and failed in the same way, or not (NULL).
void timeline_shrink_take(struct timeline_shrink *shrink, const struct timeline *played,
                          uint64_t events);

#endif
