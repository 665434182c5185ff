// Timelines: written down from a run on the clock, played again, cut down.
#include "sim/language/language.h"
#include "sim/run.h"
#include "sim/shrink/timeline_play.h"
#include "sim/shrink/timeline_record.h"
#include "sim/shrink/timeline_shrink.h"
#include "tests/test.h"

enum { DURATION_US = 2000000 };

static struct timeline *new_timeline(void)
{
    struct timeline *timeline = calloc(1, sizeof(*timeline));

    CHECK(timeline != NULL);
    return timeline;
}

static void told(void *context, struct world *world, const struct deed *deed)
{
    timeline_record_told(context, world, deed);
}

static bool seen(void *context, struct world *world, const struct heap_event *event)
{
    timeline_record_seen(context, world, event);
    return true;
}

// Two seconds under these faults, written down; the world as it is then.
static struct world *record(uint64_t seed, uint32_t faults, struct timeline *timeline)
{
    static struct timeline_record record; // the watch's, while the world lives
    struct run_options options;
    struct run_result result;
    struct world *world;

    run_options_default(&options);
    options.seed = seed;
    options.faults = faults;
    options.duration_us = DURATION_US;
    world = run_open(&options, &result);
    CHECK(world != NULL);
    timeline_record_begin(&record, world, timeline);
    world->watch = (struct world_watch){&record, seen, told};
    CHECK(world_run_until(world, DURATION_US));
    CHECK(!timeline->full);
    return world;
}

// The timeline's lines, one after another, as a scenario has them.
static void say_all(struct language *language, const struct timeline *timeline)
{
    struct buffer line = {0}, answer = {0};

    timeline_cluster(timeline, &line);
    if (!language_execute(language, line.data, line.size, &answer))
        test_fail(__FILE__, __LINE__, "%.*s: %s", (int)line.size, line.data,
                  language->error);
    for (uint32_t i = 0; i < timeline->count; i++) {
        buffer_clear(&line);
        timeline_write(timeline, &timeline->lines[i], &line);
        // A node may refuse, as it did on the clock.
        language_execute(language, line.data, line.size, &answer);
    }
    world_run_until(language->world, DURATION_US);
    buffer_free(&line);
    buffer_free(&answer);
}

static bool are_equal(const struct world *one, const struct world *other)
{
    for (raft_id id = 1; id <= one->config.node_count; id++) {
        const struct node *a = &one->nodes[id], *b = &other->nodes[id];

        if (a->up != b->up ||
            (a->up && (a->view.current_term != b->view.current_term ||
                       a->view.last_index != b->view.last_index ||
                       service_hash(a->service) != service_hash(b->service))))
            return false;
    }
    return one->links.sent == other->links.sent;
}

static bool is_the_same_run(uint64_t seed, uint32_t faults)
{
    struct timeline *timeline = new_timeline();
    struct world *world = record(seed, faults, timeline);
    struct language language;
    bool same;

    language_init(&language);
    say_all(&language, timeline);
    same = are_equal(world, language.world);
    world_free(world);
    language_release(&language);
    free(timeline);
    return same;
}

TEST(a_run_that_is_said_again_line_by_line_is_the_same_run)
{
    for (uint32_t kind = 0; kind < FAULT_COUNT; kind++)
        for (uint64_t seed = 1; seed <= 3; seed++)
            if (!is_the_same_run(seed, 1u << kind))
                test_fail(__FILE__, __LINE__, "%s of seed %" PRIu64,
                          faults_text((enum fault)kind), seed);
    for (uint64_t seed = 1; seed <= 10; seed++)
        CHECK(is_the_same_run(seed, (1u << FAULT_COUNT) - 1));
}

// ---- playing --------------------------------------------------------------------

static void add_lines(struct timeline *timeline, const char *const *lines,
                      const uint64_t *times_us, uint32_t count)
{
    timeline_begin(timeline, NULL);
    world_config_default(&timeline->config);
    timeline->clients = 0;
    timeline->keys = 1;
    for (uint32_t i = 0; i < count; i++)
        timeline_add(timeline, times_us[i], lines[i]);
}

TEST(what_is_refused_is_left_out)
{
    static const char *const lines[] = {"crash 2", "crash 2", "crash 7", "restart 2",
                                        "settle",  "probe",   "check"};
    static const uint64_t times_us[] = {100000, 200000,        250000,       300000,
                                        400000, TIMELINE_NEXT, TIMELINE_NEXT};
    struct timeline *timeline = new_timeline(), *played = new_timeline();
    struct timeline_play_options options = {.story = NULL};
    struct violation violation;
    struct buffer text = {0};
    uint64_t events;

    add_lines(timeline, lines, times_us, 7);
    CHECK(!timeline_play(timeline, &options, played, &violation, &events));
    CHECK(events > 0);
    CHECK_EQ(played->count, 5);
    for (uint32_t i = 0; i < played->count; i++) {
        timeline_write(played, &played->lines[i], &text);
        buffer_append_text(&text, "\n");
    }
    buffer_append(&text, "", 1);
    CHECK_TEXT(text.data,
              "at 100ms crash 2\nat 300ms restart 2\nat 400ms settle\nprobe\ncheck\n");
    buffer_free(&text);
    free(timeline);
    free(played);
}

TEST(nobody_waits_for_the_rest_of_a_cluster_that_cannot_decide)
{
    static const char *const lines[] = {"disk 1 lost", "disk 2 lost", "settle"};
    static const uint64_t times_us[] = {100000, 200000, 300000};
    struct timeline *timeline = new_timeline(), *played = new_timeline();
    struct timeline_play_options options = {.story = NULL};
    struct violation violation;
    uint64_t events;

    add_lines(timeline, lines, times_us, 3);
    CHECK(!timeline_play(timeline, &options, played, &violation, &events));
    CHECK_EQ(played->count, 2);
    free(timeline);
    free(played);
}

TEST(a_timeline_is_taped_act_by_act)
{
    static const char *const lines[] = {"propose set x 1", "crash 3 inside 2 lose all",
                                        "propose set x 2", "restart 3"};
    static const uint64_t times_us[] = {500000, 500000, 600000, 700000};
    struct timeline *timeline = new_timeline(), *played = new_timeline();
    struct tape *tape = calloc(1, sizeof(*tape));
    struct timeline_play_options options = {.tape = tape};
    struct violation violation;
    bool crash = false, propose = false, restart = false;
    uint64_t events;

    CHECK(tape != NULL);
    add_lines(timeline, lines, times_us, 4);
    timeline->end_us = 1000000;
    CHECK(!timeline_play(timeline, &options, played, &violation, &events));
    CHECK_EQ(played->count, 4);
    for (uint32_t i = 0; i < tape->count; i++) {
        const char *text = tape->texts + tape->acts[i].text;

        if (tape->acts[i].kind != ACT_COMMAND)
            continue;
        crash |= strcmp(text, "crash 3 inside 2 lose all") == 0 && !restart;
        propose |= strncmp(text, "propose at ", 11) == 0;
        restart |= strcmp(text, "restart 3") == 0;
    }
    CHECK(crash && propose && restart);
    free(timeline);
    free(played);
    free(tape);
}

// ---- cutting down ---------------------------------------------------------------

// Instead of a world: it fails with both of these lines, a second apart at least.
static bool fails(const struct timeline *timeline)
{
    uint64_t cut_us = UINT64_MAX;

    for (uint32_t i = 0; i < timeline->count; i++) {
        const char *text = timeline->texts + timeline->lines[i].text;

        if (strcmp(text, "cut 1 2") == 0)
            cut_us = timeline->lines[i].at_us;
        if (strcmp(text, "settle") == 0 && cut_us != UINT64_MAX)
            return timeline->lines[i].at_us >= cut_us + 1000000;
    }
    return false;
}

TEST(what_is_needed_is_what_is_left_at_round_times)
{
    struct timeline *timeline = new_timeline(), *candidate = new_timeline();
    struct timeline_shrink shrink;
    struct buffer text = {0};
    char line[40];

    add_lines(timeline, NULL, NULL, 0);
    timeline->config.member_count = timeline->config.node_count = 5;
    timeline->config.snapshot_entries = 7;
    timeline->clients = 5;
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(line, sizeof(line), "crash %u", (unsigned)i % 5 + 1);
        timeline_add(timeline, 100001 * (i + 1), i == 17 ? "cut 1 2" : line);
    }
    timeline_add(timeline, 5000003, "settle");
    timeline_shrink_begin(&shrink, timeline, candidate, 100000000);
    while (timeline_shrink_next(&shrink))
        timeline_shrink_take(&shrink, fails(candidate) ? candidate : NULL, 1000);
    CHECK(shrink.over);
    CHECK_EQ(timeline->count, 2);
    CHECK_EQ(timeline->clients, 0);
    CHECK_EQ(timeline->config.node_count, 1);
    timeline_write(timeline, &timeline->lines[0], &text);
    buffer_append_text(&text, "; ");
    timeline_write(timeline, &timeline->lines[1], &text);
    buffer_append(&text, "", 1);
    CHECK_TEXT(text.data, "at 0s cut 1 2; at 1s settle");
    buffer_free(&text);
    free(timeline);
    free(candidate);
}

TEST(the_work_on_a_timeline_has_a_bound)
{
    struct timeline *timeline = new_timeline(), *candidate = new_timeline();
    struct timeline_shrink shrink;
    uint32_t tests = 0;

    add_lines(timeline, NULL, NULL, 0);
    for (uint32_t i = 0; i < 100; i++)
        timeline_add(timeline, 1000 * i, "heal");
    timeline_shrink_begin(&shrink, timeline, candidate, 100000);
    while (timeline_shrink_next(&shrink)) {
        timeline_shrink_take(&shrink, NULL, 8000);
        tests++;
    }
    CHECK(!shrink.over);
    CHECK_EQ(tests, 10);
    free(timeline);
    free(candidate);
}

TEST_MAIN
