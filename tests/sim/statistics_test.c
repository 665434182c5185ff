// Numbers of many trials: their order and their mean.
#include "sim/experiment/statistics.h"

#include "tests/test.h"

static struct statistics add(const uint64_t *values, uint32_t count)
{
    struct statistics statistics = {0};

    for (uint32_t i = 0; i < count; i++)
        statistics_add(&statistics, values[i]);
    statistics_sort(&statistics);
    return statistics;
}

TEST(a_percentile_is_one_of_the_numbers)
{
    static const uint64_t values[] = {40, 10, 30, 20};
    struct statistics four = add(values, 4);

    CHECK_EQ(statistics_percentile(&four, 0), 10);
    CHECK_EQ(statistics_percentile(&four, 25), 10);
    CHECK_EQ(statistics_percentile(&four, 26), 20);
    CHECK_EQ(statistics_percentile(&four, 50), 20);
    CHECK_EQ(statistics_percentile(&four, 75), 30);
    CHECK_EQ(statistics_percentile(&four, 99), 40);
    CHECK_EQ(statistics_percentile(&four, 100), 40);
    statistics_release(&four);
}

TEST(a_single_number_is_all_percentiles)
{
    static const uint64_t value = 7;
    struct statistics one = add(&value, 1);

    for (uint32_t percent = 0; percent <= 100; percent++)
        CHECK_EQ(statistics_percentile(&one, percent), 7);
    CHECK_EQ(statistics_mean(&one), 7);
    statistics_release(&one);
}

TEST(numbers_beyond_32_bits_are_ordered_too)
{
    static const uint64_t values[] = {UINT64_MAX, 1, (uint64_t)1 << 40, 0};
    struct statistics four = add(values, 4);

    CHECK_EQ(four.values[0], 0);
    CHECK_EQ(four.values[1], 1);
    CHECK_EQ(four.values[2], (uint64_t)1 << 40);
    CHECK_EQ(four.values[3], UINT64_MAX);
    statistics_release(&four);
}

TEST(a_thousand_numbers_have_their_mean)
{
    struct statistics thousand = {0};

    for (uint64_t i = 1; i <= 1000; i++)
        statistics_add(&thousand, i);
    CHECK_EQ(thousand.count, 1000);
    CHECK_EQ(statistics_mean(&thousand), 500); // 500.5, rounded down
    statistics_release(&thousand);
}

TEST_MAIN
