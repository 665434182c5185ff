// Monotonic clocks: rates, jumps, and the way back to the world's time.
#include "sim/node_clock.h"

#include "tests/test.h"

TEST(a_true_clock_shows_the_worlds_time_from_where_it_started)
{
    struct node_clock clock = {0, 5000, NODE_CLOCK_TRUE_PPM};

    CHECK_EQ(node_clock_us(&clock, 0), 5000);
    CHECK_EQ(node_clock_us(&clock, 70), 5070);
    CHECK_EQ(node_clock_world_us(&clock, 5070), 70);
}

TEST(a_fast_clock_shows_more_time_and_its_deadlines_come_sooner)
{
    struct node_clock clock = {0, 0, NODE_CLOCK_TRUE_PPM};

    node_clock_set_rate(&clock, 1000, 1500000);
    CHECK_EQ(node_clock_us(&clock, 1000), 1000);
    CHECK_EQ(node_clock_us(&clock, 3000), 4000);
    CHECK_EQ(node_clock_world_us(&clock, 4000), 3000);
}

TEST(a_jump_goes_ahead_and_the_rate_stays)
{
    struct node_clock clock = {0, 0, 1100000};

    node_clock_jump(&clock, 1000, 500);
    CHECK_EQ(node_clock_us(&clock, 1000), 1600);
    CHECK_EQ(node_clock_us(&clock, 2000), 2700);
}

TEST(a_clock_never_goes_back_whatever_is_done_to_it)
{
    struct node_clock clock = {0, 0, NODE_CLOCK_TRUE_PPM};
    uint64_t last_us = 0;

    for (uint64_t world_us = 0; world_us < 100000; world_us += 37) {
        uint64_t now_us;

        if (world_us % 5 == 0)
            node_clock_set_rate(&clock, world_us, 600001 + (uint32_t)world_us * 7);
        now_us = node_clock_us(&clock, world_us);
        CHECK(now_us >= last_us);
        last_us = now_us;
    }
}

TEST(the_world_time_of_a_deadline_is_the_first_at_which_it_has_come)
{
    for (uint32_t rate_ppm = 300000; rate_ppm < 2000000; rate_ppm += 123457) {
        struct node_clock clock = {0, 0, rate_ppm};

        for (uint64_t shown_us = 1; shown_us < 5000; shown_us += 77) {
            uint64_t world_us = node_clock_world_us(&clock, shown_us);

            CHECK(node_clock_us(&clock, world_us) >= shown_us);
            CHECK(node_clock_us(&clock, world_us - 1) < shown_us);
        }
    }
}

TEST(a_deadline_that_never_comes_stays_far_away)
{
    struct node_clock clock = {0, (uint64_t)1 << 42, NODE_CLOCK_TRUE_PPM};

    CHECK_EQ(node_clock_world_us(&clock, UINT64_MAX), UINT64_MAX);
    CHECK_EQ(node_clock_world_us(&clock, 17), 0); // long past: at once
}

TEST_MAIN
