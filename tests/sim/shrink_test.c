// Tapes: written down from a run on the clock, played by hand, cut down.
#include "sim/run.h"
#include "sim/shrink/play.h"
#include "sim/shrink/record.h"
#include "sim/shrink/shrink.h"
#include "sim/shrink/simplify.h"
#include "sim/shrink/story.h"
#include "tests/test.h"

static struct tape *new_tape(void)
{
    struct tape *tape = calloc(1, sizeof(*tape));

    CHECK(tape != NULL);
    return tape;
}

// A run of two seconds under these faults, written down.
static struct tape *record(uint64_t seed, uint32_t faults)
{
    struct tape *tape = new_tape();
    struct record *record = calloc(1, sizeof(*record));
    struct run_options options;
    struct run_result result;
    struct world *world;

    run_options_default(&options);
    options.seed = seed;
    options.nodes = 3;
    options.faults = faults;
    world = run_open(&options, &result);
    CHECK(world != NULL && record != NULL);
    record_begin(record, world, tape);
    CHECK(world_run_until(world, 2000000));
    world_free(world);
    free(record);
    CHECK(!tape->full && tape->count > 100);
    tape->sync_manual = (1u << LINKS_NODES) - 2;
    return tape;
}

// Commands may be refused by a node, as they were on the clock.
static uint32_t count_acts(const struct tape *tape)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < tape->count; i++)
        count += tape->acts[i].kind != ACT_COMMAND;
    return count;
}

static uint32_t play_count(const struct tape *tape, bool exact)
{
    struct play_options options = {.exact = exact};
    struct tape *played = new_tape();
    struct violation violation;
    uint32_t count;

    CHECK(!play_tape(tape, &options, played, &violation));
    count = count_acts(played);
    free(played);
    return count;
}

TEST(a_run_on_the_clock_is_the_same_by_hand_act_for_act)
{
    static const uint32_t faults[] = {0, 1u << FAULT_CRASH,
                                      1u << FAULT_LOSS | 1u << FAULT_DUPLICATE,
                                      1u << FAULT_DELAY | 1u << FAULT_PARTITION};

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct tape *tape = record(seed, faults[i]);

            CHECK_EQ(play_count(tape, true), count_acts(tape));
            free(tape);
        }
}

TEST(what_was_played_plays_again)
{
    struct tape *tape = record(4, 1u << FAULT_CRASH | 1u << FAULT_DELAY);
    struct play_options options = {.exact = true};
    struct tape *played = new_tape();
    struct violation violation;

    play_tape(tape, &options, played, &violation);
    CHECK_EQ(play_count(played, false), count_acts(played));
    free(tape);
    free(played);
}

// Whatever is cut out: what is left is played, and skips what does not apply.
TEST(every_part_of_a_tape_is_a_tape)
{
    struct tape *tape = record(5, (1u << FAULT_COUNT) - 1);
    struct tape *part = new_tape();
    struct random random;

    random_seed(&random, 1, 0);
    for (int i = 0; i < 20; i++) {
        uint32_t keep_ppm = (uint32_t)random_between(&random, 100000, 950000);

        tape_begin(part, &tape->config, tape);
        for (uint32_t at = 0; at < tape->count; at++)
            if (random_chance(&random, keep_ppm))
                tape_add(part, &tape->acts[at]);
        CHECK(play_count(part, false) <= count_acts(part));
    }
    free(tape);
    free(part);
}

// ---- lines ----------------------------------------------------------------------

static void check_line(const struct tape *tape, const struct act *act,
                       const char *expected)
{
    struct buffer line = {0};

    tape_line(tape, act, &line);
    buffer_append(&line, "", 1);
    CHECK_TEXT(line.data, expected);
    buffer_free(&line);
}

static struct tape *empty(void)
{
    struct tape *tape = new_tape();
    struct world_config config;

    world_config_default(&config);
    tape_begin(tape, &config, NULL);
    return tape;
}

TEST(an_act_is_written_as_a_command)
{
    struct tape *tape = empty();
    struct act act = {.kind = ACT_TIMEOUT, .node = 2};

    check_line(tape, &act, "timeout 2");
    act = (struct act){.kind = ACT_DELIVER, .from = 1, .node = 3, .letter = "append"};
    check_line(tape, &act, "deliver 1 3 append");
    act.again = 1;
    act.nth = 4;
    check_line(tape, &act, "again 1 3 append 4");
    act = (struct act){.kind = ACT_SYNC, .node = 1};
    check_line(tape, &act, "sync 1 1");
    act = (struct act){.kind = ACT_CLIENT, .node = 1, .client = 7};
    act.text = tape_text(tape, "set x 1");
    check_line(tape, &act, "client 7 at 1 set x 1");
    act.ask = ACT_REPEAT;
    check_line(tape, &act, "client 7 again at 1");
    free(tape);
}

TEST(nodes_get_other_names_in_every_command)
{
    static const struct {
        const char *before;
        const char *after;
    } cases[] = {
        {"crash 1 lose tail draw=1", "crash 3 lose tail draw=1"},
        {"restart 2", "restart 1"},
        {"propose at 1 set 1 2", "propose at 3 set 1 2"},
        {"change joining 3 remove 1 at 2", "change joining 2 remove 3 at 1"},
        {"transfer 3 at 1", "transfer 2 at 3"},
        {"disk 3 full 100", "disk 2 full 100"},
        {"get 1 at 2", "get 1 at 1"},
    };
    static const raft_id to[LINKS_NODES] = {0, 3, 1, 2};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tape *tape = empty();
        struct act act = {.kind = ACT_COMMAND};

        act.text = tape_text(tape, cases[i].before);
        tape_add(tape, &act);
        tape->sync_manual = 1u << 1;
        tape_rename(tape, to);
        check_line(tape, &tape->acts[0], cases[i].after);
        CHECK_EQ(tape->sync_manual, 1u << 3);
        free(tape);
    }
}

// ---- cutting down ---------------------------------------------------------------

// A tape that "fails" where it holds these acts, in this order.
static bool holds(const struct tape *tape, const uint32_t *needed, uint32_t count)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < tape->count && found < count; i++)
        found += tape->acts[i].client == needed[found];
    return found == count;
}

// A tape of acts 1 to `count`.
static struct tape *numbered_tape(uint32_t count)
{
    struct tape *tape = new_tape();
    struct world_config config;

    world_config_default(&config);
    tape_begin(tape, &config, NULL);
    for (uint32_t i = 1; i <= count; i++)
        tape_add(tape, &(struct act){.kind = ACT_TIMEOUT, .node = 1, .client = i});
    return tape;
}

// Shrinks it; returns how many tests it took.
static uint64_t shrink(const uint32_t *needed, uint32_t count, struct tape *best)
{
    struct tape *candidate = new_tape();
    struct shrink shrink;

    shrink_begin(&shrink, best, candidate, 0);
    while (shrink_next(&shrink))
        shrink_take(&shrink, holds(candidate, needed, count) ? candidate : NULL);
    free(candidate);
    return shrink.tests;
}

TEST(what_is_needed_is_what_is_left)
{
    static const uint32_t needed[] = {3, 77, 78, 201, 399};
    struct tape *best = numbered_tape(400);

    shrink(needed, 5, best);
    CHECK_EQ(best->count, 5);
    for (uint32_t i = 0; i < 5; i++)
        CHECK_EQ(best->acts[i].client, needed[i]);
    free(best);
}

TEST(the_same_tape_shrinks_to_the_same_in_as_many_tests)
{
    static const uint32_t needed[] = {10, 300};
    struct tape *one = numbered_tape(400), *two = numbered_tape(400);

    CHECK_EQ(shrink(needed, 2, one), shrink(needed, 2, two));
    CHECK(memcmp(one->acts, two->acts, one->count * sizeof(one->acts[0])) == 0);
    free(one);
    free(two);
}

// Two acts of which neither can go without the other.
TEST(a_pair_goes_together)
{
    struct tape *best = numbered_tape(20), *candidate = new_tape();
    struct shrink shrink;

    shrink_begin(&shrink, best, candidate, 0);
    while (shrink_next(&shrink)) {
        static const uint32_t seven[] = {7}, four[] = {4}, nine[] = {9};
        bool fails = holds(candidate, seven, 1) &&
                     holds(candidate, four, 1) == holds(candidate, nine, 1);

        shrink_take(&shrink, fails ? candidate : NULL);
    }
    CHECK_EQ(best->count, 1);
    CHECK_EQ(best->acts[0].client, 7);
    free(best);
    free(candidate);
}

TEST(work_has_a_bound)
{
    static const uint32_t needed[] = {1, 400};
    struct tape *best = numbered_tape(400), *candidate = new_tape();
    struct shrink shrink;

    shrink_begin(&shrink, best, candidate, 2000);
    while (shrink_next(&shrink))
        shrink_take(&shrink, holds(candidate, needed, 2) ? candidate : NULL);
    CHECK(shrink.work < 3000 && shrink.phase != SHRINK_OVER);
    free(best);
    free(candidate);
}

TEST(a_cluster_gets_smaller_and_keeps_its_members_in_order)
{
    struct tape *from = new_tape(), *to = new_tape();
    struct world_config config;
    uint32_t way = 0;

    world_config_default(&config);
    config.node_count = 5;
    config.member_count = 3;
    tape_begin(from, &config, NULL);
    tape_add(from, &(struct act){.kind = ACT_TIMEOUT, .node = 3});
    tape_add(from, &(struct act){.kind = ACT_TIMEOUT, .node = 5});
    for (; way < simplify_ways(); way++) {
        tape_begin(to, &from->config, from);
        if (simplify_make(way, 1, from, to) && to->config.node_count == 4)
            break;
    }
    CHECK(way < simplify_ways());
    CHECK_EQ(to->config.member_count, 2); // node 2 is gone
    CHECK_EQ(to->acts[0].node, 2);
    CHECK_EQ(to->acts[1].node, 4);
    free(from);
    free(to);
}

TEST(every_rule_has_a_sentence)
{
    for (uint32_t rule = 0; rule < PROPERTY_COUNT; rule++)
        CHECK(strcmp(story_rule((enum property)rule), "A rule of the checker.") != 0);
}

TEST_MAIN
