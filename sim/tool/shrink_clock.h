// shrink_clock.h: a failing run as a timeline, cut down on the clock.
//
// Works in children, as all of the shrinker does: a core with a bug may crash.
#ifndef SIM_TOOL_SHRINK_CLOCK_H
#define SIM_TOOL_SHRINK_CLOCK_H

#include "sim/run.h"
#include "sim/shrink/tape.h"
#include "sim/shrink/timeline_shrink.h"
#include "sim/tool/sandbox.h"

enum { SHRINK_CLOCK_STORY_BYTES = 1 << 20 };

// What children and parent share.
struct shrink_clock_shared {
    struct timeline trial;
    struct timeline played;
    struct timeline_shrink shrink;
    struct tape *tape;     // to be written by the next play; NULL: none is
    uint64_t events;       // of the run or play under way
    uint64_t events_spent; // on looking for a shorter run
    uint32_t variant;      // of the run
    bool found;            // what was run, or played, is better
    bool over;             // nothing is left to be tried
    bool holds;            // the scenario
    char text[200];        // of the violation that the story tells
    uint32_t story_size;
    char story[SHRINK_CLOCK_STORY_BYTES];
};

struct shrink_clock {
    struct run_options asked;
    const struct failure *wanted;
    uint64_t end_ms;  // when it is given up, in tool_now_ms()
    uint32_t run_ms;  // of the processor's time, for a run...
    uint32_t test_ms; // ...and for a candidate
    struct shrink_clock_shared *shared;
    bool fails; // the best does
    struct timeline *best;
    struct timeline *candidate;
    struct run_options run; // whose timeline the best was
    uint32_t lines;         // that it had
    uint64_t events;        // that the first one took
};

// All else is 0 before it.
void shrink_clock_init(struct shrink_clock *clock);

// Takes the timeline of the run that was asked for, looks for runs with fewer lines,
// and cuts the best down; false where none fails in the same way when it is played.
bool shrink_clock_reduce(struct shrink_clock *clock, const struct timeline *recorded);

// Writes the best down act by act, as a world by hand; false where it does not fail.
bool shrink_clock_tape(struct shrink_clock *clock, struct tape *tape);

// Adds the best as a scenario, with what ends it.
void shrink_clock_tell(struct shrink_clock *clock, struct buffer *out);

#endif
