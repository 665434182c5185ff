#include "sim/language/language_world.h"

#include "sim/json.h"
#include "sim/language/language_answers.h"
#include "sim/language/language_expect.h"
#include "sim/language/options.h"
#include "sim/rest.h"
#include "sim/run.h"
#include "sim/run_core.h"

#include <errno.h>
#include <string.h>

enum {
    WITHIN_US = 10000000, // how long `run until` waits where nothing else is said
};

// ---- cluster --------------------------------------------------------------------

struct setup {
    struct world_config config;
    uint64_t clients;
    uint64_t keys;
    uint64_t spares;
};

static bool read_milliseconds(struct language *language, const char *text, uint32_t *ms)
{
    uint64_t us;

    if (!options_duration(text, &us) || us < 1000 || us / 1000 > 3600000)
        return language_fail(language, "\"%s\" is no duration of 1ms to 1h", text);
    *ms = (uint32_t)(us / 1000);
    return true;
}

static bool read_count(struct language *language, const char *text, uint64_t high,
                       uint32_t *count)
{
    uint64_t number;

    if (!options_number(text, 1, high, &number))
        return language_fail(language, "\"%s\" is no number from 1 to %llu", text,
                             (unsigned long long)high);
    *count = (uint32_t)number;
    return true;
}

static bool read_switch(struct language *language, const char *text, bool *on)
{
    *on = strcmp(text, "on") == 0;
    return *on || strcmp(text, "off") == 0 ||
           language_fail(language, "\"%s\" is neither on nor off", text);
}

// Settings of elections; false, and nothing said, where it is none.
static bool read_election_setting(struct language *language, uint32_t at,
                                  struct world_config *config, bool *read)
{
    const char *value;

    *read = true;
    if ((value = language_value(language, at, "election_timeout")) != NULL)
        *read = read_milliseconds(language, value, &config->election_timeout_ms);
    else if ((value = language_value(language, at, "election_spread")) != NULL)
        *read = read_milliseconds(language, value, &config->election_spread_ms);
    else if ((value = language_value(language, at, "heartbeat")) != NULL)
        *read = read_milliseconds(language, value, &config->heartbeat_ms);
    else if ((value = language_value(language, at, "pre_vote")) != NULL)
        *read = read_switch(language, value, &config->pre_vote);
    else if ((value = language_value(language, at, "check_quorum")) != NULL)
        *read = read_switch(language, value, &config->check_quorum);
    return value != NULL;
}

// Bounds on what a leader sends and takes; false, and nothing said, where it is none.
static bool read_bound(struct language *language, uint32_t at,
                       struct world_config *config, bool *read)
{
    struct {
        const char *name;
        uint64_t *bytes;
    } bounds[] = {{"message_bytes", &config->message_bytes_max},
                  {"inflight_bytes", &config->inflight_bytes_max},
                  {"uncommitted_bytes", &config->uncommitted_bytes_max},
                  {"command_bytes", &config->command_bytes_max}};
    const char *value = language_value(language, at, "inflight");

    if (value != NULL) {
        *read = read_count(language, value, RAFT_INFLIGHT_MAX, &config->inflight_max);
        return true;
    }
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        value = language_value(language, at, bounds[i].name);
        if (value == NULL)
            continue;
        *read = options_number(value, 1, 1 << 30, bounds[i].bytes) ||
                language_fail(language, "%s is a number of bytes", bounds[i].name);
        return true;
    }
    return false;
}

// "ahead=20ms,0ms,5ms": what the clocks of nodes 1, 2... show beyond the others'.
static bool read_ahead(struct language *language, const char *text,
                       struct world_config *config)
{
    for (raft_id id = 1; id < LINKS_NODES; id++) {
        size_t size = strcspn(text, ",");
        char word[32];
        uint64_t us;

        snprintf(word, sizeof(word), "%.*s", (int)(size < 40 ? size : 40), text);
        if (!options_duration(word, &us))
            return language_fail(language, "ahead is a list of durations with commas");
        config->clock_ahead_ms[id] = us / 1000;
        if (text[size] == '\0')
            return true;
        text += size + 1;
    }
    return language_fail(language, "ahead has more durations than there are nodes");
}

// Settings of members, clocks and snapshots.
static bool read_member_setting(struct language *language, uint32_t at,
                                struct setup *setup)
{
    struct world_config *config = &setup->config;
    const char *value;
    uint64_t us;

    if ((value = language_value(language, at, "spare")) != NULL)
        return options_number(value, 0, RAFT_MEMBERS_MAX - 1, &setup->spares) ||
               language_fail(language, "spare must be a number from 0 to 14");
    if ((value = language_value(language, at, "lease")) != NULL) {
        uint32_t ppm;

        if (!options_percent(value, &ppm) || ppm % 10000 != 0)
            return language_fail(language, "lease is a whole percentage");
        config->lease_drift_percent = ppm / 10000;
        return true;
    }
    if ((value = language_value(language, at, "drift")) != NULL) {
        uint32_t ppm;

        if (!options_percent(value, &ppm) || ppm % 10000 != 0)
            return language_fail(language, "drift is a whole percentage");
        config->clock_drift_percent = ppm / 10000;
        return true;
    }
    if ((value = language_value(language, at, "clock")) != NULL) {
        if (!options_duration(value, &us))
            return language_fail(language, "clock is a duration");
        config->clock_start_ms = us / 1000;
        return true;
    }
    if ((value = language_value(language, at, "ahead")) != NULL)
        return read_ahead(language, value, config);
    if ((value = language_value(language, at, "ordered")) != NULL)
        return read_switch(language, value, &config->ordered_links);
    if ((value = language_value(language, at, "equal_seeds")) != NULL)
        return read_switch(language, value, &config->equal_seeds);
    if ((value = language_value(language, at, "snapshot_entries")) != NULL)
        return read_count(language, value, 1 << 22, &config->snapshot_entries);
    if ((value = language_value(language, at, "snapshot_tail")) != NULL)
        return read_count(language, value, 1 << 22, &config->snapshot_tail_entries);
    if ((value = language_value(language, at, "snapshot_chunk")) != NULL)
        return read_count(language, value, 1 << 20, &config->snapshot_chunk_bytes);
    if ((value = language_value(language, at, "segment")) != NULL)
        return options_number(value, 1, 1 << 30, &config->segment_bytes_max) ||
               language_fail(language, "segment is a number of bytes");
    if ((value = language_value(language, at, "wire")) != NULL)
        return options_wire(value, &config->wire) ||
               language_fail(language, "wire is none, or json where it is known");
    return language_fail(language, "unknown setting \"%s\"",
                         language_word(language, at));
}

static bool read_setting(struct language *language, uint32_t at, struct setup *setup)
{
    struct world_config *config = &setup->config;
    const char *value;
    bool read, on;

    if (language_is(language, at, "manual")) {
        config->manual = true;
        return true;
    }
    if (read_election_setting(language, at, config, &read) ||
        read_bound(language, at, config, &read))
        return read;
    if ((value = language_value(language, at, "seed")) != NULL)
        return options_number(value, 0, UINT64_MAX, &config->seed) ||
               language_fail(language, "seed must be a number");
    if ((value = language_value(language, at, "delay")) != NULL)
        return language_range(language, value, &config->delay_us_min,
                              &config->delay_us_max);
    if ((value = language_value(language, at, "sync")) != NULL)
        return language_range(language, value, &config->sync_us_min,
                              &config->sync_us_max);
    if ((value = language_value(language, at, "disk")) != NULL)
        return options_disk(value, &config->perfect_disks) ||
               language_fail(language, "disk is real or perfect");
    if ((value = language_value(language, at, "checkers")) != NULL) {
        config->own = strcmp(value, "own") == 0;
        return config->own || strcmp(value, "on") == 0 ||
               language_fail(language, "checkers are on, or own");
    }
    if ((value = language_value(language, at, "retries")) != NULL) {
        read = read_switch(language, value, &on);
        config->no_retries = !on;
        return read;
    }
    if ((value = language_value(language, at, "clients")) != NULL)
        return options_number(value, 0, 1000, &setup->clients) ||
               language_fail(language, "clients must be a number from 0 to 1000");
    if ((value = language_value(language, at, "keys")) != NULL)
        return options_number(value, 1, 100000, &setup->keys) ||
               language_fail(language, "keys must be a number from 1 to 100000");
    if ((value = language_value(language, at, "value_digits")) != NULL)
        return read_count(language, value, 30, &config->value_digits);
    if ((value = language_value(language, at, "log_entries")) != NULL)
        return read_count(language, value, 1 << 22, &config->log_entries_max);
    if ((value = language_value(language, at, "message_entries")) != NULL)
        return read_count(language, value, 1 << 16, &config->message_entries_max);
    return read_member_setting(language, at, setup);
}

// The world writes its trace where the language keeps it.
static void lead_trace(struct language *language)
{
    struct world *world = language->world;

    world->trace.file = language->ndjson || language->diagram ? NULL : language->trace;
    world->trace.diagram = language->diagram ? language->trace : NULL;
    ndjson_begin(world, language->ndjson ? language->trace : NULL);
}

bool language_world_cluster(struct language *language)
{
    struct setup setup = {.clients = 0, .keys = 6};
    struct world *world;
    char error[200];
    uint64_t nodes;

    world_config_default(&setup.config);
    if (!options_number(language_word(language, 1), 1, RAFT_MEMBERS_MAX, &nodes))
        return language_fail(language, "a cluster has 1 to %d nodes, not \"%s\"",
                             (int)RAFT_MEMBERS_MAX, language_word(language, 1));
    for (uint32_t at = 2; at < language->count; at++)
        if (!read_setting(language, at, &setup))
            return false;
    if (nodes + setup.spares > RAFT_MEMBERS_MAX)
        return language_fail(language, "there are at most %d nodes, spares included",
                             (int)RAFT_MEMBERS_MAX);
    setup.config.member_count = (uint32_t)nodes;
    setup.config.node_count = (uint32_t)(nodes + setup.spares);
    world = world_new(&setup.config, error, sizeof(error));
    if (world == NULL)
        return language_fail(language, "%s", error);
    world_free(language->world);
    language->world = world;
    language->replied = false;
    language_answers_forget(language);
    lead_trace(language);
    if (setup.clients > 0)
        clients_start(world, (uint32_t)setup.clients, (uint32_t)setup.keys);
    json_number(language->out, "nodes", nodes);
    json_number(language->out, "seed", setup.config.seed);
    return true;
}

// ---- time -----------------------------------------------------------------------

enum condition {
    UNTIL_LEADER,
    UNTIL_LEADER_IS,
    UNTIL_NO_LEADER,
    UNTIL_COMMITTED,
    UNTIL_APPLIED,
    UNTIL_APPLIED_INDEX,
    UNTIL_APPLIED_BY,
    UNTIL_TERM,
    UNTIL_QUIET,
};

struct until {
    enum condition condition;
    raft_id node;
    uint64_t number;
    uint64_t count; // of nodes
};

// Whether every live member has applied up to there.
static bool all_applied(struct world *world, raft_index index)
{
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        const struct node *node = &world->nodes[id];

        if (node_is_live(node) && world_is_member(world, id) &&
            service_applied_index(node->service) < index)
            return false;
    }
    return true;
}

// How many live nodes have.
static uint64_t applied_by(struct world *world, raft_index index)
{
    uint64_t count = 0;

    for (raft_id id = 1; id <= world->config.node_count; id++) {
        const struct node *node = &world->nodes[id];

        count += node_is_live(node) && service_applied_index(node->service) >= index;
    }
    return count;
}

static bool reached(struct language *language, void *argument)
{
    const struct until *until = argument;
    struct world *world = language->world;
    const struct node *leader = world_leader(world);

    switch (until->condition) {
    case UNTIL_LEADER:
        return leader != NULL;
    case UNTIL_LEADER_IS:
        return leader != NULL && leader->id == until->node;
    case UNTIL_NO_LEADER:
        return leader == NULL;
    case UNTIL_COMMITTED:
        return checker_committed(world->checker) >= until->number;
    case UNTIL_APPLIED:
        return all_applied(world, checker_committed(world->checker));
    case UNTIL_APPLIED_INDEX:
        return all_applied(world, until->number);
    case UNTIL_APPLIED_BY:
        return applied_by(world, until->number) >= until->count;
    case UNTIL_TERM:
        return leader != NULL && leader->view.current_term >= until->number;
    case UNTIL_QUIET:
        return leader != NULL && rest_has_answered(world, NULL, 0) &&
               language_expect_same(language);
    }
    return false;
}

// Reads the condition that begins at word `at`; moves `at` behind it.
static bool read_condition(struct language *language, uint32_t *at, struct until *until)
{
    bool more = *at + 1 < language->count && !language_is(language, *at + 1, "within");
    struct node *node;

    if (language_is(language, *at, "no") && language_is(language, *at + 1, "leader")) {
        until->condition = UNTIL_NO_LEADER;
        *at += 2;
        return true;
    }
    if (language_is(language, *at, "leader")) {
        until->condition = more ? UNTIL_LEADER_IS : UNTIL_LEADER;
        if (more && !language_node(language, *at + 1, &node))
            return false;
        until->node = more ? node->id : 0;
    } else if (language_is(language, *at, "applied")) {
        until->condition = more ? UNTIL_APPLIED_INDEX : UNTIL_APPLIED;
        if (more && !language_number(language, *at + 1, &until->number))
            return false;
        if (more && language_is(language, *at + 2, "by")) {
            until->condition = UNTIL_APPLIED_BY;
            if (!language_number(language, *at + 3, &until->count))
                return false;
            *at += 2;
        }
    } else if (language_is(language, *at, "quiet") && !more) {
        until->condition = UNTIL_QUIET;
    } else if (more && (language_is(language, *at, "committed") ||
                        language_is(language, *at, "term"))) {
        until->condition =
            language_is(language, *at, "term") ? UNTIL_TERM : UNTIL_COMMITTED;
        if (!language_number(language, *at + 1, &until->number))
            return false;
    } else {
        return language_fail(
            language, "unknown condition; there are: leader [N], no leader, "
                      "committed INDEX, applied [INDEX [by COUNT]], term T, quiet");
    }
    *at += more ? 2 : 1;
    return true;
}

static void show_time(struct language *language)
{
    const struct world *world = language->world;
    const struct node *leader = world_leader(language->world);

    json_number(language->out, "time_us", world->now_us);
    json_number(language->out, "events", world->event_count);
    json_number(language->out, "leader", leader == NULL ? 0 : leader->id);
    if (world_violated(world))
        run_report_violations(world, language->out);
}

static bool run_until(struct language *language)
{
    struct until until = {0};
    uint64_t within_us = WITHIN_US;
    uint32_t at = 2;
    bool ok;

    if (!read_condition(language, &at, &until))
        return false;
    if (at < language->count) {
        if (!language_is(language, at, "within") || at + 2 != language->count)
            return language_fail(language, "expected: within DURATION");
        if (!language_duration(language, at + 1, &within_us))
            return false;
    }
    ok = language_run(language, language->world->now_us + within_us, reached, &until);
    if (ok && !reached(language, &until))
        ok = language_fail(language, "after %llu ms it has not come to that",
                           (unsigned long long)within_us / 1000);
    show_time(language);
    return ok;
}

bool language_world_run(struct language *language)
{
    bool waits = language_is(language, 2, "until");
    struct until until = {0};
    uint32_t at = waits ? 3 : 2;
    uint64_t us;
    bool ok;

    if (language_is(language, 1, "until"))
        return run_until(language);
    if (waits && !read_condition(language, &at, &until))
        return false;
    if (language->count != at)
        return language_fail(language,
                             "usage: run DURATION [until CONDITION] | run until "
                             "CONDITION [within DURATION]");
    if (!language_duration(language, 1, &us))
        return false;
    ok = language_run(language, language->world->now_us + us, waits ? reached : NULL,
                      &until);
    show_time(language);
    return ok;
}

bool language_world_step(struct language *language)
{
    struct world *world = language->world;
    uint64_t count = 1;
    bool ok = true;

    if (language->count > 1 && !language_number(language, 1, &count))
        return false;
    while (ok && count-- > 0) {
        const struct heap_event *next = heap_peek(&world->heap);

        if (next == NULL)
            break;
        ok = world_step(world);
    }
    if (!ok)
        language_fail(language, "a property is violated");
    show_time(language);
    return ok;
}

bool language_world_timeout(struct language *language)
{
    struct node *node;

    if (!language_node(language, 1, &node))
        return false;
    if (!node_is_live(node))
        return language_fail(language, "node %u is not running", (unsigned)node->id);
    trace_note(&language->world->trace, language->world->now_us, "timeout n%u",
               (unsigned)node->id);
    node_timeout(node);
    json_string(language->out, "role", raft_role_text(node->view.role));
    json_number(language->out, "term", node->view.current_term);
    return true;
}

// ---- clients --------------------------------------------------------------------

bool language_world_clients(struct language *language)
{
    struct world *world = language->world;
    const char *value = language_value(language, 3, "keys");
    uint64_t count, keys = 6;

    if (language_is(language, 1, "stop") && language->count == 2) {
        clients_stop(world);
    } else if (language_is(language, 1, "start") && language->count >= 3) {
        if (!options_number(language_word(language, 2), 1, 1000, &count))
            return language_fail(language, "clients must be a number from 1 to 1000");
        if (language->count == 4 &&
            (value == NULL || !options_number(value, 1, 100000, &keys)))
            return language_fail(language, "expected: keys=K with K from 1 to 100000");
        clients_start(world, (uint32_t)count, (uint32_t)keys);
    } else {
        return language_fail(language, "usage: clients start COUNT [keys=K] | "
                                       "clients stop");
    }
    json_number(language->out, "clients", world->clients.count - 1);
    json_number(language->out, "operations", world->clients.operations);
    return true;
}

bool language_world_settle(struct language *language)
{
    run_settle(language->world);
    show_time(language);
    if (world_violated(language->world))
        return language_fail(language, "the healed cluster did not come to rest");
    return true;
}

// Reads "1 2 3 down 4 deaf 5": the nodes of the core, and what becomes of others.
static bool read_core(struct language *language, struct run_core_plan *plan)
{
    for (uint32_t at = 1; at < language->count; at++) {
        uint32_t fate = 0;
        struct node *node;

        while (fate < RUN_CORE_FATE_COUNT &&
               !language_is(language, at, run_core_fate_text((enum run_core_fate)fate)))
            fate++;
        at += fate < RUN_CORE_FATE_COUNT;
        if (!language_node(language, at, &node))
            return false;
        if (fate < RUN_CORE_FATE_COUNT)
            plan->fates[node->id] = (enum run_core_fate)fate;
        else
            plan->nodes |= 1u << node->id;
    }
    return true;
}

bool language_world_core(struct language *language)
{
    struct world *world = language->world;
    struct run_core_plan plan = {.nodes = 0};

    if (!read_core(language, &plan))
        return false;
    if (language->count > 1 && !run_core_can(world, &plan))
        return language_fail(language, "these nodes cannot decide by themselves");
    if (language->count > 1)
        run_core_carry_out(world, &plan);
    else
        run_core(world);
    show_time(language);
    if (world_violated(world))
        return language_fail(language, "the core did not do its work");
    return true;
}

bool language_world_probe(struct language *language)
{
    run_probe(language->world);
    show_time(language);
    if (world_violated(language->world))
        return language_fail(language, "no write was committed in time");
    return true;
}

bool language_world_trace(struct language *language)
{
    FILE *file = NULL;

    if (language->count == 3 && !language_is(language, 2, "ndjson") &&
        !language_is(language, 2, "json"))
        return language_fail(language, "usage: trace FILE [ndjson|json] | trace off");
    if (language_is(language, 1, "-")) {
        file = stdout;
    } else if (!language_is(language, 1, "off")) {
        file = fopen(language_word(language, 1), "w");
        if (file == NULL)
            return language_fail(language, "cannot write %s: %s",
                                 language_word(language, 1), strerror(errno));
    }
    language_close_trace(language);
    language->trace = file;
    language->ndjson = language_is(language, 2, "ndjson");
    language->diagram = language_is(language, 2, "json");
    if (language->world != NULL)
        lead_trace(language);
    return true;
}
