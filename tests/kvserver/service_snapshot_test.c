// Snapshots of a service: the same bytes for the same state, and the same state from
// the bytes.
#include "tests/kvserver/bytes_in_use.h"
#include "tests/kvserver/service_snapshot_fixture.h"

#include "kvserver/service/snapshot.h"

// ---- there and back -------------------------------------------------------------

TEST(a_restored_replica_is_the_original_and_goes_on_as_it_does)
{
    static const uint32_t piece_max[] = {1, 7, 100, 65536};
    for (uint32_t seed = 1; seed <= 4; seed++) {
        random_state = seed * 0x9e3779b97f4a7c15u;
        struct fixture f, other;
        setup_small(&f);
        setup_small(&other);
        apply_many(&f, 1500 + seed * 300);
        apply_many(&other, 500); // what it has is replaced
        struct buffer bytes = take(f.service, piece_max[seed - 1]);
        CHECK_EQ(restore(other.service, &bytes, piece_max[4 - seed]), 0);
        check_same_state(f.service, other.service);
        struct buffer again = take(other.service, 50);
        check_same_bytes(&bytes, &again);
        for (uint32_t i = 0; i < 1500; i++)
            apply_drawn(&f, &other);
        check_same_state(f.service, other.service);
        buffer_free(&bytes);
        buffer_free(&again);
        teardown(&f);
        teardown(&other);
    }
}

// LAB 5 step 3, 1 point: sessions snapshots
TEST(a_retry_after_a_restore_gets_the_kept_reply)
{
    struct fixture f, other;
    setup(&f);
    setup(&other);
    apply(&f, "RAFT.REGISTER");
    CHECK_TEXT(apply_in(&f, 1, 1, "INCR n"), ":1\r\n");
    struct buffer bytes = take(f.service, 64);
    CHECK_EQ(restore(other.service, &bytes, 64), 0);
    other.index = f.index;
    CHECK_TEXT(apply_in(&other, 1, 1, "INCR n"), ":1\r\n");
    CHECK_TEXT(apply_in(&other, 1, 2, "INCR n"), ":2\r\n");
    CHECK_TEXT_BEGINS(apply_in(&other, 1, 1, "INCR n"), "-SESSION ");
    buffer_free(&bytes);
    teardown(&f);
    teardown(&other);
}

TEST(a_deadline_that_was_restored_comes)
{
    struct fixture f, other;
    setup(&f);
    setup(&other);
    apply(&f, "SET k v PX 500");
    apply(&f, "SET stays v");
    struct buffer bytes = take(f.service, 64);
    CHECK_EQ(restore(other.service, &bytes, 64), 0);
    CHECK_EQ(service_next_deadline_ms(other.service), START_MS + 500);
    other.index = f.index;
    tick(&other, START_MS + 500);
    CHECK_EQ(service_key_count(other.service), 1);
    CHECK_EQ(service_next_deadline_ms(other.service), UINT64_MAX);
    buffer_free(&bytes);
    teardown(&f);
    teardown(&other);
}

TEST(a_state_of_nothing_is_restored_as_well)
{
    struct fixture f, other;
    setup(&f);
    setup(&other);
    apply(&other, "SET k v PX 500");
    apply(&other, "RAFT.REGISTER");
    struct buffer bytes = take(f.service, 64);
    CHECK_EQ(bytes.size, SNAPSHOT_HEADER_SIZE + SNAPSHOT_END_SIZE);
    CHECK_EQ(restore(other.service, &bytes, 64), 0);
    check_same_state(f.service, other.service);
    check_empty(other.service);
    buffer_free(&bytes);
    teardown(&f);
    teardown(&other);
}

TEST(a_value_of_megabytes_passes_in_small_pieces)
{
    enum { SIZE = 3 << 20 };
    struct fixture f, other;
    setup(&f);
    setup(&other);
    char *text = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)(i * 7 + i / 251);
    struct bytes words[] = {{"SET", 3}, {"k", 1}, {text, SIZE}};
    apply_words(&f, 0, 0, words, 3);
    apply(&f, "SET after 1");
    random_state = 5;
    struct buffer bytes = take(f.service, 1000);
    CHECK_EQ(restore(other.service, &bytes, 1000), 0);
    check_same_state(f.service, other.service);
    free(text);
    buffer_free(&bytes);
    teardown(&f);
    teardown(&other);
}

// ---- taken while the service goes on --------------------------------------------

TEST(a_snapshot_under_way_is_that_of_its_index_whatever_is_applied_since)
{
    for (uint32_t seed = 1; seed <= 3; seed++) {
        struct fixture f;
        setup_small(&f);
        random_state = seed * 0x9e3779b97f4a7c15u;
        apply_many(&f, 2000);
        struct buffer still = take(f.service, 4096);
        struct buffer moving = {0};
        struct service_snapshot *snapshot = service_snapshot_begin(f.service);
        char piece[16];
        size_t got;
        while ((got = service_snapshot_read(snapshot, piece, sizeof(piece))) > 0) {
            buffer_append(&moving, piece, got);
            apply_many(&f, 3);
            if (random_below(100) == 0)
                apply(&f, "FLUSHALL");
        }
        service_snapshot_end(snapshot);
        check_same_bytes(&still, &moving);
        buffer_free(&still);
        buffer_free(&moving);
        teardown(&f);
    }
}

TEST(reading_a_snapshot_takes_no_memory_that_grows_with_the_state)
{
    struct fixture f;
    setup(&f);
    char text[64];
    for (int i = 0; i < 20000; i++) {
        snprintf(text, sizeof(text), "SET key%d 0123456789012345678901234567890", i);
        apply(&f, text);
    }
    size_t before = bytes_in_use();
    struct service_snapshot *snapshot = service_snapshot_begin(f.service);
    char piece[1000];
    size_t total = 0, got;
    while ((got = service_snapshot_read(snapshot, piece, sizeof(piece))) > 0) {
        total += got;
        CHECK(bytes_in_use() < before + 4096);
    }
    CHECK(total > 20000 * 40);
    service_snapshot_end(snapshot);
    teardown(&f);
}

TEST(a_service_may_go_while_a_snapshot_is_being_read)
{
    struct fixture f;
    setup(&f);
    apply(&f, "SET k v");
    struct service_snapshot *snapshot = service_snapshot_begin(f.service);
    char piece[40];
    CHECK_EQ(service_snapshot_read(snapshot, piece, sizeof(piece)), sizeof(piece));
    apply(&f, "SET k w");
    teardown(&f); // the sanitizers see whether all of it was freed, once
}

// ---- the bytes ------------------------------------------------------------------

TEST(equal_states_have_equal_bytes_however_they_came_about)
{
    struct fixture f, other;
    setup(&f);
    setup(&other);
    apply(&f, "SET a 1 PX 9000");
    apply(&f, "SET b 2");
    apply(&f, "SET c 3");
    apply(&f, "DEL c");
    apply(&other, "SET b 1");
    apply(&other, "INCR b");
    apply(&other, "SET a 1");
    apply(&other, "PEXPIRE a 9000");
    struct buffer one = take(f.service, 64), two = take(other.service, 9);
    check_same_bytes(&one, &two);
    apply(&f, "SET b 3");
    apply(&other, "SET b 2");
    struct buffer three = take(f.service, 64);
    CHECK(three.size == one.size && memcmp(three.data, one.data, one.size) != 0);
    buffer_free(&one);
    buffer_free(&two);
    buffer_free(&three);
    teardown(&f);
    teardown(&other);
}

TEST(the_bytes_are_those_that_are_drawn)
{
    struct fixture f;
    setup(&f);
    f.time_ms = 0x0102;
    apply(&f, "RAFT.REGISTER");
    apply_in(&f, 1, 1, "SET k v");
    struct buffer bytes = take(f.service, 64);
    static const unsigned char header[] = {
        'r', 'a', 'f', 't', 'k', 'v', 's', '\n', 1, 0, 0, 0, 0, 0, 0, 0, //
        2,   0,   0,   0,   0,   0,   0,   0,    2, 1, 0, 0, 0, 0, 0, 0,
    };
    static const unsigned char value[] = {10, 0, 0, 0, 2, 0, 0, 0, 'd'};
    static const unsigned char session[] = {
        9,   0,   0,   0,    29,   0, 0, 0, 's', 0, 0, 0, 0, 0, 0, 0, 1, // session 1
        0,   0,   0,   0,    0,    0, 0, 2, // used at index 2
        0,   0,   0,   0,    0,    0, 1, 2, // and at that time
        0,   0,   0,   0,    0,    0, 0, 1, // its last sequence
        '+', 'O', 'K', '\r', '\n',
    };
    static const unsigned char end[] = {0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0};
    const char *at = bytes.data;
    CHECK_EQ(bytes.size, 32 + 20 + 46 + 32);
    CHECK(memcmp(at, header, sizeof(header)) == 0);
    CHECK(memcmp(at + 32, value, sizeof(value)) == 0);
    CHECK(memcmp(at + 49, "k\1v", 3) == 0); // behind the hash of the key
    CHECK(memcmp(at + 52, session, sizeof(session)) == 0);
    CHECK(memcmp(at + 98, end, sizeof(end)) == 0);
    CHECK_EQ(snapshot_read_u64((const unsigned char *)at + 114),
             service_hash(f.service));
    buffer_free(&bytes);
    teardown(&f);
}

TEST_MAIN
