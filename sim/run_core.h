// run_core.h: liveness of a core: a majority has to do without the rest.
//
// At the end of a run a random majority of the voters is healed, with what lies between
// them. The others stay broken for good, each in its way: down, cut off, deaf or mute.
// Within ten maximal election timeouts the core must have a leader, take a new write,
// and hold the same logs and states; else that is a violation of liveness.
#ifndef SIM_RUN_CORE_H
#define SIM_RUN_CORE_H

#include "sim/world.h"

// What becomes of a node that is not of the core.
enum run_core_fate {
    RUN_CORE_DOWN = 0,
    RUN_CORE_CUT_OFF, // from all
    RUN_CORE_MUTE,    // hears the core, but nobody there hears it
    RUN_CORE_DEAF,    // the core hears it, but it hears nobody there
    RUN_CORE_FATE_COUNT,
};

struct run_core_plan {
    uint32_t nodes;                        // of the core, as bits
    enum run_core_fate fates[LINKS_NODES]; // of the others, by id
};

// The word for it in the command language.
const char *run_core_fate_text(enum run_core_fate fate);

// Whether these nodes can decide on their own.
bool run_core_can(const struct world *world, const struct run_core_plan *plan);

// Heals them, breaks the others, and waits until the work is done; returns how long it
// took in ms.
uint64_t run_core_carry_out(struct world *world, const struct run_core_plan *plan);

// The same with a core and fates that are drawn; 0 where no nodes can be a core.
uint64_t run_core(struct world *world);

#endif
