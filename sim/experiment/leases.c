#include "sim/experiment/leases.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "sim/experiment/statistics.h"
#include "sim/json.h"

enum {
    NODES = 3,
    TIMEOUT_MS = 150, // the shortest; others are up to twice as long
    HEARTBEAT_MS = 50,
    WARM_US = 500000,
    CUT_US = HEARTBEAT_MS * 1000, // the cut comes at any moment of a heartbeat interval
    READ_US = 250,                // between two reads at the old leader
    PATIENCE_US = 5000000,
};

struct setting {
    uint32_t bound_percent; // what the lease allows for
    uint32_t drift_percent; // what the clocks do
};

struct trial {
    uint64_t written_us;  // from the cut until the write was acknowledged elsewhere
    uint64_t stale_reads; // answered by the old leader later than that
    uint64_t stale_us;    // from there until the last of them was asked
};

static struct world *make_world(const struct setting *setting, uint64_t seed)
{
    struct world_config config;

    world_config_default(&config);
    config.seed = seed;
    config.node_count = config.member_count = NODES;
    config.election_timeout_ms = TIMEOUT_MS;
    config.heartbeat_ms = HEARTBEAT_MS;
    config.delay_us_min = config.sync_us_min = 50;
    config.delay_us_max = config.sync_us_max = 200;
    config.lease_drift_percent = setting->bound_percent;
    return experiment_world(&config);
}

static int64_t write_at(struct world *world, raft_id id, const char *value)
{
    const struct bytes words[3] = {{"SET", 3}, {"x", 1}, {value, strlen(value)}};
    enum raft_status status;

    return world_propose(world, id, words, 3, &status);
}

// A leader of three, with a value, and with the slowest clock of all.
static struct node *prepare(struct world *world, const struct setting *setting)
{
    struct node *leader = experiment_elect(world, UINT64_MAX);

    world_run_until(world, world->now_us + WARM_US);
    for (raft_id id = 1; id <= NODES; id++)
        if (id != leader->id)
            node_set_clock_rate(&world->nodes[id],
                                NODE_CLOCK_TRUE_PPM +
                                    setting->drift_percent * NODE_CLOCK_TRUE_PPM / 100);
    write_at(world, leader->id, "1");
    world_run_until(world, world->now_us + WARM_US);
    // The fast clocks may have deposed a leader that they found silent for too long.
    return world_leader(world) == leader ? leader : NULL;
}

static void cut_off(struct world *world, raft_id leader)
{
    for (raft_id id = 1; id <= NODES; id++) {
        links_cut(&world->links, leader, id, true);
        links_cut(&world->links, id, leader, true);
    }
}

// Lets the others elect somebody and writes there; false where that takes too long.
static bool write_elsewhere(struct world *world, const struct node *old)
{
    uint64_t end_us = world->now_us + PATIENCE_US;
    int64_t ticket = -1;

    while (world->now_us < end_us) {
        const struct node *leader = world_leader(world);

        if (ticket >= 0 && world->tickets[ticket].ended)
            return world->tickets[ticket].status == REPLY_DONE;
        if (ticket < 0 && leader != NULL && leader != old)
            ticket = write_at(world, leader->id, "2");
        if (!world_step(world))
            return false;
    }
    return false;
}

// Reads at the old leader until no lease can be left.
static void read_on(struct world *world, const struct node *old, struct trial *trial)
{
    static const struct bytes words[2] = {{"GET", 3}, {"x", 1}};
    uint64_t written_us = world->now_us;

    while (world->now_us < written_us + TIMEOUT_MS * 1000) {
        uint64_t asked_us = world->now_us;
        uint32_t number = world_read(world, old->id, words, 2);
        const struct world_ticket *ticket = &world->tickets[number];

        if (ticket->ended && ticket->status == REPLY_DONE) {
            assert(ticket->reply.size == 7 && ticket->reply.data[4] == '1');
            trial->stale_reads++;
            trial->stale_us = asked_us - written_us;
        }
        world_run_until(world, world->now_us + READ_US);
    }
}

static bool run_trial(const struct setting *setting, struct random *random,
                      struct trial *trial)
{
    struct world *world = make_world(setting, random_u64(random));
    struct node *leader = prepare(world, setting);
    bool written = false;

    *trial = (struct trial){0};
    if (leader != NULL) {
        uint64_t cut_us = world->now_us + random_below(random, CUT_US);

        world_run_until(world, cut_us);
        cut_off(world, leader->id);
        written = write_elsewhere(world, leader);
        trial->written_us = world->now_us - cut_us;
        read_on(world, leader, trial);
    }
    world_free(world);
    return written;
}

static void run_setting(struct experiment_run *run, const struct setting *setting)
{
    struct statistics stale_us = {0};
    uint64_t reads = 0;
    uint32_t trials = 0;

    for (uint32_t i = 0; i < run->trials; i++) {
        struct random random;
        struct trial trial;

        experiment_random(run, i, &random);
        if (!run_trial(setting, &random, &trial))
            continue;
        trials++;
        reads += trial.stale_reads;
        if (trial.stale_reads > 0)
            statistics_add(&stale_us, trial.stale_us);
        buffer_format(&run->csv,
                      "%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",%" PRIu64
                      ",%" PRIu64 "\n",
                      setting->bound_percent, setting->drift_percent, i,
                      trial.written_us, trial.stale_reads, trial.stale_us);
    }
    statistics_sort(&stale_us);
    json_open(&run->json);
    json_number(&run->json, "bound_percent", setting->bound_percent);
    json_number(&run->json, "drift_percent", setting->drift_percent);
    json_number(&run->json, "trials", trials);
    json_number(&run->json, "broken", stale_us.count);
    json_number(&run->json, "stale_reads", reads);
    json_number(&run->json, "longest_us",
                stale_us.count > 0 ? statistics_percentile(&stale_us, 100) : 0);
    json_close(&run->json);
    experiment_tell(
        run,
        "lease for %2" PRIu32 " %%, clocks %3" PRIu32 " %% apart: an old "
        "value in %" PRIu32 " of %" PRIu32 " trials, for %.1f ms at most",
        setting->bound_percent, setting->drift_percent, stale_us.count, trials,
        stale_us.count > 0 ? (double)statistics_percentile(&stale_us, 100) / 1e3 : 0.0);
    statistics_release(&stale_us);
}

void leases_run(struct experiment_run *run)
{
    static const uint32_t bounds[] = {1, 5, 10, 20, 30};
    static const uint32_t drifts[] = {0, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100};

    buffer_append_text(&run->csv, "bound_percent,drift_percent,trial,written_us,"
                                  "stale_reads,stale_us\n");
    for (size_t b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++)
        for (size_t d = 0; d < sizeof(drifts) / sizeof(drifts[0]); d++) {
            struct setting setting = {bounds[b], drifts[d]};

            run_setting(run, &setting);
        }
}
