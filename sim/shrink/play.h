// play.h: plays a tape in a new world by hand, up to the first broken rule.
#ifndef SIM_SHRINK_PLAY_H
#define SIM_SHRINK_PLAY_H

#include "sim/shrink/tape.h"

struct play_options {
    bool exact;     // a run that was recorded on the clock: equal messages are counted
    bool linearize; // whether the clients' histories are judged at the end
    struct buffer *story; // what was done, as a scenario with comments; NULL: nowhere
};

// Writes what really happened to `played`, act by act, the one under way included. True
// where a rule was broken.
bool play_tape(const struct tape *tape, const struct play_options *options,
               struct tape *played, struct violation *violation);

#endif
