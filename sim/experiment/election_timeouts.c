#include "sim/experiment/election_timeouts.h"
#include "sim/node_crash.h"

#include <assert.h>
#include <inttypes.h>

#include "sim/experiment/statistics.h"
#include "sim/json.h"

enum {
    NODES = 5,
    FOLLOWERS = NODES - 1,
    // The core counts milliseconds. Here one of them stands for 10 us, so that a range
    // of 1 ms is not just two values.
    TICKS_A_MS = 100,
    TICK_US = 1000,               // of the world
    MS_US = TICKS_A_MS * TICK_US, // of the world, for a millisecond of the experiment
    FAST_US = 100,                // while the trial is prepared
    PATIENCE_MS = 60000,          // then a trial is given up
    ONE_WAY_US_MIN = 100,         // of the experiment, as all that follows
    ONE_WAY_US_MAX = 300,
    BROADCAST_US = 15000, // the paper's
    SHORTER_US = 5000,    // what fits its other numbers
};

// What the paper says of a range, in ms; 0: nothing.
struct range {
    uint32_t low_ms, high_ms;
    uint32_t paper_median_ms, paper_mean_ms, paper_worst_ms, paper_above_ms;
};

static const struct range ranges[] = {
    {150, 150, .paper_above_ms = 10000},
    {150, 151},
    {150, 155, .paper_median_ms = 287},
    {150, 175},
    {150, 200, .paper_worst_ms = 513},
    {150, 300},
    {12, 24, .paper_mean_ms = 35, .paper_worst_ms = 152},
    {25, 50},
    {50, 100},
    {100, 200},
};

enum { RANGES = sizeof(ranges) / sizeof(ranges[0]) };

struct setting {
    const struct range *range;
    uint32_t
        vote_us; // from a timeout to the votes: own write, there, their write, back
    bool pre_vote;
};

struct trial {
    bool ended;
    uint64_t us; // of the experiment: from the crash until all know the new leader
    uint64_t terms;
    // Of the first that led, which somebody in a higher term may have deposed before
    // all knew it: when, and how many of the last entries it had, 1 to 4. 0: nobody
    // did.
    uint64_t first_us;
    uint32_t winner;
};

static struct world *make_world(const struct setting *setting, uint64_t seed)
{
    struct world_config config;

    world_config_default(&config);
    config.seed = seed;
    config.node_count = config.member_count = NODES;
    config.election_timeout_ms = setting->range->low_ms * TICKS_A_MS;
    config.election_spread_ms =
        (setting->range->high_ms - setting->range->low_ms) * TICKS_A_MS + 1;
    config.heartbeat_ms = setting->range->low_ms * TICKS_A_MS / 2;
    config.pre_vote = setting->pre_vote;
    config.check_quorum = false;
    config.delay_us_min = config.delay_us_max = FAST_US;
    config.sync_us_min = config.sync_us_max = FAST_US;
    config.log_entries_max = 1024;
    return experiment_world(&config);
}

// The leader's last entries reach one follower less each time, and it hears of nothing.
static void spread_logs(struct world *world, raft_id leader, struct random *random,
                        raft_id order[FOLLOWERS])
{
    static const struct bytes words[3] = {{"SET", 3}, {"x", 1}, {"1", 1}};
    uint32_t count = 0;

    for (raft_id id = 1; id <= NODES; id++) {
        if (id == leader)
            continue;
        uint64_t at = random_below(random, count + 1);

        order[count] = order[at];
        order[at] = id;
        count++;
        links_cut(&world->links, id, leader, true);
    }
    for (uint32_t i = 0; i < FOLLOWERS; i++) {
        enum raft_status status;
        int64_t ticket = world_propose(world, leader, words, 3, &status);

        assert(ticket >= 0);
        (void)ticket;
        world_run_until(world, world->now_us + 10 * FAST_US);
        links_cut(&world->links, leader, order[i], true);
    }
    for (uint32_t i = 0; i < FOLLOWERS; i++)
        links_cut(&world->links, leader, order[i], false);
}

// The network is a local one; what else a vote takes are two writes.
static void slow_down(struct world *world, uint32_t vote_us)
{
    uint64_t write_us = (vote_us - ONE_WAY_US_MIN - ONE_WAY_US_MAX) / 2;

    world->links.delay_us_min = ONE_WAY_US_MIN * TICKS_A_MS;
    world->links.delay_us_max = ONE_WAY_US_MAX * TICKS_A_MS;
    for (raft_id id = 1; id <= NODES; id++) {
        world->nodes[id].sync_us_min = write_us * 93 / 100 * TICKS_A_MS;
        world->nodes[id].sync_us_max = write_us * 107 / 100 * TICKS_A_MS;
    }
}

// Whether one leads, and the others have heard of it.
static bool is_known(struct world *world)
{
    const struct node *leader = world_leader(world);

    if (leader == NULL)
        return false;
    for (raft_id id = 1; id <= NODES; id++)
        if (node_is_live(&world->nodes[id]) &&
            world->nodes[id].view.leader_id != leader->id)
            return false;
    return true;
}

static uint32_t rank_of(raft_id id, const raft_id order[FOLLOWERS])
{
    uint32_t rank = 0;

    while (order[rank] != id)
        rank++;
    return rank + 1;
}

static void run_trial(const struct setting *setting, struct random *random,
                      struct trial *trial)
{
    struct world *world = make_world(setting, random_u64(random));
    struct node *leader = &world->nodes[1 + random_below(random, NODES)];
    uint64_t heartbeat_us = (uint64_t)setting->range->low_ms * MS_US / 2;
    uint64_t crash_us, end_us;
    raft_id order[FOLLOWERS];
    raft_term term;

    *trial = (struct trial){0};
    // By hand: without any randomness nobody would ever win the first election.
    world_run_until(world, TICK_US);
    node_timeout(leader);
    world_run_until(world, world->now_us + 30 * FAST_US);
    assert(leader->view.role == RAFT_LEADER && is_known(world));
    spread_logs(world, leader->id, random, order);
    slow_down(world, setting->vote_us);
    term = leader->view.current_term;
    node_timeout(leader); // a heartbeat to all at once
    crash_us = world->now_us + random_below(random, heartbeat_us);
    world_run_until(world, crash_us);
    node_crash(leader, SIM_DISK_LOSE_NOTHING);
    end_us = crash_us + (uint64_t)PATIENCE_MS * MS_US;
    while (!is_known(world) && world->now_us < end_us && world_step(world))
        if (trial->winner == 0 && world_leader(world) != NULL) {
            trial->first_us = (world->now_us - crash_us) / TICKS_A_MS;
            trial->winner = rank_of(world_leader(world)->id, order);
        }
    trial->ended = is_known(world);
    trial->us = (world->now_us - crash_us) / TICKS_A_MS;
    if (trial->ended)
        trial->terms = world_leader(world)->view.current_term - term;
    world_free(world);
}

// All ranges at the paper's broadcast time, with and without pre-vote, and at one that
// fits; and for the others those of which the paper tells a median, mean or worst.
static bool is_asked(const struct setting *setting)
{
    const struct range *range = setting->range;

    if (setting->vote_us == BROADCAST_US ||
        (setting->vote_us == SHORTER_US && !setting->pre_vote))
        return true;
    return !setting->pre_vote &&
           range->paper_median_ms + range->paper_mean_ms + range->paper_worst_ms > 0;
}

static void tell(struct experiment_run *run, const struct setting *setting,
                 const struct statistics *us, uint32_t given_up)
{
    const struct range *range = setting->range;
    struct buffer line = {0};

    buffer_format(
        &line, "%3" PRIu32 "-%-3" PRIu32 " ms, vote %4.1f ms%s:", range->low_ms,
        range->high_ms, setting->vote_us / 1e3, setting->pre_vote ? ", pre-vote" : "");
    buffer_format(&line, " median %.1f, mean %.1f, worst %.1f ms",
                  (double)statistics_percentile(us, 50) / 1e3,
                  (double)statistics_mean(us) / 1e3,
                  (double)statistics_percentile(us, 100) / 1e3);
    if (given_up > 0)
        buffer_format(&line, " (%" PRIu32 " given up)", given_up);
    if (range->paper_median_ms > 0)
        buffer_format(&line, "; paper: median %" PRIu32, range->paper_median_ms);
    if (range->paper_mean_ms > 0)
        buffer_format(&line, "; paper: mean %" PRIu32, range->paper_mean_ms);
    if (range->paper_worst_ms > 0)
        buffer_format(&line, "; paper: worst %" PRIu32, range->paper_worst_ms);
    if (range->paper_above_ms > 0)
        buffer_format(&line, "; paper: always above %" PRIu32, range->paper_above_ms);
    experiment_tell(run, "%.*s", (int)line.size, line.data);
    buffer_free(&line);
}

static void summarize(struct buffer *out, const struct setting *setting,
                      const struct statistics *us, uint32_t given_up)
{
    const struct range *range = setting->range;

    json_open(out);
    json_number(out, "vote_us", setting->vote_us);
    json_bool(out, "pre_vote", setting->pre_vote);
    json_number(out, "low_ms", range->low_ms);
    json_number(out, "high_ms", range->high_ms);
    json_number(out, "least_us", us->values[0]);
    json_number(out, "median_us", statistics_percentile(us, 50));
    json_number(out, "mean_us", statistics_mean(us));
    json_number(out, "p99_us", statistics_percentile(us, 99));
    json_number(out, "worst_us", statistics_percentile(us, 100));
    json_number(out, "given_up", given_up);
    if (range->paper_median_ms > 0)
        json_number(out, "paper_median_ms", range->paper_median_ms);
    if (range->paper_mean_ms > 0)
        json_number(out, "paper_mean_ms", range->paper_mean_ms);
    if (range->paper_worst_ms > 0)
        json_number(out, "paper_worst_ms", range->paper_worst_ms);
    if (range->paper_above_ms > 0)
        json_number(out, "paper_above_ms", range->paper_above_ms);
    json_close(out);
}

static void run_setting(struct experiment_run *run, const struct setting *setting)
{
    const struct range *range = setting->range;
    struct statistics us = {0};
    uint32_t given_up = 0;

    for (uint32_t i = 0; i < run->trials; i++) {
        struct random random;
        struct trial trial;

        experiment_random(run, i, &random);
        run_trial(setting, &random, &trial);
        statistics_add(&us, trial.us);
        given_up += !trial.ended;
        buffer_format(&run->csv, "%" PRIu32 ",%d,%" PRIu32 ",%" PRIu32 ",%" PRIu32,
                      setting->vote_us, setting->pre_vote, range->low_ms,
                      range->high_ms, i);
        buffer_format(&run->csv,
                      ",%" PRIu64 ",%" PRIu64 ",%d,%" PRIu64 ",%" PRIu32 "\n", trial.us,
                      trial.terms, trial.ended, trial.first_us, trial.winner);
    }
    statistics_sort(&us);
    tell(run, setting, &us, given_up);
    summarize(&run->json, setting, &us, given_up);
    statistics_release(&us);
}

void election_timeouts_run(struct experiment_run *run)
{
    static const uint32_t votes_us[] = {15000, 10000, 7500, 5000, 2500};

    buffer_append_text(&run->csv, "vote_us,pre_vote,low_ms,high_ms,trial,"
                                  "leaderless_us,terms,ended,first_us,winner\n");
    for (uint32_t pre_vote = 0; pre_vote < 2; pre_vote++)
        for (size_t v = 0; v < sizeof(votes_us) / sizeof(votes_us[0]); v++)
            for (uint32_t r = 0; r < RANGES; r++) {
                struct setting setting = {&ranges[r], votes_us[v], pre_vote == 1};

                if (is_asked(&setting))
                    run_setting(run, &setting);
            }
}
