#include "sim/run.h"

#include "sim/json.h"

#include <inttypes.h>
#include <string.h>

enum {
    SETTLE_US_MAX = 120000000, // a healed cluster has so long to come to rest
    SETTLE_STEP_US = 10000,
    // More than the clients can make: a log has no snapshots to shrink it yet.
    ENTRIES_A_SECOND = 256, // of one client
    ENTRIES_MIN = 4096,
    ENTRIES_MAX = 1 << 22,
    ENTRY_BYTES = 128,
    LOG_BYTES_MIN = 1 << 22, // the core wants room for the largest message
};

void run_options_default(struct run_options *options)
{
    *options = (struct run_options){
        .seed = 1, .nodes = 5, .duration_us = 60000000, .clients = 5, .keys = 6};
}

static uint32_t entries_for(const struct run_options *options)
{
    uint64_t entries = ENTRIES_MIN + options->duration_us / 1000000 * ENTRIES_A_SECOND *
                                         (options->clients + 1);

    return entries > ENTRIES_MAX ? ENTRIES_MAX : (uint32_t)entries;
}

// Each run is a little different: speeds are drawn, too.
static void draw_config(const struct run_options *options, struct world_config *config)
{
    struct random random;

    world_config_default(config);
    config->seed = options->seed;
    config->node_count = options->nodes;
    config->log_entries_max = entries_for(options);
    config->log_bytes_max =
        LOG_BYTES_MIN + (uint64_t)config->log_entries_max * ENTRY_BYTES;
    random_seed(&random, options->seed, WORLD_STREAM_SETTINGS);
    config->delay_us_min = random_between(&random, 50, 1000);
    config->delay_us_max = config->delay_us_min + random_between(&random, 0, 10000);
    config->sync_us_min = random_between(&random, 50, 500);
    config->sync_us_max = config->sync_us_min + random_between(&random, 0, 5000);
}

void run_settle(struct world *world)
{
    uint64_t end_us = world->now_us + SETTLE_US_MAX;

    clients_stop(world);
    faults_stop(world, true);
    while (world->now_us < end_us) {
        faults_mend(world);
        if (clients_are_idle(&world->clients) && world_is_settled(world))
            return;
        if (!world_run_until(world, world->now_us + SETTLE_STEP_US))
            return;
    }
    checker_violate(world->checker, PROPERTY_LIVENESS, 0, 0,
                    "%d s after all was healed the cluster has not come to rest",
                    SETTLE_US_MAX / 1000000);
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

void run_violations(const struct world *world, struct buffer *out)
{
    json_open_array(out, "violations");
    for (uint32_t i = 0; i < checker_violation_count(world->checker); i++) {
        const struct violation *violation = checker_violation(world->checker, i);

        json_open(out);
        json_string(out, "property", checker_property_text(violation->property));
        json_number(out, "event", violation->event);
        json_number(out, "time_us", violation->time_us);
        json_number(out, "node", violation->node);
        if (violation->other != 0)
            json_number(out, "other", violation->other);
        json_string(out, "text", violation->text);
        json_close(out);
    }
    json_close_array(out);
}

static void report_faults(const struct world *world, struct buffer *out)
{
    json_key(out, "strikes");
    json_open(out);
    for (uint32_t kind = 0; kind < FAULT_COUNT; kind++)
        if ((world->faults.enabled >> kind & 1) != 0)
            json_number(out, faults_text((enum fault)kind),
                        world->faults.strikes[kind]);
    json_close(out);
}

static void report(const struct world *world, struct buffer *out)
{
    json_number(out, "seed", world->config.seed);
    json_number(out, "nodes", world->config.node_count);
    json_number(out, "events", world->event_count);
    json_number(out, "virtual_ms", world_now_ms(world));
    json_hex(out, "trace_hash", world->trace.hash);
    json_number(out, "elections", checker_leaders(world->checker));
    json_number(out, "committed", checker_committed(world->checker));
    json_number(out, "operations", world->clients.operations);
    json_number(out, "unknown_outcomes", world->clients.unknown);
    json_number(out, "retries", world->clients.retries);
    json_number(out, "messages", world->links.sent);
    json_number(out, "messages_lost", world->links.lost);
    report_faults(world, out);
}

bool run_execute(const struct run_options *options, struct buffer *out)
{
    struct world_config config;
    enum linearize_verdict verdict = LINEARIZE_UNKNOWN;
    struct world *world;
    char error[200];
    bool ok;

    draw_config(options, &config);
    world = world_new(&config, error, sizeof(error));
    if (world == NULL) {
        json_string(out, "error", error);
        return false;
    }
    world->trace.file = options->trace;
    clients_start(world, options->clients, options->keys);
    faults_start(world, options->faults);
    if (world_run_until(world, options->duration_us))
        run_settle(world);
    if (!world_violated(world))
        verdict = run_linearize(world);
    ok = !world_violated(world) && verdict == LINEARIZE_YES;
    report(world, out);
    run_violations(world, out);
    json_string(out, "linearizable", linearize_verdict_text(verdict));
    if (options->history != NULL)
        history_write(&world->history, options->history);
    world_free(world);
    return ok;
}
