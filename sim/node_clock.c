#include "sim/node_clock.h"

#include <assert.h>

// Further ahead than any run lasts; nothing below overflows up to there.
#define FAR_US ((uint64_t)1 << 43)

uint64_t node_clock_us(const struct node_clock *clock, uint64_t world_us)
{
    uint64_t passed_us = world_us - clock->anchor_us;

    assert(world_us >= clock->anchor_us && passed_us < FAR_US);
    if (clock->rate_ppm == NODE_CLOCK_TRUE_PPM)
        return clock->shown_us + passed_us; // as most are, without a division
    return clock->shown_us + passed_us * clock->rate_ppm / NODE_CLOCK_TRUE_PPM;
}

uint64_t node_clock_world_us(const struct node_clock *clock, uint64_t shown_us)
{
    uint64_t ahead_us = shown_us <= clock->shown_us ? 0 : shown_us - clock->shown_us;

    if (ahead_us >= FAR_US)
        return UINT64_MAX;
    if (clock->rate_ppm == NODE_CLOCK_TRUE_PPM)
        return clock->anchor_us + ahead_us;
    return clock->anchor_us +
           (ahead_us * NODE_CLOCK_TRUE_PPM + clock->rate_ppm - 1) / clock->rate_ppm;
}

static void set_anchor(struct node_clock *clock, uint64_t world_us)
{
    clock->shown_us = node_clock_us(clock, world_us);
    clock->anchor_us = world_us;
}

void node_clock_set_rate(struct node_clock *clock, uint64_t world_us, uint32_t rate_ppm)
{
    assert(rate_ppm > 0);
    set_anchor(clock, world_us);
    clock->rate_ppm = rate_ppm;
}

void node_clock_jump(struct node_clock *clock, uint64_t world_us, uint64_t by_us)
{
    set_anchor(clock, world_us);
    clock->shown_us += by_us;
}
