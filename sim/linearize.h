// linearize.h: could one copy of the store, doing one operation at a time, have given
// these answers?
//
// A search in the manner of Wing and Gong with Lowe's memory of what was tried, key by
// key (a history is linearizable where each key's part is). Work is counted in steps,
// not in time, so that a verdict is the same everywhere. Each key gets a small budget
// first and then doubled ones, so that one hard key does not starve the others; the
// first key that cannot be ordered ends it. UNKNOWN is never a pass.
#ifndef SIM_LINEARIZE_H
#define SIM_LINEARIZE_H

#include "sim/history/history.h"

#include <stdint.h>

enum linearize_verdict {
    LINEARIZE_YES,
    LINEARIZE_NO,
    LINEARIZE_UNKNOWN, // the budget was used up
};

enum { LINEARIZE_WINDOW_MAX = 32 };

struct linearize_limits {
    uint64_t steps_max;        // attempts to place an operation, all keys together
    uint64_t memory_bytes_max; // for one key's search
};

struct linearize_result {
    enum linearize_verdict verdict;
    uint32_t keys;    // in the history
    uint32_t groups;  // of keys that transactions join; a key alone is one, too
    uint32_t unknown; // of them, not decided
    uint64_t steps;
    // NO and UNKNOWN: a key (an id of the history), and how many operations that have
    // returned could be put in order at best.
    uint32_t key;
    uint32_t ordered;
    // NO: operations (numbers in the history, in order of their calls) that no order
    // explains, even where each other one may have happened at any time or never,
    // whatever it answered. As few as could be found; of more than fit, the first ones.
    uint32_t window[LINEARIZE_WINDOW_MAX];
    uint32_t window_count;
    uint32_t window_size;
    // The first of them that could not return, and who may have made what it would have
    // found: operations, or HISTORY_NEVER for the start. Not all of them need be in the
    // window.
    uint32_t stuck;
    uint32_t makers[LINEARIZE_WINDOW_MAX];
    uint32_t maker_count;
};

void linearize_limits_default(struct linearize_limits *limits);

// Every key is absent at the start.
void linearize_history(const struct history *history,
                       const struct linearize_limits *limits,
                       struct linearize_result *result);

const char *linearize_verdict_text(enum linearize_verdict verdict);

#endif
