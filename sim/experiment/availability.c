#include "sim/experiment/availability.h"

#include <assert.h>
#include <inttypes.h>

#include "sim/experiment/statistics.h"
#include "sim/json.h"

enum {
    WARM_US = 1000000,    // the client finds the leader
    LAG_US = 40000,       // the hub falls behind; shorter than it would wait
    CUT_US = 30000000,    // links are cut
    SLOT_US = 100000,     // available, if a write succeeded in it
    HEALED_US = 3000000,  // and mended
    ASK_US = 5000,        // the client looks at its write, and begins another
    PATIENCE_US = 200000, // then it asks another node
};

enum pattern { WHOLE = 0, QUORUM_LOSS, CONSTRAINED, CHAINED, PATTERN_COUNT };

static const char *const pattern_texts[PATTERN_COUNT] = {
    [WHOLE] = "none",
    [QUORUM_LOSS] = "quorum-loss",
    [CONSTRAINED] = "constrained",
    [CHAINED] = "chained",
};

struct setting {
    enum pattern pattern;
    bool pre_vote;
    bool check_quorum;
};

// One that writes, one write after another.
struct writer {
    raft_id node;
    int64_t ticket; // -1: none is under way
    uint64_t since_us;
    uint64_t last_us;    // when one was last acknowledged
    uint64_t longest_us; // between two of them
    uint64_t done;
    bool in_slot;
};

struct trial {
    uint32_t slots;
    uint32_t slots_available;
    uint64_t longest_us;
    uint64_t writes;
    uint64_t leaders;
    uint64_t terms;
    uint64_t healing_us;
};

// ---- the client -----------------------------------------------------------------

static void go_elsewhere(struct world *world, struct writer *writer)
{
    writer->ticket = -1;
    writer->node = writer->node % world->config.node_count + 1;
}

static void look(struct world *world, struct writer *writer)
{
    const struct world_ticket *ticket;

    if (writer->ticket < 0)
        return;
    ticket = &world->tickets[writer->ticket];
    if (ticket->ended && ticket->status == REPLY_DONE) {
        if (world->now_us - writer->last_us > writer->longest_us)
            writer->longest_us = world->now_us - writer->last_us;
        writer->last_us = world->now_us;
        writer->done++;
        writer->in_slot = true;
        writer->ticket = -1;
    } else if (ticket->ended || world->now_us - writer->since_us >= PATIENCE_US) {
        go_elsewhere(world, writer);
    }
}

static void ask(struct world *world, struct writer *writer)
{
    static const struct bytes words[3] = {{"SET", 3}, {"x", 1}, {"1", 1}};
    enum raft_status status;

    if (writer->ticket >= 0)
        return;
    writer->since_us = world->now_us;
    writer->ticket = world_propose(world, writer->node, words, 3, &status);
    if (writer->ticket < 0)
        go_elsewhere(world, writer);
}

static void write_until(struct world *world, struct writer *writer, uint64_t time_us)
{
    while (world->now_us < time_us) {
        if (!world_run_until(world, world->now_us + ASK_US))
            return;
        look(world, writer);
        ask(world, writer);
    }
}

// With the one that has not ended yet.
static uint64_t longest_gap(const struct world *world, const struct writer *writer)
{
    uint64_t open_us = world->now_us - writer->last_us;

    return open_us > writer->longest_us ? open_us : writer->longest_us;
}

// ---- the patterns ---------------------------------------------------------------

static void cut(struct world *world, raft_id a, raft_id b)
{
    links_cut(&world->links, a, b, true);
    links_cut(&world->links, b, a, true);
}

static raft_id draw_follower(struct world *world, raft_id leader, struct random *random)
{
    raft_id id = 1 + (raft_id)random_below(random, world->config.node_count - 1);

    return id < leader ? id : id + 1;
}

// Everybody speaks with the hub alone.
static void cut_around(struct world *world, raft_id hub)
{
    for (raft_id a = 1; a <= world->config.node_count; a++)
        for (raft_id b = 1; b < a; b++)
            if (a != hub && b != hub)
                cut(world, a, b);
}

static void strike(struct world *world, struct writer *writer, enum pattern pattern,
                   struct random *random)
{
    raft_id leader = world_leader(world)->id;
    raft_id hub = draw_follower(world, leader, random);

    switch (pattern) {
    case QUORUM_LOSS: // the leader reaches the hub, and nobody else
        cut_around(world, hub);
        break;
    case CONSTRAINED: // the hub lacks what all others have, and the leader is alone
        links_cut(&world->links, leader, hub, true);
        write_until(world, writer, world->now_us + LAG_US);
        cut(world, leader, hub);
        cut_around(world, hub);
        break;
    case CHAINED: // of three, the leader and one other hear each other no more
        cut(world, leader, 6 - leader - hub);
        break;
    default:
        break;
    }
}

// ---- trials ---------------------------------------------------------------------

static raft_term highest_term(const struct world *world)
{
    raft_term term = 0;

    for (raft_id id = 1; id <= world->config.node_count; id++)
        if (world->nodes[id].view.current_term > term)
            term = world->nodes[id].view.current_term;
    return term;
}

static void run_trial(const struct setting *setting, struct random *random,
                      struct trial *trial)
{
    struct writer writer = {.node = 1, .ticket = -1};
    struct world_config config;
    struct world *world;
    raft_term term;
    uint64_t leaders, done;

    world_config_default(&config);
    config.seed = random_u64(random);
    config.node_count = config.member_count = setting->pattern == CHAINED ? 3 : 5;
    config.pre_vote = setting->pre_vote;
    config.check_quorum = setting->check_quorum;
    world = experiment_world(&config);
    while (writer.done == 0 || world->now_us < WARM_US)
        write_until(world, &writer, world->now_us + SLOT_US);
    strike(world, &writer, setting->pattern, random);

    *trial = (struct trial){.slots = CUT_US / SLOT_US};
    term = highest_term(world);
    leaders = checker_leaders(world->checker);
    done = writer.done;
    writer.last_us = world->now_us;
    writer.longest_us = 0;
    for (uint32_t slot = 0; slot < trial->slots; slot++) {
        writer.in_slot = false;
        write_until(world, &writer, world->now_us + SLOT_US);
        trial->slots_available += writer.in_slot;
    }
    trial->longest_us = longest_gap(world, &writer);
    trial->writes = writer.done - done;
    trial->leaders = checker_leaders(world->checker) - leaders;
    trial->terms = highest_term(world) - term;

    // Healing disturbs, too: terms that grew behind a cut depose who leads.
    links_heal(world);
    writer.last_us = world->now_us;
    writer.longest_us = 0;
    write_until(world, &writer, world->now_us + HEALED_US);
    trial->healing_us = longest_gap(world, &writer);
    assert(!world_violated(world));
    world_free(world);
}

static void add_to_table(struct experiment_run *run, const struct setting *setting,
                         uint32_t number, const struct trial *trial)
{
    buffer_format(&run->csv, "%s,%d,%d,%" PRIu32, pattern_texts[setting->pattern],
                  setting->pre_vote, setting->check_quorum, number);
    buffer_format(&run->csv,
                  ",%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
                  ",%" PRIu64 "\n",
                  trial->slots_available * 1000 / trial->slots, trial->longest_us,
                  trial->writes, trial->leaders, trial->terms, trial->healing_us);
}

// What is told of many trials.
enum { AVAILABLE = 0, LONGEST, WRITES, LEADERS, TERMS, HEALING, MEASURE_COUNT };

static const char *const measure_texts[MEASURE_COUNT] = {
    [AVAILABLE] = "available_permille",
    [LONGEST] = "longest_gap_us",
    [WRITES] = "writes",
    [LEADERS] = "leaders",
    [TERMS] = "terms",
    [HEALING] = "healing_us",
};

static void summarize(struct experiment_run *run, const struct setting *setting,
                      struct statistics *measures)
{
    struct buffer *out = &run->json;

    json_open(out);
    json_string(out, "pattern", pattern_texts[setting->pattern]);
    json_bool(out, "pre_vote", setting->pre_vote);
    json_bool(out, "check_quorum", setting->check_quorum);
    for (uint32_t i = 0; i < MEASURE_COUNT; i++) {
        char name[40];

        json_number(out, measure_texts[i], statistics_mean(&measures[i]));
        statistics_sort(&measures[i]);
        snprintf(name, sizeof(name), "%s_least", measure_texts[i]);
        json_number(out, name, measures[i].values[0]);
        snprintf(name, sizeof(name), "%s_most", measure_texts[i]);
        json_number(out, name, statistics_percentile(&measures[i], 100));
    }
    json_close(out);
    experiment_tell(
        run,
        "%-12s pre-vote %-3s check-quorum %-3s: available %5.1f %%, longest "
        "gap %7.1f ms, %5.1f leaders, %5.1f terms, after healing %6.1f ms",
        pattern_texts[setting->pattern], setting->pre_vote ? "on" : "off",
        setting->check_quorum ? "on" : "off",
        (double)statistics_mean(&measures[AVAILABLE]) / 10,
        (double)statistics_mean(&measures[LONGEST]) / 1e3,
        (double)statistics_mean(&measures[LEADERS]),
        (double)statistics_mean(&measures[TERMS]),
        (double)statistics_mean(&measures[HEALING]) / 1e3);
}

static void run_setting(struct experiment_run *run, const struct setting *setting)
{
    struct statistics measures[MEASURE_COUNT] = {0};

    for (uint32_t i = 0; i < run->trials; i++) {
        struct random random;
        struct trial trial;

        experiment_random(run, i, &random);
        run_trial(setting, &random, &trial);
        add_to_table(run, setting, i, &trial);
        statistics_add(&measures[AVAILABLE],
                       trial.slots_available * 1000 / trial.slots);
        statistics_add(&measures[LONGEST], trial.longest_us);
        statistics_add(&measures[WRITES], trial.writes);
        statistics_add(&measures[LEADERS], trial.leaders);
        statistics_add(&measures[TERMS], trial.terms);
        statistics_add(&measures[HEALING], trial.healing_us);
    }
    summarize(run, setting, measures);
    for (uint32_t i = 0; i < MEASURE_COUNT; i++)
        statistics_release(&measures[i]);
}

void availability_run(struct experiment_run *run)
{
    buffer_append_text(&run->csv,
                       "pattern,pre_vote,check_quorum,trial,available_permille,"
                       "longest_gap_us,writes,leaders,terms,healing_us\n");
    for (uint32_t pattern = 0; pattern < PATTERN_COUNT; pattern++)
        for (uint32_t mechanisms = 0; mechanisms < 4; mechanisms++) {
            struct setting setting = {(enum pattern)pattern, (mechanisms & 1) != 0,
                                      (mechanisms & 2) != 0};

            if (pattern != WHOLE || mechanisms == 3) // with all links, once is enough
                run_setting(run, &setting);
        }
}
