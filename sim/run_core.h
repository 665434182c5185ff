// run_core.h: liveness of a core: a majority has to do without the rest.
//
// At the end of a run a random majority of the voters is healed, with what lies between
// them. The others stay broken for good, each in its way: down, cut off, deaf or mute.
// Within ten maximal election timeouts the core must have a leader, take a new write,
// and hold the same logs and states; else that is a violation of liveness.
#ifndef SIM_RUN_CORE_H
#define SIM_RUN_CORE_H

#include "sim/world.h"

// Returns how long it took in ms; 0 where no nodes can be a core.
uint64_t run_core(struct world *world);

#endif
