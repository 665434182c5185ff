// node_clock.h: a node's monotonic clock: it starts anywhere, runs fast or slow, jumps
// ahead, and never goes back.
//
// Integers only, so that every compiler sees the same instants.
#ifndef SIM_NODE_CLOCK_H
#define SIM_NODE_CLOCK_H

#include <stdint.h>

enum { NODE_CLOCK_TRUE_PPM = 1000000 };

struct node_clock {
    uint64_t anchor_us; // when the world's clock showed this...
    uint64_t shown_us;  // ...it showed this, and runs on
    uint32_t rate_ppm;  // at this rate: NODE_CLOCK_TRUE_PPM is the world's
};

// What it shows at this time of the world, which is not before the newest change of it.
uint64_t node_clock_us(const struct node_clock *clock, uint64_t world_us);

// The first time of the world, from now on, at which it shows at least `shown_us`.
uint64_t node_clock_world_us(const struct node_clock *clock, uint64_t shown_us);

void node_clock_set_rate(struct node_clock *clock, uint64_t world_us,
                         uint32_t rate_ppm);
void node_clock_jump(struct node_clock *clock, uint64_t world_us, uint64_t by_us);

#endif
