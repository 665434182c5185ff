// timeline.h: a run as a list of commands with their times, in a world on the clock.
//
// What no message breaks (a cluster that does not come to rest) cannot be played by
// hand: it takes the clock. Here only what goes wrong is a command: a cut, a crash, a
// change of members, at its time; all else follows from the settings and the seed, as
// in a run. A command that is refused is left out, so that every part of a timeline is
// a timeline.
#ifndef SIM_SHRINK_TIMELINE_H
#define SIM_SHRINK_TIMELINE_H

#include "sim/world.h"

enum { TIMELINE_LINES_MAX = 1 << 14, TIMELINE_TEXT_BYTES = 1 << 20 };

#define TIMELINE_NEXT UINT64_MAX

struct timeline_line {
    uint64_t at_us; // TIMELINE_NEXT: once the one before is done
    uint32_t text;  // an offset in the texts
    bool after;     // what happens by itself at that time comes before it
};

// Bounded, and in one piece of memory, so that a process may fill it for another one.
struct timeline {
    struct world_config config;
    uint32_t clients;
    uint32_t keys;
    uint64_t end_us; // when the rule is broken; 0: by the last line itself
    uint32_t count;
    uint32_t text_size;
    bool full; // something was left out
    struct timeline_line lines[TIMELINE_LINES_MAX];
    char texts[TIMELINE_TEXT_BYTES];
};

// Without lines; the texts of `like` (NULL: none) are its own, too.
void timeline_begin(struct timeline *timeline, const struct timeline *like);

void timeline_copy(struct timeline *to, const struct timeline *from);

// Adds a line; where it was added, or UINT32_MAX.
uint32_t timeline_add(struct timeline *timeline, uint64_t at_us, const char *text);

// Keeps a text; returns its offset.
uint32_t timeline_text(struct timeline *timeline, const char *text);

// Whether this is one of the ends of a run: core, settle, probe, check.
bool timeline_is_phase(const char *text);

// Whether its last line ends it; else its end is a time.
bool timeline_ends_itself(const struct timeline *timeline);

// What it takes to read it: lines first, then how odd they are.
uint64_t timeline_cost(const struct timeline *timeline);

// How many commands it is written with, the first one not counted.
uint32_t timeline_commands(const struct timeline *timeline);

// The line "cluster ..." of its world.
void timeline_cluster(const struct timeline *timeline, struct buffer *line);

// "at 120ms crash 2", without an end of the line.
void timeline_write(const struct timeline *timeline, const struct timeline_line *line,
                    struct buffer *out);

// Adds "1.5s", "120ms" or "17us".
void timeline_duration(uint64_t us, struct buffer *out);

#endif
