// shrink_hand.h: a failing run as a tape in a world by hand, cut down there.
//
// Works in children, as all of the shrinker does: a core with a bug may crash.
#ifndef SIM_TOOL_SHRINK_HAND_H
#define SIM_TOOL_SHRINK_HAND_H

#include "sim/run.h"
#include "sim/shrink/play.h"
#include "sim/shrink/shrink.h"
#include "sim/shrink/timeline.h"
#include "sim/tool/sandbox.h"

enum { SHRINK_HAND_STORY_BYTES = 1 << 20 };

// What children and parent share.
struct shrink_hand_shared {
    struct tape trial;        // a run on the clock...
    struct timeline timeline; // ...as what goes wrong in it
    struct tape played;       // by hand
    uint64_t events;          // of the run under way
    uint64_t events_spent;    // on looking for a shorter one
    uint32_t variant;         // of the run
    struct shrink shrink;
    bool found;     // what was run, or played, is better
    bool over;      // no candidates are left
    char text[200]; // of the violation that the story tells
    uint32_t story_size;
    char story[SHRINK_HAND_STORY_BYTES];
};

struct shrink_hand {
    struct run_options asked;
    uint64_t end_ms;  // when it is given up, in tool_now_ms()
    uint32_t run_ms;  // of the processor's time, for a run...
    uint32_t test_ms; // ...and for a candidate of usual length

    struct failure wanted;
    struct shrink_hand_shared *shared;
    struct timeline *timeline; // of the first run
    struct tape *recorded;     // the shortest run so far
    struct run_options run;    // its flags
    uint64_t events;           // and events
    uint64_t part;             // so many of them are to be run
    bool by_hand;              // it fails there, too
    struct tape *best;         // what is left of it
    struct tape *other;        // from elsewhere
    struct tape *candidate;
    struct play_options play;
    const struct tape *tape; // to be played
};

// All else is 0 before it.
void shrink_hand_init(struct shrink_hand *hand);

// The run that was asked for, whose failure is the one that is looked for from then on;
// false where it does not fail.
bool shrink_hand_first(struct shrink_hand *hand);

// Whether this run fails in the same way.
bool shrink_hand_fails(struct shrink_hand *hand, const struct run_options *options);

// Looks for shorter runs and cuts the best down, with so much work; false where none of
// them fails by hand.
bool shrink_hand_reduce(struct shrink_hand *hand, uint64_t work_max);

// Goes on cutting down, up to so much work in all.
void shrink_hand_go_on(struct shrink_hand *hand, uint64_t work_max);

// The same with the tape in hand->other; true where that is the best now.
bool shrink_hand_take(struct shrink_hand *hand, uint64_t work_max);

// Adds the best as a scenario: acts as commands with comments, and what ends it.
void shrink_hand_tell(struct shrink_hand *hand, struct buffer *out);

#endif
