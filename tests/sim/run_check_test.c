// The self-check finds the very event at which two runs part.
#include "sim/run_check.h"
#include "tests/test.h"

static struct run_options options(void)
{
    struct run_options options;

    run_options_default(&options);
    options.seed = 11;
    options.duration_us = 2000000;
    options.faults = (1u << FAULT_COUNT) - 1;
    return options;
}

static struct world *open_world(void)
{
    struct run_options asked = options();
    struct run_result result;
    struct world *world = run_open(&asked, &result);

    CHECK(world != NULL);
    return world;
}

// Takes so many events; one more draw of the network's behind that one, 0: none.
static void take(struct world *world, uint64_t events, uint64_t disturbed)
{
    while (world->event_count < events && world_step(world))
        if (world->event_count == disturbed)
            random_u64(&world->links.random);
}

static void record(struct run_check *check, uint64_t events, uint64_t disturbed)
{
    struct world *world = open_world();

    world->watch = run_check_recorder(check);
    take(world, events, disturbed);
    CHECK_EQ(check->count, events);
    world_free(world);
}

TEST(two_runs_of_a_seed_differ_nowhere)
{
    struct run_options asked = options();
    struct run_result result;
    struct buffer out = {0};

    CHECK(run_check_execute(&asked, &result, &out));
    buffer_append(&out, "", 1);
    CHECK(strstr(out.data, "\"deterministic\":true") != NULL);
    CHECK(strstr(out.data, "difference") == NULL);
    buffer_free(&out);
}

TEST(the_first_event_that_differs_is_named)
{
    enum { EVENTS = 3000, DISTURBED = 1000 };
    struct run_check plain = {0}, disturbed = {0};
    uint64_t first = 0;

    record(&plain, EVENTS, 0);
    record(&disturbed, EVENTS, DISTURBED);
    while (first < EVENTS && memcmp(&plain.events[first], &disturbed.events[first],
                                    sizeof(plain.events[0])) == 0)
        first++;
    CHECK(first >= DISTURBED && first < EVENTS);

    struct world *world = open_world();
    world->watch = run_check_comparer(&plain);
    take(world, EVENTS, DISTURBED);
    CHECK(world->halted && plain.differs);
    CHECK_EQ(world->event_count, first + 1);
    CHECK_EQ(plain.compared, first + 1);
    CHECK_EQ(plain.other.mark, disturbed.events[first].mark);
    world_free(world);
    run_check_release(&plain);
    run_check_release(&disturbed);
}

TEST(a_run_that_goes_on_for_longer_differs_too)
{
    struct run_check check = {0};

    record(&check, 500, 0);
    struct world *world = open_world();
    world->watch = run_check_comparer(&check);
    take(world, 600, 0);
    CHECK(check.differs && check.compared == 501);
    world_free(world);
    run_check_release(&check);
}

TEST_MAIN
