// run_report.h: what one run did, in numbers that can be added up, and as JSON.
//
// A result is plain data without pointers: a worker hands it to the process that adds
// up thousands of runs.
#ifndef SIM_RUN_REPORT_H
#define SIM_RUN_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/linearize.h"
#include "sim/world.h"

// What is counted in every run and may be summed over many.
enum run_counter {
    RUN_EVENTS = 0,
    RUN_VIRTUAL_MS,
    RUN_ELECTIONS,
    RUN_COMMITTED,
    RUN_OPERATIONS,
    RUN_UNKNOWN_OUTCOMES,
    RUN_RETRIES,
    RUN_MESSAGES,
    RUN_MESSAGES_LOST,
    RUN_MESSAGES_DAMAGED,
    RUN_MESSAGES_REFUSED,
    RUN_CONFIGURATIONS,
    RUN_SNAPSHOTS_TAKEN,
    RUN_SNAPSHOTS_RECEIVED,
    RUN_COUNTER_COUNT,
};

struct run_result {
    uint64_t seed;
    uint64_t trace_hash;
    uint32_t nodes;
    uint32_t spares;
    uint32_t lease;
    uint32_t faults; // bits of enum fault that were enabled
    uint64_t counters[RUN_COUNTER_COUNT];
    uint64_t strikes[FAULT_COUNT];
    uint64_t reached[RAFT_REACHED_WORDS]; // bits of enum raft_mark
    uint64_t settle_ms;
    uint64_t core_ms; // a core took so long to do its work without the rest
    enum linearize_verdict verdict; // unknown, too, where a violation came before it
    bool violated;
    struct violation violation; // the first, where there is one
    char error[200];            // not empty: there was no run, and why
};

// The field's name in a report.
const char *run_report_counter_text(enum run_counter counter);

// Reads the world's counters into a result.
void run_report_measure(const struct world *world, struct run_result *result);

// All is well: no violation, and a history that is known to be linearizable.
bool run_report_ok(const struct run_result *result);

// Adds the fields up to the strikes to an open JSON object.
void run_report_write(const struct run_result *result, struct buffer *out);

// Adds "strikes": {...} of the kinds that were enabled.
void run_report_strikes(uint32_t enabled, const uint64_t strikes[FAULT_COUNT],
                        struct buffer *out);

// Adds "violations": [...] to an open JSON object.
void run_report_violations(const struct world *world, struct buffer *out);

#endif
