// timeline_play.h: plays a timeline in a new world, up to the first broken rule.
#ifndef SIM_SHRINK_TIMELINE_PLAY_H
#define SIM_SHRINK_TIMELINE_PLAY_H

#include "sim/shrink/tape.h"
#include "sim/shrink/timeline.h"

struct timeline_play_options {
    uint64_t events_max;  // 0: no limit
    struct tape *tape;    // writes it down act by act; NULL: nowhere
    struct buffer *story; // what was done, as a scenario with comments; NULL: nowhere
};

// Writes what applied to `played`, line by line, the one under way included. True where
// a rule was broken. `events`: how many were taken.
bool timeline_play(const struct timeline *timeline,
                   const struct timeline_play_options *options, struct timeline *played,
                   struct violation *violation, uint64_t *events);

#endif
