// Each call of the disk fails once, under each thing that is done with a log: it is
// told, with the file where there is one, and what is tried again afterwards succeeds.
#define MEMORY_FILE_BYTES (640 * 1024)

#include "raft/host/crc32c.h"
#include "raft/host/rebuild.h"
#include "tests/host/fault_disk.h"
#include "tests/host/log_fixture.h"

static struct fixture fixture;
static struct memory_disk before; // what the fixture's disk held
static struct memory_disk target;
static struct log_salvage salvage;
static struct content content;
static char error[300];

// Entries 1..10, three to a segment, the last of which has a torn tail.
static void start(void)
{
    fixture_init(&fixture, 400);
    CHECK_EQ(fixture_create(&fixture), 0);
    CHECK_EQ(fixture_vote(&fixture, 2, 1), 0);
    for (raft_index i = 1; i <= 10; i++)
        CHECK_EQ(fixture_put(&fixture, i, 2, 60), 0);
    fixture_sync(&fixture);
    struct disk disk = memory_disk_interface(&fixture.disk);
    CHECK_EQ(disk.append(disk.context, SEGMENT(4), "torn", 4), 0);
    before = fixture.disk;
}

static struct fault_disk a_fault(struct memory_disk *disk, enum fault_kind kind,
                                 uint64_t at, int64_t status)
{
    return (struct fault_disk){
        .inner = memory_disk_interface(disk), .kind = kind, .at = at, .status = status};
}

// ---- opening ----------------------------------------------------------------------

static bool open_for(struct fault_disk *fault, const struct log_loader *loader)
{
    struct disk disk = fault_disk_interface(fault);
    struct log_recovery recovery;
    error[0] = '\0';
    log_recover_init(&recovery, FIXTURE_CLUSTER, FIXTURE_NODE, error, sizeof error);
    bool opened = log_recover_scan(&recovery, &disk, 0, 0) &&
                  (loader == NULL || log_recover_load(&recovery, loader));
    log_recover_release(&recovery);
    return opened;
}

static bool open_over(struct fault_disk *fault)
{
    struct log_loader loader = {.context = &content, .load = fixture_load};
    memset(&content, 0, sizeof content);
    return open_for(fault, &loader);
}

// Returns how many calls of that kind failed, one at each opening.
static uint64_t fail_each(enum fault_kind kind, int64_t status, const char *why)
{
    for (uint64_t at = 1;; at++) {
        fixture.disk = before;
        struct fault_disk fault = a_fault(&fixture.disk, kind, at, status);
        if (open_over(&fault)) {
            CHECK(fault.calls[kind] < at); // it never failed
            CHECK_EQ(content.last_index, 10);
            return at - 1;
        }
        CHECK_EQ(fault.calls[kind], at); // nothing more was tried
        CHECK(strstr(error, why) != NULL);
        fault.at = 0;
        CHECK(open_over(&fault)); // once the disk is well again
        CHECK_EQ(content.last_index, 10);
    }
}

TEST(a_read_that_fails_is_told_and_the_log_stays_as_it_is)
{
    start();
    CHECK(fail_each(FAULT_READ, -EIO, "cannot be read: Input/output error") >= 8);
}

TEST(a_file_that_got_shorter_while_it_was_read_is_refused)
{
    start();
    CHECK(fail_each(FAULT_READ, 0, "cannot be read: Input/output error") >= 8);
}

TEST(a_repair_that_fails_is_told_and_can_be_done_later)
{
    start();
    CHECK_EQ(
        fail_each(FAULT_CHANGE, -EIO, "the log cannot be repaired: Input/output error"),
        2); // the torn tail is cut, and that is synced
}

TEST(a_directory_that_cannot_be_listed_is_no_empty_log)
{
    start();
    CHECK_EQ(fail_each(FAULT_LIST, -EACCES, "cannot list the files: Permission denied"),
             1);
}

// A segment longer than what is read at once, and so is its torn tail: what could not
// be searched for a proof of damage is not cut.
TEST(a_long_segment_that_cannot_be_read_to_its_end_is_not_cut)
{
    fixture_init(&fixture, 1 << 20);
    CHECK_EQ(fixture_create(&fixture), 0);
    CHECK_EQ(fixture_vote(&fixture, 2, 1), 0);
    for (raft_index i = 1; i <= 100; i++)
        CHECK_EQ(fixture_put(&fixture, i, 2, 3000), 0);
    fixture_sync(&fixture);
    struct memory_file *file = memory_disk_find(&fixture.disk, SEGMENT(1));
    uint64_t durable = file->now.size;
    for (raft_index i = 101; i <= 200; i++)
        CHECK_EQ(fixture_put(&fixture, i, 2, 3000), 0);
    file->now.bytes[durable + 100] ^= 1; // a sector that was never written
    uint64_t size = file->now.size;
    uint64_t at;
    for (at = 1;; at += 16) {
        struct fault_disk fault = a_fault(&fixture.disk, FAULT_READ, at, -EIO);
        if (open_for(&fault, NULL))
            break;
        CHECK(strncmp(error, SEGMENT(1) ": offset ", 32) == 0);
        CHECK(strstr(error, "cannot be read: Input/output error") != NULL);
        CHECK_EQ(file->now.size, size);
    }
    CHECK(at > size / 1000);
    CHECK_EQ(file->now.size, durable);
    struct fault_disk well = {.inner = memory_disk_interface(&fixture.disk)};
    CHECK(open_over(&well));
    CHECK_EQ(content.last_index, 100);
}

static enum raft_status refuse_third(void *context, const struct raft_entry *entry)
{
    (void)context;
    return entry->index == 3 ? RAFT_LOG_FULL : RAFT_OK;
}

TEST(an_entry_that_the_core_does_not_take_is_told_with_its_place)
{
    start();
    struct disk disk = memory_disk_interface(&fixture.disk);
    struct log_recovery recovery;
    log_recover_init(&recovery, FIXTURE_CLUSTER, FIXTURE_NODE, error, sizeof error);
    struct log_loader loader = {.load = refuse_third};
    CHECK(log_recover_scan(&recovery, &disk, 0, 0));
    CHECK(!log_recover_load(&recovery, &loader));
    CHECK(strncmp(error, SEGMENT(1) ": offset ", 32) == 0);
    CHECK(strstr(error, ": the log is full") != NULL);
    log_recover_release(&recovery);
}

TEST(a_log_that_changes_between_check_and_load_is_refused)
{
    start();
    struct disk disk = memory_disk_interface(&fixture.disk);
    struct log_recovery recovery;
    memset(&content, 0, sizeof content);
    log_recover_init(&recovery, FIXTURE_CLUSTER, FIXTURE_NODE, error, sizeof error);
    struct log_loader loader = {.context = &content, .load = fixture_load};
    CHECK(log_recover_scan(&recovery, &disk, 0, 0));
    memory_disk_find(&fixture.disk, SEGMENT(2))->now.bytes[120] ^= 1;
    CHECK(!log_recover_load(&recovery, &loader));
    CHECK(strstr(error, SEGMENT(2)) != NULL);
    CHECK(strstr(error, "has changed since it was checked") != NULL);
    log_recover_release(&recovery);
}

// ---- saving what can be read ------------------------------------------------------

static const struct raft_snapshot_meta no_snapshot;

TEST(what_stands_before_a_place_that_cannot_be_read_is_saved)
{
    start();
    struct fault_disk fault = {.inner = memory_disk_interface(&fixture.disk),
                               .bad_name = SEGMENT(2),
                               .bad_offset = 130};
    struct disk disk = fault_disk_interface(&fault);
    CHECK_EQ(
        log_salvage_read(&salvage, &disk, FIXTURE_CLUSTER, FIXTURE_NODE, &no_snapshot),
        0);
    CHECK(strstr(salvage.problem, SEGMENT(2)) != NULL);
    CHECK(strstr(salvage.problem, "cannot be read: Input/output error") != NULL);
    CHECK_EQ(salvage.damage.number, 2);
    CHECK_EQ(salvage.last_index, 3);
    CHECK_EQ(salvage.index_lost, 10); // seen in the segments behind
    CHECK_EQ(salvage.segments_lost, 2);
    uint64_t cluster;
    raft_id node;
    fault.bad_name = SEGMENT(1);
    fault.bad_offset = 10;
    CHECK(log_salvage_identify(&disk, &cluster, &node)); // by the second header
    CHECK_EQ(cluster, FIXTURE_CLUSTER);
    CHECK_EQ(node, FIXTURE_NODE);
}

TEST(a_directory_that_cannot_be_listed_has_nothing_to_save)
{
    uint64_t cluster;
    raft_id node;
    start();
    for (uint64_t at = 1; at <= 2; at++) {
        struct fault_disk fault = a_fault(&fixture.disk, FAULT_LIST, at, -EACCES);
        struct disk disk = fault_disk_interface(&fault);
        int status = log_salvage_read(&salvage, &disk, FIXTURE_CLUSTER, FIXTURE_NODE,
                                      &no_snapshot);
        CHECK(status == -EACCES || salvage.problem[0] != '\0');
        CHECK_EQ(salvage.last_index, 0);
    }
    struct fault_disk fault = a_fault(&fixture.disk, FAULT_LIST, 1, -EACCES);
    struct disk disk = fault_disk_interface(&fault);
    CHECK(!log_salvage_identify(&disk, &cluster, &node));
}

TEST(files_of_others_are_not_the_logs)
{
    start();
    struct disk disk = memory_disk_interface(&fixture.disk);
    CHECK_EQ(disk.append(disk.context, "0000000000000000000x.log", "x", 1), 0);
    CHECK_EQ(disk.append(disk.context, "00000000000000000005.txt", "x", 1), 0);
    CHECK_EQ(
        log_salvage_read(&salvage, &disk, FIXTURE_CLUSTER, FIXTURE_NODE, &no_snapshot),
        0);
    CHECK_EQ(salvage.segment_count, 4);
    CHECK_EQ(salvage.last_number, 4);
    CHECK_EQ(salvage.last_index, 10);
}

// ---- writing it anew --------------------------------------------------------------

static struct rebuild a_rebuild(const struct disk *from, const struct disk *to)
{
    memset(&target, 0, sizeof target);
    error[0] = '\0';
    return (struct rebuild){.from = from,
                            .to = to,
                            .cluster_id = FIXTURE_CLUSTER,
                            .segment_bytes_max = 400,
                            .error = error,
                            .error_size = sizeof error};
}

static struct raft_configuration only = {.count = 1,
                                         .members = {{3, RAFT_VOTER, 0, "c:3"}}};

TEST(a_log_that_cannot_be_written_anew_is_told)
{
    start();
    struct disk from = memory_disk_interface(&fixture.disk);
    CHECK_EQ(
        log_salvage_read(&salvage, &from, FIXTURE_CLUSTER, FIXTURE_NODE, &no_snapshot),
        0);
    bool rebuilt = false;
    uint64_t at;
    for (at = 1; !rebuilt; at++) {
        struct fault_disk fault = a_fault(&target, FAULT_CHANGE, at, -EROFS);
        struct disk to = fault_disk_interface(&fault);
        struct rebuild rebuild = a_rebuild(&from, &to);
        rebuild.configuration = &only;
        rebuilt = rebuild_log(&rebuild, &salvage);
        CHECK_TEXT(error,
                   rebuilt ? "" : "the log cannot be written: Read-only file system");
        CHECK(rebuilt == (fault.calls[FAULT_CHANGE] < at));
    }
    CHECK(at > 10);
}

TEST(a_log_that_cannot_be_read_again_is_not_written_as_whole)
{
    start();
    struct fault_disk fault = a_fault(&fixture.disk, FAULT_READ, 0, -EIO);
    struct disk from = fault_disk_interface(&fault);
    struct disk to = memory_disk_interface(&target);
    CHECK_EQ(
        log_salvage_read(&salvage, &from, FIXTURE_CLUSTER, FIXTURE_NODE, &no_snapshot),
        0);
    for (uint64_t at = 1;; at++) {
        fault.calls[FAULT_READ] = 0;
        fault.at = at;
        struct rebuild rebuild = a_rebuild(&from, &to);
        if (rebuild_log(&rebuild, &salvage)) {
            CHECK(at > 8);
            CHECK(fault.calls[FAULT_READ] < at);
            return;
        }
        CHECK(error[0] != '\0');
    }
}

// Its own hard state was lost: the snapshot's term is known all the same.
TEST(the_term_of_a_snapshot_is_kept_where_the_log_is_lost)
{
    fixture_init(&fixture, 400);
    struct raft_snapshot_meta meta = {.last_included_index = 9,
                                      .last_included_term = 6};
    struct disk from = memory_disk_interface(&fixture.disk);
    struct disk to = memory_disk_interface(&target);
    CHECK_EQ(log_salvage_read(&salvage, &from, FIXTURE_CLUSTER, FIXTURE_NODE, &meta),
             0);
    struct rebuild rebuild = a_rebuild(&from, &to);
    CHECK(rebuild_log(&rebuild, &salvage));
    struct opened opened = fixture_open_behind(&target, 9, 6);
    CHECK_TEXT(opened.error, "");
    CHECK_EQ(opened.content.hard_state.current_term, 6);
    CHECK_EQ(opened.content.hard_state.voted_for, 0);
    CHECK_EQ(opened.content.last_index, 9);
}

static struct snapshot_listed put_snapshot(const char *body)
{
    struct snapshot_header header = {
        .cluster_id = FIXTURE_CLUSTER,
        .meta = {.last_included_index = 9,
                 .last_included_term = 2,
                 .configuration_index = 1,
                 .configuration = {.count = 1, .members = {{7, RAFT_VOTER, 0, ""}}}}};
    static uint8_t bytes[SNAPSHOT_HEADER_BYTES_MAX + 100];
    uint32_t size = snapshot_format_put_header(bytes, &header);
    memcpy(bytes + size, body, strlen(body));
    size += (uint32_t)strlen(body);
    struct snapshot_trailer trailer = {.body_size = strlen(body)};
    snapshot_format_put_trailer(bytes + size, &trailer, crc32c_extend(0, bytes, size));
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, 9);
    struct disk disk = memory_disk_interface(&fixture.disk);
    size += SNAPSHOT_TRAILER_BYTES;
    CHECK_EQ(disk.append(disk.context, name, bytes, size), 0);
    return (struct snapshot_listed){9, size};
}

TEST(a_snapshot_that_cannot_be_written_anew_is_told)
{
    start();
    struct disk from = memory_disk_interface(&fixture.disk);
    struct snapshot_listed listed = put_snapshot("the state");
    struct snapshot_reader reader;
    CHECK(snapshot_file_check(&reader, &from, &listed, FIXTURE_CLUSTER));
    bool rebuilt = false;
    uint64_t at;
    for (at = 1; !rebuilt; at++) {
        struct fault_disk fault = a_fault(&target, FAULT_CHANGE, at, -ENOSPC);
        struct disk to = fault_disk_interface(&fault);
        struct rebuild rebuild = a_rebuild(&from, &to);
        rebuilt = rebuild_snapshot(&rebuild, &reader);
        CHECK_TEXT(error,
                   rebuilt ? ""
                           : "the snapshot cannot be written: No space left on device");
    }
    CHECK_EQ(at, 6); // head, body, trailer and sync had failed
}

TEST(a_snapshot_that_cannot_be_read_again_is_not_written_as_whole)
{
    start();
    struct snapshot_listed listed = put_snapshot("the state");
    struct fault_disk fault = a_fault(&fixture.disk, FAULT_READ, 0, -EIO);
    struct disk from = fault_disk_interface(&fault);
    struct disk to = memory_disk_interface(&target);
    struct snapshot_reader reader;
    CHECK(snapshot_file_check(&reader, &from, &listed, FIXTURE_CLUSTER));
    for (uint64_t at = 1;; at++) {
        fault.calls[FAULT_READ] = 0;
        fault.at = at;
        struct rebuild rebuild = a_rebuild(&from, &to);
        if (rebuild_snapshot(&rebuild, &reader)) {
            CHECK(at > 3);
            return;
        }
        CHECK(strstr(error, ": has changed since it was checked") != NULL);
    }
}

TEST(a_snapshot_without_a_body_is_written_anew)
{
    start();
    struct disk from = memory_disk_interface(&fixture.disk);
    struct disk to = memory_disk_interface(&target);
    struct snapshot_listed listed = put_snapshot("");
    struct snapshot_reader reader;
    CHECK(snapshot_file_check(&reader, &from, &listed, FIXTURE_CLUSTER));
    struct rebuild rebuild = a_rebuild(&from, &to);
    CHECK(rebuild_snapshot(&rebuild, &reader));
    CHECK(snapshot_file_check(&reader, &to, &listed, FIXTURE_CLUSTER));
    CHECK_EQ(reader.trailer.body_size, 0);
}

TEST_MAIN
