// The checker against a brute force, and on long histories.
#include "tests/sim/linearize_brute.h"

TEST(reads_and_writes_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 1,
                          .keys = 1,
                          .values = 3,
                          .kinds = {3, 3, 0, 0, 0, 0},
                          .pending_ppm = 150000};
    CHECK(compare_with_brute_force(&shape, 3000));
    shape.values = 100;
    CHECK(compare_with_brute_force(&shape, 2000));
}

TEST(many_concurrent_writes_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 6,
                          .operations = SMALL_MAX - 2,
                          .keys = 1,
                          .values = 2,
                          .kinds = {1, 3, 0, 0, 0, 0},
                          .pending_ppm = 50000};
    CHECK(compare_with_brute_force(&shape, 2000));
}

TEST(every_kind_of_operation_is_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 2,
                          .keys = 1,
                          .values = 2,
                          .kinds = {3, 2, 2, 1, 2, 2},
                          .pending_ppm = 150000,
                          .untold_ppm = 100000};
    CHECK(compare_with_brute_force(&shape, 6000));
}

TEST(conditional_writes_and_deletes_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 5,
                          .operations = SMALL_MAX - 2,
                          .keys = 1,
                          .values = 2,
                          .kinds = {1, 1, 3, 0, 0, 2},
                          .pending_ppm = 200000,
                          .untold_ppm = 300000};
    CHECK(compare_with_brute_force(&shape, 4000));
}

TEST(counters_and_appends_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 2,
                          .keys = 1,
                          .values = 2,
                          .kinds = {1, 0, 0, 2, 2, 0},
                          .pending_ppm = 250000,
                          .untold_ppm = 200000};
    CHECK(compare_with_brute_force(&shape, 4000));
}

TEST(transactions_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 2,
                          .keys = 2,
                          .values = 2,
                          .kinds = {3, 3, 0, 0, 0, 0, 3},
                          .pending_ppm = 150000};
    CHECK(compare_with_brute_force(&shape, 3000));
    shape.keys = KEYS_MAX;
    CHECK(compare_with_brute_force(&shape, 2000));
}

TEST(transactions_of_every_kind_are_judged_as_by_brute_force)
{
    struct shape shape = {.clients = 4,
                          .operations = SMALL_MAX - 2,
                          .keys = 2,
                          .values = 2,
                          .kinds = {3, 2, 2, 1, 1, 2, 4},
                          .pending_ppm = 200000,
                          .untold_ppm = 200000};
    CHECK(compare_with_brute_force(&shape, 4000));
    shape.keys = KEYS_MAX;
    CHECK(compare_with_brute_force(&shape, 3000));
    shape.clients = 6;
    shape.untold_ppm = 0;
    CHECK(compare_with_brute_force(&shape, 2000));
}

// ---- long histories and budgets -------------------------------------------------

static void judge_long(const struct shape *shape, uint64_t seed, bool spoil)
{
    struct random random;
    random_seed(&random, seed, 2);
    struct history history = {0};
    make_legal(&history, &random, shape);
    if (spoil) {
        // A read near the end of a value that nobody wrote.
        uint32_t index = history.count - 1;
        while (history.operations[index].kind != HISTORY_READ ||
               history.operations[index].outcome != HISTORY_OK) {
            index--;
        }
        history.operations[index].result = history_intern(&history, "?", 1);
    }
    struct linearize_result result;
    CHECK_TEXT(linearize_verdict_text(verdict_of(&history, &result)),
               spoil ? "no" : "yes");
    history_release(&history);
}

TEST(a_long_history_of_one_key_is_judged)
{
    struct shape shape = {.clients = 10,
                          .operations = 20000,
                          .keys = 1,
                          .values = 1000000,
                          .kinds = {1, 1, 0, 0, 0, 0}};
    judge_long(&shape, 1, false);
    judge_long(&shape, 1, true);
    shape.values = 5;
    judge_long(&shape, 2, false);
    judge_long(&shape, 2, true);
}

TEST(a_long_history_with_unanswered_writes_is_judged)
{
    struct shape shape = {.clients = 10,
                          .operations = 5000,
                          .keys = 1,
                          .values = 1000000,
                          .kinds = {1, 1, 0, 0, 0, 0},
                          .pending_ppm = 50000};
    judge_long(&shape, 3, false);
    judge_long(&shape, 3, true);
}

TEST(a_used_up_budget_is_unknown_and_never_yes)
{
    struct shape shape = {.clients = 5,
                          .operations = 2000,
                          .keys = 1,
                          .values = 9,
                          .kinds = {1, 1, 1, 0, 0, 0}};
    struct random random;
    random_seed(&random, 4, 2);
    struct history history = {0};
    make_legal(&history, &random, &shape);
    struct linearize_limits limits;
    linearize_limits_default(&limits);
    limits.steps_max = 100;
    struct linearize_result result;
    linearize_history(&history, &limits, &result);
    CHECK_EQ(result.verdict, LINEARIZE_UNKNOWN);
    CHECK_EQ(result.unknown, 1);
    CHECK(result.steps < 1000);
    history_release(&history);
}

TEST(a_hard_key_does_not_keep_a_bad_one_from_being_found)
{
    struct shape shape = {.clients = 5,
                          .operations = 10000,
                          .keys = 1,
                          .values = 5,
                          .kinds = {1, 1, 1, 0, 0, 0},
                          .pending_ppm = 40000};
    struct random random;
    random_seed(&random, 1, 2);
    struct history history = {0};
    make_legal(&history, &random, &shape);
    struct linearize_limits limits;
    linearize_limits_default(&limits);
    limits.steps_max = 4000000;
    struct linearize_result result;
    linearize_history(&history, &limits, &result);
    CHECK_EQ(result.verdict, LINEARIZE_UNKNOWN);
    struct history_operation read = {.key = history_intern(&history, "bad", 3)};
    history_return(&history, history_call(&history, &read, history.order), HISTORY_OK,
                   value_id(&history, 7), history.order);
    linearize_history(&history, &limits, &result);
    CHECK_EQ(result.verdict, LINEARIZE_NO);
    CHECK_EQ(result.key, read.key);
    CHECK(result.steps < limits.steps_max / 4);
    history_release(&history);
}

TEST(the_work_is_the_same_on_every_machine)
{
    struct shape shape = {.clients = 6,
                          .operations = 1000,
                          .keys = 1,
                          .values = 4,
                          .kinds = {3, 2, 2, 1, 0, 2},
                          .pending_ppm = 10000};
    struct random random;
    random_seed(&random, 5, 2);
    struct history history = {0};
    make_legal(&history, &random, &shape);
    struct linearize_result first, second;
    CHECK_EQ(verdict_of(&history, &first), LINEARIZE_YES);
    verdict_of(&history, &second);
    CHECK_EQ(first.steps, second.steps);
    CHECK_EQ(first.steps, 32319);
    history_release(&history);
}

TEST_MAIN
