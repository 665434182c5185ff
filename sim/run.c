#include "sim/run.h"

#include "sim/churn.h"
#include "sim/history/linearize_explain.h"
#include "sim/json.h"
#include "sim/node.h"
#include "sim/node_crash.h"
#include "sim/rest.h"
#include "sim/run_core.h"
#include "sim/run_settings.h"

#include <inttypes.h>
#include <string.h>

enum {
    // A healed cluster has so many election timeouts to come to rest, and then to
    // commit one more write. The first is long because clients wait and try again.
    SETTLE_TIMEOUTS = 400,
    PROBE_TIMEOUTS = 20,
    SETTLE_STEP_US = 10000,
};

void run_options_default(struct run_options *options)
{
    *options = (struct run_options){.seed = 1,
                                    .nodes = 5,
                                    .duration_us = 60000000,
                                    .clients = RUN_DRAWN,
                                    .keys = RUN_DRAWN,
                                    .end = RUN_END_DRAWN,
                                    .spares = RUN_DRAWN,
                                    .lease = RUN_DRAWN,
                                    .drift = RUN_DRAWN};
}

static bool stands_still(const struct world *world)
{
    return world_violated(world) || world->halted;
}

// ---- coming to rest -------------------------------------------------------------

static uint64_t timeouts_us(const struct world *world, uint64_t count)
{
    return count * world->config.election_timeout_ms * 1000;
}

void run_settle(struct world *world)
{
    uint64_t end_us = world->now_us + timeouts_us(world, SETTLE_TIMEOUTS);
    char missing[REST_TEXT_BYTES] = "";
    const char *unrest = "nothing";
    bool equal = false;
    raft_id node = 0;

    world_tell_phase(world, "settle");
    clients_stop(world);
    faults_stop(world, true);
    while (world->now_us < end_us) {
        faults_mend(world);
        churn_settle(world);
        equal = rest_is_settled(world, missing, sizeof(missing)) &&
                rest_has_answered(world, missing, sizeof(missing));
        unrest = rest_under_way(world, &node);
        if (equal && unrest == NULL)
            return;
        if (!world_run_until(world, world->now_us + SETTLE_STEP_US))
            return;
    }
    if (equal)
        checker_violate(world->checker, PROPERTY_REST, node, 0,
                        "all is done, but node %u counts as under way: %s", node,
                        unrest);
    else
        checker_violate(world->checker, PROPERTY_LIVENESS, 0, 0,
                        "%d election timeouts after all was healed the cluster has not "
                        "come to rest: %s",
                        SETTLE_TIMEOUTS, missing);
}

void run_probe(struct world *world)
{
    static const struct bytes words[3] = {{"SET", 3}, {"probe", 5}, {"1", 1}};
    uint64_t end_us = world->now_us + timeouts_us(world, PROBE_TIMEOUTS);
    int64_t ticket = -1;

    world_tell_phase(world, "probe");
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

// What the disks hold is seen only by who starts from them: each node does, once more,
// and the checker compares.
static void start_anew(struct world *world)
{
    for (raft_id id = 1; id <= world->config.node_count && !stands_still(world); id++) {
        struct node *node = &world->nodes[id];

        if (!node->up)
            continue;
        trace_note(&world->trace, world->now_us, "n%" PRIu32 " starts anew", id);
        node_crash(node, SIM_DISK_LOSE_ALL);
        node_start(node);
    }
}

static void judge(const struct world *world, struct linearize_result *result)
{
    struct linearize_limits limits;

    linearize_limits_default(&limits);
    if (world->config.judge_steps_max > 0)
        limits.steps_max = world->config.judge_steps_max;
    linearize_history(&world->history, &limits, result);
}

enum linearize_verdict run_linearize(struct world *world)
{
    struct linearize_result result;

    world_tell_phase(world, "check");
    judge(world, &result);
    if (result.verdict == LINEARIZE_NO) {
        size_t size;
        const char *key = history_text(&world->history, result.key, &size);

        checker_violate(world->checker, PROPERTY_LINEARIZABILITY, 0, 0,
                        "no order of the operations on key %.*s explains their "
                        "answers; %u of them show it",
                        (int)(size < 60 ? size : 60), key,
                        (unsigned)result.window_size);
    }
    return result.verdict;
}

void run_explain(const struct world *world, struct buffer *out, FILE *file)
{
    struct linearize_result result;

    judge(world, &result);
    linearize_explain_json(&world->history, &result, out);
    if (file != NULL)
        linearize_explain(&world->history, &result, file);
}

struct world *run_open(const struct run_options *options, struct run_result *result)
{
    struct run_settings settings;
    struct world *world;

    *result = (struct run_result){.seed = options->seed, .verdict = LINEARIZE_UNKNOWN};
    run_settings_draw(&settings, options);
    world = world_new(&settings.world, result->error, sizeof(result->error));
    if (world == NULL)
        return NULL;
    world->trace.file = options->trace;
    ndjson_begin(world, options->ndjson);
    clients_start(world, settings.clients, settings.keys);
    world->faults.fixed = options->fixed_mix;
    faults_start(world, options->faults);
    return world;
}

void run_finish(struct world *world, const struct run_options *options,
                struct run_result *result)
{
    if (world_run_until(world, options->duration_us) && world->config.core_first &&
        !options->unchecked && !options->own) // the checker knows who can decide
        result->core_ms = run_core(world);
    if (!stands_still(world)) {
        uint64_t from_ms = world_now_ms(world);

        run_settle(world);
        result->settle_ms = world_now_ms(world) - from_ms;
        if (!stands_still(world))
            run_probe(world);
        start_anew(world);
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
    else if (options->own)
        json_string(out, "checkers", "own");
    json_string(out, "linearizable", linearize_verdict_text(result->verdict));
    if (result->verdict == LINEARIZE_NO)
        run_explain(world, out, options->explain);
    if (options->history != NULL)
        history_write(&world->history, options->history);
    world_free(world);
    return run_report_ok(result);
}
