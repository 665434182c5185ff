// Nothing is restored from bytes that are not whole, or that no state can have.
#include "tests/kvserver/bytes_in_use.h"
#include "tests/kvserver/service_snapshot_fixture.h"

#include <errno.h>

#include "kvserver/service/hash.h"
#include "kvserver/service/snapshot.h"

// ---- bytes that are no state ----------------------------------------------------

static void check_refused(struct fixture *f, const struct buffer *bytes,
                          size_t piece_max)
{
    CHECK_EQ((uint64_t)restore(f->service, bytes, piece_max), (uint64_t)-EBADMSG);
    check_empty(f->service);
}

static struct buffer take_small(void)
{
    struct fixture f;
    setup_session(&f);
    apply(&f, "RAFT.REGISTER");
    apply(&f, "SET k value");
    apply(&f, "SET l value PX 700");
    apply_in(&f, 1, 1, "APPEND k more");
    struct buffer bytes = take(f.service, 64);
    teardown(&f);
    return bytes;
}

TEST(a_snapshot_is_refused_wherever_it_is_cut)
{
    struct fixture f;
    setup(&f);
    struct buffer bytes = take_small();
    size_t size = bytes.size;
    for (bytes.size = 0; bytes.size < size; bytes.size++)
        check_refused(&f, &bytes, 64);
    CHECK_EQ(restore(f.service, &bytes, 64), 0);
    buffer_append(&bytes, "", 1); // nor may anything follow
    check_refused(&f, &bytes, 64);
    buffer_free(&bytes);
    teardown(&f);
}

TEST(a_snapshot_is_refused_whichever_bit_is_flipped)
{
    struct fixture f;
    setup(&f);
    struct buffer bytes = take_small();
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        bytes.data[bit / 8] ^= (char)(1 << bit % 8);
        check_refused(&f, &bytes, 1 + bit % 50);
        bytes.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    CHECK_EQ(restore(f.service, &bytes, 64), 0); // and refusals leave no trace
    CHECK_EQ(service_applied_index(f.service), 5);
    CHECK_EQ(service_session_count(f.service), 2);
    buffer_free(&bytes);
    teardown(&f);
}

// Several kinds of damage at once: bytes set, cut out, doubled.
static void damage(struct buffer *bytes)
{
    size_t at = random_below((uint32_t)bytes->size);
    size_t size = 1 + random_below(40);
    if (size > bytes->size - at)
        size = bytes->size - at;
    switch (random_below(4)) {
    case 0:
        for (size_t i = 0; i < size; i++)
            bytes->data[at + i] = (char)random_below(256);
        break;
    case 1:
        bytes->data[at] = (char)(random_below(2) == 0 ? 0 : 0xff);
        break;
    case 2:
        memmove(bytes->data + at, bytes->data + at + size, bytes->size - at - size);
        bytes->size -= size;
        break;
    default:
        buffer_append(bytes, bytes->data + at, 0);
        for (size_t i = 0; i < size; i++) {
            char byte = bytes->data[at + i];
            buffer_append(bytes, &byte, 1);
        }
    }
}

TEST(bytes_damaged_at_random_are_refused_and_do_no_harm)
{
    struct fixture f;
    setup_small(&f);
    random_state = 11;
    apply_many(&f, 600);
    struct buffer good = take(f.service, 4096);
    for (int round = 0; round < 3000; round++) {
        struct buffer bad = {0};
        buffer_append(&bad, good.data, good.size);
        for (uint32_t i = 0; i <= random_below(4) && bad.size > 0; i++)
            damage(&bad);
        if (bad.size != good.size || memcmp(bad.data, good.data, good.size) != 0)
            check_refused(&f, &bad, 300);
        buffer_free(&bad);
    }
    CHECK_EQ(restore(f.service, &good, 300), 0);
    buffer_free(&good);
    teardown(&f);
}

TEST(bytes_of_pure_chance_are_refused_and_do_no_harm)
{
    struct fixture f;
    setup(&f);
    random_state = 12;
    for (int round = 0; round < 3000; round++) {
        struct buffer bytes = take_small();
        // Behind a good header, so that records are reached, half of the time.
        for (size_t i = round % 2 * 32; i < bytes.size; i++)
            bytes.data[i] = (char)(random_below(3) == 0 ? random_below(256) : 0);
        check_refused(&f, &bytes, 64);
        buffer_free(&bytes);
    }
    teardown(&f);
}

TEST(a_length_that_never_comes_takes_no_memory)
{
    struct fixture f;
    setup(&f);
    struct buffer bytes = take_small();
    snapshot_write_u32((unsigned char *)bytes.data + 36, SNAPSHOT_VALUE_BYTES_MAX);
    CHECK_EQ(service_restore_begin(f.service), 0);
    size_t before = bytes_in_use();
    CHECK_EQ(service_restore_write(f.service, bytes.data, bytes.size), 0);
    CHECK(bytes_in_use() < before + 4096);
    CHECK_EQ((uint64_t)service_restore_end(f.service), (uint64_t)-EBADMSG);
    check_empty(f.service);
    snapshot_write_u32((unsigned char *)bytes.data + 36, SNAPSHOT_VALUE_BYTES_MAX + 1u);
    CHECK_EQ(service_restore_begin(f.service), 0);
    CHECK_EQ(service_restore_write(f.service, bytes.data, 39), 0);
    CHECK_EQ((uint64_t)service_restore_write(f.service, bytes.data + 39, 1),
             (uint64_t)-EBADMSG); // at once
    CHECK_EQ((uint64_t)service_restore_end(f.service), (uint64_t)-EBADMSG);
    buffer_free(&bytes);
    teardown(&f);
}

// ---- whole, sealed, and still no state ------------------------------------------

struct forged {
    struct buffer bytes;
    uint64_t hash;
    uint64_t count;
    uint64_t clock_ms;
};

static void forge_header(struct forged *forged, uint64_t index, uint64_t clock_ms)
{
    unsigned char header[SNAPSHOT_HEADER_SIZE] = SNAPSHOT_MAGIC;
    snapshot_write_u32(header + 8, SNAPSHOT_VERSION);
    snapshot_write_u64(header + 16, index);
    snapshot_write_u64(header + 24, clock_ms);
    *forged = (struct forged){.clock_ms = clock_ms};
    buffer_append(&forged->bytes, header, sizeof(header));
}

static void forge_record(struct forged *forged, struct bytes key, struct bytes value)
{
    unsigned char head[SNAPSHOT_RECORD_SIZE];
    snapshot_write_u32(head, (uint32_t)key.size);
    snapshot_write_u32(head + 4, (uint32_t)value.size);
    buffer_append(&forged->bytes, head, sizeof(head));
    buffer_append(&forged->bytes, key.data, key.size);
    buffer_append(&forged->bytes, value.data, value.size);
    forged->hash += hash_bytes(hash_bytes(1, key), value);
    forged->count++;
}

static void write_big_endian(unsigned char *to, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(number >> (56 - 8 * i));
}

static void forge_value(struct forged *forged, const char *name, const char *record,
                        size_t record_size)
{
    unsigned char key[32] = {'d'};
    size_t size = strlen(name);
    write_big_endian(key + 1, hash_bytes(0, (struct bytes){name, size}));
    memcpy(key + 9, name, size);
    forge_record(forged, (struct bytes){key, 9 + size},
                 (struct bytes){record, record_size});
}

static void forge_session(struct forged *forged, uint64_t id, uint64_t used_index,
                          uint64_t used_ms)
{
    unsigned char key[9] = {'s'};
    unsigned char value[24] = {0};
    write_big_endian(key + 1, id);
    write_big_endian(value, used_index);
    write_big_endian(value + 8, used_ms);
    forge_record(forged, (struct bytes){key, 9}, (struct bytes){value, 24});
}

// Ends the forged bytes as a true snapshot ends, and restores them.
static int forge_end(struct forged *forged)
{
    struct fixture f;
    setup(&f);
    unsigned char end[SNAPSHOT_END_SIZE] = {0};
    struct bytes header = {forged->bytes.data, SNAPSHOT_HEADER_SIZE};
    struct bytes sealed = {end, SNAPSHOT_SEALED_SIZE};
    snapshot_write_u64(end + 8, forged->count);
    snapshot_write_u64(end + 16,
                       hash_number(forged->hash ^ hash_number(forged->clock_ms + 1)));
    snapshot_write_u64(end + 24, hash_bytes(hash_bytes(0, header), sealed));
    buffer_append(&forged->bytes, end, sizeof(end));
    int status = restore(f.service, &forged->bytes, 64);
    if (status != 0)
        check_empty(f.service);
    buffer_free(&forged->bytes);
    teardown(&f);
    return status;
}

static const uint64_t refused = (uint64_t)-EBADMSG;

TEST(sealed_values_that_no_state_can_have_are_refused)
{
    static const struct {
        const char *record;
        size_t size;
        uint64_t expected;
    } cases[] = {
        {"\x01v", 2, 0},
        {"\x01", 1, 0},
        {"\x81\0\0\0\0\0\0\0\x01v", 10, 0},                  // due, and not yet swept
        {"\x81\0\0\0\0\0\0\0\0v", 10, (uint64_t)-EBADMSG},   // 0 stands for none
        {"\x81\0\0\0\0\0\0\0", 8, (uint64_t)-EBADMSG},       // a deadline that is cut
        {"\x81\x80\0\0\0\0\0\0\0v", 10, (uint64_t)-EBADMSG}, // beyond the end of time
        {"\x02v", 2, (uint64_t)-EBADMSG},                    // no such type
        {"", 0, (uint64_t)-EBADMSG},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct forged forged;
        forge_header(&forged, 5, 1000);
        forge_value(&forged, "name", cases[i].record, cases[i].size);
        CHECK_EQ(forge_end(&forged), cases[i].expected);
    }
}

TEST(sealed_sessions_that_no_state_can_have_are_refused)
{
    static const struct {
        uint64_t id, used_index, used_ms, expected;
    } cases[] = {
        {4, 5, 1000, 0},
        {4, 4, 1000, 0},
        {0, 5, 1000, (uint64_t)-EBADMSG},
        {4, 6, 1000, (uint64_t)-EBADMSG}, // used by an entry to come
        {4, 5, 1001, (uint64_t)-EBADMSG}, // and at a time to come
        {5, 4, 1000, (uint64_t)-EBADMSG}, // used before it was there
        {4, 5, 1000, (uint64_t)-EBADMSG}, // by the entry that used another
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct forged forged;
        forge_header(&forged, 5, 1000);
        if (i == sizeof(cases) / sizeof(cases[0]) - 1)
            forge_session(&forged, 3, 5, 0);
        forge_session(&forged, cases[i].id, cases[i].used_index, cases[i].used_ms);
        CHECK_EQ(forge_end(&forged), cases[i].expected);
    }
}

TEST(sealed_records_that_are_doubled_out_of_order_or_of_no_space_are_refused)
{
    struct forged forged;
    forge_header(&forged, 5, 1000);
    forge_value(&forged, "a", "\x01v", 2);
    forge_value(&forged, "a", "\x01v", 2);
    CHECK_EQ(forge_end(&forged), refused);

    forge_header(&forged, 5, 1000);
    forge_session(&forged, 3, 3, 0);
    forge_value(&forged, "a", "\x01v", 2);
    CHECK_EQ(forge_end(&forged), refused);

    forge_header(&forged, 5, 1000); // not the hash of its name
    forge_record(&forged, (struct bytes){"d12345678name", 13}, (struct bytes){"\1", 1});
    CHECK_EQ(forge_end(&forged), refused);

    static const char *const keys[] = {"e12345678k", "u12345678", "x12345678", "d", ""};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        forge_header(&forged, 5, 1000);
        forge_record(&forged, (struct bytes){keys[i], strlen(keys[i])},
                     (struct bytes){"\1", 1});
        CHECK_EQ(forge_end(&forged), refused);
    }
}

TEST(a_sealed_end_that_counts_other_records_is_refused)
{
    struct forged forged;
    forge_header(&forged, 5, 1000);
    forge_value(&forged, "a", "\x01v", 2);
    forged.count++;
    CHECK_EQ(forge_end(&forged), refused);
}

TEST(sealed_numbers_beyond_the_end_of_time_are_refused)
{
    struct forged forged;
    forge_header(&forged, INT64_MAX, INT64_MAX);
    CHECK_EQ(forge_end(&forged), 0);
    forge_header(&forged, (uint64_t)INT64_MAX + 1, 0);
    CHECK_EQ(forge_end(&forged), refused);
    forge_header(&forged, 0, (uint64_t)INT64_MAX + 1);
    CHECK_EQ(forge_end(&forged), refused);
}

TEST_MAIN
