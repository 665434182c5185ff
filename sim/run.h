// run.h: one seeded run from start to verdict: work under faults, heal, rest, check.
//
// At the end everything is healed and the clients finish; then all members have to come
// to the same applied index and state within a bounded virtual time, with nothing under
// way, take one more write, and the histories have to be linearizable. All is well only
// where all of that holds. Before that, in some of the runs, only a majority is healed.
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <stdbool.h>
#include <stdio.h>

#include "kvserver/service/buffer.h"
#include "sim/linearize.h"
#include "sim/run_report.h"
#include "sim/world.h"

enum { RUN_DRAWN = 1 << 30 }; // for each seed, within what keeps the promises

// What comes between the faults and the rest of a healed cluster.
enum run_end {
    RUN_END_DRAWN = 0, // a quarter of the runs with faults: the core
    RUN_END_REST,      // nothing
    RUN_END_CORE,      // only a majority is healed, and has to do without the rest
};

struct run_options {
    uint64_t seed;
    uint32_t nodes;  // of the first start
    uint32_t spares; // RUN_DRAWN: some where members come and go
    uint32_t lease;  // percent of clock drift that leases allow for; 0: no leases
    uint32_t drift;  // percent by which clocks run fast
    uint64_t duration_us;
    uint32_t faults; // bits of enum fault
    bool fixed_mix;  // all of them alike; else each seed has a mix of its own
    enum run_end end;
    const struct wire_codec *wire; // NULL: messages pass as they are
    bool perfect_disks;            // as in struct world_config
    bool no_retries;               // and so is this
    uint32_t clients;              // or RUN_DRAWN
    uint32_t keys;                 // or RUN_DRAWN
    bool unchecked;           // nothing is checked, and so nothing is well: to measure
    bool own;                 // the invariants of sim/own are, and nothing else
    uint64_t judge_steps_max; // for the history; 0: the default
    FILE *ndjson;             // NULL: none
    FILE *trace;              // NULL: none
    FILE *history;            // NULL: none
    FILE *explain;            // why a history is not linearizable; NULL: not told
};

void run_options_default(struct run_options *options);

// The world of a run, its clients and faults started, nothing taken yet. NULL, with the
// reason in result->error, where there is none.
struct world *run_open(const struct run_options *options, struct run_result *result);

// Takes it from there to the verdict; a world whose watch halts it has none.
void run_finish(struct world *world, const struct run_options *options,
                struct run_result *result);

// Runs, fills in the result, and adds the report's fields to `out`, an open JSON
// object. True where all is well.
bool run_execute(const struct run_options *options, struct run_result *result,
                 struct buffer *out);

// Heals everything and waits until the clients are idle, all members are equal and
// nothing is under way; a failure is a liveness violation.
void run_settle(struct world *world);

// One more write has to be committed soon, by whoever leads; else that is one, too.
void run_probe(struct world *world);

// Checks the history so far; a violation where the answer is no.
enum linearize_verdict run_linearize(struct world *world);

// After NO: adds what shows it to an open JSON object, and tells people, unless `file`
// is NULL.
void run_explain(const struct world *world, struct buffer *out, FILE *file);

#endif
