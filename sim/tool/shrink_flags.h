// shrink_flags.h: what fails only on the clock, with fewer nodes, clients and faults.
//
// Liveness is broken by what does not happen, so that there is no act to leave out. The
// flags of the run are what can be made smaller: one after another, while it fails in
// the same way.
#ifndef SIM_TOOL_SHRINK_FLAGS_H
#define SIM_TOOL_SHRINK_FLAGS_H

#include "kvserver/service/buffer.h"
#include "sim/run.h"

// Tries smaller flags while fails() says that the run is still the same failure;
// returns how many runs that took.
uint32_t shrink_flags_reduce(struct run_options *options,
                             bool (*fails)(void *context,
                                           const struct run_options *options),
                             void *context);

// Adds the flags that make the one of the other: a later flag counts.
void shrink_flags_write(const struct run_options *options,
                        const struct run_options *from, struct buffer *out);

#endif
