#include "sim/run_settings.h"

enum {
    SPARES = 4,
    // More than the clients can make, where no snapshot shrinks the log.
    ENTRIES_A_SECOND = 256, // of one client
    ENTRIES_MIN = 4096,
    ENTRIES_MAX = 1 << 22,
    ENTRY_BYTES = 128,
    LOG_BYTES_MIN = 1 << 22, // the core wants room for the largest message
    SMALL_COMMAND_BYTES = 4096,
    CLIENTS = 5,
    KEYS = 6,
    CORE_PPM = 250000,
    CORE_CHUNK_BYTES_MIN = 1000,
    RACK_US_MAX = 400, // a message's delay
    SPREAD_MS_MIN = 20,
    SPREAD_MS_MAX = 60,
    EVEN_PPM = 100000,
    EVEN_OF_THEMES_PPM = 700000,
    VALUE_DIGITS_MIN = 5, // enough for all that a client writes
    VALUE_DIGITS_MAX = 20,
};

static uint32_t entries_for(const struct run_options *options, uint32_t clients)
{
    uint64_t entries =
        ENTRIES_MIN + options->duration_us / 1000000 * ENTRIES_A_SECOND * (clients + 1);

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
    bool often = random_chance(random, 500000);
    bool short_tail = random_chance(random, 500000);
    uint32_t entries = (uint32_t)random_between(random, 5, 200);
    uint32_t tail = (uint32_t)random_between(random, 0, 50);

    config->snapshot_entries = often ? 1 + entries / 5 : entries;
    config->snapshot_tail_entries = short_tail ? tail / 10 : tail;
    config->snapshot_chunk_bytes = (uint32_t)random_between(random, 64, 2000);
    config->segment_bytes_max = random_between(random, 2000, 30000);
    if (!small_segments)
        config->segment_bytes_max = 0;
    if (small_log)
        config->log_entries_max = 1024;
}

// Some clocks pass 2^31 or 2^32 ms during the run, each node's at its own time.
static void draw_starts(const struct run_options *options, struct random *random,
                        struct world_config *config)
{
    static const uint64_t starts_ms[] = {0, (uint64_t)1 << 31, (uint64_t)1 << 32};
    uint64_t start_ms = starts_ms[random_below(random, 3)];
    bool apart = random_chance(random, 500000);
    uint64_t before_ms = 1 + random_below(random, options->duration_us / 1000 + 1);

    if (!has(options, FAULT_CLOCK) || start_ms < before_ms)
        return;
    config->clock_start_ms = start_ms - before_ms;
    for (raft_id id = 1; id <= config->node_count && apart; id++)
        config->clock_ahead_ms[id] = random_below(random, before_ms);
}

// Clocks within what the leases allow for, unless somebody asks for more.
static void draw_clocks(const struct run_options *options, struct random *random,
                        struct world_config *config)
{
    uint32_t lease = (uint32_t)random_between(random, 1, 20);
    bool leases = random_chance(random, 500000);

    draw_starts(options, random, config);
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

// Limits at which things begin to be refused, cut in pieces and waited for.
static void draw_limits(const struct run_options *options, struct random *random,
                        struct world_config *config)
{
    bool few_entries = random_chance(random, 400000);
    bool few_bytes = random_chance(random, 300000);
    bool small_window = random_chance(random, 400000);
    bool small_backlog = random_chance(random, 300000);
    bool tiny_log = random_chance(random, 300000);
    uint32_t message_entries = (uint32_t)random_between(random, 1, 8);
    uint64_t message_bytes = random_between(random, 1, 2000);
    uint32_t inflight = (uint32_t)random_between(random, 1, 4);
    uint64_t inflight_bytes = random_between(random, 1, 4000);
    uint64_t uncommitted_bytes = random_between(random, 200, 4000);
    uint32_t log_entries = (uint32_t)random_between(random, 64, 512);

    if (few_entries)
        config->message_entries_max = message_entries;
    if (few_bytes)
        config->message_bytes_max = message_bytes;
    if (small_window) {
        config->inflight_max = inflight;
        config->inflight_bytes_max = inflight_bytes;
    }
    if (small_backlog)
        config->uncommitted_bytes_max = uncommitted_bytes;
    if (tiny_log && has(options, FAULT_SNAPSHOT))
        config->log_entries_max = log_entries;
}

// What others tune: timeouts, pre-votes, check-quorum.
static void draw_tuning(struct random *random, struct world_config *config)
{
    bool no_pre_vote = random_chance(random, 250000);
    bool no_check_quorum = random_chance(random, 250000);
    uint32_t timeout_ms = (uint32_t)random_between(random, 100, 400);
    uint32_t heartbeats = (uint32_t)random_between(random, 2, 8);

    config->pre_vote = !no_pre_vote;
    config->check_quorum = !no_check_quorum || config->lease_drift_percent > 0;
    config->election_timeout_ms = timeout_ms;
    config->heartbeat_ms = timeout_ms / heartbeats;
}

static void draw_load(const struct run_options *options, struct random *random,
                      struct run_settings *settings)
{
    bool swarm = options->faults != 0 && !options->fixed_mix;
    uint32_t clients = (uint32_t)random_between(random, 2, 8);
    uint32_t keys = (uint32_t)random_between(random, 1, 8);

    settings->clients = swarm ? clients : CLIENTS;
    settings->keys = swarm ? keys : KEYS;
    if (options->clients != RUN_DRAWN)
        settings->clients = options->clients;
    if (options->keys != RUN_DRAWN)
        settings->keys = options->keys;
}

static uint32_t spares_for(const struct run_options *options)
{
    uint32_t spares = options->spares;

    if (spares == RUN_DRAWN)
        spares = has(options, FAULT_MEMBERS) ? SPARES : 0;
    return spares > RAFT_MEMBERS_MAX - options->nodes
               ? RAFT_MEMBERS_MAX - options->nodes
               : spares;
}

static void draw_end(const struct run_options *options, struct random *random,
                     struct run_settings *settings)
{
    bool core = random_chance(random, CORE_PPM) && options->faults != 0;

    settings->world.core_first =
        options->end == RUN_END_DRAWN ? core : options->end == RUN_END_CORE;
    // Its bound leaves no time for a snapshot in hundreds of pieces.
    if (settings->world.core_first && settings->world.snapshot_chunk_bytes > 0 &&
        settings->world.snapshot_chunk_bytes < CORE_CHUNK_BYTES_MIN)
        settings->world.snapshot_chunk_bytes = CORE_CHUNK_BYTES_MIN;
}

// Some runs put into one what seldom meets by chance.
static void draw_theme(const struct run_options *options, struct random *random,
                       struct world_config *config)
{
    uint64_t dice = random_below(random, 100);
    uint32_t entries = (uint32_t)random_between(random, 3, 30);
    uint32_t tail = (uint32_t)random_between(random, 0, 3);
    uint32_t chunk_bytes = (uint32_t)random_between(random, 500, 8000);
    uint64_t segment_bytes = random_between(random, 300, 3000);

    if (options->fixed_mix || !has(options, FAULT_DISK) ||
        !has(options, FAULT_SNAPSHOT) || options->perfect_disks || dice >= 20)
        return;
    if (dice >= 16) {
        config->theme = WORLD_ELECTIONS;
        return;
    }
    config->theme = dice < 9 ? WORLD_FULL_DISKS : WORLD_CATCHING_UP;
    config->snapshot_entries = entries;
    config->snapshot_tail_entries = tail;
    config->snapshot_chunk_bytes = chunk_bytes;
    if (config->theme == WORLD_CATCHING_UP) // a snapshot then makes several needless
        config->segment_bytes_max = segment_bytes;
}

// In one rack election timeouts may be drawn from a narrow range, which is still wide
// for that network. A new leader then comes soon after an old one's lease has to end.
static void draw_spread(const struct run_options *options, struct random *random,
                        struct world_config *config)
{
    bool narrow = random_chance(random, 500000);
    uint32_t spread_ms = (uint32_t)random_between(random, SPREAD_MS_MIN, SPREAD_MS_MAX);

    if (narrow && has(options, FAULT_SETTINGS) && !options->fixed_mix &&
        config->lease_drift_percent > 0 && config->delay_us_max <= RACK_US_MAX)
        config->election_spread_ms = spread_ms;
}

// Where all that is written is equally long, what is left of one record or file fits
// exactly where another one was.
static void draw_values(const struct run_options *options, struct random *random,
                        struct world_config *config)
{
    bool even = random_chance(
        random, config->theme != WORLD_NO_THEME ? EVEN_OF_THEMES_PPM : EVEN_PPM);
    uint32_t digits =
        (uint32_t)random_between(random, VALUE_DIGITS_MIN, VALUE_DIGITS_MAX);

    if (even && has(options, FAULT_SETTINGS) && !options->fixed_mix)
        config->value_digits = digits;
}

void run_settings_draw(struct run_settings *settings, const struct run_options *options)
{
    struct world_config *config = &settings->world;
    struct random random;
    bool tuned;

    world_config_default(config);
    config->seed = options->seed;
    config->unchecked = options->unchecked;
    config->own = options->own;
    config->judge_steps_max = options->judge_steps_max;
    config->wire = options->wire;
    config->perfect_disks = options->perfect_disks;
    config->no_retries = options->no_retries;
    config->member_count = options->nodes;
    config->node_count = options->nodes + spares_for(options);
    random_seed(&random, options->seed, WORLD_STREAM_SETTINGS);
    draw_load(options, &random, settings);
    config->log_entries_max = entries_for(options, settings->clients);
    draw_speeds(&random, config);
    draw_clocks(options, &random, config);
    config->ordered_links = options->faults != 0 && random_chance(&random, 500000);
    if (has(options, FAULT_SNAPSHOT))
        draw_snapshots(&random, config);
    tuned = random_chance(&random, 600000);
    if (has(options, FAULT_SETTINGS) && tuned) {
        draw_limits(options, &random, config);
        draw_tuning(&random, config);
    }
    draw_theme(options, &random, config);
    draw_end(options, &random, settings);
    config->equal_seeds = has(options, FAULT_SETTINGS) && random_chance(&random, 50000);
    draw_values(options, &random, config);
    draw_spread(options, &random, config);
    config->log_bytes_max =
        LOG_BYTES_MIN + (uint64_t)config->log_entries_max * ENTRY_BYTES;
}
