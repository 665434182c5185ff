// simplify.h: ways to make a tape simpler in one go.
//
// Each way makes candidates number 0, 1, 2... from a tape: all that concerns a node
// or a client left out, all syncs at once, no time passing, settings as usual, short
// names. Whether a candidate still fails is for others to find out.
#ifndef SIM_SHRINK_SIMPLIFY_H
#define SIM_SHRINK_SIMPLIFY_H

#include "sim/shrink/tape.h"

uint32_t simplify_ways(void);

// Fills in `to`, which was begun like `from`; false where this way has no such
// candidate.
bool simplify_make(uint32_t way, uint32_t which, const struct tape *from,
                   struct tape *to);

// Snapshots are taken where somebody says so, at the same places as by themselves. That
// takes more commands, but no longer so many entries. False where there are none.
bool simplify_say_snapshots(const struct tape *from, struct tape *to);

#endif
