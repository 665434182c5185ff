// What a crash or a bad disk may do to the log: torn tails are cut, damage is refused.
#include "tests/host/log_fixture.h"

#include "raft/host/crc32c.h"
#include "raft/host/log_format.h"

static struct fixture fixture;
static struct memory_disk copy;

static void start(uint64_t segment_bytes_max)
{
    fixture_init(&fixture, segment_bytes_max);
    CHECK_EQ(fixture_create(&fixture), 0);
}

static struct memory_file *file_of(struct memory_disk *disk, const char *name)
{
    struct memory_file *file = memory_disk_find(disk, name);
    CHECK(file != NULL);
    return file;
}

// Behind the last byte from `from` on, and before `size`, that is not zero.
static uint64_t written_to(struct memory_disk *disk, uint64_t from, uint64_t size)
{
    const uint8_t *bytes = file_of(disk, SEGMENT(1))->now.bytes;
    while (size > from && bytes[size - 1] == 0)
        size--;
    return size;
}

// ---- torn tails -----------------------------------------------------------------

// LAB 3 step 7, 1 point: STATE-0
TEST(a_tail_torn_at_any_byte_of_the_last_record_is_cut_to_the_record_before)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 2);
    fixture_put(&fixture, 1, 1, 30);
    fixture_sync(&fixture);
    uint64_t before = fixture.log.end;
    fixture_put(&fixture, 2, 1, 45);
    for (uint64_t size = before; size < fixture.log.end; size++) {
        memory_disk_copy(&copy, &fixture.disk);
        file_of(&copy, SEGMENT(1))->now.size = size;
        struct opened opened = fixture_open(&copy);
        CHECK(opened.ok);
        CHECK_EQ(opened.content.last_index, 1);
        CHECK_EQ(opened.content.hard_state.voted_for, 2);
        CHECK_EQ(opened.end, before);
        CHECK_EQ(opened.torn_bytes, written_to(&fixture.disk, before, size) - before);
        CHECK_EQ(file_of(&copy, SEGMENT(1))->durable.size, before);
    }
}

TEST(a_torn_hard_state_leaves_the_one_before)
{
    start(1 << 20);
    fixture_vote(&fixture, 3, 1);
    fixture_sync(&fixture);
    uint64_t before = fixture.log.end;
    fixture_vote(&fixture, 4, 2);
    for (uint64_t size = before; size < fixture.log.end; size++) {
        memory_disk_copy(&copy, &fixture.disk);
        file_of(&copy, SEGMENT(1))->now.size = size;
        struct opened opened = fixture_open(&copy);
        CHECK(opened.ok);
        CHECK_EQ(opened.content.hard_state.current_term, 3);
        CHECK_EQ(opened.content.hard_state.voted_for, 1);
    }
}

// All subsets of the sectors of a tail of several records, none of them ever synced.
// LAB 3 step 7, 1 point: STATE-0
TEST(lost_sectors_of_an_unsynced_tail_are_cut_and_never_refused)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 2);
    fixture_put(&fixture, 1, 1, 100);
    fixture_sync(&fixture);
    for (raft_index i = 2; i <= 12; i++)
        fixture_put(&fixture, i, 1, 333);
    fixture_vote(&fixture, 2, 0);
    fixture_put(&fixture, 5, 2, 100);
    uint64_t sectors = fixture.log.end / MEMORY_SECTOR_BYTES + 1;
    CHECK(sectors >= 9 && sectors <= 12);
    for (uint64_t mask = 0; mask < (uint64_t)2 << sectors; mask++) {
        memory_disk_copy(&copy, &fixture.disk);
        bool keep_length = mask >> sectors & 1;
        memory_disk_crash(&copy, mask | (keep_length ? KEEP_LENGTH : 0));
        struct opened opened = fixture_open(&copy);
        CHECK_TEXT(opened.error, "");
        CHECK(opened.ok);
        CHECK(opened.content.last_index >= 1);
        CHECK_EQ(opened.content.terms[1], 1);
        CHECK_AT_MOST(opened.content.last_index, 12);
    }
}

TEST(zeros_written_ahead_are_no_tear)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 2);
    fixture_put(&fixture, 1, 1, 100);
    struct memory_file *file;
    for (uint64_t zeros = 1; zeros < 200; zeros++) {
        memory_disk_copy(&copy, &fixture.disk);
        file = file_of(&copy, SEGMENT(1));
        file->now.size += zeros;
        struct opened opened = fixture_open(&copy);
        CHECK(opened.ok);
        CHECK_EQ(opened.content.last_index, 1);
        CHECK_EQ(opened.torn_bytes, 0);
        CHECK_EQ(file->durable.size, fixture.log.end); // and they are gone
    }
}

// LAB 3 step 7, 1 point: STATE-0
TEST(a_tear_before_zeros_is_counted_without_them)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 2);
    struct memory_file *file = file_of(&fixture.disk, SEGMENT(1));
    memset(file->now.bytes + file->now.size, 0xab, 21);
    file->now.size += 1000;
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(opened.ok);
    CHECK_EQ(opened.torn_bytes, 21);
}

TEST(a_segment_whose_beginning_is_torn_is_removed)
{
    start(300);
    fixture_vote(&fixture, 1, 2);
    raft_index index = 0;
    while (fixture.log.segment.number == 1)
        fixture_put(&fixture, ++index, 1, 100);
    for (uint64_t size = 0; size < 48 + 48; size++) {
        memory_disk_copy(&copy, &fixture.disk);
        file_of(&copy, SEGMENT(2))->now.size = size;
        struct opened opened = fixture_open(&copy);
        CHECK(opened.ok);
        CHECK_EQ(opened.content.last_index, index - 1);
        CHECK_EQ(opened.segment.number, 1);
        CHECK_EQ(opened.end, file_of(&copy, SEGMENT(1))->now.size);
        CHECK(!file_of(&copy, SEGMENT(2))->durable.exists);
    }
}

TEST(a_first_segment_whose_beginning_is_torn_is_no_log)
{
    start(300);
    for (uint64_t size = 0; size < 48 + 48; size++) {
        memory_disk_copy(&copy, &fixture.disk);
        file_of(&copy, SEGMENT(1))->now.size = size;
        struct opened opened = fixture_open(&copy);
        CHECK(opened.ok);
        CHECK_EQ(opened.segment.number, 0);
    }
}

// ---- damage ---------------------------------------------------------------------

// Four synced writes, and one more behind them, which tells that they were synced.
static uint64_t write_synced_records(uint64_t starts[], uint32_t *count)
{
    uint32_t n = 0;
    starts[n++] = 0;
    starts[n++] = 48;
    starts[n++] = fixture.log.end;
    fixture_vote(&fixture, 1, 2);
    for (raft_index i = 1; i <= 3; i++) {
        starts[n++] = fixture.log.end;
        fixture_put(&fixture, i, 1, (uint32_t)i * 13);
    }
    fixture_sync(&fixture);
    uint64_t synced = fixture.log.end;
    starts[n] = synced;
    *count = n;
    fixture_put(&fixture, 4, 1, 20);
    return synced;
}

static uint64_t start_of(uint64_t at, const uint64_t starts[], uint32_t count)
{
    uint32_t i = 0;
    while (i + 1 <= count && starts[i + 1] <= at)
        i++;
    return starts[i];
}

// LAB 3 step 7, 1 point: STATE-0
TEST(a_bit_flipped_anywhere_in_synced_bytes_is_refused_by_file_and_offset)
{
    uint64_t starts[10];
    uint32_t count;
    start(1 << 20);
    uint64_t synced = write_synced_records(starts, &count);
    for (uint64_t at = 0; at < synced; at++) {
        for (int bit = 0; bit < 8; bit++) {
            memory_disk_copy(&copy, &fixture.disk);
            file_of(&copy, SEGMENT(1))->now.bytes[at] ^= (uint8_t)(1 << bit);
            struct opened opened = fixture_open(&copy);
            CHECK(!opened.ok);
            char expected[200];
            bool version = at >= 8 && at < 12 && !(at == 8 && bit == 0);
            snprintf(expected, sizeof expected, "%s: offset %" PRIu64 ": %s",
                     SEGMENT(1), start_of(at, starts, count),
                     version ? "the log is of a later version of this program"
                             : "damaged, and it had been synced");
            CHECK_TEXT(opened.error, expected);
        }
    }
}

TEST(a_refused_log_is_left_as_it_is)
{
    uint64_t starts[10];
    uint32_t count;
    start(1 << 20);
    write_synced_records(starts, &count);
    file_of(&fixture.disk, SEGMENT(1))->now.bytes[120] ^= 1;
    copy = fixture.disk;
    CHECK(!fixture_open(&copy).ok);
    CHECK(memcmp(&copy, &fixture.disk, sizeof copy) == 0);
}

TEST(any_damage_in_a_closed_segment_is_refused)
{
    start(300);
    fixture_vote(&fixture, 1, 2);
    for (raft_index i = 1; fixture.log.segment.number < 3; i++)
        fixture_put(&fixture, i, 1, 100);
    uint64_t size = file_of(&fixture.disk, SEGMENT(2))->now.size;
    for (uint64_t at = 0; at < size; at++) {
        memory_disk_copy(&copy, &fixture.disk);
        file_of(&copy, SEGMENT(2))->now.bytes[at] ^= 0x10;
        struct opened opened = fixture_open(&copy);
        CHECK(!opened.ok);
        CHECK(strncmp(opened.error, SEGMENT(2) ": offset ", 33) == 0);
    }
}

TEST(a_closed_segment_that_lost_its_end_is_refused)
{
    start(300);
    fixture_vote(&fixture, 1, 2);
    raft_index index = 0;
    uint64_t before_last = 0;
    while (fixture.log.segment.number == 1) {
        before_last = fixture.log.end < 300 ? fixture.log.end : before_last;
        fixture_put(&fixture, ++index, 1, 100);
    }
    uint64_t size = file_of(&fixture.disk, SEGMENT(1))->now.size;
    file_of(&fixture.disk, SEGMENT(1))->now.size = before_last; // at a record's end
    char expected[200];
    snprintf(expected, sizeof expected,
             "%s: offset %" PRIu64 ": ends here, but had %" PRIu64
             " bytes when it was complete",
             SEGMENT(1), before_last, size);
    fixture_refused(&fixture.disk, expected);
}

// The beginning of the last segment was damaged, but records behind prove its use.
TEST(a_damaged_beginning_with_synced_records_behind_is_refused)
{
    start(300);
    fixture_vote(&fixture, 1, 2);
    for (raft_index i = 1; fixture.log.segment.number == 1; i++)
        fixture_put(&fixture, i, 1, 100);
    memory_disk_copy(&copy, &fixture.disk);
    memset(file_of(&copy, SEGMENT(2))->now.bytes, 0, 48);
    fixture_refused(&copy, SEGMENT(2) ": offset 0: damaged, and it had been synced");
    memory_disk_copy(&copy, &fixture.disk);
    memset(file_of(&copy, SEGMENT(2))->now.bytes + 48, 0, 48);
    fixture_refused(&copy, SEGMENT(2) ": offset 48: damaged, and it had been synced");
}

TEST(what_cannot_be_read_is_not_taken_for_a_tear)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 2);
    fixture.disk.read_status = -EIO;
    copy = fixture.disk;
    fixture_refused(&copy, SEGMENT(1) ": offset 0: cannot be read: Input/output error");
    CHECK(memcmp(&copy, &fixture.disk, sizeof copy) == 0);
}

// A client's value may well hold the bytes of a record: they prove nothing there.
TEST(a_copy_of_a_record_elsewhere_is_no_record)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 2);
    fixture_put(&fixture, 1, 1, 400);
    fixture_sync(&fixture);
    uint64_t proof = fixture.log.end;
    fixture_put(&fixture, 2, 1, 24); // durable: all before it
    fixture_sync(&fixture);
    uint64_t torn = fixture.log.end;
    fixture_put(&fixture, 3, 1, 400);
    struct memory_file *file = file_of(&fixture.disk, SEGMENT(1));
    for (uint64_t at = torn + 40; at + 64 < fixture.log.end; at += 64)
        memcpy(file->now.bytes + at, file->now.bytes + proof, 64);
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(opened.ok);
    CHECK_EQ(opened.content.last_index, 2);
    CHECK_EQ(opened.end, torn);
}

// ---- a log that no crash makes --------------------------------------------------

TEST(a_length_beyond_the_file_is_not_believed)
{
    uint32_t sizes[] = {1, 100, UINT32_MAX - 8, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        start(1 << 20);
        fixture_vote(&fixture, 1, 2);
        struct memory_file *file = file_of(&fixture.disk, SEGMENT(1));
        struct log_record record = {
            .type = LOG_RECORD_ENTRY, .index = 1, .term = 1, .size = sizes[i]};
        log_format_put_record(file->now.bytes + file->now.size, fixture.log.place,
                              file->now.size, &record);
        file->now.size += LOG_RECORD_HEADER_BYTES;
        struct opened opened = fixture_open(&fixture.disk);
        CHECK(opened.ok);
        CHECK_EQ(opened.content.last_index, 0);
        CHECK_EQ(opened.end, fixture.log.end);
    }
}

TEST(a_gap_in_the_indices_is_refused)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 2);
    fixture_put(&fixture, 1, 1, 8);
    uint64_t offset = fixture.log.end;
    fixture_put(&fixture, 3, 1, 8);
    char expected[200];
    snprintf(expected, sizeof expected,
             "%s: offset %" PRIu64 ": entries are missing before this one", SEGMENT(1),
             offset);
    fixture_refused(&fixture.disk, expected);
}

TEST(a_term_that_goes_back_is_refused)
{
    start(1 << 20);
    fixture_vote(&fixture, 5, 2);
    fixture_vote(&fixture, 4, 2);
    fixture_refused(&fixture.disk, SEGMENT(1) ": offset 144: the term goes back");
}

TEST(a_vote_that_changes_within_a_term_is_refused)
{
    start(1 << 20);
    fixture_vote(&fixture, 5, 2);
    fixture_vote(&fixture, 5, 1);
    fixture_refused(&fixture.disk,
                    SEGMENT(1) ": offset 144: the vote changes within a term");
}

TEST(an_entry_of_a_term_that_was_never_made_durable_is_refused)
{
    start(1 << 20);
    fixture_vote(&fixture, 5, 2);
    fixture_put(&fixture, 1, 6, 0);
    fixture_refused(&fixture.disk,
                    SEGMENT(1) ": offset 144: an entry of a term yet to come");
}

TEST(a_missing_segment_is_refused)
{
    start(300);
    fixture_vote(&fixture, 1, 2);
    for (raft_index i = 1; fixture.log.segment.number < 3; i++)
        fixture_put(&fixture, i, 1, 100);
    memory_disk_copy(&copy, &fixture.disk);
    file_of(&copy, SEGMENT(1))->now.exists = false;
    fixture_refused(&copy, SEGMENT(1) ": offset 0: this segment is missing");
    memory_disk_copy(&copy, &fixture.disk);
    file_of(&copy, SEGMENT(2))->now.exists = false;
    fixture_refused(&copy, SEGMENT(2) ": offset 0: this segment is missing");
}

TEST(a_segment_under_the_name_of_another_is_refused)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 2);
    struct disk disk = memory_disk_interface(&fixture.disk);
    const struct memory_file *file = file_of(&fixture.disk, SEGMENT(1));
    CHECK_EQ(
        disk.append(&fixture.disk, SEGMENT(2), file->now.bytes, (size_t)file->now.size),
        0);
    fixture_refused(&fixture.disk,
                    SEGMENT(2) ": offset 0: this segment has another's name");
}

TEST(a_first_segment_that_tells_of_one_before_it_is_refused)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 2);
    fixture_sync(&fixture);
    struct memory_file *file = file_of(&fixture.disk, SEGMENT(1));
    struct log_segment header;
    CHECK_EQ(log_format_get_segment(file->now.bytes, &header), LOG_HEADER_VALID);
    // By no writer of ours: its checksum is right, and what it says is not.
    header = (struct log_segment){header.cluster_id, header.node_id, 2, 100};
    log_format_put_segment(file->now.bytes, &header);
    file->now.bytes[24] = 1;
    uint32_t sum = crc32c_extend(0, file->now.bytes, 44);
    for (int i = 0; i < 4; i++)
        file->now.bytes[44 + i] = (uint8_t)(sum >> 8 * i);
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(!opened.ok);
    CHECK_TEXT(opened.error,
               SEGMENT(1) ": offset 0: the first segment tells of one before it");
}

TEST(a_segment_of_another_cluster_or_node_is_refused)
{
    fixture_init(&fixture, 1 << 20);
    fixture.log.segment.cluster_id++;
    CHECK_EQ(fixture_create(&fixture), 0);
    fixture_refused(&fixture.disk,
                    SEGMENT(1) ": offset 0: this segment is of another cluster");
    fixture_init(&fixture, 1 << 20);
    fixture.log.segment.node_id++;
    CHECK_EQ(fixture_create(&fixture), 0);
    fixture_refused(&fixture.disk,
                    SEGMENT(1) ": offset 0: this segment is of another node");
}

TEST(a_later_version_is_refused)
{
    start(1 << 20);
    file_of(&fixture.disk, SEGMENT(1))->now.bytes[8] = LOG_VERSION + 1;
    fixture_refused(
        &fixture.disk,
        SEGMENT(1) ": offset 0: the log is of a later version of this program");
}

// Bytes changed at random, with the file cut or not: never a crash, never an entry
// that was not written (the fixture looks at each).
TEST(whatever_stands_in_the_files_opening_ends_in_a_log_or_in_a_refusal)
{
    start(600);
    fixture_vote(&fixture, 1, 2);
    for (raft_index i = 1; fixture.log.segment.number < 3; i++) {
        fixture_put(&fixture, i, 1, 70);
        if (i % 2 == 0)
            fixture_sync(&fixture);
    }
    const char *const names[] = {SEGMENT(1), SEGMENT(2), SEGMENT(3)};
    uint64_t random = 7;
    uint32_t refused = 0, opened = 0;
    for (int round = 0; round < 3000; round++) {
        memory_disk_copy(&copy, &fixture.disk);
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct memory_file *file = file_of(&copy, names[(random >> 32) % 3]);
        uint64_t at = (random >> 34) % file->now.size;
        memset(file->now.bytes + at, (int)(random >> 60), (random >> 50) % 9);
        if (random >> 49 & 1)
            file->now.size = at;
        struct opened result = fixture_open(&copy);
        CHECK(result.ok || strstr(result.error, ".log: offset ") != NULL);
        refused += !result.ok;
        opened += result.ok;
    }
    CHECK(refused > 100 && opened > 100);
}

TEST_MAIN
