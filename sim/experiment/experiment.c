#include "sim/experiment/experiment.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/experiment/availability.h"
#include "sim/experiment/batching.h"
#include "sim/experiment/election_timeouts.h"
#include "sim/experiment/leases.h"

static const struct experiment experiments[] = {
    {"election-timeouts", "how long a cluster has no leader (the paper's figure 16)",
     1000, 100000, election_timeouts_run},
    {"availability",
     "writes under partial partitions, with and without pre-vote and check-quorum", 100,
     10000, availability_run},
    {"batching", "throughput and latency against batch size and window", 10, 1000,
     batching_run},
    {"leases", "how much clock drift breaks reads by leases, and how often", 1000,
     100000, leases_run},
};

enum { EXPERIMENT_COUNT = sizeof(experiments) / sizeof(experiments[0]) };

const struct experiment *experiment_at(uint32_t number)
{
    return number < EXPERIMENT_COUNT ? &experiments[number] : NULL;
}

const struct experiment *experiment_find(const char *name)
{
    for (uint32_t i = 0; i < EXPERIMENT_COUNT; i++)
        if (strcmp(experiments[i].name, name) == 0)
            return &experiments[i];
    return NULL;
}

void experiment_tell(struct experiment_run *run, const char *format, ...)
{
    char line[300];
    va_list arguments;

    if (run->tell == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    run->tell(run->context, line);
}

void experiment_random(const struct experiment_run *run, uint32_t trial,
                       struct random *random)
{
    random_seed(random, run->seed, trial);
}

struct world *experiment_world(const struct world_config *config)
{
    char error[200];
    struct world *world = world_new(config, error, sizeof(error));

    if (world == NULL) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    return world;
}

struct node *experiment_elect(struct world *world, uint64_t until_us)
{
    while (world_leader(world) == NULL)
        if (world->now_us >= until_us || !world_step(world))
            return NULL;
    return world_leader(world);
}
