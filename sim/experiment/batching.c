#include "sim/experiment/batching.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/experiment/statistics.h"
#include "sim/json.h"

enum {
    NODES = 3,
    ONE_WAY_US = 250,            // through the network
    SEND_NS_PER_MESSAGE = 20000, // what a message costs whoever sends it
    SEND_NS_PER_KIB = 10000,     // about 100 MB/s
    SYNC_US_MIN = 800,
    SYNC_US_MAX = 1200,
    SYNC_NS_PER_KIB = 5000, // about 200 MB/s
    COMMAND_BYTES = 256,    // of its value
    QUIET_US = 100000,      // after the election
    STEP_US = 50000,
    MEASURED_US_MAX = 400000,
    MEASURED_COMMANDS = 2000, // or less, if these take too long
    OUTSTANDING_MAX = 1024,
};

struct setting {
    uint32_t batch;
    uint32_t window;
    uint32_t outstanding;
};

struct load {
    raft_id leader;
    uint32_t first; // of the ring
    uint32_t count;
    int64_t tickets[OUTSTANDING_MAX]; // commands are answered in the order of the log
    uint64_t since_us[OUTSTANDING_MAX];
    uint64_t answered;
    struct statistics latencies_us;
};

struct trial {
    uint64_t commands_per_s;
    uint64_t messages_per_kilo; // for a thousand commands
    uint64_t syncs_per_kilo;    // of the leader's disk
    struct statistics latencies_us;
};

static void propose(struct world *world, struct load *load)
{
    static char value[COMMAND_BYTES];
    const struct bytes words[3] = {{"SET", 3}, {"x", 1}, {value, sizeof(value)}};
    uint32_t at = (load->first + load->count) % OUTSTANDING_MAX;
    enum raft_status status;

    load->since_us[at] = world->now_us;
    load->tickets[at] = world_propose(world, load->leader, words, 3, &status);
    assert(load->tickets[at] >= 0);
    load->count++;
}

// Each command that is answered is replaced at once.
static void answer(struct world *world, struct load *load)
{
    uint32_t answered = 0;

    while (load->count > 0) {
        const struct world_ticket *ticket = &world->tickets[load->tickets[load->first]];

        if (!ticket->ended)
            break;
        assert(ticket->status == REPLY_DONE);
        statistics_add(&load->latencies_us,
                       world->now_us - load->since_us[load->first]);
        load->first = (load->first + 1) % OUTSTANDING_MAX;
        load->count--;
        answered++;
    }
    load->answered += answered;
    while (answered-- > 0)
        propose(world, load);
}

static void work_until(struct world *world, struct load *load, uint64_t time_us)
{
    while (heap_peek(&world->heap)->time_us <= time_us) {
        bool stepped = world_step(world);

        assert(stepped);
        (void)stepped;
        answer(world, load);
    }
    world_run_until(world, time_us); // nothing is left but the time
}

static struct world *make_world(const struct setting *setting, uint64_t seed)
{
    struct world_config config;

    world_config_default(&config);
    config.seed = seed;
    config.node_count = config.member_count = NODES;
    config.election_timeout_ms = 1000;
    config.heartbeat_ms = 100;
    config.delay_us_min = config.delay_us_max = ONE_WAY_US;
    config.sync_us_min = SYNC_US_MIN;
    config.sync_us_max = SYNC_US_MAX;
    config.sync_ns_per_kib = SYNC_NS_PER_KIB;
    config.send_ns_per_kib = SEND_NS_PER_KIB;
    config.send_ns_per_message = SEND_NS_PER_MESSAGE;
    config.message_entries_max = setting->batch;
    config.inflight_max = setting->window;
    config.log_entries_max = 1 << 17;
    config.log_bytes_max = 1 << 26;
    return experiment_world(&config);
}

static uint64_t syncs_of(const struct node *node)
{
    struct host_counters counters;

    host_count(node->host, &counters);
    return counters.syncs;
}

static void run_trial(const struct setting *setting, struct random *random,
                      struct trial *trial)
{
    struct world *world = make_world(setting, random_u64(random));
    struct load *load = calloc(1, sizeof(*load));
    struct node *leader = experiment_elect(world, UINT64_MAX);
    uint64_t begin_us, messages, syncs, commands;

    if (load == NULL)
        abort();
    load->leader = leader->id;
    world_run_until(world, world->now_us + QUIET_US);
    for (uint32_t i = 0; i < setting->outstanding; i++)
        propose(world, load);
    // A queue has its length once the first commands that found it so are answered.
    while (load->answered < 2 * (uint64_t)setting->outstanding)
        work_until(world, load, world->now_us + STEP_US);

    load->latencies_us.count = 0;
    messages = world->links.sent;
    syncs = syncs_of(leader);
    begin_us = world->now_us;
    while (load->latencies_us.count < MEASURED_COMMANDS &&
           world->now_us - begin_us < MEASURED_US_MAX)
        work_until(world, load, world->now_us + STEP_US);
    commands = load->latencies_us.count;
    assert(commands > 0 && leader->view.role == RAFT_LEADER);
    trial->commands_per_s = commands * 1000000 / (world->now_us - begin_us);
    trial->messages_per_kilo = (world->links.sent - messages) * 1000 / commands;
    trial->syncs_per_kilo = (syncs_of(leader) - syncs) * 1000 / commands;
    trial->latencies_us = load->latencies_us;
    statistics_sort(&trial->latencies_us);
    free(load);
    world_free(world);
}

// What is told of many trials.
enum { RATE = 0, MEDIAN, P99, MESSAGES, SYNCS, MEASURE_COUNT };

static const char *const measure_texts[MEASURE_COUNT] = {
    [RATE] = "commands_per_s",        [MEDIAN] = "median_us",     [P99] = "p99_us",
    [MESSAGES] = "messages_per_kilo", [SYNCS] = "syncs_per_kilo",
};

static void summarize(struct experiment_run *run, const struct setting *setting,
                      const struct statistics *measures)
{
    struct buffer *out = &run->json;

    json_open(out);
    json_number(out, "batch", setting->batch);
    json_number(out, "window", setting->window);
    json_number(out, "outstanding", setting->outstanding);
    for (uint32_t i = 0; i < MEASURE_COUNT; i++)
        json_number(out, measure_texts[i], statistics_mean(&measures[i]));
    json_close(out);
    experiment_tell(run,
                    "batch %3" PRIu32 " window %2" PRIu32 " outstanding %4" PRIu32
                    ": %6" PRIu64 " commands/s, median %7.2f ms, p99 %7.2f ms, %5.3f "
                    "messages and %5.3f syncs a command",
                    setting->batch, setting->window, setting->outstanding,
                    statistics_mean(&measures[RATE]),
                    (double)statistics_mean(&measures[MEDIAN]) / 1e3,
                    (double)statistics_mean(&measures[P99]) / 1e3,
                    (double)statistics_mean(&measures[MESSAGES]) / 1e3,
                    (double)statistics_mean(&measures[SYNCS]) / 1e3);
}

static void run_setting(struct experiment_run *run, const struct setting *setting)
{
    struct statistics measures[MEASURE_COUNT] = {0};

    for (uint32_t i = 0; i < run->trials; i++) {
        struct random random;
        struct trial trial;
        uint64_t told[MEASURE_COUNT];

        experiment_random(run, i, &random);
        run_trial(setting, &random, &trial);
        told[RATE] = trial.commands_per_s;
        told[MEDIAN] = statistics_percentile(&trial.latencies_us, 50);
        told[P99] = statistics_percentile(&trial.latencies_us, 99);
        told[MESSAGES] = trial.messages_per_kilo;
        told[SYNCS] = trial.syncs_per_kilo;
        buffer_format(&run->csv, "%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32,
                      setting->batch, setting->window, setting->outstanding, i);
        for (uint32_t m = 0; m < MEASURE_COUNT; m++) {
            buffer_format(&run->csv, ",%" PRIu64, told[m]);
            statistics_add(&measures[m], told[m]);
        }
        buffer_append_text(&run->csv, "\n");
        statistics_release(&trial.latencies_us);
    }
    summarize(run, setting, measures);
    for (uint32_t m = 0; m < MEASURE_COUNT; m++)
        statistics_release(&measures[m]);
}

// All at full load; how latency grows with the load, at the corners and one in between.
static bool is_asked(const struct setting *setting)
{
    bool narrow = setting->batch == 1 || setting->window == 1;
    bool corner = (setting->batch == 1 || setting->batch == 64) &&
                  (setting->window == 1 || setting->window == 32) && narrow;

    return setting->outstanding == OUTSTANDING_MAX || corner ||
           (setting->batch == 64 && setting->window == 8) ||
           (setting->batch == 256 && setting->window == 32);
}

void batching_run(struct experiment_run *run)
{
    static const uint32_t batches[] = {1, 8, 64, 256};
    static const uint32_t windows[] = {1, 2, 4, 8, 16, 32};
    static const uint32_t loads[] = {1, 16, 128, OUTSTANDING_MAX};

    buffer_append_text(&run->csv,
                       "batch,window,outstanding,trial,commands_per_s,median_us,p99_us,"
                       "messages_per_kilo,syncs_per_kilo\n");
    for (size_t b = 0; b < sizeof(batches) / sizeof(batches[0]); b++)
        for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++)
            for (size_t l = 0; l < sizeof(loads) / sizeof(loads[0]); l++) {
                struct setting setting = {batches[b], windows[w], loads[l]};

                if (is_asked(&setting))
                    run_setting(run, &setting);
            }
}
