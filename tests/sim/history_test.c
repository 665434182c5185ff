// Histories: recording, and the way to text and back.
#include "sim/history/history.h"

#include "sim/random.h"
#include "tests/test.h"

static struct history_operation asked(struct history *history, enum history_kind kind,
                                      const char *key)
{
    return (struct history_operation){.kind = (uint8_t)kind,
                                      .key = history_intern(history, key, strlen(key))};
}

static char *to_text(const struct history *history)
{
    static char text[1 << 16];
    FILE *file = fmemopen(text, sizeof(text), "w");
    CHECK(file != NULL);
    history_write(history, file);
    fclose(file);
    return text;
}

static bool from_text(struct history *history, const char *text, char *error)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    CHECK(file != NULL);
    bool good = history_read(history, file, error, 128);
    fclose(file);
    return good;
}

TEST(equal_strings_have_one_id_and_different_ones_their_own)
{
    struct history history = {0};
    uint32_t ids[1000];
    for (int i = 0; i < 1000; i++) {
        char text[16];
        int size = snprintf(text, sizeof(text), "value%d", i);
        ids[i] = history_intern(&history, text, (size_t)size);
        CHECK_EQ(history_intern(&history, text, (size_t)size), ids[i]);
        CHECK(ids[i] != 0 && (i == 0 || ids[i] > ids[i - 1]));
    }
    uint32_t empty = history_intern(&history, "", 0);
    CHECK(empty != HISTORY_ABSENT);
    size_t size;
    const char *text = history_text(&history, ids[7], &size);
    CHECK(size == 6 && memcmp(text, "value7", 6) == 0);
    history_text(&history, empty, &size);
    CHECK_EQ(size, 0);
    history_release(&history);
}

TEST(calls_and_returns_are_ordered_as_they_happen)
{
    struct history history = {0};
    struct history_operation read = asked(&history, HISTORY_READ, "x");
    uint32_t first = history_call(&history, &read, 5);
    uint32_t second = history_call(&history, &read, 5);
    history_return(&history, second, HISTORY_OK, HISTORY_ABSENT, 5);
    const struct history_operation *operations = history.operations;
    CHECK_EQ(operations[first].call_order, 0);
    CHECK_EQ(operations[second].call_order, 1);
    CHECK_EQ(operations[second].return_order, 2);
    CHECK_EQ(operations[first].return_order, HISTORY_NEVER);
    CHECK_EQ(operations[first].outcome, HISTORY_PENDING);
    history_release(&history);
}

TEST(the_text_form_is_as_documented)
{
    struct history history = {0};
    struct history_operation cas = asked(&history, HISTORY_CAS, "a\"\n\xff");
    cas.client = 3;
    cas.expected = HISTORY_ABSENT;
    cas.argument = history_intern(&history, "v", 1);
    history_return(&history, history_call(&history, &cas, 10), HISTORY_OK, 0, 12);
    struct history_operation read = asked(&history, HISTORY_READ, "k");
    history_return(&history, history_call(&history, &read, 13), HISTORY_OK,
                   HISTORY_ABSENT, 14);
    struct history_operation incr = asked(&history, HISTORY_INCR, "k");
    incr.argument = -2;
    history_call(&history, &incr, 15);
    CHECK_TEXT(to_text(&history),
               "{\"client\":3,\"kind\":\"cas\",\"key\":\"a\\\"\\u000a\\u00ff\","
               "\"expected\":null,\"value\":\"v\",\"call\":10,\"return\":12,"
               "\"result\":0,\"from\":0,\"to\":1}\n"
               "{\"client\":0,\"kind\":\"read\",\"key\":\"k\",\"call\":13,"
               "\"return\":14,\"result\":null,\"from\":2,\"to\":3}\n"
               "{\"client\":0,\"kind\":\"incr\",\"key\":\"k\",\"by\":-2,"
               "\"call\":15,\"outcome\":\"pending\",\"from\":4}\n");
    history_release(&history);
}

// A value of any bytes, zero among them.
static uint32_t draw_value(struct history *history, struct random *random)
{
    unsigned char bytes[3];
    uint64_t size = random_below(random, 4);
    for (uint64_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)random_below(random, 256);
    }
    return history_intern(history, bytes, size);
}

static struct history_part draw_part(struct history *history, struct random *random)
{
    enum history_kind kind = (enum history_kind)random_below(random, HISTORY_TXN);
    struct history_part part = {.kind = (uint8_t)kind};
    part.key = draw_value(history, random);
    if (kind == HISTORY_INCR) {
        part.argument = (int64_t)random_u64(random) / 2;
    } else if (kind == HISTORY_WRITE || kind == HISTORY_CAS || kind == HISTORY_APPEND) {
        part.argument = draw_value(history, random);
        part.expected = kind == HISTORY_CAS ? draw_value(history, random) : 0;
    }
    part.result = HISTORY_UNTOLD;
    if (kind == HISTORY_READ) {
        part.result = draw_value(history, random);
    } else if (kind != HISTORY_WRITE) {
        part.result = (int64_t)random_below(random, 1000) - 10;
    }
    return part;
}

static void add_random(struct history *history, struct random *random)
{
    struct history_part parts[3];
    uint64_t count = random_between(random, 1, 3);
    uint64_t client = random_below(random, 9);
    enum history_outcome outcome =
        (enum history_outcome)random_below(random, HISTORY_OUTCOME_COUNT);
    uint32_t number;
    for (uint64_t i = 0; i < count; i++) {
        parts[i] = draw_part(history, random);
    }
    if (count == 1) {
        struct history_operation operation = {.client = (uint32_t)client,
                                              .kind = parts[0].kind,
                                              .key = parts[0].key,
                                              .argument = parts[0].argument,
                                              .expected = parts[0].expected};
        number = history_call(history, &operation, history->order);
        history_return(history, number, outcome, parts[0].result, history->order);
        return;
    }
    number = history_call_txn(history, (uint32_t)client, parts, (uint32_t)count,
                              history->order);
    for (uint32_t i = 0; i < count && outcome == HISTORY_OK; i++) {
        history_tell(history, number, i, parts[i].result);
    }
    history_return(history, number, outcome, HISTORY_UNTOLD, history->order);
}

TEST(every_history_comes_back_from_its_text)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct history history = {0}, again = {0};
        struct random random;
        char error[128] = "";
        random_seed(&random, seed, 1);
        for (int i = 0; i < 50; i++) {
            add_random(&history, &random);
        }
        char *text = strdup(to_text(&history));
        CHECK(from_text(&again, text, error));
        CHECK_TEXT(error, "");
        CHECK_TEXT(to_text(&again), text);
        CHECK_EQ(again.order, history.order);
        free(text);
        history_release(&history);
        history_release(&again);
    }
}

TEST(without_an_order_times_decide_and_equal_times_are_concurrent)
{
    struct history history = {0};
    char error[128];
    CHECK(from_text(&history,
                    "{\"kind\":\"read\",\"key\":\"k\",\"call\":20,\"return\":30}\n"
                    "\n"
                    "{\"kind\":\"read\",\"key\":\"k\",\"call\":10,\"return\":20}\n",
                    error));
    CHECK_EQ(history.count, 2);
    const struct history_operation *operations = history.operations;
    CHECK_EQ(operations[0].call_us, 10);
    CHECK_EQ(operations[0].call_order, 0);
    CHECK_EQ(operations[1].call_order, 1);
    CHECK_EQ(operations[0].return_order, 2);
    CHECK_EQ(operations[1].return_order, 3);
    history_release(&history);
}

TEST(a_transaction_has_parts_and_a_count_of_what_its_deletes_found)
{
    static const char line[] =
        "{\"client\":1,\"kind\":\"txn\",\"ops\":["
        "{\"kind\":\"cas\",\"key\":\"x\",\"expected\":null,\"value\":\"1\",\"result\":"
        "1},"
        "{\"kind\":\"read\",\"key\":\"y\",\"result\":\"7\"},{\"kind\":\"delete\","
        "\"key\":\"z\"}],"
        "\"call\":3,\"return\":5,\"result\":1,\"from\":0,\"to\":1}\n";
    struct history history = {0};
    char error[128];
    CHECK(from_text(&history, line, error));
    const struct history_operation *txn = &history.operations[0];
    CHECK_EQ(txn->kind, HISTORY_TXN);
    CHECK_EQ(txn->part_count, 3);
    CHECK_EQ(txn->result, 1);
    CHECK_EQ(history.parts[txn->first_part].result, 1);
    CHECK(history.parts[txn->first_part + 2].result == HISTORY_UNTOLD);
    CHECK_TEXT(to_text(&history), line);
    history_release(&history);
}

TEST(a_line_that_is_no_operation_is_refused_with_its_number)
{
    static const char *const cases[][2] = {
        {"x", "line 1: not an object"},
        {"{}", "line 1: a string is missing"},
        {"{\"kind\":\"read\",\"key\":\"k\",\"call\":1,\"return\":2} x",
         "line 1: something after the object"},
        {"{\"kind\":\"read\",\"key\":\"k\",\"call\":1,\"return\":2",
         "line 1: the object does not end"},
        {"\n{\"kind\":\"swap\"}", "line 2: an unknown kind"},
        {"{\"kind\":\"read\",\"kind\":\"read\"}",
         "line 1: an unknown or repeated field"},
        {"{\"kind\":\"read\",\"key\":\"k\",\"call\":2,\"return\":1}",
         "line 1: the return does not fit the outcome"},
        {"{\"kind\":\"read\",\"key\":\"k\",\"call\":2}",
         "line 1: the return does not fit the outcome"},
        {"{\"kind\":\"write\",\"key\":\"k\",\"call\":1,\"return\":2}",
         "line 1: the arguments do not fit the kind"},
        {"{\"kind\":\"incr\",\"key\":\"k\",\"by\":99999999999999999999}",
         "line 1: a number out of range"},
        {"{\"kind\":\"incr\",\"key\":\"k\",\"by\":9223372036854775808}",
         "line 1: a number out of range"},
        {"{\"kind\":\"read\",\"key\":\"\\u1234\"}",
         "line 1: an unknown escape in a string"},
        {"{\"kind\":\"read\",\"key\":\"k", "line 1: a string without its end"},
        {"{\"kind\":\"read\",\"key\":\"k\\", "line 1: an unknown escape in a string"},
        {"{\"kind\":\"read\",\"key\":\"k\",\"call\":1,\"return\":2,\"result\":1}",
         "line 1: a result that does not fit the kind"},
        {"{\"kind\":\"delete\",\"key\":\"k\",\"call\":1,\"return\":2,"
         "\"outcome\":\"failed\",\"result\":1}",
         "line 1: a result where there is none"},
        {"{\"kind\":\"read\",\"call\":1,\"return\":2}",
         "line 1: kind, key or call is missing"},
        {"{\"kind\":\"txn\",\"call\":1,\"return\":2}",
         "line 1: the arguments do not fit the kind"},
        {"{\"kind\":\"txn\",\"ops\":[],\"call\":1,\"return\":2}",
         "line 1: not an object"},
        {"{\"kind\":\"txn\",\"ops\":[{\"kind\":\"txn\",\"key\":\"k\"}]}",
         "line 1: kind or key is missing, or a transaction in another"},
        {"{\"kind\":\"txn\",\"ops\":[{\"kind\":\"read\",\"call\":1}]}",
         "line 1: a field that no part of a transaction has"},
        {"{\"kind\":\"txn\",\"ops\":[{\"kind\":\"read\",\"key\":\"k\"}",
         "line 1: the array does not end"},
        {"{\"kind\":\"txn\",\"ops\":[{\"kind\":\"read\",\"key\":\"k\",\"result\":null}]"
         ","
         "\"call\":1,\"outcome\":\"pending\"}",
         "line 1: a result where there is none"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct history history = {0};
        char error[128] = "";
        CHECK(!from_text(&history, cases[i][0], error));
        CHECK_TEXT(error, cases[i][1]);
        history_release(&history);
    }
}

TEST(a_million_operations_are_kept)
{
    struct history history = {0};
    struct history_operation read = asked(&history, HISTORY_READ, "x");
    for (uint32_t i = 0; i < 1000000; i++) {
        uint32_t number = history_call(&history, &read, i);
        history_return(&history, number, HISTORY_OK, HISTORY_ABSENT, i);
    }
    CHECK_EQ(history.count, 1000000);
    CHECK_EQ(history.operations[999999].return_order, 1999999);
    CHECK(sizeof(struct history_operation) <= 64);
    history_release(&history);
}

TEST_MAIN
