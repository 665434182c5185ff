// Histories with many operations of unknown outcome, against a brute force.
#include "tests/sim/linearize_brute.h"

TEST(reads_among_unanswered_writes_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 1,
                          .keys = 1,
                          .values = 2,
                          .kinds = {3, 3, 0, 0, 0, 2},
                          .pending_ppm = 700000,
                          .untold_ppm = 100000};
    CHECK(compare_with_brute_force(&shape, 3000));
    shape.values = 100;
    CHECK(compare_with_brute_force(&shape, 2000));
}

TEST(unanswered_operations_of_every_kind_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 2,
                          .keys = 1,
                          .values = 2,
                          .kinds = {3, 2, 2, 2, 2, 2},
                          .pending_ppm = 600000,
                          .untold_ppm = 100000};
    CHECK(compare_with_brute_force(&shape, 6000));
    shape.pending_ppm = 800000;
    shape.clients = 6;
    CHECK(compare_with_brute_force(&shape, 4000));
}

TEST(unanswered_appends_and_deletes_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 2,
                          .keys = 1,
                          .values = 12,
                          .kinds = {3, 1, 1, 4, 0, 2},
                          .pending_ppm = 600000};
    CHECK(compare_with_brute_force(&shape, 6000));
}

TEST(unanswered_increments_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 1,
                          .keys = 1,
                          .values = 3,
                          .kinds = {2, 0, 0, 0, 5, 1},
                          .pending_ppm = 600000,
                          .untold_ppm = 50000};
    CHECK(compare_with_brute_force(&shape, 3000));
}

TEST(unanswered_transactions_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 2,
                          .keys = 2,
                          .values = 2,
                          .kinds = {3, 2, 1, 1, 1, 2, 4},
                          .pending_ppm = 600000,
                          .untold_ppm = 100000};
    CHECK(compare_with_brute_force(&shape, 5000));
    shape.keys = KEYS_MAX;
    shape.clients = 6;
    CHECK(compare_with_brute_force(&shape, 4000));
}

// Within a window, operations that returned later are pending, and yet told. Here the
// delete has to find something, which an answered write may have to stand before.
TEST(a_write_that_a_delete_found_is_not_taken_for_useless_in_a_window)
{
    static char text[] =
        "{\"client\":0,\"kind\":\"write\",\"key\":\"0\",\"value\":\"1\",\"call\":0,"
        "\"return\":4}\n"
        "{\"client\":1,\"kind\":\"cas\",\"key\":\"0\",\"expected\":null,\"value\":"
        "\"0\","
        "\"call\":1,\"return\":3,\"result\":1}\n"
        "{\"client\":2,\"kind\":\"delete\",\"key\":\"0\",\"call\":2,\"return\":13,"
        "\"result\":1}\n"
        "{\"client\":3,\"kind\":\"read\",\"key\":\"0\",\"call\":5,\"return\":8,"
        "\"result\":\"0\"}\n"
        "{\"client\":0,\"kind\":\"write\",\"key\":\"0\",\"value\":\"1\",\"call\":6,"
        "\"return\":10}\n"
        "{\"client\":1,\"kind\":\"incr\",\"key\":\"0\",\"by\":-1,\"call\":7,"
        "\"return\":11,\"result\":-2}\n"
        "{\"client\":4,\"kind\":\"cas\",\"key\":\"0\",\"expected\":\"0\",\"value\":"
        "\"1\","
        "\"call\":9,\"return\":12,\"result\":0}\n";
    struct history history = {0};
    struct linearize_result result;
    char error[128];
    FILE *file = fmemopen(text, strlen(text), "r");
    CHECK(history_read(&history, file, error, sizeof(error)));
    fclose(file);
    CHECK_EQ(verdict_of(&history, &result), LINEARIZE_NO);
    CHECK(window_shows(&history, &result, UINT32_MAX));
    history_release(&history);
}

// A correct store's history, one key, a few dozens of whose operations are never
// answered: open to its end, in every place of the order.
static uint64_t steps_of_long(const uint32_t *kinds, uint32_t pending_ppm,
                              uint64_t seed)
{
    struct shape shape = {.clients = 8,
                          .operations = 4000,
                          .keys = 1,
                          .values = 1000000,
                          .pending_ppm = pending_ppm};
    memcpy(shape.kinds, kinds, sizeof(shape.kinds));
    struct random random;
    random_seed(&random, seed, 3);
    struct history history = {0};
    make_legal(&history, &random, &shape);
    struct linearize_result result;
    CHECK_EQ(verdict_of(&history, &result), LINEARIZE_YES);
    history_release(&history);
    return result.steps;
}

// Without linearize_blur.c it is tens of times as many.
TEST(unanswered_operations_that_nobody_recognises_are_tried_in_one_order_only)
{
    static const uint32_t kinds[HISTORY_KIND_COUNT] = {7, 5, 2, 4, 0, 2};
    uint64_t steps = 0;
    for (uint64_t seed = 3; seed <= 5; seed++) {
        steps += steps_of_long(kinds, 8000, seed);
    }
    CHECK(steps < 8000000);
}

// Without linearize_sight.c it is 900,000.
TEST(unanswered_increments_are_tried_only_where_somebody_sees_them)
{
    static const uint32_t kinds[HISTORY_KIND_COUNT] = {4, 1, 0, 0, 6, 1};
    uint64_t steps = 0;
    for (uint64_t seed = 3; seed <= 5; seed++) {
        steps += steps_of_long(kinds, 1500, seed);
    }
    CHECK(steps < 600000);
}

TEST_MAIN
