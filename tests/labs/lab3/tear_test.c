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

enum kind { A_VOTE, A_NOOP, AN_ENTRY, KINDS };

static void put(enum kind kind, raft_index index)
{
    struct disk disk = memory_disk_interface(&fixture.disk);
    struct raft_entry noop = {.index = index, .term = 1, .type = RAFT_ENTRY_NOOP};
    struct durable_log_write write = {.entries = &noop, .entry_count = 1};
    if (kind == A_VOTE)
        fixture_vote(&fixture, 1 + index, 2);
    else if (kind == AN_ENTRY)
        fixture_put(&fixture, index, 1, 30);
    else
        CHECK_EQ(durable_log_append(&fixture.log, &disk, &write), 0);
}

// A record that was synced, of any kind, and the only one behind it, of any kind: the
// log's last bytes.
static void check_the_last_record_tells_of_the_one_before(void)
{
    for (int i = 0; i < KINDS * KINDS; i++) {
        fixture_init(&fixture, 1 << 20);
        CHECK_EQ(fixture_create(&fixture), 0);
        uint64_t from = fixture.log.end;
        put(i / KINDS, 1);
        fixture_sync(&fixture);
        uint64_t end = fixture.log.end;
        put(i % KINDS, 2);
        for (uint64_t at = from; at < end; at++) {
            memory_disk_copy(&copy, &fixture.disk);
            segment(&copy)->now.bytes[at] ^= 1;
            check_damaged(&copy, from);
        }
    }
}

// ---- far behind --------------------------------------------------------------------

// A file of which only the end matters.
static struct {
    uint64_t size;
    uint8_t bytes[3 << 20];
} file;

static int64_t file_read(void *context, const char *name, uint64_t offset, void *data,
                         size_t size)
{
    (void)context;
    (void)name;
    if (size > file.size - offset)
        size = (size_t)(file.size - offset);
    memcpy(data, file.bytes + offset, size);
    return (int64_t)size;
}

static enum log_tear judge_file(uint64_t offset, uint64_t *torn_bytes)
{
    struct disk disk = {.read = file_read};
    struct log_reader reader;
    log_reader_init(&reader, &disk);
    log_reader_open(&reader, 1, file.size);
    reader.place = fixture.log.place;
    enum log_tear tear = log_tear_judge(&reader, offset, torn_bytes);
    log_reader_release(&reader);
    return tear;
}

// A vote, which tells up to where the file had been synced before it was written.
static void end_file_with_vote(uint64_t at, uint64_t durable)
{
    const struct raft_hard_state vote = {.current_term = 1, .voted_for = 2};
    uint8_t *payload = file.bytes + at + LOG_RECORD_HEADER_BYTES;
    log_format_put_hard_state(payload, &vote);
    struct log_record record = {
        .type = LOG_RECORD_HARD_STATE,
        .term = vote.current_term,
        .durable = durable,
        .size = LOG_HARD_STATE_BYTES,
        .payload_checksum = log_format_payload_checksum(payload, LOG_HARD_STATE_BYTES)};
    log_format_put_record(file.bytes + at, fixture.log.place, at, &record);
    file.size = at + log_format_record_bytes(record.size);
}

// What tells may stand many times further off than is read at once.
static void check_that_all_of_the_file_is_searched(void)
{
    uint64_t offset = LOG_SEGMENT_HEADER_BYTES;
    uint64_t torn_bytes;
    for (uint64_t at = offset + 64 * 1024; at < sizeof file.bytes / 2; at += at + 8) {
        memset(file.bytes, 0, sizeof file.bytes);
        file.bytes[at] = 1; // the only one of a tear that is not zero
        file.size = at + 100;
        CHECK_EQ(judge_file(offset, &torn_bytes), LOG_TEAR_TORN);
        CHECK_EQ(torn_bytes, at + 1 - offset);
        memset(file.bytes, 0xa5, at);
        memset(file.bytes + at, 0, 100);
        end_file_with_vote(at, offset + 1);
        CHECK_EQ(judge_file(offset, &torn_bytes), LOG_TEAR_DAMAGED);
    }
}

// Everything between two entries is wrong, in one way or another: a single record far
// behind proves that it had been promised. The nearest ones may have been written
// before anything there was synced, and do not know.
// LAB 3 step 7, 1 point: STATE-0 STATE-3
TEST(damage_of_any_length_is_refused_where_one_whole_record_behind_it_tells)
{
    check_the_last_record_tells_of_the_one_before();
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
    check_that_all_of_the_file_is_searched();
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
