// A full disk: what could not be written is not there, and can be tried again (bug 60).
#include "tests/host/log_fixture.h"

static struct fixture fixture;
static struct fixture copy;

enum { COUNT = 5, SIZE = 150, WRITE_BYTES = COUNT * (40 + 152) + 48 };

static void start(uint64_t segment_bytes_max)
{
    fixture_init(&fixture, segment_bytes_max);
    CHECK_EQ(fixture_create(&fixture), 0);
    CHECK_EQ(fixture_vote(&fixture, 2, 1), 0);
}

// A vote and five entries behind `last`, as one write of WRITE_BYTES.
static int put_long(raft_term term, raft_index last)
{
    static uint8_t data[COUNT][SIZE];
    struct raft_entry entries[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        memcpy(data[i], fixture_payload(last + 1 + i, term, SIZE), SIZE);
        entries[i] = (struct raft_entry){.index = last + 1 + i,
                                         .term = term,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .size = SIZE,
                                         .data = data[i]};
    }
    struct raft_hard_state hard_state = {.current_term = term};
    struct durable_log_write write = {
        .hard_state = &hard_state, .entries = entries, .entry_count = COUNT};
    struct disk disk = memory_disk_interface(&fixture.disk);
    return durable_log_append(&fixture.log, &disk, &write);
}

static void leave_room(uint64_t bytes)
{
    fixture.disk.capacity = memory_disk_used(&fixture.disk) + bytes;
}

static void check_found(raft_index last_index, raft_term last_term, raft_term term)
{
    static struct memory_disk found;
    found = fixture.disk;
    struct opened opened = fixture_open(&found);
    CHECK_TEXT(opened.error, "");
    CHECK_EQ(opened.content.last_index, last_index);
    CHECK_EQ(opened.content.terms[last_index], last_term);
    CHECK_EQ(opened.content.hard_state.current_term, term);
}

TEST(a_write_that_finds_the_disk_full_at_any_byte_leaves_nothing_behind)
{
    start(1 << 20);
    fixture_put(&fixture, 1, 2, 30);
    copy = fixture;
    for (uint64_t room = 0; room < WRITE_BYTES; room++) {
        fixture = copy;
        leave_room(room);
        uint64_t bytes_appended = fixture.log.bytes_appended;
        CHECK_EQ(put_long(3, 1), -ENOSPC);
        CHECK_EQ(fixture.log.end, copy.log.end);
        CHECK_EQ(fixture.log.bytes_appended, bytes_appended);
        CHECK_EQ(fixture.log.hard_state.current_term, 2);
        CHECK_EQ(fixture.log.hard_state.voted_for, 1);
        check_found(1, 2, 2);
        memory_disk_crash(&fixture.disk, UINT64_MAX);
        check_found(1, 2, 2); // also what was there before needs no further sync
    }
    fixture = copy;
    leave_room(WRITE_BYTES);
    CHECK_EQ(put_long(3, 1), 0);
}

TEST(the_same_write_succeeds_once_there_is_space)
{
    start(1 << 20);
    fixture_put(&fixture, 1, 2, 30);
    copy = fixture;
    for (uint64_t room = 0; room < WRITE_BYTES; room += 7) {
        fixture = copy;
        leave_room(room);
        CHECK_EQ(put_long(3, 1), -ENOSPC);
        CHECK_EQ(put_long(3, 1), -ENOSPC);
        fixture.disk.capacity = 0;
        CHECK_EQ(put_long(3, 1), 0);
        check_found(1 + COUNT, 3, 3);
        fixture_sync(&fixture);
        memory_disk_crash(&fixture.disk, 0);
        check_found(1 + COUNT, 3, 3);
    }
}

// The long write's later records would be valid behind the short one.
TEST(no_crash_brings_back_a_record_of_a_write_that_failed)
{
    start(1 << 20);
    fixture_put(&fixture, 1, 2, 30);
    leave_room(WRITE_BYTES - 1);
    struct disk disk = memory_disk_interface(&fixture.disk);
    CHECK_EQ(put_long(3, 1), -ENOSPC);
    fixture.disk.capacity = 0;
    fixture_vote(&fixture, 4, 0);
    fixture_put(&fixture, 2, 4, SIZE);
    CHECK_EQ(durable_log_sync(&fixture.log, &disk, 1), 0);
    copy = fixture;
    for (uint64_t mask = 0; mask < 256; mask++) {
        fixture = copy;
        memory_disk_crash(&fixture.disk, mask | (mask & 1 ? KEEP_LENGTH : 0));
        struct opened opened = fixture_open(&fixture.disk);
        CHECK_TEXT(opened.error, "");
        CHECK(opened.content.last_index <= 2);
        CHECK(opened.content.hard_state.current_term != 3);
    }
}

TEST(the_cut_is_durable_before_another_write_is_tried)
{
    start(1 << 20);
    fixture_put(&fixture, 1, 2, 30);
    leave_room(WRITE_BYTES - 1);
    uint64_t syncs = fixture.disk.syncs_waited_for;
    CHECK_EQ(put_long(3, 1), -ENOSPC);
    CHECK_EQ(fixture.disk.syncs_waited_for, syncs + 1);
    const struct memory_file *file = memory_disk_find(&fixture.disk, SEGMENT(1));
    CHECK_EQ(file->durable.size, fixture.log.end);
    CHECK_EQ(fixture.log.durable, fixture.log.end);
}

TEST(a_failed_restart_is_not_remembered)
{
    start(260);
    fixture_put(&fixture, 1, 2, 10);
    leave_room(10);
    CHECK_EQ(fixture_restart(&fixture, 9, 2), -ENOSPC);
    fixture.disk.capacity = 0;
    fixture_put(&fixture, 2, 2, 100);
    fixture_put(&fixture, 3, 2, 100);
    CHECK_EQ(fixture.log.segment.number, 2);
    durable_log_compact(&fixture.log, 2);
    fixture_sync(&fixture);
    CHECK_EQ(fixture.log.segments_removed, 1); // nothing above 2 stands in it
    CHECK_EQ(fixture_open_behind(&fixture.disk, 2, 2).content.last_index, 3);
}

// ---- segments -------------------------------------------------------------------

static void fill_segment(void)
{
    start(300);
    fixture_put(&fixture, 1, 2, 200);
    CHECK_EQ(fixture.log.segment.number, 1);
}

TEST(a_segment_that_could_not_be_begun_is_no_more_and_can_be_begun_again)
{
    fill_segment();
    copy = fixture;
    for (uint64_t room = 0; room < 48 + 48; room++) {
        fixture = copy;
        leave_room(room);
        CHECK_EQ(put_long(3, 1), -ENOSPC);
        CHECK_EQ(fixture.log.segment.number, 1);
        CHECK_EQ(fixture.log.end, copy.log.end);
        CHECK_EQ(fixture.log.segments_created, 1);
        CHECK(!memory_disk_find(&fixture.disk, SEGMENT(2))->now.exists);
        check_found(1, 2, 2);
        fixture.disk.capacity = 0;
        CHECK_EQ(put_long(3, 1), 0);
        CHECK_EQ(fixture.log.segment.number, 2);
        check_found(1 + COUNT, 3, 3);
    }
}

TEST(a_crash_after_a_segment_could_not_be_begun_changes_nothing)
{
    fill_segment();
    copy = fixture;
    for (uint64_t room = 0; room < 48 + 48; room += 5) {
        for (uint64_t mask = 0; mask < 16; mask++) {
            fixture = copy;
            leave_room(room);
            CHECK_EQ(put_long(3, 1), -ENOSPC);
            memory_disk_crash(&fixture.disk, mask << 60 | mask);
            check_found(1, 2, 2);
        }
    }
}

TEST(a_new_segment_stays_where_only_the_write_did_not_fit)
{
    fill_segment();
    leave_room(48 + 48 + 100);
    CHECK_EQ(put_long(3, 1), -ENOSPC);
    CHECK_EQ(fixture.log.segment.number, 2);
    CHECK_EQ(fixture.log.end, 48 + 48);
    check_found(1, 2, 2);
    CHECK_EQ(put_long(3, 1), -ENOSPC);
    CHECK_EQ(fixture.log.segment.number, 2);
    fixture.disk.capacity = 0;
    CHECK_EQ(put_long(3, 1), 0);
    check_found(1 + COUNT, 3, 3);
}

TEST(each_try_on_a_full_disk_removes_a_segment_that_nobody_needs)
{
    start(400);
    for (raft_index i = 1; i <= 13; i++)
        CHECK_EQ(fixture_put(&fixture, i, 2, 60), 0);
    CHECK_EQ(fixture.log.segment.number, 5);
    leave_room(0);
    durable_log_compact(&fixture.log, 8);
    copy = fixture;
    CHECK_EQ(put_long(3, 13), -ENOSPC);
    CHECK_EQ(fixture.log.segments_removed, 1);
    CHECK_EQ(put_long(3, 13), -ENOSPC); // two short segments made too little room
    CHECK_EQ(fixture.log.segments_removed, 2);
    CHECK_EQ(put_long(3, 13), -ENOSPC);
    CHECK_EQ(fixture.log.segments_removed, 2); // 7 to 9 are still needed
    durable_log_compact(&fixture.log, 13);
    CHECK_EQ(put_long(3, 13), -ENOSPC);
    CHECK_EQ(put_long(3, 13), 0);
    struct opened opened = fixture_open_behind(&fixture.disk, 13, 2);
    CHECK_TEXT(opened.error, "");
    CHECK_EQ(opened.content.last_index, 13 + COUNT);
}

// Also while a sync is under way, which may be what makes the one before durable.
TEST(no_removal_on_a_full_disk_leaves_a_hole)
{
    start(400);
    for (raft_index i = 1; i <= 13; i++)
        CHECK_EQ(fixture_put(&fixture, i, 2, 60), 0);
    leave_room(0);
    durable_log_compact(&fixture.log, 13);
    struct disk disk = memory_disk_interface(&fixture.disk);
    copy = fixture;
    for (uint64_t crash_at = 1;; crash_at++) {
        fixture = copy;
        fixture.disk.crash_at = fixture.disk.operations + crash_at;
        int status = durable_log_sync(&fixture.log, &disk, 1);
        while (status == 0 && fixture.log.segments_removed < 3 && !fixture.disk.crashed)
            CHECK(put_long(3, 13) != 0);
        if (!fixture.disk.crashed)
            break;
        struct fixture crashed = fixture;
        for (uint32_t undone = 0; undone < 16; undone++) {
            fixture = crashed;
            uint64_t mask = 0;
            for (uint32_t slot = 0; slot < 4; slot++)
                mask |= undone >> slot & 1 ? KEEP_REMOVED(slot) : 0;
            memory_disk_crash(&fixture.disk, mask);
            CHECK_TEXT(fixture_open_behind(&fixture.disk, 13, 2).error, "");
        }
        CHECK(crash_at < 40);
    }
    CHECK_EQ(fixture.log.segments_removed, 3);
}

static int truncate_on_a_full_disk(void *context, const char *name, uint64_t size)
{
    (void)context, (void)name, (void)size;
    return -ENOSPC;
}

TEST(a_removal_under_way_is_waited_for_also_where_nothing_was_rolled_back)
{
    start(400);
    for (raft_index i = 1; i <= 12; i++)
        CHECK_EQ(fixture_put(&fixture, i, 2, 60), 0);
    durable_log_compact(&fixture.log, 12);
    struct disk disk = memory_disk_interface(&fixture.disk);
    disk.truncate = truncate_on_a_full_disk;
    CHECK_EQ(durable_log_sync(&fixture.log, &disk, 1), 0);
    struct raft_hard_state hard_state = {.current_term = 3};
    struct durable_log_write write = {.hard_state = &hard_state};
    copy = fixture;
    for (uint64_t crash_at = 1; crash_at <= 4; crash_at++) {
        fixture = copy;
        fixture.disk.crash_at = fixture.disk.operations + crash_at;
        CHECK(durable_log_append(&fixture.log, &disk, &write) != 0);
        memory_disk_crash(&fixture.disk, KEEP_REMOVED(0));
        CHECK_TEXT(fixture_open_behind(&fixture.disk, 12, 2).error, "");
    }
    CHECK_EQ(fixture.log.segments_removed, 2);
}

// ---- other errors ---------------------------------------------------------------

static int append_beyond_quota(void *context, const char *name, const void *data,
                               size_t size)
{
    CHECK_EQ(memory_disk_append(context, name, data, size / 2), 0);
    return -EDQUOT;
}

static int append_that_fails(void *context, const char *name, const void *data,
                             size_t size)
{
    (void)context, (void)name, (void)data, (void)size;
    return -EIO;
}

TEST(a_quota_is_a_full_disk)
{
    start(1 << 20);
    struct disk disk = memory_disk_interface(&fixture.disk);
    disk.append = append_beyond_quota;
    struct raft_hard_state hard_state = {.current_term = 3};
    struct durable_log_write write = {.hard_state = &hard_state};
    uint64_t end = fixture.log.end;
    CHECK_EQ(durable_log_append(&fixture.log, &disk, &write), -EDQUOT);
    CHECK_EQ(fixture.log.end, end);
    CHECK_EQ(memory_disk_find(&fixture.disk, SEGMENT(1))->now.size, end);
    CHECK_EQ(fixture_vote(&fixture, 3, 0), 0);
    check_found(0, 0, 3);
}

TEST(any_other_error_is_passed_on_and_nothing_is_repaired)
{
    start(1 << 20);
    struct disk disk = memory_disk_interface(&fixture.disk);
    disk.append = append_that_fails;
    struct raft_hard_state hard_state = {.current_term = 3};
    struct durable_log_write write = {.hard_state = &hard_state};
    uint64_t operations = fixture.disk.operations;
    CHECK_EQ(durable_log_append(&fixture.log, &disk, &write), -EIO);
    CHECK_EQ(fixture.disk.operations, operations);
}

// The kernel has taken the bytes and lost them: nothing to be tried again.
TEST(a_sync_that_finds_the_disk_full_is_final)
{
    fill_segment();
    fixture.disk.sync_status = -ENOSPC;
    CHECK_EQ(put_long(3, 1), -EIO);
    start(1 << 20);
    leave_room(10);
    fixture.disk.sync_status = -EDQUOT;
    CHECK_EQ(put_long(3, 0), -EIO); // the cut could not be made durable
}

TEST_MAIN
