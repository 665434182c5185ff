// run_check.h: the self-check: one seed, two runs, compared event by event.
//
// The first run leaves a record for each event: what it was, and the trace's hash
// behind it. The second one is held against them, so that the very first event that
// differs is known, and what it was both times.
#ifndef SIM_RUN_CHECK_H
#define SIM_RUN_CHECK_H

#include "sim/run.h"

struct run_check_event {
    uint64_t time_us;
    uint64_t mark; // the hash's upper half, the kind, the node
};

// What the first run did. All zeroes is an empty one.
struct run_check {
    struct run_check_event *events;
    uint64_t count;
    uint64_t capacity;
    uint64_t compared;            // in the second run
    bool differs;                 // at event `compared`, counted from 1
    struct run_check_event other; // what the second run did there; time 0: nothing
};

void run_check_release(struct run_check *check);

// Watches that record a run, and that compare another one, which halts where it
// differs.
struct world_watch run_check_recorder(struct run_check *check);
struct world_watch run_check_comparer(struct run_check *check);

// Runs twice; adds the report of the first run, "deterministic", and where that is not
// so "difference", to an open JSON object. True where all is well and nothing differs.
bool run_check_execute(const struct run_options *options, struct run_result *result,
                       struct buffer *out);

#endif
