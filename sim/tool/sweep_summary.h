// sweep_summary.h: many runs in one summary: what was covered, and what failed.
//
// Sums and failures depend on the seeds and flags alone, not on who ran what: results
// are added in order. A rule that was broken stands there once, with the first seed
// that broke it; a run that crashed or did not end breaks a rule of that name.
#ifndef SIM_TOOL_SWEEP_SUMMARY_H
#define SIM_TOOL_SWEEP_SUMMARY_H

#include "sim/run_report.h"
#include "sim/tool/workers.h"

enum { SWEEP_MARKS_MAX = 64 * RAFT_REACHED_WORDS };
enum { SWEEP_RULES_MAX = PROPERTY_COUNT + 4, SWEEP_FACT_SIZE = 320 };

struct sweep_rule {
    const char *name;
    uint64_t count; // runs that ended so
    uint64_t seed;  // the first of them
    uint64_t event;
    char fact[SWEEP_FACT_SIZE];
};

struct sweep_summary {
    uint64_t seeds;
    uint64_t counters[RUN_COUNTER_COUNT];
    uint32_t faults; // kinds that were enabled
    uint64_t strikes[FAULT_COUNT];
    uint64_t reached[SWEEP_MARKS_MAX]; // runs that came by each mark
    uint64_t hash;                     // over all traces, in order
    uint64_t failures;                 // runs that did not end well
    uint64_t unknown;                  // of these, for want of a verdict
    struct sweep_rule rules[SWEEP_RULES_MAX];
    uint32_t rule_count;
};

// How one seed ended. The name of the broken rule, or NULL where all was well; the fact
// goes to `fact`.
const char *sweep_summary_judge(const struct workers_result *result, char *fact,
                                size_t size);

// Adds one seed's result. The rule where it is the first that broke it, else NULL.
const struct sweep_rule *sweep_summary_add(struct sweep_summary *summary,
                                           const struct workers_result *result);

// Adds the summary's fields to an open JSON object; `command` is what runs one seed
// again, without the seed.
void sweep_summary_write(const struct sweep_summary *summary, const char *command,
                         struct buffer *out);

#endif
