// run_settings.h: what a run draws before it begins: speeds, clocks, sizes, clients.
//
// All of it from one stream of the seed, so that a change of the faults' mix leaves it
// as it is. Nothing drawn here may break a promise: clocks keep to what the leases
// allow for, small logs come with snapshots.
#ifndef SIM_RUN_SETTINGS_H
#define SIM_RUN_SETTINGS_H

#include "sim/run.h"

struct run_settings {
    struct world_config world;
    uint32_t clients;
    uint32_t keys;
};

void run_settings_draw(struct run_settings *settings,
                       const struct run_options *options);

#endif
