// The durable log as it is written and read back; segments.
#include "tests/host/log_fixture.h"

#include "raft/host/log_format.h"

static struct fixture fixture;

static void start(uint64_t segment_bytes_max)
{
    fixture_init(&fixture, segment_bytes_max);
    CHECK_EQ(fixture_create(&fixture), 0);
}

TEST(a_log_that_was_written_is_read_back)
{
    start(1 << 20);
    fixture_vote(&fixture, 2, 5);
    for (raft_index i = 1; i <= 20; i++)
        fixture_put(&fixture, i, 1 + i / 12, (uint32_t)i * 7 % 90);
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(opened.ok);
    CHECK_EQ(opened.content.hard_state.current_term, 2);
    CHECK_EQ(opened.content.hard_state.voted_for, 5);
    CHECK_EQ(opened.content.last_index, 20);
    CHECK_EQ(opened.content.terms[11], 1);
    CHECK_EQ(opened.content.terms[12], 2);
    CHECK_EQ(opened.content.sizes[20], 140 % 90);
    CHECK_EQ(opened.torn_bytes, 0);
    CHECK_EQ(opened.end, fixture.log.end);
}

TEST(an_empty_directory_has_no_log)
{
    fixture_init(&fixture, 1 << 20);
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(opened.ok);
    CHECK_EQ(opened.segment.number, 0);
    CHECK_EQ(fixture.disk.file_count, 0);
}

TEST(files_with_other_names_are_left_alone)
{
    start(1 << 20);
    struct disk disk = memory_disk_interface(&fixture.disk);
    CHECK_EQ(disk.append(&fixture.disk, "00000000000000000009.log.old", "x", 1), 0);
    CHECK_EQ(disk.append(&fixture.disk, "0000000000000000000a.log", "x", 1), 0);
    CHECK_EQ(disk.append(&fixture.disk, "99999999999999999999.log", "x", 1), 0);
    CHECK_EQ(disk.append(&fixture.disk, "7.log", "x", 1), 0);
    CHECK(fixture_open(&fixture.disk).ok);
}

TEST(names_are_numbers_of_twenty_digits)
{
    char name[LOG_NAME_BYTES];
    log_format_name(name, 42);
    CHECK_TEXT(name, "00000000000000000042.log");
    CHECK_EQ(log_format_number(name), 42);
    log_format_name(name, UINT64_MAX);
    CHECK_EQ(log_format_number(name), UINT64_MAX);
    CHECK_EQ(log_format_number("18446744073709551616.log"), 0);
    CHECK_EQ(log_format_number("00000000000000000000.log"), 0);
}

// The bytes of docs and header, spelled out, so that a change of format is noticed.
TEST(the_bytes_on_disk_are_those_of_the_drawing)
{
    start(1 << 20);
    fixture_vote(&fixture, 258, 9);
    fixture_put(&fixture, 1, 258, 3);
    const uint8_t *bytes = memory_disk_find(&fixture.disk, SEGMENT(1))->now.bytes;
    CHECK(memcmp(bytes, "raftlog\n\1\0\0\0\3\0\0\0\x4d\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0",
                 32) == 0);
    const uint8_t *vote = bytes + 48 + 48;
    CHECK(memcmp(vote + 8, "\0\0\0\0\0\0\0\0\2\1\0\0\0\0\0\0\x60\0\0\0\0\0\0\0", 24) ==
          0);
    CHECK(memcmp(vote + 32, "\4\0\0\0\1\0\0\0\x9\0\0\0\0\0\0\0", 16) == 0);
    const uint8_t *entry = vote + 48;
    CHECK(memcmp(entry + 8, "\1\0\0\0\0\0\0\0\2\1\0\0\0\0\0\0\x60\0\0\0\0\0\0\0", 24) ==
          0);
    CHECK(memcmp(entry + 32, "\3\0\0\0\3\0\0\0", 8) == 0);
    CHECK(memcmp(entry + 40, fixture_payload(1, 258, 3), 3) == 0);
    CHECK(memcmp(entry + 43, "\0\0\0\0\0", 5) == 0);
    CHECK_EQ(fixture.log.end, 48 + 48 + 48 + 48);
}

TEST(every_type_of_entry_keeps_its_type)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 0);
    struct raft_entry entries[RAFT_ENTRY_TYPE_COUNT];
    for (int i = 0; i < RAFT_ENTRY_TYPE_COUNT; i++)
        entries[i] = (struct raft_entry){
            .index = (raft_index)i + 1, .term = 1, .type = (enum raft_entry_type)i};
    struct durable_log_write write = {.entries = entries,
                                      .entry_count = RAFT_ENTRY_TYPE_COUNT};
    struct disk disk = memory_disk_interface(&fixture.disk);
    CHECK_EQ(durable_log_append(&fixture.log, &disk, &write), 0);
    const struct memory_file *file = memory_disk_find(&fixture.disk, SEGMENT(1));
    for (int i = 0; i < RAFT_ENTRY_TYPE_COUNT; i++) {
        uint64_t offset = 48 + 48 + 48 + 40 * (uint64_t)i;
        struct log_record record;
        CHECK(log_format_get_record(file->now.bytes + offset, fixture.log.place, offset,
                                    &record));
        CHECK_EQ(record.type, LOG_RECORD_ENTRY + i);
        CHECK_EQ(record.index, i + 1);
    }
}

TEST(a_write_longer_than_the_gathering_buffer_is_whole)
{
    enum { COUNT = 9, SIZE = 3900 };
    static uint8_t data[COUNT][SIZE];
    struct raft_entry entries[COUNT];
    start(1 << 20);
    fixture_vote(&fixture, 1, 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        memcpy(data[i], fixture_payload(i + 1, 1, SIZE), SIZE);
        entries[i] = (struct raft_entry){.index = i + 1,
                                         .term = 1,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .size = SIZE,
                                         .data = data[i]};
    }
    struct durable_log_write write = {.entries = entries, .entry_count = COUNT};
    struct disk disk = memory_disk_interface(&fixture.disk);
    uint64_t appends = fixture.disk.appends;
    CHECK_EQ(durable_log_append(&fixture.log, &disk, &write), 0);
    CHECK_EQ(fixture.disk.appends, appends + 2);
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(opened.ok);
    CHECK_EQ(opened.content.last_index, COUNT);
}

TEST(a_later_entry_replaces_all_at_its_index_and_beyond)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 0);
    for (raft_index i = 1; i <= 9; i++)
        fixture_put(&fixture, i, 1, 10);
    fixture_vote(&fixture, 2, 0);
    fixture_put(&fixture, 4, 2, 20);
    fixture_put(&fixture, 5, 2, 20);
    fixture_vote(&fixture, 3, 0);
    fixture_put(&fixture, 5, 3, 30);
    fixture_put(&fixture, 6, 3, 30);
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(opened.ok);
    CHECK_EQ(opened.content.last_index, 6);
    raft_term expected[] = {0, 1, 1, 1, 2, 3, 3};
    for (raft_index i = 1; i <= 6; i++)
        CHECK_EQ(opened.content.terms[i], expected[i]);
}

TEST(a_replacement_may_go_back_over_segments)
{
    start(300);
    fixture_vote(&fixture, 1, 0);
    for (raft_index i = 1; i <= 12; i++)
        fixture_put(&fixture, i, 1, 50);
    CHECK(fixture.log.segment.number >= 4);
    fixture_vote(&fixture, 2, 1);
    for (raft_index i = 2; i <= 8; i++)
        fixture_put(&fixture, i, 2, 60);
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(opened.ok);
    CHECK_EQ(opened.content.last_index, 8);
    for (raft_index i = 1; i <= 8; i++)
        CHECK_EQ(opened.content.terms[i], i == 1 ? 1 : 2);
}

TEST(a_full_segment_is_closed_and_the_next_begins_with_the_hard_state)
{
    start(400);
    fixture_vote(&fixture, 7, 2);
    raft_index index = 0;
    while (fixture.log.segment.number == 1)
        CHECK_EQ(fixture_put(&fixture, ++index, 7, 100), 0);
    const struct memory_file *one = memory_disk_find(&fixture.disk, SEGMENT(1));
    const struct memory_file *two = memory_disk_find(&fixture.disk, SEGMENT(2));
    CHECK(one->now.size >= 400);
    CHECK_EQ(one->durable.size, one->now.size); // synced before the next was begun
    CHECK(two->durable.exists);
    struct log_record record;
    CHECK(log_format_get_record(two->now.bytes + 48, fixture.log.place, 48, &record));
    CHECK_EQ(record.type, LOG_RECORD_HARD_STATE);
    CHECK_EQ(record.term, 7);
    CHECK_EQ(two->now.bytes[48 + 40], 2);
    CHECK_EQ(fixture.log.segments_created, 2);
}

// The sync under way was asked for the old segment, and knows nothing of the new one.
TEST(a_sync_that_ends_after_a_new_segment_was_begun_covers_none_of_it)
{
    start(400);
    fixture_vote(&fixture, 1, 0);
    fixture_put(&fixture, 1, 1, 300);
    struct disk disk = memory_disk_interface(&fixture.disk);
    CHECK_EQ(durable_log_sync(&fixture.log, &disk, 9), 0);
    fixture_put(&fixture, 2, 1, 300);
    CHECK_EQ(fixture.log.segment.number, 2);
    uint64_t durable = fixture.log.durable;
    CHECK_EQ(durable, 48 + 48); // its beginning was waited for
    CHECK_EQ(memory_disk_end_sync(&fixture.disk), 0);
    durable_log_synced(&fixture.log);
    CHECK_EQ(fixture.log.durable, durable);
    fixture_sync(&fixture);
    CHECK_EQ(fixture.log.durable, fixture.log.end);
}

TEST(a_log_goes_on_behind_what_was_found)
{
    start(400);
    fixture_vote(&fixture, 1, 0);
    for (raft_index i = 1; i <= 15; i++) {
        fixture_put(&fixture, i, 1, 40);
        struct opened opened = fixture_open(&fixture.disk);
        CHECK(opened.ok);
        CHECK_EQ(opened.content.last_index, i);
        fixture_resume(&fixture, &opened);
    }
    CHECK(fixture.log.segment.number >= 3);
}

TEST(opening_makes_durable_what_it_has_read)
{
    start(1 << 20);
    fixture_vote(&fixture, 4, 1);
    fixture_put(&fixture, 1, 4, 10); // a killed process leaves this in the page cache
    CHECK(fixture_open(&fixture.disk).ok);
    memory_disk_crash(&fixture.disk, 0);
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(opened.ok);
    CHECK_EQ(opened.content.last_index, 1);
    CHECK_EQ(opened.content.hard_state.current_term, 4);
}

TEST(a_full_disk_fails_the_append)
{
    start(1 << 20);
    fixture_vote(&fixture, 1, 0);
    int status = 0;
    raft_index index = 0;
    while (status == 0 && index < 100)
        status = fixture_put(&fixture, ++index, 1, 1000);
    CHECK_EQ(status, -ENOSPC);
    struct opened opened = fixture_open(&fixture.disk);
    CHECK(opened.ok);
    CHECK_EQ(opened.content.last_index, index - 1);
}

TEST_MAIN
