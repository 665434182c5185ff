// record.h: writes down a run on the clock as a tape of a world by hand.
#ifndef SIM_SHRINK_RECORD_H
#define SIM_SHRINK_RECORD_H

#include "sim/shrink/tape.h"

enum { RECORD_CLIENTS = 1001 }; // more are not told apart

struct record {
    struct tape *tape;
    uint64_t clocks_ms[LINKS_NODES];     // what each node's clock showed last
    uint64_t operations[RECORD_CLIENTS]; // each client's newest
    uint32_t effects[LINKS_NODES]; // left before the newest deed; 0: it is not cut off
    uint32_t lives[LINKS_NODES];   // whose first tick was seen: it comes with the start
};

// Begins with the world as it is when nothing has been taken of it; all that is done to
// it from then on is written down.
void record_begin(struct record *record, struct world *world, struct tape *tape);

#endif
