// What each command of the service answers, and what time does to keys.
#include "tests/kvserver/service_fixture.h"

#include "kvserver/service/command.h"
#include "kvserver/service/store.h"

// ---- commands -------------------------------------------------------------------

struct step {
    const char *command;
    const char *reply;
};

static void check_steps(const struct step *steps, size_t count)
{
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < count; i++) {
        const char *reply = apply(&f, steps[i].command);
        if (strcmp(reply, steps[i].reply) != 0)
            test_fail(__FILE__, __LINE__, "%s gave %s, expected %s", steps[i].command,
                      reply, steps[i].reply);
    }
    teardown(&f);
}

#define CHECK_STEPS(...)                                         \
    do {                                                         \
        const struct step steps_[] = {__VA_ARGS__};              \
        check_steps(steps_, sizeof(steps_) / sizeof(steps_[0])); \
    } while (0)

TEST(set_stores_and_get_reads)
{
    CHECK_STEPS({"GET k", "$-1\r\n"}, {"SET k v", "+OK\r\n"}, {"get k", "$1\r\nv\r\n"},
                {"SET k w", "+OK\r\n"}, {"GET k", "$1\r\nw\r\n"});
}

TEST(set_obeys_nx_and_xx)
{
    CHECK_STEPS({"SET k v XX", "$-1\r\n"}, {"SET k v NX", "+OK\r\n"},
                {"SET k w NX", "$-1\r\n"}, {"SET k w XX", "+OK\r\n"},
                {"SET k x NX XX", "-ERR syntax error\r\n"}, {"GET k", "$1\r\nw\r\n"});
}

TEST(set_with_get_gives_the_old_value_whether_it_stores_or_not)
{
    CHECK_STEPS({"SET k v GET", "$-1\r\n"}, {"SET k w GET", "$1\r\nv\r\n"},
                {"SET k x NX GET", "$1\r\nw\r\n"}, {"GET k", "$1\r\nw\r\n"});
}

TEST(set_takes_a_deadline_away_unless_told_to_keep_it)
{
    CHECK_STEPS({"SET k v PXAT 2000000", "+OK\r\n"}, {"PEXPIRETIME k", ":2000000\r\n"},
                {"SET k w KEEPTTL", "+OK\r\n"}, {"PEXPIRETIME k", ":2000000\r\n"},
                {"SET k x", "+OK\r\n"}, {"PEXPIRETIME k", ":-1\r\n"});
}

TEST(counters_stop_at_the_edge_of_64_bits)
{
    CHECK_STEPS({"INCR n", ":1\r\n"},
                {"INCRBY n 9223372036854775806", ":9223372036854775807\r\n"},
                {"INCR n", "-ERR increment or decrement would overflow\r\n"},
                {"DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"},
                {"SET n -9223372036854775808", "+OK\r\n"},
                {"DECR n", "-ERR increment or decrement would overflow\r\n"},
                {"INCRBY n 9223372036854775808",
                 "-ERR value is not an integer or out of range\r\n"},
                {"GET n", "$20\r\n-9223372036854775808\r\n"});
}

TEST(counting_and_appending_keep_the_deadline)
{
    CHECK_STEPS({"SET n 5 PXAT 2000000", "+OK\r\n"}, {"INCR n", ":6\r\n"},
                {"APPEND n 7", ":2\r\n"}, {"PEXPIRETIME n", ":2000000\r\n"},
                {"GETSET n x", "$2\r\n67\r\n"}, {"PEXPIRETIME n", ":-1\r\n"});
}

TEST(the_other_string_commands_answer_as_redis_does)
{
    CHECK_STEPS({"SETNX k v", ":1\r\n"}, {"SETNX k w", ":0\r\n"},
                {"APPEND k 12", ":3\r\n"}, {"STRLEN k", ":3\r\n"},
                {"MSET a 1 b 2", "+OK\r\n"},
                {"MGET a x b", "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n"},
                {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"},
                {"GETDEL a", "$1\r\n1\r\n"}, {"GETDEL a", "$-1\r\n"});
}

TEST(keys_are_counted_typed_and_removed)
{
    CHECK_STEPS({"MSET a 1 b 2 c 3", "+OK\r\n"}, {"DBSIZE", ":3\r\n"},
                {"EXISTS a a x", ":2\r\n"}, {"TYPE a", "+string\r\n"},
                {"TYPE x", "+none\r\n"}, {"DEL a x a", ":1\r\n"}, {"KEYS a*", "*0\r\n"},
                {"KEYS b", "*1\r\n$1\r\nb\r\n"}, {"FLUSHALL", "+OK\r\n"},
                {"DBSIZE", ":0\r\n"}, {"SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n"});
}

TEST(expire_counts_from_the_time_in_the_log)
{
    CHECK_STEPS({"SET k v", "+OK\r\n"}, {"EXPIRE k 10", ":1\r\n"},
                {"PEXPIRETIME k", ":1010000\r\n"}, {"TTL k", ":10\r\n"},
                {"EXPIRE k 5 GT", ":0\r\n"}, {"EXPIRE k 5 LT", ":1\r\n"},
                {"PTTL k", ":5000\r\n"}, {"PERSIST k", ":1\r\n"},
                {"PERSIST k", ":0\r\n"}, {"TTL k", ":-1\r\n"}, {"TTL x", ":-2\r\n"},
                {"PEXPIRE k -1", ":1\r\n"}, {"EXISTS k", ":0\r\n"});
}

TEST(scan_goes_on_where_its_cursor_says)
{
    struct fixture f;
    setup(&f);
    char text[64];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "SET key:%d v", i);
        apply(&f, text);
    }
    uint64_t cursor = 0;
    uint32_t calls = 0, keys = 0;
    do {
        unsigned count;
        snprintf(text, sizeof(text), "SCAN %" PRIu64 " COUNT 7", cursor);
        const char *reply = read(&f, text);
        CHECK_EQ(sscanf(reply, "*2\r\n$%*u\r\n%" SCNu64 "\r\n*%u", &cursor, &count), 2);
        keys += count;
        calls++;
    } while (cursor != 0);
    CHECK_EQ(keys, 100);
    CHECK_EQ(calls, 15);
    teardown(&f);
}

TEST(a_cursor_is_read_as_redis_reads_it)
{
    static const struct {
        const char *text;
        enum service_kind expected;
    } cases[] = {
        {"SCAN 0", SERVICE_READ},
        {"SCAN 007", SERVICE_READ},
        {"SCAN +5", SERVICE_READ},
        {"SCAN -1", SERVICE_READ},
        {"SCAN 18446744073709551615", SERVICE_READ},
        {"SCAN 18446744073709551616", SERVICE_REFUSED},
        {"SCAN -", SERVICE_REFUSED},
        {"SCAN +", SERVICE_REFUSED},
        {"SCAN -+1", SERVICE_REFUSED},
        {"SCAN 1x", SERVICE_REFUSED},
    };
    struct fixture f;
    setup(&f);
    apply(&f, "SET k v");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_EQ(classify(&f, cases[i].text), cases[i].expected);
    // A minus counts down from the end of the order: the last key lies before it.
    CHECK_TEXT(read(&f, "SCAN -1"), "*2\r\n$1\r\n0\r\n*0\r\n");
    CHECK_TEXT(read(&f, "SCAN 007"), "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n");
    teardown(&f);
}

TEST(a_value_beyond_the_limit_is_refused_and_nothing_changes)
{
    struct fixture f;
    struct service_limits limits;
    service_limits_default(&limits);
    limits.value_bytes_max = 4;
    setup_limited(&f, &limits);
    static const char error[] =
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    CHECK_TEXT(apply(&f, "SET k 1234"), "+OK\r\n");
    uint64_t hash = service_hash(f.service);
    CHECK_TEXT(apply(&f, "APPEND k 5"), error);
    CHECK_TEXT(apply(&f, "SET k 12345"), error);
    CHECK_TEXT(apply(&f, "MSET a 1 k 12345"), error);
    CHECK_EQ(service_hash(f.service), hash);
    teardown(&f);
}

// One short command could ask for more bytes than there is memory.
TEST(a_read_whose_reply_would_be_too_long_is_refused)
{
    struct fixture f;
    struct service_limits limits;
    service_limits_default(&limits);
    limits.reply_bytes_max = 40;
    setup_limited(&f, &limits);
    static const char error[] = "-ERR the reply would be longer than 40 bytes\r\n";
    CHECK_TEXT(apply(&f, "SET k 1234567890"), "+OK\r\n");
    CHECK_TEXT(read(&f, "MGET k k"),
               "*2\r\n$10\r\n1234567890\r\n$10\r\n1234567890\r\n");
    CHECK_TEXT(read(&f, "MGET k k k"), error);
    CHECK_TEXT(apply(&f, "MSET aaaaaaaaaa 1 bbbbbbbbbb 1 cccccccccc 1"), "+OK\r\n");
    CHECK_TEXT(read(&f, "KEYS aaaa*"), "*1\r\n$10\r\naaaaaaaaaa\r\n");
    CHECK_TEXT(read(&f, "KEYS *"), error);
    CHECK_TEXT(read(&f, "SCAN 0"), error);
    teardown(&f);
}

TEST(keys_and_values_may_hold_any_bytes_and_be_long)
{
    enum { SIZE = 70000 };
    struct fixture f;
    setup(&f);
    char *bytes = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (char)(i % 256);
    struct bytes words[] = {{"SET", 3}, {bytes, SIZE}, {bytes, SIZE - 1}};
    CHECK_TEXT(apply_words(&f, 0, 0, words, 3), "+OK\r\n");
    struct bytes get[] = {{"GET", 3}, {bytes, SIZE}};
    apply_words(&f, 0, 0, get, 2);
    CHECK_EQ(f.reply.size, SIZE - 1 + strlen("$69999\r\n\r\n"));
    CHECK(memcmp(f.reply.data + 8, bytes, SIZE - 1) == 0);
    CHECK_EQ(service_key_count(f.service), 1);
    free(bytes);
    teardown(&f);
}

TEST(commands_are_told_apart_before_they_are_logged)
{
    struct fixture f;
    setup(&f);
    CHECK_EQ(classify(&f, "sEt k v"), SERVICE_WRITE);
    CHECK_EQ(classify(&f, "get k"), SERVICE_READ);
    CHECK_EQ(classify(&f, "RAFT.REGISTER"), SERVICE_WRITE);
    CHECK_EQ(f.reply.size, 0);
    CHECK_EQ(classify(&f, "FOO bar x"), SERVICE_UNKNOWN);
    CHECK_TEXT(f.reply.data,
               "-ERR unknown command 'FOO', with args beginning with: 'bar' 'x' \r\n");
    CHECK_EQ(classify(&f, "GET"), SERVICE_REFUSED);
    CHECK_TEXT(f.reply.data, "-ERR wrong number of arguments for 'get' command\r\n");
    CHECK_EQ(classify(&f, "SET k v EX 0"), SERVICE_REFUSED);
    CHECK_TEXT(f.reply.data, "-ERR invalid expire time in 'set' command\r\n");
    teardown(&f);
}

TEST(the_table_is_sorted_and_complete)
{
    for (uint32_t i = 0; i < command_count(); i++) {
        const struct command *command = command_at(i);
        struct bytes name = {command->name, strlen(command->name)};
        CHECK(command_find(name) == command);
        CHECK_EQ(command->run != NULL, command->kind != SERVICE_UNKNOWN);
        CHECK(command->arity != 0 && command->summary[0] != 0);
        CHECK(i == 0 || strcmp(command_at(i - 1)->name, command->name) < 0);
    }
}

TEST(a_write_is_not_run_as_a_read)
{
    struct fixture f;
    setup(&f);
    struct bytes words[] = {{"SET", 3}, {"k", 1}, {"v", 1}};
    service_read(f.service, words, 3, 0, &f.reply);
    CHECK_EQ(f.reply.data[0], '-');
    CHECK_EQ(service_key_count(f.service), 0);
    teardown(&f);
}

// ---- time -----------------------------------------------------------------------

TEST(a_key_is_gone_once_the_log_has_reached_its_deadline)
{
    struct fixture f;
    setup(&f);
    apply(&f, "SET k v PX 500");
    CHECK_EQ(service_next_deadline_ms(f.service), START_MS + 500);
    tick(&f, START_MS + 499);
    CHECK_TEXT(read(&f, "GET k"), "$1\r\nv\r\n");
    tick(&f, START_MS + 500);
    CHECK_TEXT(read(&f, "GET k"), "$-1\r\n");
    CHECK_EQ(service_key_count(f.service), 0);
    CHECK_EQ(service_next_deadline_ms(f.service), UINT64_MAX);
    teardown(&f);
}

TEST(a_reader_whose_clock_runs_ahead_still_sees_the_key)
{
    struct fixture f;
    setup(&f);
    apply(&f, "SET k v PX 500");
    CHECK_TEXT(read_at(&f, START_MS + 9000, "GET k"), "$1\r\nv\r\n");
    CHECK_TEXT(read_at(&f, START_MS + 9000, "PTTL k"), ":0\r\n");
    CHECK_TEXT(read_at(&f, START_MS + 100, "PTTL k"), ":400\r\n");
    CHECK_TEXT(read_at(&f, 0, "PTTL k"), ":500\r\n");
    teardown(&f);
}

TEST(time_never_goes_back)
{
    struct fixture f;
    setup(&f);
    apply(&f, "SET k v PX 500");
    tick(&f, START_MS + 600);
    f.time_ms = 5;
    CHECK_TEXT(apply(&f, "GET k"), "$-1\r\n");
    CHECK_EQ(service_clock_ms(f.service), START_MS + 600);
    apply(&f, "SET j v PX 100");
    CHECK_TEXT(apply(&f, "PEXPIRETIME j"), ":1000700\r\n");
    teardown(&f);
}

TEST(a_storm_of_deadlines_is_invisible_at_once_and_worked_off_in_parts)
{
    enum { KEYS = 5 * STORE_SWEEP_MAX };
    struct fixture f;
    setup(&f);
    char text[64];
    for (int i = 0; i < KEYS; i++) {
        snprintf(text, sizeof(text), "SET k%d v PXAT 2000000", i);
        apply(&f, text);
    }
    apply(&f, "SET stays v");
    tick(&f, 2000000);
    CHECK_EQ(service_key_count(f.service), 1);
    CHECK_TEXT(read(&f, "KEYS *"), "*1\r\n$5\r\nstays\r\n");
    CHECK_TEXT(read(&f, "EXISTS k0 k1 k319"), ":0\r\n");
    CHECK_EQ(service_next_deadline_ms(f.service), 2000000);
    CHECK_TEXT(apply(&f, "SET k319 w XX"), "$-1\r\n");
    CHECK_TEXT(apply(&f, "SET k318 w NX"), "+OK\r\n");
    for (int i = 0; i < 6; i++)
        tick(&f, 2000000);
    CHECK_EQ(service_next_deadline_ms(f.service), UINT64_MAX);
    CHECK_EQ(service_key_count(f.service), 2);
    teardown(&f);
}

TEST_MAIN
