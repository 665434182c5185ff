// experiment.h: questions to Raft that thousands of worlds answer.
//
// An experiment makes a world for each trial, does something to it, and counts. What it
// finds out is a table of numbers (CSV, a row for each trial), a summary (JSON) and
// lines for whoever waits. The same seed and number of trials give the same bytes on
// every compiler: all is counted in whole numbers.
#ifndef SIM_EXPERIMENT_EXPERIMENT_H
#define SIM_EXPERIMENT_EXPERIMENT_H

#include "kvserver/service/buffer.h"
#include "sim/random.h"
#include "sim/world.h"

// What was asked for, and where the answers go.
struct experiment_run {
    uint64_t seed;
    uint32_t trials;    // for each setting
    struct buffer csv;  // with its head line
    struct buffer json; // items of an array, an object for each setting
    // Told one line at a time, without its end; NULL: nobody waits.
    void (*tell)(void *context, const char *line);
    void *context;
};

struct experiment {
    const char *name;
    const char *about; // one line
    uint32_t trials;   // where nothing else is asked for
    uint64_t trials_max;
    void (*run)(struct experiment_run *run);
};

// NULL where there is none of this name.
const struct experiment *experiment_find(const char *name);

// The experiment of this number, from 0; NULL behind the last.
const struct experiment *experiment_at(uint32_t number);

// ---- for the experiments --------------------------------------------------------

void experiment_tell(struct experiment_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// A random stream of this trial; equal in all settings, so that they differ in nothing
// else.
void experiment_random(const struct experiment_run *run, uint32_t trial,
                       struct random *random);

// A world that can be had: the configuration is the experiment's own.
struct world *experiment_world(const struct world_config *config);

// Lets time pass until somebody leads; NULL where nobody does by this time.
struct node *experiment_elect(struct world *world, uint64_t until_us);

#endif
