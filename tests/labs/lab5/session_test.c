// What a replica remembers of its clients, beyond their last command
// (dissertation 6.3).
#include "tests/kvserver/service_fixture.h"
#include "tests/kvserver/service_snapshot_fixture.h"

// The next entry of session 1, its first, before it is applied.
static void encode_first(struct fixture *f, const char *text)
{
    struct bytes words[WORDS_MAX];
    uint32_t count = split(text, words);
    buffer_clear(&f->entry);
    service_encode(&f->entry, f->time_ms, 1, 1, words, count);
}

// Most replicas have nobody to answer: service_apply() is then given no buffer. The
// next leader is one of them.
// LAB 5 step 1, 1 point: sessions
TEST(a_reply_is_kept_where_nobody_waits_for_it)
{
    struct fixture f;
    setup_session(&f);
    encode_first(&f, "APPEND k abc");
    service_apply(f.service, ++f.index, f.entry.data, f.entry.size, NULL);
    CHECK_TEXT(apply_in(&f, 1, 1, "APPEND k abc"), ":3\r\n");
    CHECK_TEXT(read(&f, "GET k"), "$3\r\nabc\r\n");
    teardown(&f);
}

// A reply is added to what the buffer holds already.
// LAB 5 step 1, 1 point: sessions
TEST(the_reply_that_is_kept_is_that_of_the_command_alone)
{
    struct fixture f;
    setup_session(&f);
    encode_first(&f, "INCR n");
    buffer_clear(&f.reply);
    buffer_append(&f.reply, "before", 6);
    service_apply(f.service, ++f.index, f.entry.data, f.entry.size, &f.reply);
    CHECK_TEXT(text_of(&f.reply), "before:1\r\n");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), ":1\r\n");
    teardown(&f);
}

// Numbers are a session's own: both begin with 1.
// LAB 5 step 2, 1 point: sessions
TEST(two_clients_with_the_same_number_both_run)
{
    struct fixture f;
    setup(&f);
    CHECK_TEXT(apply(&f, "RAFT.REGISTER"), ":1\r\n");
    CHECK_TEXT(apply(&f, "RAFT.REGISTER"), ":2\r\n");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), ":1\r\n");
    CHECK_TEXT(apply_in(&f, 2, 1, "INCR n"), ":2\r\n");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), ":1\r\n");
    CHECK_TEXT(apply_in(&f, 2, 1, "INCR n"), ":2\r\n");
    CHECK_TEXT(read(&f, "GET n"), "$1\r\n2\r\n");
    teardown(&f);
}

// The whole state, counted as the bytes of a snapshot.
static size_t state_size(struct fixture *f)
{
    struct buffer bytes = take(f->service, 4096);
    size_t size = bytes.size;
    buffer_free(&bytes);
    return size;
}

// The next number says that the reply before has arrived: it need not be kept.
// LAB 5 step 2, 1 point: sessions
TEST(a_client_costs_one_reply_however_much_it_has_written)
{
    struct fixture f;
    setup_session(&f);
    char text[600];
    memset(text, 'x', sizeof text);
    memcpy(text, "SET k ", 6);
    memcpy(text + sizeof text - 5, " GET", 5);
    apply_in(&f, 1, 1, text);
    apply_in(&f, 1, 2, text); // its reply is the value of the first
    size_t size = state_size(&f);
    CHECK(size > 1100); // a value and a reply
    for (uint64_t sequence = 3; sequence <= 500; sequence++)
        CHECK_TEXT_BEGINS(apply_in(&f, 1, sequence, text), "$");
    CHECK_EQ(state_size(&f), size);
    CHECK_EQ(service_session_count(f.service), 1);
    teardown(&f);
}

// One entry must not stop a replica for long; who is not dropped yet is refused.
// LAB 5 step 3, 1 point: sessions
TEST(many_idle_sessions_are_refused_at_once_and_dropped_in_parts)
{
    enum { SESSIONS = 300, ENTRIES_MAX = 30 };
    struct fixture f;
    struct service_limits limits;
    service_limits_default(&limits);
    limits.session_idle_ms_max = 1000;
    setup_limited(&f, &limits);
    for (int i = 0; i < SESSIONS; i++)
        apply(&f, "RAFT.REGISTER");
    tick(&f, START_MS + 5000);
    CHECK_AT_MOST(service_session_count(f.service), SESSIONS - 1);
    CHECK(service_session_count(f.service) >= SESSIONS - 100);
    CHECK_TEXT_BEGINS(apply_in(&f, SESSIONS, 1, "INCR n"), "-SESSION ");
    CHECK_TEXT(read(&f, "GET n"), "$-1\r\n");
    for (int i = 0; i < ENTRIES_MAX && service_session_count(f.service) > 0; i++)
        tick(&f, START_MS + 5000);
    CHECK_EQ(service_session_count(f.service), 0);
    teardown(&f);
}

// A session lives by its writes: one in use is not dropped, however old it is.
// LAB 5 step 3, 1 point: sessions
TEST(a_session_that_writes_now_and_then_is_kept)
{
    struct fixture f;
    struct service_limits limits;
    service_limits_default(&limits);
    limits.session_idle_ms_max = 1000;
    setup_limited(&f, &limits);
    apply(&f, "RAFT.REGISTER");
    for (uint64_t sequence = 1; sequence <= 20; sequence++) {
        f.time_ms += 900;
        char expected[16];
        snprintf(expected, sizeof expected, ":%d\r\n", (int)sequence);
        CHECK_TEXT(apply_in(&f, 1, sequence, "INCR n"), expected);
    }
    CHECK_EQ(service_session_count(f.service), 1);
    teardown(&f);
}

TEST_MAIN
