// A node takes snapshots of its own: when, how much at a time, and what goes behind
// them.
#include "tests/host/cluster_fixture.h"

#include "raft/host/crc32c.h"

static struct node *const node = &cluster.nodes[0];

// A cluster of one that leads, and takes snapshots when it is asked only.
static void start_alone(void)
{
    cluster_init(1, 1);
    node->config.snapshot_entries = 0;
    node->config.segment_bytes_max = 4096;
    node->config.raft.log_entries_max = 1024;
    node_open(node);
    CHECK(cluster_elect() == node);
}

static void snapshot_now(void)
{
    uint64_t taken = node_counters(node).snapshots_taken;
    host_snapshot(node->host, &node->io, cluster.now_ms);
    cluster_run(1000);
    CHECK_EQ(node_counters(node).snapshots_taken, taken + 1);
}

// One is begun, and some of it is written.
static void begin_snapshot(void)
{
    host_snapshot(node->host, &node->io, cluster.now_ms);
    for (int i = 0; i < 100 && node->machine.read == 0; i++) {
        cluster_pass_time(cluster.now_ms + 1000);
        node_tick(node);
    }
    CHECK(node_counters(node).snapshot_underway);
    CHECK(node->machine.is_frozen && node->machine.read > 0);
}

// The file is whole, and the state in it is that of its index.
static void check_file(raft_index index)
{
    static struct machine_state state;
    struct snapshot_listed file = {.index = index,
                                   .size = node_snapshot(node, index)->size};
    struct snapshot_reader reader;
    CHECK(snapshot_file_check(&reader, &node->io.disk, &file, CLUSTER));
    CHECK_EQ(reader.header.meta.last_included_index, index);
    memset(&state, 0, sizeof state);
    memcpy(&state, node_snapshot(node, index)->bytes + reader.header_size,
           (size_t)reader.trailer.body_size);
    CHECK_EQ(reader.trailer.body_size, machine_size(&state));
    CHECK_EQ(state.index, index);
    CHECK_EQ(state.hash, cluster.hash_at[index]);
}

static uint32_t count_segments(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->disk.file_count; i++) {
        const struct memory_file *file = &node->disk.files[i];
        count += file->now.exists && strstr(file->name, ".log") != NULL;
    }
    return count;
}

// ---- when -----------------------------------------------------------------------

TEST(a_snapshot_is_taken_once_so_many_entries_were_applied)
{
    cluster_init(1, 1);
    node->config.snapshot_entries = 12;
    node_open(node);
    cluster_elect();
    raft_index base = node_view(node).last_applied;
    cluster_propose((uint32_t)(11 - base));
    cluster_run(2000);
    CHECK_EQ(node_counters(node).snapshots_taken, 0);
    cluster_propose(1);
    cluster_run(2000);
    CHECK_EQ(node_counters(node).snapshots_taken, 1);
    CHECK_EQ(node_view(node).snapshot_index, 12);
    check_file(12);
    cluster_propose(11);
    cluster_run(2000);
    CHECK_EQ(node_counters(node).snapshots_taken, 1); // counted anew behind it
    cluster_propose(1);
    cluster_run(2000);
    CHECK_EQ(node_view(node).snapshot_index, 24);
}

TEST(a_snapshot_is_taken_once_entries_of_so_many_bytes_were_applied)
{
    cluster_init(1, 1);
    node->config.snapshot_entries = 0;
    node->config.snapshot_bytes = 200;
    node_open(node);
    cluster_elect();
    cluster_propose(5);
    cluster_run(2000);
    CHECK_EQ(node_counters(node).snapshots_taken, 0);
    cluster_propose(20);
    cluster_run(2000);
    CHECK_EQ(node_counters(node).snapshots_taken, 1);
    cluster_propose(20);
    cluster_run(2000);
    CHECK_EQ(node_counters(node).snapshots_taken, 2);
}

TEST(a_small_log_is_compacted_before_it_is_full_whatever_was_asked_for)
{
    cluster_init(1, 1);
    node->config.raft.log_entries_max = 64;
    node->config.snapshot_entries = 1000000;
    node_open(node);
    cluster_elect();
    cluster_propose(300);
    CHECK(node_counters(node).snapshots_taken >= 300 / 64);
}

TEST(a_snapshot_that_is_asked_for_is_taken_however_little_was_applied)
{
    start_alone();
    cluster_propose(1);
    snapshot_now();
    check_file(node_view(node).last_applied);
    CHECK_EQ(node_counters(node).snapshot_bytes_last,
             node_snapshot(node, node_view(node).last_applied)->size);
}

TEST(who_asks_while_one_is_under_way_is_not_given_a_second_one)
{
    start_alone();
    cluster_propose(200);
    begin_snapshot();
    CHECK_EQ(node_propose(node), RAFT_OK);
    host_snapshot(node->host, &node->io, cluster.now_ms);
    cluster_run(2000);
    CHECK_EQ(node_counters(node).snapshots_taken, 1);
    CHECK(!node_counters(node).snapshot_underway);
    CHECK_EQ(node->machine.frozen_count, 1);
}

TEST(a_machine_that_cannot_is_never_asked_for_a_snapshot)
{
    cluster_init(1, 1);
    node->io.machine.snapshot_begin = NULL;
    node->io.machine.restore_begin = NULL;
    node_open(node);
    cluster_elect();
    host_snapshot(node->host, &node->io, cluster.now_ms);
    cluster_propose(40);
    cluster_run(2000);
    CHECK_EQ(node_counters(node).snapshots_taken, 0);
    CHECK_EQ(node->machine.frozen_count, 0);
}

TEST(a_machine_that_could_not_begin_is_asked_again)
{
    start_alone();
    cluster_propose(5);
    node->machine.begin_status = -ENOMEM;
    host_snapshot(node->host, &node->io, cluster.now_ms);
    cluster_run(1000);
    uint64_t failed = node_counters(node).snapshots_failed;
    CHECK(failed >= 2 && failed <= 11); // not at every turn
    CHECK_EQ(node_counters(node).snapshots_taken, 0);
    node->machine.begin_status = 0;
    cluster_run(1000);
    CHECK_EQ(node_counters(node).snapshots_taken, 1);
}

TEST(a_machine_that_cannot_be_read_stops_the_node)
{
    start_alone();
    cluster_propose(5);
    node->machine.read_status = -EIO;
    host_snapshot(node->host, &node->io, cluster.now_ms);
    cluster_run(1000);
    CHECK_TEXT(host_stopped(node->host),
               "a snapshot cannot be written: Input/output error");
    CHECK(!node->machine.is_frozen);
}

// ---- how much at a time ---------------------------------------------------------

TEST(no_turn_writes_more_than_a_piece)
{
    start_alone();
    cluster_propose(300);
    host_snapshot(node->host, &node->io, cluster.now_ms);
    uint32_t turns = 0;
    uint64_t read = memory_disk_bytes_read;
    while (node_counters(node).snapshots_taken == 0) {
        uint64_t before = node->disk.bytes_appended;
        if (node->disk.pending_count > 0)
            node_end_sync(node, 0);
        cluster_pass_time(cluster.now_ms + 1000);
        node_tick(node);
        CHECK(node->disk.bytes_appended - before <= CHUNK_BYTES + HEADER_BYTES);
        CHECK(turns++ < 1000);
    }
    CHECK(turns >= 300 * 8 / CHUNK_BYTES);
    CHECK_EQ(memory_disk_bytes_read, read); // nothing is read back
}

TEST(the_node_applies_while_a_snapshot_is_written_and_the_snapshot_stays_as_it_was)
{
    start_alone();
    cluster_propose(200);
    raft_index index = node_view(node).last_applied;
    begin_snapshot();
    uint32_t during = 0;
    while (node->machine.is_frozen) {
        CHECK_EQ(node_propose(node), RAFT_OK);
        while (node->disk.pending_count > 0)
            node_end_sync(node, 0);
        during++;
        node_tick(node);
    }
    CHECK(during >= 3);
    CHECK_EQ(node->machine.state.index, index + during);
    cluster_run(1000);
    CHECK_EQ(node_view(node).snapshot_index, index);
    check_file(index);
}

TEST(a_read_is_answered_while_a_snapshot_is_written)
{
    start_alone();
    cluster_propose(200);
    begin_snapshot();
    uint64_t before = node->reads;
    CHECK_EQ(host_read(node->host, &node->io, cluster.now_ms, 1), RAFT_OK);
    CHECK_EQ(node->reads, before + 1);
    CHECK(node->machine.is_frozen);
}

// ---- what goes ------------------------------------------------------------------

TEST(the_two_newest_snapshots_are_kept_and_the_log_from_the_older_one_on)
{
    cluster_init(1, 1);
    node->config.snapshot_entries = 0;
    node_open(node);
    cluster_elect();
    raft_index indices[8];
    raft_index before = 0;
    uint32_t segments_most = 0;
    for (int round = 0; round < 12; round++) {
        cluster_propose(20);
        snapshot_now();
        cluster_propose(1); // the next sync makes the removals durable
        cluster_run(100);
        uint32_t count = node_snapshots(node, indices);
        CHECK_EQ(count, round == 0 ? 1 : 2);
        CHECK_EQ(indices[0], node_view(node).snapshot_index);
        if (round > 0)
            CHECK_EQ(indices[1], before);
        before = indices[0];
        segments_most =
            count_segments() > segments_most ? count_segments() : segments_most;
    }
    // 252 entries of 56 bytes were written, in segments of 1 KiB.
    CHECK(node_counters(node).segments >= 12);
    CHECK(node_counters(node).segments_removed >= 8);
    CHECK(segments_most <= 10);
    // With the newest gone, the older one and the log behind it are enough.
    node_snapshot(node, indices[0])->bytes[70] ^= 1;
    raft_index applied = node_view(node).last_applied;
    node_crash(node, 0);
    node_open(node);
    cluster_elect();
    CHECK(node->machine.state.index > applied);
}

TEST(the_log_in_memory_keeps_a_tail_behind_the_snapshot)
{
    start_alone();
    cluster_propose(30);
    snapshot_now();
    struct raft_view view = node_view(node);
    CHECK_EQ(view.first_index, view.snapshot_index + 1 - 2);
}

// ---- what fails -----------------------------------------------------------------

TEST(a_failed_sync_of_a_snapshot_stops_the_node_for_good)
{
    start_alone();
    cluster_propose(5);
    CHECK_EQ(node->disk.pending_count, 0);
    begin_snapshot();
    for (int i = 0; i < 100 && node->disk.pending_count == 0; i++)
        node_tick(node);
    CHECK_EQ(node->disk.pending_count, 1);
    node->disk.sync_status = -EIO;
    node_end_sync(node, 0);
    node->disk.sync_status = 0;
    CHECK_TEXT(host_stopped(node->host), "the sync of a snapshot: Input/output error");
    uint64_t operations = node->disk.operations;
    cluster.now_ms += 100000;
    node_tick(node);
    CHECK_EQ(host_deadline_ms(node->host), UINT64_MAX);
    CHECK(node_propose(node) != RAFT_OK);
    CHECK_EQ(node->disk.operations, operations);
    CHECK_EQ(node_counters(node).snapshots_taken, 0);
    node_crash(node, 0);
    node_open(node);
    cluster_elect();
}

TEST(a_failed_sync_of_the_name_stops_the_node_as_well)
{
    start_alone();
    cluster_propose(5);
    begin_snapshot();
    raft_index indices[8];
    for (int i = 0; i < 100 && node_snapshots(node, indices) == 0; i++) {
        if (node->disk.pending_count > 0)
            node_end_sync(node, 0);
        node_tick(node);
    }
    CHECK_EQ(node->disk.pending_count, 1);
    CHECK_EQ(node_view(node).snapshot_index, 0); // nothing may go before it is durable
    node->disk.sync_status = -EIO;
    node_end_sync(node, 0);
    CHECK(host_stopped(node->host) != NULL);
}

TEST(a_disk_that_refuses_a_snapshot_stops_the_node)
{
    start_alone();
    cluster_propose(5);
    begin_snapshot();
    node->disk.crash_at = node->disk.operations + 1;
    host_tick(node->host, &node->io, cluster.now_ms);
    CHECK(host_stopped(node->host) != NULL);
    CHECK(strstr(host_stopped(node->host), "snapshot") != NULL);
    CHECK(!node->machine.is_frozen || node->machine.read > 0);
}

// canonical's library, dqlite (bug 60): what did not fit is not there.
TEST(a_snapshot_that_finds_the_disk_full_is_removed_and_taken_later)
{
    start_alone();
    cluster_propose(200);
    begin_snapshot();
    node->disk.full_from = node->disk.appends + 1;
    cluster_run(1500);
    CHECK(host_stopped(node->host) == NULL);
    CHECK(!host_disk_full(node->host)); // the log has nothing to write
    CHECK(!node->machine.is_frozen);
    uint64_t failed = node_counters(node).snapshots_failed;
    CHECK(failed >= 1 && failed <= 3);
    const struct memory_file *file =
        memory_disk_find(&node->disk, SNAPSHOT_FILE_WRITING);
    CHECK(file == NULL || !file->now.exists);
    node->disk.full_from = 0;
    cluster_run(2500);
    CHECK_EQ(node_counters(node).snapshots_taken, 1);
    check_file(node_view(node).snapshot_index);
}

TEST(a_snapshot_due_by_bytes_that_finds_the_disk_full_is_taken_later)
{
    cluster_init(1, 1);
    node->config.snapshot_entries = 0;
    node->config.snapshot_bytes = 200;
    node_open(node);
    cluster_elect();
    cluster_propose(10);
    CHECK_EQ(node_counters(node).snapshots_taken, 0);
    for (int i = 0; i < 60 && !node->machine.is_frozen; i++) {
        CHECK_EQ(node_propose(node), RAFT_OK);
        while (node->disk.pending_count > 0)
            node_end_sync(node, 0);
        node->disk.full_from = node->machine.is_frozen ? node->disk.appends + 1 : 0;
        if (!node->machine.is_frozen)
            node_tick(node);
    }
    node->disk.full_from = node->disk.appends + 1;
    cluster_run(500);
    CHECK_EQ(node_counters(node).snapshots_failed, 1);
    node->disk.full_from = 0;
    cluster_run(2500); // without a single command more
    CHECK_EQ(node_counters(node).snapshots_taken, 1);
}

// ---- what is told ---------------------------------------------------------------

TEST(the_size_of_the_newest_snapshot_is_known_after_a_restart)
{
    start_alone();
    cluster_propose(20);
    snapshot_now();
    uint64_t size = node_counters(node).snapshot_bytes_last;
    CHECK_EQ(size, node_snapshot(node, node_view(node).snapshot_index)->size);
    node_crash(node, 0);
    node_open(node);
    CHECK_EQ(node_counters(node).snapshot_bytes_last, size);
}

// ---- plain data -----------------------------------------------------------------

static struct cluster_copy copy;

TEST(a_copy_of_a_node_that_takes_a_snapshot_goes_on_like_it)
{
    for (uint64_t steps = 1; steps < 60; steps += 3) {
        start_alone();
        cluster_propose(100);
        host_snapshot(node->host, &node->io, cluster.now_ms);
        for (uint64_t i = 0; i < steps; i++) {
            if (!cluster_step())
                cluster_pass_time(cluster.now_ms + 10);
        }
        cluster_save(&copy);
        cluster_propose(5);
        cluster_run(1000);
        CHECK_EQ(node_counters(node).snapshots_taken, 1);
        uint64_t digest = cluster_digest();

        cluster_load(&copy);
        cluster_propose(5);
        cluster_run(1000);
        CHECK_EQ(node_counters(node).snapshots_taken, 1);
        CHECK_EQ(cluster_digest(), digest);
    }
}

TEST_MAIN
