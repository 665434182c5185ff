// Golden values tie all compilers together; the rest are bounds that hold for any seed.
#include "sim/random.h"

#include "tests/test.h"

TEST(the_numbers_are_the_same_on_every_compiler)
{
    struct random random;
    random_seed(&random, 7, 1);
    uint64_t drawn[3];
    for (int i = 0; i < 3; i++) {
        drawn[i] = random_u64(&random);
    }
    CHECK_EQ(drawn[0], UINT64_C(13311793485859883882));
    CHECK_EQ(drawn[1], UINT64_C(4129199527191442476));
    CHECK_EQ(drawn[2], UINT64_C(10665252063613613709));
    CHECK_EQ(random_below(&random, 1000000), 465801);
    CHECK_EQ(random_between(&random, 100, 199), 162);
    CHECK_EQ(random_delay(&random, 1000000), 1555938);
    uint64_t sum = 0;
    for (int i = 0; i < 100000; i++) {
        sum = sum * 31 + random_delay(&random, 5000);
        sum += random_chance(&random, 300000);
    }
    CHECK_EQ(sum, UINT64_C(6676243454803534773));
}

TEST(the_generator_is_xoshiro256_star_star)
{
    // The state 1 2 3 4 and what its authors' program prints for it.
    struct random random = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(random_u64(&random), expected[i]);
    }
}

TEST(drawing_from_one_stream_does_not_change_another)
{
    struct random first, second, alone;
    random_seed(&first, 42, 1);
    random_seed(&second, 42, 2);
    random_seed(&alone, 42, 2);
    for (int i = 0; i < 1000; i++) {
        for (int more = i % 3; more >= 0; more--) {
            random_u64(&first);
        }
        CHECK_EQ(random_u64(&second), random_u64(&alone));
    }
}

TEST(streams_and_seeds_give_different_numbers)
{
    uint64_t drawn[64];
    for (uint64_t i = 0; i < 64; i++) {
        struct random random;
        random_seed(&random, i / 8, i % 8);
        drawn[i] = random_u64(&random);
        for (uint64_t j = 0; j < i; j++) {
            CHECK(drawn[i] != drawn[j]);
        }
    }
}

TEST(a_number_below_a_limit_is_below_it_and_every_one_comes)
{
    struct random random;
    random_seed(&random, 1, 1);
    uint32_t seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t drawn = random_below(&random, 7);
        CHECK(drawn < 7);
        seen[drawn]++;
    }
    for (int i = 0; i < 7; i++) {
        CHECK(seen[i] > 9500 && seen[i] < 10500);
    }
    // Two thirds of 2^64: a plain remainder would make the lower half twice as likely.
    uint64_t limit = UINT64_MAX / 3 * 2;
    uint32_t low = 0;
    for (int i = 0; i < 10000; i++) {
        low += random_below(&random, limit) < limit / 2;
    }
    CHECK(low > 4800 && low < 5200);
}

TEST(a_range_includes_both_of_its_ends)
{
    struct random random;
    random_seed(&random, 2, 1);
    bool low = false, high = false;
    for (int i = 0; i < 200; i++) {
        uint64_t drawn = random_between(&random, 5, 8);
        CHECK(drawn >= 5 && drawn <= 8);
        low |= drawn == 5;
        high |= drawn == 8;
    }
    CHECK(low && high);
    CHECK_EQ(random_between(&random, 9, 9), 9);
    random_between(&random, 0, UINT64_MAX);
}

TEST(a_chance_is_kept_and_draws_once_whatever_it_is)
{
    struct random random, twin;
    random_seed(&random, 3, 1);
    twin = random;
    uint32_t hits = 0;
    for (int i = 0; i < 100000; i++) {
        hits += random_chance(&random, 250000);
        CHECK(!random_chance(&random, 0));
        CHECK(random_chance(&random, RANDOM_CERTAIN_PPM));
        for (int draw = 0; draw < 3; draw++) {
            random_u64(&twin);
        }
    }
    CHECK(hits > 24500 && hits < 25500);
    CHECK_EQ(random_u64(&random), random_u64(&twin));
}

TEST(delays_have_their_mean_and_most_are_short)
{
    struct random random;
    random_seed(&random, 4, 1);
    uint64_t sum = 0;
    uint32_t shorter = 0, longer = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t delay = random_delay(&random, 10000);
        CHECK(delay < 450000);
        sum += delay;
        shorter += delay < 6931; // the median, ln 2 of the mean
        longer += delay > 30000; // e^-3, about 1 in 20
    }
    CHECK(sum / 100000 > 9900 && sum / 100000 < 10100);
    CHECK(shorter > 49000 && shorter < 51000);
    CHECK(longer > 4700 && longer < 5300);
    CHECK_EQ(random_delay(&random, 0), 0);
}

TEST_MAIN
