// Histories whose verdict is known: what the checker is for.
#include "sim/linearize.h"

#include "tests/test.h"

static enum linearize_verdict verdict_of(const struct history *history,
                                         struct linearize_result *result)
{
    struct linearize_limits limits;
    linearize_limits_default(&limits);
    linearize_history(history, &limits, result);
    return result->verdict;
}

static struct history_operation asked(struct history *history, enum history_kind kind,
                                      const char *key, const char *value)
{
    struct history_operation operation = {.kind = (uint8_t)kind};
    operation.key = history_intern(history, key, strlen(key));
    operation.argument =
        value == NULL ? 0 : history_intern(history, value, strlen(value));
    return operation;
}

static uint32_t call(struct history *history, enum history_kind kind, const char *value)
{
    struct history_operation operation = asked(history, kind, "x", value);
    return history_call(history, &operation, history->order);
}

static void finish(struct history *history, uint32_t operation, int64_t result)
{
    history_return(history, operation, HISTORY_OK, result, history->order);
}

static uint32_t write_text(struct history *history, const char *value)
{
    uint32_t operation = call(history, HISTORY_WRITE, value);
    finish(history, operation, HISTORY_UNTOLD);
    return operation;
}

static uint32_t read_text(struct history *history, const char *value)
{
    uint32_t operation = call(history, HISTORY_READ, NULL);
    uint32_t id = value == NULL ? 0 : history_intern(history, value, strlen(value));
    finish(history, operation, id);
    return operation;
}

static void check_verdict(struct history *history, const char *verdict)
{
    struct linearize_result result;
    CHECK_TEXT(linearize_verdict_text(verdict_of(history, &result)), verdict);
    history_release(history);
}

TEST(an_empty_history_is_linearizable)
{
    struct history history = {0};
    check_verdict(&history, "yes");
}

TEST(a_stale_read_is_not_linearizable_and_is_named)
{
    struct history history = {0};
    write_text(&history, "0");
    uint32_t first = write_text(&history, "1");
    uint32_t second = write_text(&history, "2");
    uint32_t stale = read_text(&history, "1");
    struct linearize_result result;
    CHECK_EQ(verdict_of(&history, &result), LINEARIZE_NO);
    size_t size;
    const char *key = history_text(&history, result.key, &size);
    CHECK(size == 1 && key[0] == 'x');
    // The first write, too: a free one could have come after the second.
    CHECK_EQ(result.window_count, 3);
    CHECK_EQ(result.window[0], first);
    CHECK_EQ(result.window[1], second);
    CHECK_EQ(result.window[2], stale);
    CHECK_EQ(result.stuck, stale);
    CHECK_EQ(result.maker_count, 1);
    CHECK_EQ(result.makers[0], second);
    CHECK_EQ(result.ordered, 3);
    history_release(&history);
}

TEST(reads_concurrent_with_a_write_may_not_go_back)
{
    struct history history = {0};
    write_text(&history, "1");
    uint32_t second = call(&history, HISTORY_WRITE, "2");
    read_text(&history, "2");
    read_text(&history, "1");
    finish(&history, second, HISTORY_UNTOLD);
    check_verdict(&history, "no");
}

TEST(a_lost_update_is_not_linearizable)
{
    struct history history = {0};
    write_text(&history, "1");
    for (int i = 0; i < 2; i++) {
        struct history_operation cas = asked(&history, HISTORY_CAS, "x", "2");
        cas.expected = history_intern(&history, "1", 1);
        finish(&history, history_call(&history, &cas, history.order), 1);
    }
    check_verdict(&history, "no");
}

static uint32_t call_incr(struct history *history)
{
    struct history_operation incr = asked(history, HISTORY_INCR, "x", NULL);
    incr.argument = 1;
    return history_call(history, &incr, history->order);
}

TEST(an_increment_applied_twice_is_not_linearizable)
{
    struct history history = {0};
    finish(&history, call_incr(&history), 1);
    finish(&history, call_incr(&history), 3);
    check_verdict(&history, "no");
}

TEST(an_unanswered_increment_may_have_been_applied_once_only)
{
    struct history history = {0};
    call_incr(&history);
    finish(&history, call_incr(&history), 2);
    read_text(&history, "2");
    check_verdict(&history, "yes");
    call_incr(&history);
    finish(&history, call_incr(&history), 3);
    check_verdict(&history, "no");
}

TEST(a_failed_write_is_never_read)
{
    struct history history = {0};
    uint32_t failed = call(&history, HISTORY_WRITE, "1");
    history_return(&history, failed, HISTORY_FAILED, HISTORY_UNTOLD, history.order);
    read_text(&history, "1");
    check_verdict(&history, "no");
}

TEST(an_unanswered_write_may_take_effect_much_later_but_not_twice)
{
    struct history history = {0};
    call(&history, HISTORY_WRITE, "late");
    write_text(&history, "1");
    read_text(&history, "1");
    read_text(&history, "late");
    write_text(&history, "2");
    struct linearize_result result;
    CHECK_EQ(verdict_of(&history, &result), LINEARIZE_YES);
    read_text(&history, "late");
    check_verdict(&history, "no");
}

TEST(a_read_of_what_was_never_written_is_not_linearizable)
{
    struct history history = {0};
    write_text(&history, "1");
    read_text(&history, "7");
    check_verdict(&history, "no");
}

TEST(the_bad_key_is_found_among_good_ones)
{
    struct history history = {0};
    uint32_t bad = 0;
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%d", i);
        struct history_operation write = asked(&history, HISTORY_WRITE, key, "1");
        finish(&history, history_call(&history, &write, history.order), HISTORY_UNTOLD);
        struct history_operation read = asked(&history, HISTORY_READ, key, NULL);
        uint32_t number = history_call(&history, &read, history.order);
        finish(&history, number, i == 77 ? 0 : write.argument);
        bad = i == 77 ? read.key : bad;
    }
    struct linearize_result result;
    CHECK_EQ(verdict_of(&history, &result), LINEARIZE_NO);
    CHECK_EQ(result.key, bad);
    CHECK_EQ(result.keys, 200);
    history_release(&history);
}

// ---- transactions -----------------------------------------------------------------

static struct history_part part_of(struct history *history, enum history_kind kind,
                                   const char *key, const char *value)
{
    struct history_operation operation = asked(history, kind, key, value);
    return history_whole(&operation);
}

// Reads x and y at once.
static void read_both(struct history *history, const char *x, const char *y)
{
    const char *values[] = {x, y};
    struct history_part parts[] = {part_of(history, HISTORY_READ, "x", NULL),
                                   part_of(history, HISTORY_READ, "y", NULL)};
    uint32_t number = history_call_txn(history, 1, parts, 2, history->order);
    for (uint32_t i = 0; i < 2; i++) {
        history_tell(history, number, i,
                     values[i] == NULL ? HISTORY_ABSENT
                                       : history_intern(history, values[i], 1));
    }
    finish(history, number, HISTORY_UNTOLD);
}

static uint32_t call_write(struct history *history, const char *key, const char *value)
{
    struct history_operation write = asked(history, HISTORY_WRITE, key, value);
    return history_call(history, &write, history->order);
}

TEST(keys_that_are_fine_alone_may_not_be_together)
{
    for (int joined = 0; joined < 2; joined++) {
        struct history history = {0};
        uint32_t first = call_write(&history, "x", "1");
        uint32_t second = call_write(&history, "y", "1");
        read_both(&history, "1", NULL);
        read_both(&history, joined ? NULL : "1", "1");
        finish(&history, first, HISTORY_UNTOLD);
        finish(&history, second, HISTORY_UNTOLD);
        check_verdict(&history, joined ? "no" : "yes");
    }
}

TEST(a_transaction_may_be_the_first_to_see_two_writes)
{
    for (int answered = 0; answered < 2; answered++) {
        struct history history = {0};
        uint32_t first = call_write(&history, "x", "1");
        uint32_t second = call_write(&history, "y", "1");
        read_both(&history, "1", "1");
        if (answered) {
            finish(&history, first, HISTORY_UNTOLD);
            finish(&history, second, HISTORY_UNTOLD);
        }
        check_verdict(&history, "yes");
    }
}

TEST(what_a_delete_of_two_keys_found_may_be_a_write_without_an_answer)
{
    for (int found = 0; found < 3; found++) {
        struct history history = {0};
        call_write(&history, "x", "1");
        struct history_part parts[] = {part_of(&history, HISTORY_DELETE, "x", NULL),
                                       part_of(&history, HISTORY_DELETE, "y", NULL)};
        uint32_t number = history_call_txn(&history, 1, parts, 2, history.order);
        finish(&history, number, found);
        check_verdict(&history, found < 2 ? "yes" : "no");
    }
}

TEST(a_delete_that_may_have_been_between_is_in_the_window)
{
    // "2" alone can be read again only after a delete; there is but one, before.
    struct history history = {0};
    struct history_operation drop = asked(&history, HISTORY_DELETE, "x", NULL);
    uint32_t deleted = history_call(&history, &drop, history.order);
    finish(&history, deleted, 0);
    write_text(&history, "1");
    uint32_t append = call(&history, HISTORY_APPEND, "2");
    finish(&history, append, 2);
    read_text(&history, "2");
    struct linearize_result result;
    CHECK_EQ(verdict_of(&history, &result), LINEARIZE_NO);
    bool named = false;
    for (uint32_t i = 0; i < result.window_count; i++) {
        named |= result.window[i] == append || result.window[i] == deleted;
    }
    CHECK(named);
    history_release(&history);
}

TEST_MAIN
