// A node that starts over snapshots that are damaged, strange, or not whole.
#include "tests/host/cluster_fixture.h"

static struct node *const node = &cluster.nodes[0];
static raft_index indices[8]; // of its snapshots, the newest first

// Alone, with two snapshots and some entries behind them.
static void start_with_two(void)
{
    cluster_start(1, 1);
    cluster_propose(60);
    cluster_run(1000);
    CHECK_EQ(node_snapshots(node, indices), 2);
    CHECK(node_view(node).last_applied > indices[0]);
    CHECK(node_counters(node).segments_removed > 0); // entry 1 is nowhere else
    node_crash(node, 0);
}

static void damage(raft_index index, uint64_t at)
{
    node_snapshot(node, index)->bytes[at] ^= 4;
}

static const char *name_of(raft_index index)
{
    static char names[2][SNAPSHOT_NAME_BYTES];
    static int next;
    char *name = names[next++ % 2];
    snapshot_format_name(name, index);
    return name;
}

static void check_refused(const char *first, const char *second)
{
    CHECK(!node_try_open(node));
    CHECK(strstr(node->error, first) != NULL);
    CHECK(strstr(node->error, second) != NULL);
}

// ---- the newest, and the one before ---------------------------------------------

TEST(a_whole_snapshot_is_used_without_a_warning)
{
    start_with_two();
    node_open(node);
    CHECK(host_warning(node->host) == NULL);
    CHECK_EQ(node->machine.state.index, indices[0]);
    CHECK_EQ(node_view(node).snapshot_index, indices[0]);
}

// Wherever the damage is, the outcome is one: the snapshot before, and a line about it.
TEST(behind_a_damaged_newest_snapshot_the_one_before_and_the_log_make_the_same_state)
{
    start_with_two();
    static struct memory_disk before;
    before = node->disk;
    uint64_t size = node_snapshot(node, indices[0])->size;
    raft_index applied = cluster.applied_index;
    for (uint64_t at = 0; at < size; at += at < 200 || at + 40 > size ? 1 : 13) {
        node->disk = before;
        damage(indices[0], at);
        node_open(node);
        CHECK(host_warning(node->host) != NULL);
        CHECK(strstr(host_warning(node->host), name_of(indices[0])) != NULL);
        CHECK(strstr(host_warning(node->host), name_of(indices[1])) == NULL);
        CHECK_EQ(node->machine.state.index, indices[1]);
        CHECK(node_view(node).last_index >= applied);
    }
    // The fixture knows the state of each index, and compares.
    cluster_elect();
    CHECK(node->machine.state.index > applied);
}

TEST(a_newest_snapshot_cut_short_or_unreadable_is_no_other_case)
{
    start_with_two();
    static struct memory_disk before;
    before = node->disk;
    uint64_t size = node_snapshot(node, indices[0])->size;
    for (uint64_t left = 0; left < size; left += 11) {
        node->disk = before;
        node_snapshot(node, indices[0])->size = left;
        node_open(node);
        CHECK(strstr(host_warning(node->host), name_of(indices[0])) != NULL);
        CHECK_EQ(node->machine.state.index, indices[1]);
    }
}

TEST(a_damaged_snapshot_does_not_stay_for_ever)
{
    start_with_two();
    damage(indices[0], 100);
    raft_index damaged = indices[0];
    node_open(node);
    cluster_propose(40);
    cluster_run(1000);
    CHECK_EQ(node_snapshots(node, indices), 2);
    CHECK(indices[1] > damaged);
    node_crash(node, 0);
    node_open(node);
    CHECK(host_warning(node->host) == NULL);
}

TEST(where_both_are_damaged_and_the_log_begins_behind_them_both_are_named)
{
    start_with_two();
    damage(indices[0], 100);
    damage(indices[1], 100);
    uint64_t operations = node->disk.operations;
    check_refused(name_of(indices[0]), name_of(indices[1]));
    CHECK(strstr(node->error, "log") != NULL);
    CHECK_EQ(node->disk.operations - operations, 2); // two aside names, nothing else
    CHECK_EQ(node->machine.state.index, 0);
}

TEST(where_both_are_damaged_and_the_log_is_whole_nothing_is_lost)
{
    cluster_init(1, 1);
    node->config.segment_bytes_max = 1 << 20; // it is all in one
    node->config.snapshot_entries = 12;
    node_open(node);
    cluster_elect();
    cluster_propose(40);
    cluster_run(1000);
    raft_index applied = cluster.applied_index;
    node_crash(node, 0);
    CHECK_EQ(node_snapshots(node, indices), 2);
    damage(indices[0], 100);
    damage(indices[1], 100);
    node_open(node);
    CHECK(strstr(host_warning(node->host), name_of(indices[0])) != NULL);
    CHECK(strstr(host_warning(node->host), name_of(indices[1])) != NULL);
    cluster_elect();
    CHECK(node->machine.state.index > applied);
}

TEST(many_damaged_snapshots_are_told_of_as_far_as_there_is_room)
{
    cluster_start(1, 1);
    cluster_propose(60);
    cluster_run(1000);
    for (int i = 0; i < 24; i++) {
        CHECK_EQ(node_snapshots(node, indices), 2);
        if (cluster.applied_index >= indices[0] + 8)
            break;
        cluster_propose(1);
        cluster_run(100);
    }
    node_crash(node, 0);
    raft_index last = cluster.applied_index;
    CHECK(last >= indices[0] + 8); // more than there is room for
    for (raft_index index = indices[0] + 1; index <= last; index++) {
        struct disk *disk = &node->io.disk;
        CHECK_EQ(disk->append(disk->context, name_of(index), "no snapshot", 11), 0);
    }
    node_open(node);
    CHECK(strstr(host_warning(node->host), name_of(last)) != NULL);
    CHECK_EQ(node->machine.state.index, indices[0]);
}

// ---- a snapshot without its log -------------------------------------------------

TEST(a_snapshot_without_any_log_is_refused)
{
    start_with_two();
    for (uint32_t i = 0; i < node->disk.file_count; i++) {
        if (strstr(node->disk.files[i].name, ".log") != NULL)
            node->disk.files[i].now.exists = false;
    }
    CHECK(!node_try_open(node));
    CHECK(node->error[0] != '\0');
}

// Its name was durable, and maybe acknowledged, when the node crashed before its log
// was begun anew behind it.
TEST(a_log_that_ends_before_a_damaged_snapshot_is_refused_by_the_snapshots_name)
{
    start_with_two();
    raft_index beyond = cluster.applied_index + 100;
    const struct memory_content *newest = node_snapshot(node, indices[0]);
    struct disk *disk = &node->io.disk;
    CHECK_EQ(disk->append(disk->context, name_of(beyond), newest->bytes, newest->size),
             0);
    check_refused(name_of(beyond), "the log ends at");
}

// Rule 6 of log_recover.h. Here the log was begun anew behind the damaged one.
TEST(a_log_begun_anew_behind_a_damaged_snapshot_is_refused_by_the_snapshots_name)
{
    cluster_start(3, 3);
    struct node *third = &cluster.nodes[2];
    third->cut_off = true;
    cluster_propose(60);
    third->cut_off = false;
    cluster_settle();
    cluster_run(1000);
    CHECK(node_counters(third).snapshots_received > 0);
    CHECK_EQ(node_snapshots(third, indices), 1);
    node_crash(third, 0);
    node_snapshot(third, indices[0])->bytes[80] ^= 1;
    CHECK(!node_try_open(third));
    CHECK(strstr(third->error, name_of(indices[0])) != NULL);
}

// ---- strange ones ---------------------------------------------------------------

TEST(a_snapshot_of_another_cluster_is_told_as_one)
{
    start_with_two();
    static struct memory_content own;
    own = *node_snapshot(node, indices[0]);
    // Both are; their checksums are right.
    cluster_init(1, 1);
    node->config.cluster_id = CLUSTER + 1;
    node_open(node);
    cluster_elect();
    cluster_propose(60);
    cluster_run(1000);
    node_crash(node, 0);
    CHECK_EQ(node_snapshots(node, indices), 2);
    raft_index ours = indices[0];
    raft_index theirs = ours + 5;
    struct disk *disk = &node->io.disk;
    disk->append(disk->context, name_of(theirs), own.bytes, (size_t)own.size);
    node_open(node);
    CHECK(strstr(host_warning(node->host), name_of(theirs)) != NULL);
    CHECK(strstr(host_warning(node->host), "another cluster") != NULL);
    CHECK_EQ(node->machine.state.index, ours);
}

TEST(what_a_crash_left_aside_is_removed_at_the_start)
{
    start_with_two();
    struct disk *disk = &node->io.disk;
    disk->append(disk->context, SNAPSHOT_FILE_WRITING, "half", 4);
    disk->append(disk->context, SNAPSHOT_FILE_RECEIVING, "half", 4);
    node_open(node);
    CHECK(!memory_disk_find(&node->disk, SNAPSHOT_FILE_WRITING)->now.exists);
    CHECK(!memory_disk_find(&node->disk, SNAPSHOT_FILE_RECEIVING)->now.exists);
}

TEST(a_disk_that_cannot_even_remove_is_told)
{
    start_with_two();
    node->disk.crash_at = node->disk.operations + 1;
    CHECK(!node_try_open(node));
    CHECK_TEXT(node->error, "the snapshots cannot be read: Input/output error");
}

TEST(a_machine_that_cannot_restore_is_told)
{
    start_with_two();
    node->io.machine.restore_begin = NULL;
    CHECK(!node_try_open(node));
    CHECK_TEXT(node->error, "the snapshot cannot be restored: Operation not supported");
}

// A checksum cannot know what a machine does: its refusal is told as well.
static int refuse_write(void *context, const void *data, size_t size)
{
    (void)context;
    (void)data;
    return size > 0 ? -EBADMSG : 0;
}

TEST(a_whole_snapshot_that_the_machine_refuses_is_told)
{
    start_with_two();
    node->io.machine.restore_write = refuse_write;
    CHECK(!node_try_open(node));
    CHECK_TEXT(node->error, "the snapshot cannot be restored: Bad message");
}

// ---- what it tells --------------------------------------------------------------

// openraft, etcd (bug 43): the entry of the configuration is behind the base of the
// log, and only the snapshot knows it.
TEST(the_configuration_of_a_snapshot_is_in_use_after_a_restart)
{
    cluster_start(1, 1);
    cluster_propose(2);
    struct raft_member learner = {.id = 9, .role = RAFT_LEARNER, .priority = 2};
    snprintf(learner.address, sizeof learner.address, "nine:1");
    raft_index index = 0;
    raft_term term = 0;
    CHECK_EQ(
        host_change(node->host, &node->io, cluster.now_ms, &learner, 1, &index, &term),
        RAFT_OK);
    cluster_run(500);
    CHECK_EQ(node_view(node).configuration_index, index);
    cluster_propose(60);
    cluster_run(1000);
    CHECK_EQ(node_snapshots(node, indices), 2);
    CHECK(indices[1] > index);
    node_crash(node, 0);
    node_open(node);
    struct raft_view view = node_view(node);
    CHECK_EQ(view.configuration_index, index);
    CHECK_EQ(view.configuration->count, 2);
    CHECK_EQ(view.configuration->members[1].id, 9);
    CHECK_EQ(view.configuration->members[1].role, RAFT_LEARNER);
    CHECK_TEXT(view.configuration->members[1].address, "nine:1");
}

TEST_MAIN
