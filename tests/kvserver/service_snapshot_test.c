// Snapshots of a service: the same bytes for the same state, the same state from the
// bytes, and nothing at all from bytes that are not whole.
#include "tests/kvserver/bytes_in_use.h"
#include "tests/kvserver/service_commands.h"
#include "tests/kvserver/service_fixture.h"

#include <errno.h>

#include "kvserver/service/hash.h"
#include "kvserver/service/snapshot.h"

static void read_rest(struct service_snapshot *snapshot, size_t piece_max,
                      struct buffer *out)
{
    char *piece = malloc(piece_max);
    for (;;) {
        size_t size = 1 + random_below((uint32_t)piece_max);
        size_t got = service_snapshot_read(snapshot, piece, size);
        buffer_append(out, piece, got);
        if (got < size)
            break;
    }
    CHECK_EQ(service_snapshot_read(snapshot, piece, piece_max), 0);
    free(piece);
}

static struct buffer take(struct service *service, size_t piece_max)
{
    struct buffer out = {0};
    struct service_snapshot *snapshot = service_snapshot_begin(service);
    CHECK(snapshot != NULL);
    read_rest(snapshot, piece_max, &out);
    service_snapshot_end(snapshot);
    return out;
}

static int restore(struct service *service, const struct buffer *bytes,
                   size_t piece_max)
{
    CHECK_EQ(service_restore_begin(service), 0);
    for (size_t at = 0; at < bytes->size;) {
        size_t size = 1 + random_below((uint32_t)piece_max);
        size = size < bytes->size - at ? size : bytes->size - at;
        if (service_restore_write(service, bytes->data + at, size) != 0)
            break;
        at += size;
    }
    return service_restore_end(service);
}

static void check_same_bytes(const struct buffer *a, const struct buffer *b)
{
    CHECK_EQ(a->size, b->size);
    CHECK(memcmp(a->data, b->data, a->size) == 0);
}

static void check_same_state(struct service *a, struct service *b)
{
    CHECK_EQ(service_hash(a), service_hash(b));
    CHECK_EQ(service_hash(a), service_hash_slow(a));
    CHECK_EQ(service_hash(b), service_hash_slow(b));
    CHECK_EQ(service_applied_index(a), service_applied_index(b));
    CHECK_EQ(service_clock_ms(a), service_clock_ms(b));
    CHECK_EQ(service_next_deadline_ms(a), service_next_deadline_ms(b));
    CHECK_EQ(service_key_count(a), service_key_count(b));
    CHECK_EQ(service_session_count(a), service_session_count(b));
}

static void check_empty(struct service *service)
{
    CHECK_EQ(service_applied_index(service), 0);
    CHECK_EQ(service_clock_ms(service), 0);
    CHECK_EQ(service_key_count(service), 0);
    CHECK_EQ(service_session_count(service), 0);
    CHECK_EQ(service_next_deadline_ms(service), UINT64_MAX);
    CHECK_EQ(service_hash(service), service_hash_slow(service));
}

// ---- drawn logs -----------------------------------------------------------------

static void setup_small(struct fixture *f)
{
    struct service_limits limits;
    service_limits_default(&limits);
    limits.sessions_max = 20;
    limits.session_idle_ms_max = 3000;
    setup_limited(f, &limits);
}

// One entry, drawn as a leader's would be; `other` applies it, too, where there is one,
// and must answer the same.
static void apply_drawn(struct fixture *f, struct fixture *other)
{
    char text[128];
    struct bytes words[WORDS_MAX];
    draw_command(text, sizeof(text));
    uint32_t count = split(text, words);
    f->time_ms += random_below(20);
    f->time_ms -= random_below(8) == 0 ? 30 : 0;
    uint32_t ids = 1 + (uint32_t)f->index;
    uint64_t session = random_below(3) == 0 ? 1 + random_below(ids) : 0;
    uint64_t sequence = session == 0 ? 0 : 1 + random_below(3);
    apply_words(f, session, sequence, words, count);
    if (other == NULL)
        return;
    buffer_clear(&other->reply);
    service_apply(other->service, f->index, f->entry.data, f->entry.size,
                  &other->reply);
    check_same_bytes(&f->reply, &other->reply);
    CHECK_EQ(service_hash(f->service), service_hash(other->service));
}

static void apply_many(struct fixture *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        apply_drawn(f, NULL);
}

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
    CHECK_EQ(apply_in(&other, 1, 1, "INCR n")[0], '-');
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
    setup(&f);
    apply(&f, "RAFT.REGISTER");
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
