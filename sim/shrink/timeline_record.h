// timeline_record.h: writes down what goes wrong in a run on the clock.
//
// Crashes, changes of members and the like are told (deed.h). What faults do to links,
// clocks and speeds is seen from outside: after each strike, and each end of one, what
// differs is written as commands, whatever kinds of faults there are.
#ifndef SIM_SHRINK_TIMELINE_RECORD_H
#define SIM_SHRINK_TIMELINE_RECORD_H

#include "sim/shrink/timeline.h"

// What commands can set, as it was seen last.
struct timeline_knobs {
    bool cut[LINKS_NODES][LINKS_NODES];
    bool hold[LINKS_NODES][LINKS_NODES];
    bool odd[LINKS_NODES][LINKS_NODES];
    struct links_own own[LINKS_NODES][LINKS_NODES];
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t reorder_ppm;
    uint32_t damage_ppm;
    uint64_t delay_us_min;
    uint64_t delay_us_max;
    uint32_t slow_ppm;
    uint64_t slow_us_mean;
    uint64_t order_late_us;
    struct {
        bool paused;
        bool crash_at_write;
        uint32_t effects_left;
        int64_t skew_ms;
        struct node_clock clock;
        uint64_t sync_us_min;
        uint64_t sync_us_max;
    } nodes[LINKS_NODES];
};

struct timeline_record {
    struct timeline *timeline;
    struct timeline_knobs knobs;
    uint32_t planned[LINKS_NODES]; // the line of a crash that has not come yet, from 1
    uint64_t seen_us;              // when the last event was taken
    bool quiet;                    // nothing was told since the last event
    bool over;                     // a phase has begun, which does the rest
};

// Begins with the world as it is when nothing has been taken of it; it is told of all
// deeds and events from then on.
void timeline_record_begin(struct timeline_record *record, struct world *world,
                           struct timeline *timeline);
void timeline_record_told(struct timeline_record *record, struct world *world,
                          const struct deed *deed);
void timeline_record_seen(struct timeline_record *record, struct world *world,
                          const struct heap_event *event);

#endif
