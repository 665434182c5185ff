// Lab 3, step 7: damage is told from a torn tail by all that stands behind it.
#include "tests/host/fault_disk.h"
#include "tests/host/log_fixture.h"

#include "raft/host/log_tear.h"

static struct fixture fixture;
static struct memory_disk copy;

// Entries of `size` bytes, synced after every third of them; returns where the first
// one begins. The first record behind a sync is the one to tell of it.
static uint64_t start(raft_index count, uint32_t size)
{
    fixture_init(&fixture, 1 << 20);
    CHECK_EQ(fixture_create(&fixture), 0);
    fixture_vote(&fixture, 1, 2);
    fixture_sync(&fixture);
    uint64_t first = fixture.log.end;
    for (raft_index i = 1; i <= count; i++) {
        fixture_put(&fixture, i, 1, size);
        if (i % 3 == 0)
            fixture_sync(&fixture);
    }
    return first;
}

static struct memory_file *segment(struct memory_disk *disk)
{
    struct memory_file *file = memory_disk_find(disk, SEGMENT(1));
    CHECK(file != NULL);
    return file;
}

static void check_damaged(struct memory_disk *disk, uint64_t offset)
{
    char expected[200];
    snprintf(expected, sizeof expected,
             "%s: offset %" PRIu64 ": damaged, and it had been synced", SEGMENT(1),
             offset);
    struct memory_disk before = *disk;
    fixture_refused(disk, expected);
    CHECK(memcmp(&before, disk, sizeof before) == 0); // nothing was cut
}

enum { COUNT = 40, SIZE = 100 };

static void spoil(uint8_t *records, uint64_t count, int how)
{
    uint64_t bytes = log_format_record_bytes(SIZE);
    if (how < 2) {
        memset(records, how == 0 ? 0 : 0xa5, count * bytes);
        return;
    }
    for (uint64_t i = 0; i < count; i++) // what the headers announce is not there
        memset(records + i * bytes + LOG_RECORD_HEADER_BYTES, 0xa5, 8);
}

// Everything between two entries is wrong, in one way or another: a single record far
// behind proves that it had been promised. The nearest ones may have been written
// before anything there was synced, and do not know.
// LAB 3 step 7, 1 point: STATE-0 STATE-3
TEST(damage_of_any_length_is_refused_where_one_whole_record_behind_it_tells)
{
    uint64_t first = start(COUNT, SIZE);
    uint64_t bytes = log_format_record_bytes(SIZE);
    for (raft_index bad = 1; bad < COUNT; bad++) {
        uint64_t from = first + (bad - 1) * bytes;
        for (raft_index wrong = 1; bad + wrong <= COUNT; wrong++) {
            for (int how = 0; how < 3; how++) {
                memory_disk_copy(&copy, &fixture.disk);
                spoil(segment(&copy)->now.bytes + from, wrong, how);
                CHECK(!fixture_open(&copy).ok);
            }
        }
        memory_disk_copy(&copy, &fixture.disk);
        segment(&copy)->now.bytes[from + bytes / 2] ^= 1;
        check_damaged(&copy, from);
    }
}

// Records behind a tear that were written before anything there was synced prove
// nothing, however whole they are.
// LAB 3 step 7, 1 point: STATE-0
TEST(whole_records_behind_a_tear_prove_nothing_by_being_whole)
{
    uint64_t first = start(3, 64);
    uint64_t synced = fixture.log.end;
    for (raft_index i = 4; i <= 12; i++)
        fixture_put(&fixture, i, 1, 64);
    uint64_t bytes = log_format_record_bytes(64);
    CHECK_EQ(synced, first + 3 * bytes);
    for (uint64_t torn = synced; torn < fixture.log.end; torn += bytes) {
        memory_disk_copy(&copy, &fixture.disk);
        memset(segment(&copy)->now.bytes + torn, 0, 8); // one sector was late
        struct opened opened = fixture_open(&copy);
        CHECK_TEXT(opened.error, "");
        CHECK_EQ(opened.content.last_index, 3 + (torn - synced) / bytes);
        CHECK_EQ(opened.end, torn);
        CHECK_EQ(opened.torn_bytes, fixture.log.end - torn);
        CHECK_EQ(segment(&copy)->durable.size, torn);
    }
}

// What is at the end may be whole: who cannot read it may not cut it off.
// LAB 3 step 7, 1 point: STATE-0
TEST(what_cannot_be_read_behind_a_tear_is_not_cut_off)
{
    start(3, 60);
    uint64_t torn = fixture.log.end;
    fixture_put(&fixture, 4, 1, 2000);
    fixture_put(&fixture, 5, 1, 2000);
    uint64_t end = fixture.log.end;
    segment(&fixture.disk)->now.bytes[torn] ^= 1;
    uint64_t far = torn + 400; // beyond what was read at once
    for (uint64_t at = far; at < end; at += 97) {
        memory_disk_copy(&copy, &fixture.disk);
        struct fault_disk fault = {.inner = memory_disk_interface(&copy),
                                   .bad_name = SEGMENT(1),
                                   .bad_offset = at};
        struct disk disk = fault_disk_interface(&fault);
        struct log_reader reader;
        log_reader_init(&reader, &disk);
        log_reader_open(&reader, 1, segment(&copy)->now.size);
        reader.place = fixture.log.place;
        uint64_t torn_bytes = 0;
        CHECK_EQ(log_tear_judge(&reader, torn, &torn_bytes), LOG_TEAR_UNREADABLE);
        CHECK_EQ(reader.status, -EIO);
        log_reader_release(&reader);
    }
}

TEST_MAIN
