// The service as a function of its log: what each command answers, time, sessions, and
// that the same entries leave the same bytes behind.
#include "tests/test.h"

#include <stdbool.h>

#include "kvserver/service/command.h"
#include "kvserver/service/service.h"
#include "kvserver/service/store.h"

enum { WORDS_MAX = 16, START_MS = 1000000 };

struct fixture {
    struct service *service;
    uint64_t index;
    uint64_t time_ms;
    struct buffer entry;
    struct buffer reply;
};

static void setup_limited(struct fixture *f, const struct service_limits *limits)
{
    *f = (struct fixture){.time_ms = START_MS};
    f->service = service_new(engine_memory_new(), limits);
    CHECK(f->service != NULL);
}

static void setup(struct fixture *f)
{
    struct service_limits limits;
    service_limits_default(&limits);
    setup_limited(f, &limits);
}

static void teardown(struct fixture *f)
{
    CHECK_EQ(service_hash(f->service), service_hash_slow(f->service));
    service_free(f->service);
    buffer_free(&f->entry);
    buffer_free(&f->reply);
}

// Words are separated by single blanks.
static uint32_t split(const char *text, struct bytes words[WORDS_MAX])
{
    uint32_t count = 0;
    for (;;) {
        size_t size = strcspn(text, " ");
        CHECK(count < WORDS_MAX);
        words[count++] = (struct bytes){text, size};
        if (text[size] == 0)
            return count;
        text += size + 1;
    }
}

static const char *text_of(struct buffer *buffer)
{
    buffer_append(buffer, "", 1);
    buffer->size--;
    return buffer->data;
}

static const char *apply_words(struct fixture *f, uint64_t session, uint64_t sequence,
                               const struct bytes *words, uint32_t count)
{
    buffer_clear(&f->entry);
    buffer_clear(&f->reply);
    service_encode(&f->entry, f->time_ms, session, sequence, words, count);
    service_apply(f->service, ++f->index, f->entry.data, f->entry.size, &f->reply);
    return text_of(&f->reply);
}

static const char *apply_in(struct fixture *f, uint64_t session, uint64_t sequence,
                            const char *text)
{
    struct bytes words[WORDS_MAX];
    return apply_words(f, session, sequence, words, split(text, words));
}

static const char *apply(struct fixture *f, const char *text)
{
    return apply_in(f, 0, 0, text);
}

static void tick(struct fixture *f, uint64_t time_ms)
{
    f->time_ms = time_ms;
    apply_words(f, 0, 0, NULL, 0);
}

static const char *read_at(struct fixture *f, uint64_t now_ms, const char *text)
{
    struct bytes words[WORDS_MAX];
    uint32_t count = split(text, words);
    buffer_clear(&f->reply);
    CHECK_EQ(service_classify(words, count, &f->reply), SERVICE_READ);
    service_read(f->service, words, count, now_ms, &f->reply);
    return text_of(&f->reply);
}

static const char *read(struct fixture *f, const char *text)
{
    return read_at(f, f->time_ms, text);
}

static enum service_kind classify(struct fixture *f, const char *text)
{
    struct bytes words[WORDS_MAX];
    uint32_t count = split(text, words);
    buffer_clear(&f->reply);
    enum service_kind kind = service_classify(words, count, &f->reply);
    text_of(&f->reply);
    return kind;
}

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

// ---- sessions -------------------------------------------------------------------

TEST(a_command_that_is_sent_twice_runs_once)
{
    struct fixture f;
    setup(&f);
    CHECK_TEXT(apply(&f, "RAFT.REGISTER"), ":1\r\n");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), ":1\r\n");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), ":1\r\n");
    CHECK_TEXT(apply_in(&f, 1, 2, "INCR n"), ":2\r\n");
    CHECK_TEXT(apply_in(&f, 1, 2, "INCR n"), ":2\r\n");
    CHECK_TEXT(read(&f, "GET n"), "$1\r\n2\r\n");
    teardown(&f);
}

TEST(an_error_is_a_reply_that_is_kept_as_well)
{
    struct fixture f;
    setup(&f);
    apply(&f, "RAFT.REGISTER");
    apply(&f, "SET n x");
    const char *error = "-ERR value is not an integer or out of range\r\n";
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), error);
    apply(&f, "SET n 1");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), error);
    CHECK_TEXT(apply_in(&f, 1, 2, "INCR n"), ":2\r\n");
    teardown(&f);
}

TEST(a_session_refuses_what_is_out_of_turn)
{
    struct fixture f;
    setup(&f);
    apply(&f, "RAFT.REGISTER");
    apply_in(&f, 1, 1, "INCR n");
    apply_in(&f, 1, 2, "INCR n");
    uint64_t hash = service_hash(f.service);
    CHECK(strncmp(apply_in(&f, 1, 1, "INCR n"), "-SESSION ", 9) == 0);
    CHECK(strstr(f.reply.data, "has run 1 before") != NULL);
    CHECK(strncmp(apply_in(&f, 1, 4, "INCR n"), "-SESSION ", 9) == 0);
    CHECK(strstr(f.reply.data, "the next is 3") != NULL);
    CHECK(strncmp(apply_in(&f, 9, 1, "INCR n"), "-SESSION ", 9) == 0);
    CHECK(strstr(f.reply.data, "RAFT.REGISTER") != NULL);
    CHECK_EQ(service_hash(f.service), hash);
    teardown(&f);
}

TEST(the_session_longest_unused_makes_room)
{
    struct fixture f;
    struct service_limits limits;
    service_limits_default(&limits);
    limits.sessions_max = 2;
    setup_limited(&f, &limits);
    apply(&f, "RAFT.REGISTER");
    apply(&f, "RAFT.REGISTER");
    apply_in(&f, 1, 1, "INCR n");
    CHECK_TEXT(apply(&f, "RAFT.REGISTER"), ":4\r\n");
    CHECK_EQ(service_session_count(f.service), 2);
    CHECK_EQ(apply_in(&f, 2, 1, "INCR n")[0], '-');
    CHECK_TEXT(apply_in(&f, 1, 2, "INCR n"), ":2\r\n");
    CHECK_TEXT(apply_in(&f, 4, 1, "INCR n"), ":3\r\n");
    teardown(&f);
}

TEST(a_session_idle_for_too_long_is_dropped_in_log_time)
{
    struct fixture f;
    struct service_limits limits;
    service_limits_default(&limits);
    limits.session_idle_ms_max = 1000;
    setup_limited(&f, &limits);
    apply(&f, "RAFT.REGISTER");
    apply(&f, "RAFT.REGISTER");
    f.time_ms = START_MS + 800;
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), ":1\r\n");
    tick(&f, START_MS + 1001);
    CHECK_EQ(service_session_count(f.service), 1);
    CHECK_EQ(apply_in(&f, 2, 1, "INCR n")[0], '-');
    CHECK_TEXT(apply_in(&f, 1, 2, "INCR n"), ":2\r\n");
    teardown(&f);
}

TEST(flushing_the_keys_leaves_the_sessions)
{
    struct fixture f;
    setup(&f);
    apply(&f, "RAFT.REGISTER");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), ":1\r\n");
    apply(&f, "FLUSHALL");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), ":1\r\n");
    CHECK_EQ(service_key_count(f.service), 0);
    teardown(&f);
}

// ---- entries --------------------------------------------------------------------

TEST(an_index_is_applied_once)
{
    struct fixture f;
    setup(&f);
    apply(&f, "INCR n");
    f.index--;
    CHECK_EQ(apply(&f, "INCR n")[0], '-');
    service_skip(f.service, 7);
    CHECK_EQ(service_applied_index(f.service), 7);
    service_skip(f.service, 3);
    CHECK_EQ(service_applied_index(f.service), 7);
    CHECK_TEXT(read(&f, "GET n"), "$1\r\n1\r\n");
    teardown(&f);
}

TEST(a_damaged_entry_changes_nothing_but_the_index)
{
    struct fixture f;
    setup(&f);
    apply(&f, "RAFT.REGISTER");
    struct bytes words[] = {{"SET", 3}, {"key", 3}, {"value", 5}};
    struct buffer good = {0};
    service_encode(&good, START_MS, 1, 1, words, 3);
    uint64_t hash = service_hash(f.service);
    // Cut anywhere, with a byte more, and with the bytes of its frame changed.
    for (size_t size = 0; size <= good.size + 1; size++) {
        if (size == good.size)
            continue;
        struct buffer bad = {0};
        buffer_append(&bad, good.data, size < good.size ? size : good.size);
        if (size > good.size)
            buffer_append(&bad, "x", 1);
        service_apply(f.service, ++f.index, bad.data, bad.size, NULL);
        CHECK_EQ(service_hash(f.service), hash);
        CHECK_EQ(service_applied_index(f.service), f.index);
        buffer_free(&bad);
    }
    for (size_t at = 0; at < good.size; at++) {
        if (strchr("@ .*$\r\n", good.data[at]) == NULL)
            continue;
        struct buffer bad = {0};
        buffer_append(&bad, good.data, good.size);
        bad.data[at] = '?';
        service_apply(f.service, ++f.index, bad.data, bad.size, NULL);
        CHECK_EQ(service_hash(f.service), hash);
        buffer_free(&bad);
    }
    buffer_free(&good);
    teardown(&f);
}

TEST(an_entry_is_spelled_as_the_header_says)
{
    struct buffer out = {0};
    struct bytes words[] = {{"GET", 3}, {"k", 1}};
    service_encode(&out, 12, 3, 4, words, 2);
    service_encode(&out, 0, 0, 0, NULL, 0);
    CHECK_TEXT(text_of(&out), "@12 3.4\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n@0\r\n");
    buffer_free(&out);
}

// ---- the same log, the same state -----------------------------------------------

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 20) % bound);
}

static const char *const shapes[] = {
    "SET %k %n",        "SET %k %n PX %n",  "SET %k %n EX %n NX GET",
    "GETSET %k %n",     "SETNX %k %n",      "INCR %k",
    "INCRBY %k %n",     "APPEND %k %n",     "DEL %k %k",
    "PEXPIRE %k %n",    "EXPIRE %k %n LT",  "PERSIST %k",
    "MSET %k %n %k %n", "GETDEL %k",        "MGET %k %k",
    "SCAN 0 COUNT %n",  "RAFT.REGISTER",    "EXPIRE %k x",
    "PSETEX %k %n %n",  "PEXPIREAT %k 1%n", "SET %k %n EX 0",
    "DBSIZE",           "KEYS k?%n*",       "DECRBY %k %n",
};

static void draw_command(char *out, size_t size)
{
    const char *shape = shapes[random_below(sizeof(shapes) / sizeof(shapes[0]))];
    if (random_below(400) == 0)
        shape = "FLUSHALL";
    size_t at = 0;
    for (; *shape != 0; shape++) {
        CHECK(at + 16 < size);
        if (*shape != '%') {
            out[at++] = *shape;
            continue;
        }
        shape++;
        uint32_t number = random_below(*shape == 'k' ? 40 : 900);
        at += (size_t)sprintf(out + at, *shape == 'k' ? "k%u" : "%u", number);
    }
    out[at] = 0;
}

struct log_entry {
    struct buffer bytes;
    uint64_t hash;
    struct buffer reply;
};

// Writes a log while applying it, and keeps what each entry answered and left.
static void write_log(struct fixture *f, struct log_entry *log, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char text[128];
        struct bytes words[WORDS_MAX];
        draw_command(text, sizeof(text));
        uint32_t word_count = split(text, words);
        // Clocks of different leaders: mostly forward, sometimes back, some leaps.
        f->time_ms += random_below(20);
        f->time_ms -= random_below(8) == 0 ? 30 : 0;
        f->time_ms += random_below(200) == 0 ? 5000 : 0;
        uint64_t session = random_below(3) == 0 ? 1 + random_below(i + 1) : 0;
        uint64_t sequence = session == 0 ? 0 : 1 + random_below(3);
        service_encode(&log[i].bytes, f->time_ms, session, sequence, words, word_count);
        service_apply(f->service, i + 1, log[i].bytes.data, log[i].bytes.size,
                      &log[i].reply);
        log[i].hash = service_hash(f->service);
        if (i % 97 == 0)
            CHECK_EQ(log[i].hash, service_hash_slow(f->service));
    }
}

TEST(a_replay_gives_the_same_replies_and_hashes_at_every_index)
{
    enum { COUNT = 6000 };
    struct service_limits limits;
    service_limits_default(&limits);
    limits.sessions_max = 20;
    limits.session_idle_ms_max = 3000;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        random_state = seed * 0x9e3779b97f4a7c15u;
        struct log_entry *log = calloc(COUNT, sizeof(*log));
        struct fixture first, second;
        setup_limited(&first, &limits);
        setup_limited(&second, &limits);
        write_log(&first, log, COUNT);
        for (uint32_t i = 0; i < COUNT; i++) {
            // A follower asks for no replies; reads in between must not be seen.
            bool asks = i % 2 == 0;
            buffer_clear(&second.reply);
            service_apply(second.service, i + 1, log[i].bytes.data, log[i].bytes.size,
                          asks ? &second.reply : NULL);
            if (asks) {
                CHECK_EQ(second.reply.size, log[i].reply.size);
                CHECK(memcmp(second.reply.data, log[i].reply.data, log[i].reply.size) ==
                      0);
            }
            read(&second, i % 3 == 0 ? "KEYS *" : "GET k1");
            CHECK_EQ(service_hash(second.service), log[i].hash);
            buffer_free(&log[i].bytes);
            buffer_free(&log[i].reply);
        }
        free(log);
        teardown(&first);
        teardown(&second);
    }
}

TEST(what_is_refused_early_would_be_refused_by_any_state)
{
    struct fixture f;
    setup(&f);
    random_state = 99;
    uint32_t refused = 0;
    for (int i = 0; i < 5000; i++) {
        char text[128];
        draw_command(text, sizeof(text));
        struct buffer early = {0};
        struct bytes words[WORDS_MAX];
        uint32_t count = split(text, words);
        enum service_kind kind = service_classify(words, count, &early);
        CHECK(kind != SERVICE_UNKNOWN);
        const char *reply = apply(&f, text);
        if (kind == SERVICE_REFUSED) {
            CHECK_TEXT(reply, text_of(&early));
            refused++;
        }
        buffer_free(&early);
    }
    CHECK(refused > 100);
    teardown(&f);
}

TEST(the_hash_tells_states_apart)
{
    static const char *const logs[][2] = {
        {"SET k v", "SET k w"},       {"SET k v", "SET l v"},
        {"SET k v", "SET k v PX 5"},  {"SET k v PX 5", "SET k v PX 6"},
        {"SET k v", "RAFT.REGISTER"}, {"SET a bc", "SET ab c"},
        {"DEL k", "SET k v"},
    };
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        struct fixture a, b;
        setup(&a);
        setup(&b);
        CHECK_EQ(service_hash(a.service), service_hash(b.service));
        apply(&a, logs[i][0]);
        apply(&b, logs[i][1]);
        CHECK(service_hash(a.service) != service_hash(b.service));
        teardown(&a);
        teardown(&b);
    }
    struct fixture a, b;
    setup(&a);
    setup(&b);
    tick(&a, 1);
    tick(&b, 2);
    CHECK(service_hash(a.service) != service_hash(b.service));
    teardown(&a);
    teardown(&b);
}

TEST_MAIN
