// Sessions, damaged entries, and that the same log leaves the same bytes behind.
#include "tests/kvserver/service_commands.h"
#include "tests/kvserver/service_fixture.h"

// ---- sessions -------------------------------------------------------------------

// LAB 5 step 1, 1 point: sessions
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

// LAB 5 step 1, 1 point: sessions
TEST(an_error_is_a_reply_that_is_kept_as_well)
{
    struct fixture f;
    setup_session(&f);
    apply(&f, "SET n x");
    const char *error = "-ERR value is not an integer or out of range\r\n";
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), error);
    apply(&f, "SET n 1");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), error);
    CHECK_TEXT(apply_in(&f, 1, 2, "INCR n"), ":2\r\n");
    teardown(&f);
}

// LAB 5 step 2, 1 point: sessions
TEST(a_session_refuses_what_is_out_of_turn)
{
    struct fixture f;
    setup_session(&f);
    apply_in(&f, 1, 1, "INCR n");
    apply_in(&f, 1, 2, "INCR n");
    uint64_t hash = service_hash(f.service);
    CHECK_TEXT_BEGINS(apply_in(&f, 1, 1, "INCR n"), "-SESSION ");
    CHECK_TEXT_HAS(text_of(&f.reply), "has run 1 before");
    CHECK_TEXT_BEGINS(apply_in(&f, 1, 4, "INCR n"), "-SESSION ");
    CHECK_TEXT_HAS(text_of(&f.reply), "the next is 3");
    CHECK_TEXT_BEGINS(apply_in(&f, 9, 1, "INCR n"), "-SESSION ");
    CHECK_TEXT_HAS(text_of(&f.reply), "RAFT.REGISTER");
    CHECK_EQ(service_hash(f.service), hash);
    teardown(&f);
}

// LAB 5 step 3, 1 point: sessions
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
    CHECK_TEXT_BEGINS(apply_in(&f, 2, 1, "INCR n"), "-SESSION ");
    CHECK_TEXT(apply_in(&f, 1, 2, "INCR n"), ":2\r\n");
    CHECK_TEXT(apply_in(&f, 4, 1, "INCR n"), ":3\r\n");
    teardown(&f);
}

// LAB 5 step 2, 1 point: sessions
TEST(a_session_opens_no_other_so_that_their_number_keeps_its_bound)
{
    struct fixture f;
    setup(&f);
    for (uint64_t sessions = 1; sessions <= 10; sessions++) {
        uint64_t session = f.index + 1;
        apply(&f, "RAFT.REGISTER");
        CHECK_TEXT_BEGINS(apply_in(&f, session, 1, "RAFT.REGISTER"), "-ERR ");
        CHECK_TEXT(apply_in(&f, session, 1, "SET k v"), "+OK\r\n");
        CHECK_EQ(service_session_count(f.service), sessions);
    }
    teardown(&f);
}

// LAB 5 step 3, 1 point: sessions
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
    tick(&f, START_MS + 1000);
    CHECK_EQ(service_session_count(f.service), 2); // the limit itself is not too long
    tick(&f, START_MS + 1001);
    CHECK_EQ(service_session_count(f.service), 1);
    CHECK_TEXT_BEGINS(apply_in(&f, 2, 1, "INCR n"), "-SESSION ");
    f.time_ms = START_MS + 1800;
    CHECK_TEXT(apply_in(&f, 1, 2, "INCR n"), ":2\r\n");
    teardown(&f);
}

TEST(flushing_the_keys_leaves_the_sessions)
{
    struct fixture f;
    setup_session(&f);
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
    setup_session(&f);
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
        if (strchr("@ .*:", good.data[at]) == NULL)
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
    CHECK_TEXT(text_of(&out), "@12 3.4 *2 3:GET 1:k@0 *0");
    buffer_free(&out);
}

// ---- the same log, the same state -----------------------------------------------

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
