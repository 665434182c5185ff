#include "sim/run.h"

#include "sim/churn.h"
#include "sim/json.h"

#include <inttypes.h>
#include <string.h>

enum {
    // A healed cluster has so many election timeouts to come to rest, and then to
    // commit one more write. The first is long because clients wait and try again.
    SETTLE_TIMEOUTS = 400,
    PROBE_TIMEOUTS = 20,
    SETTLE_STEP_US = 10000,
    SPARES = 4,
    // More than the clients can make, where no snapshot shrinks the log.
    ENTRIES_A_SECOND = 256, // of one client
    ENTRIES_MIN = 4096,
    ENTRIES_MAX = 1 << 22,
    ENTRY_BYTES = 128,
    LOG_BYTES_MIN = 1 << 22, // the core wants room for the largest message
};

void run_options_default(struct run_options *options)
{
    *options = (struct run_options){.seed = 1,
                                    .nodes = 5,
                                    .duration_us = 60000000,
                                    .clients = 5,
                                    .keys = 6,
                                    .spares = RUN_DRAWN,
                                    .lease = RUN_DRAWN,
                                    .drift = RUN_DRAWN};
}

static uint32_t entries_for(const struct run_options *options)
{
    uint64_t entries = ENTRIES_MIN + options->duration_us / 1000000 * ENTRIES_A_SECOND *
                                         (options->clients + 1);

    return entries > ENTRIES_MAX ? ENTRIES_MAX : (uint32_t)entries;
}

static bool has(const struct run_options *options, enum fault fault)
{
    return (options->faults >> fault & 1) != 0;
}

static void draw_snapshots(struct random *random, struct world_config *config)
{
    bool small_log = random_chance(random, 300000);
    bool small_segments = random_chance(random, 700000);

    config->snapshot_entries = (uint32_t)random_between(random, 5, 200);
    config->snapshot_tail_entries = (uint32_t)random_between(random, 0, 50);
    config->snapshot_chunk_bytes = (uint32_t)random_between(random, 64, 2000);
    config->segment_bytes_max = random_between(random, 2000, 30000);
    if (!small_segments)
        config->segment_bytes_max = 0;
    if (small_log)
        config->log_entries_max = 1024;
}

// Clocks within what the leases allow for, unless somebody asks for more.
static void draw_clocks(const struct run_options *options, struct random *random,
                        struct world_config *config)
{
    static const uint64_t starts_ms[] = {0, (uint64_t)1 << 31, (uint64_t)1 << 32};
    uint64_t start_ms = starts_ms[random_below(random, 3)];
    uint64_t before_ms = random_below(random, 60000);
    uint32_t lease = (uint32_t)random_between(random, 1, 20);
    bool leases = random_chance(random, 500000);

    if (has(options, FAULT_CLOCK) && start_ms > 0)
        config->clock_start_ms = start_ms - before_ms;
    config->lease_drift_percent = options->lease;
    if (options->lease == RUN_DRAWN)
        config->lease_drift_percent = leases && options->faults != 0 ? lease : 0;
    if (config->lease_drift_percent > 0) {
        config->clock_drift_percent = config->lease_drift_percent;
        config->clock_jumps = false;
    }
    if (options->drift != RUN_DRAWN) {
        config->clock_drift_percent = options->drift;
        config->clock_jumps = false;
        config->clocks_conspire = true;
    }
}

// Half of the clusters stand in one rack.
static void draw_speeds(struct random *random, struct world_config *config)
{
    bool near = random_chance(random, 500000);

    config->delay_us_min = random_between(random, 50, near ? 100 : 1000);
    config->delay_us_max = config->delay_us_min;
    config->delay_us_max += random_between(random, 0, near ? 300 : 10000);
    config->sync_us_min = random_between(random, 50, 500);
    config->sync_us_max = config->sync_us_min;
    config->sync_us_max += random_between(random, 0, near ? 500 : 5000);
}

// Each run is a little different: speeds are drawn, too.
static void draw_config(const struct run_options *options, struct world_config *config)
{
    struct random random;
    uint32_t spares = options->spares;

    world_config_default(config);
    if (spares == RUN_DRAWN)
        spares = has(options, FAULT_MEMBERS) ? SPARES : 0;
    if (spares > RAFT_MEMBERS_MAX - options->nodes)
        spares = RAFT_MEMBERS_MAX - options->nodes;
    config->seed = options->seed;
    config->unchecked = options->unchecked;
    config->member_count = options->nodes;
    config->node_count = options->nodes + spares;
    config->log_entries_max = entries_for(options);
    random_seed(&random, options->seed, WORLD_STREAM_SETTINGS);
    draw_speeds(&random, config);
    draw_clocks(options, &random, config);
    if (has(options, FAULT_SNAPSHOT))
        draw_snapshots(&random, config);
    config->log_bytes_max =
        LOG_BYTES_MIN + (uint64_t)config->log_entries_max * ENTRY_BYTES;
}

// ---- coming to rest -------------------------------------------------------------

static uint64_t timeouts_us(const struct world *world, uint64_t count)
{
    return count * world->config.election_timeout_ms * 1000;
}

void run_settle(struct world *world)
{
    uint64_t end_us = world->now_us + timeouts_us(world, SETTLE_TIMEOUTS);
    const char *unrest = "nothing";
    bool equal = false;
    raft_id node = 0;

    clients_stop(world);
    faults_stop(world, true);
    while (world->now_us < end_us) {
        faults_mend(world);
        churn_settle(world);
        equal = clients_are_idle(&world->clients) && world_is_settled(world);
        unrest = world_unrest(world, &node);
        if (equal && unrest == NULL)
            return;
        if (!world_run_until(world, world->now_us + SETTLE_STEP_US))
            return;
    }
    if (equal)
        checker_violate(world->checker, PROPERTY_REST, node, 0,
                        "all is done, but it counts as under way: %s", unrest);
    else
        checker_violate(world->checker, PROPERTY_LIVENESS, 0, 0,
                        "%d election timeouts after all was healed the cluster has not "
                        "come to rest",
                        SETTLE_TIMEOUTS);
}

// One more write has to be committed soon; it is asked of whoever leads.
static void probe(struct world *world)
{
    static const struct bytes words[3] = {{"SET", 3}, {"probe", 5}, {"1", 1}};
    uint64_t end_us = world->now_us + timeouts_us(world, PROBE_TIMEOUTS);
    int64_t ticket = -1;

    while (world->now_us < end_us) {
        const struct node *leader = world_leader(world);
        enum raft_status status;

        if (ticket >= 0 && world->tickets[ticket].ended) {
            if (world->tickets[ticket].status == REPLY_DONE)
                return;
            ticket = -1;
        }
        if (ticket < 0 && leader != NULL)
            ticket = world_propose(world, leader->id, words, 3, &status);
        if (!world_run_until(world, world->now_us + SETTLE_STEP_US))
            return;
    }
    checker_violate(world->checker, PROPERTY_LIVENESS, 0, 0,
                    "a cluster at rest does not take a write in %d election timeouts",
                    PROBE_TIMEOUTS);
}

enum linearize_verdict run_linearize(struct world *world)
{
    struct linearize_limits limits;
    struct linearize_result result;

    linearize_limits_default(&limits);
    linearize_history(&world->history, &limits, &result);
    if (result.verdict == LINEARIZE_NO) {
        size_t size;
        const char *key = history_text(&world->history, result.key, &size);

        checker_violate(world->checker, PROPERTY_LINEARIZABILITY, 0, 0,
                        "no order of the operations on key %.*s explains their answers",
                        (int)(size < 60 ? size : 60), key);
    }
    return result.verdict;
}

struct world *run_open(const struct run_options *options, struct run_result *result)
{
    struct world_config config;
    struct world *world;

    *result = (struct run_result){.seed = options->seed, .verdict = LINEARIZE_UNKNOWN};
    draw_config(options, &config);
    world = world_new(&config, result->error, sizeof(result->error));
    if (world == NULL)
        return NULL;
    world->trace.file = options->trace;
    clients_start(world, options->clients, options->keys);
    world->faults.fixed = options->fixed_mix;
    faults_start(world, options->faults);
    return world;
}

static bool stands_still(const struct world *world)
{
    return world_violated(world) || world->halted;
}

void run_finish(struct world *world, const struct run_options *options,
                struct run_result *result)
{
    if (world_run_until(world, options->duration_us)) {
        run_settle(world);
        result->settle_ms = world_now_ms(world) - options->duration_us / 1000;
        if (!stands_still(world))
            probe(world);
    }
    if (!stands_still(world) && !options->unchecked)
        result->verdict = run_linearize(world);
    run_report_measure(world, result);
}

bool run_execute(const struct run_options *options, struct run_result *result,
                 struct buffer *out)
{
    struct world *world = run_open(options, result);

    if (world == NULL) {
        json_string(out, "error", result->error);
        return false;
    }
    run_finish(world, options, result);
    run_report_write(result, out);
    run_report_violations(world, out);
    if (options->unchecked)
        json_string(out, "checkers", "off");
    json_string(out, "linearizable", linearize_verdict_text(result->verdict));
    if (options->history != NULL)
        history_write(&world->history, options->history);
    world_free(world);
    return run_report_ok(result);
}
