// What can be read of a damaged log, what is told of the rest, and a log made of it.
#define MEMORY_FILE_BYTES (64 * 1024)

#include "raft/host/crc32c.h"
#include "raft/host/log_salvage.h"
#include "raft/host/rebuild.h"
#include "tests/host/log_fixture.h"

static struct fixture fixture;
static struct memory_disk copy;
static struct memory_disk target;
static struct log_salvage salvage;
static struct content loaded;

static void start(uint64_t segment_bytes_max)
{
    fixture_init(&fixture, segment_bytes_max);
    CHECK_EQ(fixture_create(&fixture), 0);
    CHECK_EQ(fixture_vote(&fixture, 2, 1), 0);
}

// Entries first..last, three to a segment of 400 bytes.
static void put_all(raft_index first, raft_index last, raft_term term)
{
    for (raft_index i = first; i <= last; i++)
        CHECK_EQ(fixture_put(&fixture, i, term, 60), 0);
}

static void damage(const char *name, uint64_t offset)
{
    struct memory_file *file = memory_disk_find(&fixture.disk, name);
    CHECK(file != NULL && offset < file->now.size);
    file->now.bytes[offset] ^= 0x40;
}

// Reads and loads; the disk stays as it is.
static void read_behind(raft_index index, raft_term term)
{
    struct raft_snapshot_meta meta = {.last_included_index = index,
                                      .last_included_term = term};
    static struct disk disk;
    disk = memory_disk_interface(&fixture.disk);
    copy = fixture.disk;
    CHECK_EQ(log_salvage_read(&salvage, &disk, FIXTURE_CLUSTER, FIXTURE_NODE, &meta),
             0);
    char error[200] = "";
    memset(&loaded, 0, sizeof loaded);
    loaded.last_index = index;
    struct log_loader loader = {.context = &loaded, .load = fixture_load};
    CHECK(log_salvage_load(&salvage, &loader, error, sizeof error));
    CHECK_TEXT(error, "");
    CHECK_EQ(loaded.last_index, salvage.last_index);
    CHECK(memcmp(&copy, &fixture.disk, sizeof copy) == 0);
}

// ---- reading --------------------------------------------------------------------

TEST(a_whole_log_is_told_as_whole)
{
    start(400);
    put_all(1, 10, 2);
    read_behind(0, 0);
    CHECK_TEXT(salvage.problem, "");
    CHECK_EQ(salvage.last_index, 10);
    CHECK_EQ(salvage.last_term, 2);
    CHECK_EQ(salvage.segment_count, 4);
    CHECK_EQ(salvage.first_number, 1);
    CHECK_EQ(salvage.last_number, 4);
    CHECK_EQ(salvage.bytes, memory_disk_used(&fixture.disk));
    CHECK_EQ(salvage.bytes_lost, 0);
    CHECK_EQ(salvage.hard_state.current_term, 2);
    CHECK_EQ(salvage.hard_state.voted_for, 1);
    read_behind(7, 2);
    CHECK_EQ(salvage.last_index, 10);
    read_behind(12, 3); // newer than the log, which is dropped
    CHECK_TEXT(salvage.problem, "");
    CHECK_EQ(salvage.last_index, 12);
    CHECK_EQ(salvage.last_term, 3);
}

TEST(whose_log_it_is_stands_in_the_first_header_that_is_whole)
{
    uint64_t cluster;
    raft_id node;
    struct disk disk = memory_disk_interface(&fixture.disk);
    start(400);
    put_all(1, 10, 2);
    damage(SEGMENT(1), 20);
    CHECK(log_salvage_identify(&disk, &cluster, &node));
    CHECK_EQ(cluster, FIXTURE_CLUSTER);
    CHECK_EQ(node, FIXTURE_NODE);
    memset(&fixture.disk, 0, sizeof fixture.disk);
    CHECK(!log_salvage_identify(&disk, &cluster, &node));
}

TEST(all_before_the_damage_is_used_and_what_was_seen_behind_it_is_told)
{
    start(400);
    put_all(1, 10, 2);
    fixture_vote(&fixture, 5, 3);
    // The second entry of the second segment: 4 is good, 5 is not, 6 stands behind it.
    uint64_t offset = 96 + 104;
    damage(SEGMENT(2), offset + 50);
    read_behind(0, 0);
    char expected[200];
    snprintf(expected, sizeof expected,
             SEGMENT(2) ": offset %d: damaged, in a segment that was complete",
             (int)offset);
    CHECK_TEXT(salvage.problem, expected);
    CHECK_EQ(salvage.damage.number, 2);
    CHECK_EQ(salvage.damage.offset, offset);
    CHECK_EQ(salvage.last_index, 4);
    CHECK_EQ(salvage.last_term, 2);
    CHECK_EQ(salvage.index_lost, 10);
    CHECK_EQ(salvage.segments_lost, 2);
    CHECK_EQ(salvage.bytes_lost, 2 * 104 + (96 + 3 * 104) + (96 + 104 + 48));
    CHECK_EQ(salvage.hard_state.current_term, 5); // also behind it
    CHECK_EQ(salvage.hard_state.voted_for, 3);
}

TEST(damage_in_the_last_segment_is_told_with_what_stands_behind_it)
{
    start(1 << 20);
    put_all(1, 4, 2);
    fixture_sync(&fixture);
    uint64_t offset = fixture.log.end - 104;
    put_all(5, 6, 2);
    damage(SEGMENT(1), offset);
    read_behind(0, 0);
    CHECK_EQ(salvage.last_index, 3);
    CHECK_EQ(salvage.index_lost, 6);
    CHECK_EQ(salvage.segments_lost, 0);
    CHECK_EQ(salvage.bytes_lost, 3 * 104);
}

TEST(damage_to_what_the_snapshot_holds_loses_nothing)
{
    start(400);
    put_all(1, 13, 2);
    damage(SEGMENT(2), 130);
    damage(SEGMENT(1), 3);
    read_behind(6, 2);
    CHECK_EQ(salvage.damage.number, 1);
    CHECK_EQ(salvage.last_index, 13);
    CHECK_EQ(salvage.bytes_lost, 0);
    CHECK_EQ(salvage.index_lost, 0);
    read_behind(9, 2);
    CHECK_EQ(salvage.last_index, 13);
    read_behind(5, 2); // 6 is gone
    CHECK_EQ(salvage.last_index, 5);
    CHECK_EQ(salvage.index_lost, 13);
}

TEST(a_segment_that_is_missing_is_damage)
{
    start(400);
    put_all(1, 13, 2);
    CHECK_EQ(memory_disk_remove(&fixture.disk, SEGMENT(3)), 0);
    read_behind(0, 0);
    CHECK_TEXT(salvage.problem, SEGMENT(3) ": offset 0: this segment is missing");
    CHECK_EQ(salvage.last_index, 6);
    CHECK_EQ(salvage.index_lost, 13);
    CHECK_EQ(salvage.segments_lost, 2);
    read_behind(9, 2);
    CHECK_EQ(salvage.last_index, 13);
}

TEST(a_segment_that_lost_its_end_is_used_up_to_there)
{
    start(400);
    put_all(1, 13, 2);
    memory_disk_find(&fixture.disk, SEGMENT(2))->now.size -= 104;
    read_behind(0, 0);
    CHECK_EQ(salvage.last_index, 5);
    CHECK_EQ(salvage.index_lost, 13);
    CHECK_EQ(salvage.segments_lost, 3);
    read_behind(6, 2);
    CHECK_EQ(salvage.last_index, 13);
}

TEST(entries_behind_a_snapshot_that_is_lost_cannot_be_used)
{
    start(400);
    put_all(1, 2, 1);
    CHECK_EQ(fixture_restart(&fixture, 20, 2), 0);
    put_all(21, 24, 2);
    read_behind(0, 0);
    CHECK(strstr(salvage.problem, "there is no good snapshot") != NULL);
    CHECK_EQ(salvage.last_index, 0);
    CHECK_EQ(salvage.index_lost, 24);
    CHECK_EQ(salvage.bytes_lost, fixture.disk.files[1].now.size + 40 + 104);
    read_behind(2, 1);
    CHECK(strstr(salvage.problem, "the newest good snapshot ends at 2") != NULL);
    CHECK_EQ(salvage.last_index, 2);
    CHECK_EQ(salvage.index_lost, 24);
    read_behind(20, 3);
    CHECK(strstr(salvage.problem, "but in the snapshot its term is 3") != NULL);
    CHECK_EQ(salvage.last_index, 20);
    CHECK_EQ(salvage.last_term, 3);
    CHECK_EQ(salvage.index_lost, 24);
    read_behind(20, 2);
    CHECK_TEXT(salvage.problem, "");
    CHECK_EQ(salvage.last_index, 24);
}

// Wherever a byte is wrong: never an entry that was not written (the fixture looks at
// each), never more than was there, and as much as stands before.
TEST(any_byte_may_be_wrong)
{
    start(400);
    put_all(1, 10, 2);
    fixture_sync(&fixture);
    put_all(11, 11, 2);
    struct fixture whole = fixture;
    const char *const names[] = {SEGMENT(1), SEGMENT(2), SEGMENT(3), SEGMENT(4)};
    for (uint32_t n = 0; n < 4; n++) {
        uint64_t size = memory_disk_find(&whole.disk, names[n])->now.size;
        for (uint64_t at = 0; at < size; at += 5) {
            fixture = whole;
            damage(names[n], at);
            read_behind(0, 0);
            CHECK(salvage.last_index >= 3 * n && salvage.last_index < 11);
            CHECK(salvage.problem[0] != '\0' || salvage.last_index == 10);
        }
    }
}

// ---- a directory made of it -----------------------------------------------------

static void rebuild_all(const struct raft_configuration *configuration,
                        uint64_t cluster_id)
{
    static char error[200];
    struct disk from = memory_disk_interface(&fixture.disk);
    struct disk to = memory_disk_interface(&target);
    memset(&target, 0, sizeof target);
    struct rebuild rebuild = {.from = &from,
                              .to = &to,
                              .cluster_id = cluster_id,
                              .configuration = configuration,
                              .segment_bytes_max = 400,
                              .error = error,
                              .error_size = sizeof error};
    CHECK(rebuild_log(&rebuild, &salvage));
    memory_disk_crash(&target, 0); // it is durable
}

TEST(what_can_be_used_makes_a_log_that_opens)
{
    start(400);
    put_all(1, 13, 2);
    damage(SEGMENT(4), 200);
    read_behind(4, 2);
    rebuild_all(NULL, FIXTURE_CLUSTER);
    struct opened opened = fixture_open_behind(&target, 4, 2);
    CHECK_TEXT(opened.error, "");
    CHECK(!opened.dropped);
    CHECK_EQ(opened.content.last_index, 10);
    CHECK_EQ(opened.content.terms[10], 2);
    CHECK_EQ(opened.content.hard_state.current_term, 2);
    CHECK_EQ(opened.content.hard_state.voted_for, 1);
}

// What the new cluster's log holds, by type.
struct types {
    raft_index last_index;
    enum raft_entry_type type[FIXTURE_ENTRIES_MAX];
    raft_term term[FIXTURE_ENTRIES_MAX];
    struct raft_configuration configuration;
};

static enum raft_status load_type(void *context, const struct raft_entry *entry)
{
    struct types *types = context;
    types->last_index = entry->index;
    types->type[entry->index] = entry->type;
    types->term[entry->index] = entry->term;
    if (entry->type == RAFT_ENTRY_CONFIGURATION)
        CHECK(
            raft_configuration_decode(entry->data, entry->size, &types->configuration));
    return RAFT_OK;
}

TEST(a_new_cluster_has_one_member_and_forgets_the_old_configurations)
{
    struct raft_configuration old = {
        .count = 2, .members = {{1, RAFT_VOTER, 0, "a:1"}, {3, RAFT_VOTER, 0, "c:3"}}};
    char text[RAFT_CONFIGURATION_BYTES_MAX];
    start(400);
    put_all(1, 3, 2);
    struct raft_entry entry = {.index = 4,
                               .term = 2,
                               .type = RAFT_ENTRY_CONFIGURATION,
                               .size = raft_configuration_encode(&old, text),
                               .data = text};
    struct durable_log_write write = {.entries = &entry, .entry_count = 1};
    struct disk disk = memory_disk_interface(&fixture.disk);
    CHECK_EQ(durable_log_append(&fixture.log, &disk, &write), 0);
    static const struct raft_snapshot_meta no_snapshot;
    CHECK_EQ(
        log_salvage_read(&salvage, &disk, FIXTURE_CLUSTER, FIXTURE_NODE, &no_snapshot),
        0);
    struct raft_configuration only = {.count = 1,
                                      .members = {{3, RAFT_VOTER, 0, "c:3"}}};
    rebuild_all(&only, 99);

    CHECK(!fixture_open(&target).ok); // of another cluster
    char error[200] = "";
    static struct types types;
    struct log_recovery recovery;
    struct disk to = memory_disk_interface(&target);
    struct log_loader loader = {.context = &types, .load = load_type};
    log_recover_init(&recovery, 99, FIXTURE_NODE, error, sizeof error);
    CHECK(log_recover_scan(&recovery, &to, 0, 0));
    CHECK(log_recover_load(&recovery, &loader));
    CHECK_EQ(types.last_index, 5);
    CHECK_EQ(types.type[4], RAFT_ENTRY_NOOP);
    CHECK_EQ(types.term[4], 2);
    CHECK_EQ(types.type[5], RAFT_ENTRY_CONFIGURATION);
    CHECK_EQ(types.term[5], 3); // not a term that the old cluster has seen
    CHECK_EQ(recovery.found.hard_state.current_term, 3);
    CHECK_EQ(recovery.found.hard_state.voted_for, 0);
    CHECK_EQ(types.configuration.count, 1);
    CHECK_EQ(types.configuration.members[0].id, 3);
    CHECK_TEXT(types.configuration.members[0].address, "c:3");
    log_recover_release(&recovery);
}

static void put_snapshot(raft_index index, const char *body)
{
    struct snapshot_header header = {
        .cluster_id = FIXTURE_CLUSTER,
        .meta = {.last_included_index = index,
                 .last_included_term = 2,
                 .configuration_index = 1,
                 .configuration = {.count = 1, .members = {{7, RAFT_VOTER, 0, ""}}}}};
    static uint8_t bytes[SNAPSHOT_HEADER_BYTES_MAX + 100];
    uint32_t size = snapshot_format_put_header(bytes, &header);
    memcpy(bytes + size, body, strlen(body));
    uint64_t whole = size + strlen(body);
    struct snapshot_trailer trailer = {.body_size = strlen(body)};
    snapshot_format_put_trailer(bytes + whole, &trailer,
                                crc32c_extend(0, bytes, (size_t)whole));
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, index);
    struct disk disk = memory_disk_interface(&fixture.disk);
    CHECK_EQ(
        disk.append(disk.context, name, bytes, (size_t)whole + SNAPSHOT_TRAILER_BYTES),
        0);
}

TEST(a_snapshots_body_goes_to_the_new_cluster_under_another_head)
{
    static char error[200];
    start(400);
    put_snapshot(9, "the state");
    struct disk from = memory_disk_interface(&fixture.disk);
    struct disk to = memory_disk_interface(&target);
    memset(&target, 0, sizeof target);
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, 9);
    struct snapshot_listed listed = {9,
                                     memory_disk_find(&fixture.disk, name)->now.size};
    struct snapshot_reader reader;
    CHECK(snapshot_file_check(&reader, &from, &listed, FIXTURE_CLUSTER));
    struct raft_configuration only = {.count = 1,
                                      .members = {{3, RAFT_VOTER, 0, "c:3"}}};
    struct rebuild rebuild = {.from = &from,
                              .to = &to,
                              .cluster_id = 99,
                              .configuration = &only,
                              .error = error,
                              .error_size = sizeof error};
    CHECK(rebuild_snapshot(&rebuild, &reader));
    memory_disk_crash(&target, 0);
    listed.size = memory_disk_find(&target, name)->now.size;
    CHECK(!snapshot_file_check(&reader, &to, &listed, FIXTURE_CLUSTER));
    CHECK(snapshot_file_check(&reader, &to, &listed, 99));
    CHECK_EQ(reader.header.meta.last_included_index, 9);
    CHECK_EQ(reader.header.meta.last_included_term, 2);
    CHECK_EQ(reader.header.meta.configuration.members[0].id, 3);
    const struct memory_file *file = memory_disk_find(&target, name);
    CHECK_EQ(reader.trailer.body_size, 9);
    CHECK(memcmp(file->now.bytes + reader.header_size, "the state", 9) == 0);

    rebuild.cluster_id = FIXTURE_CLUSTER; // the old cluster: the same file
    rebuild.configuration = NULL;
    memset(&target, 0, sizeof target);
    listed.size = memory_disk_find(&fixture.disk, name)->now.size;
    CHECK(snapshot_file_check(&reader, &from, &listed, FIXTURE_CLUSTER));
    CHECK(rebuild_snapshot(&rebuild, &reader));
    CHECK_EQ(memory_disk_find(&target, name)->now.size, listed.size);
    CHECK(memcmp(memory_disk_find(&target, name)->now.bytes,
                 memory_disk_find(&fixture.disk, name)->now.bytes,
                 (size_t)listed.size) == 0);
}

TEST_MAIN
