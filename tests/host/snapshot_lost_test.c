// A snapshot that is sent and does not arrive: damaged, of another cluster, refused by
// the state machine, or onto a disk that fails or fills up.
#include "tests/host/snapshot_transfer_fixture.h"

// braft (bug 42): the checksum of the whole tells.
TEST(a_chunk_damaged_on_its_way_is_found_and_all_is_asked_for_again)
{
    begin(100);
    uint64_t size = node_counters(leader).snapshot_bytes_last;
    cluster_save(&beginning);
    for (uint64_t chunk = 1; chunk <= (size + CHUNK_BYTES - 1) / CHUNK_BYTES; chunk++) {
        cluster_load(&beginning);
        behind->cut_off = false;
        cluster.damage_chunk = chunk;
        check_caught_up();
        CHECK_EQ(cluster.damage_chunk, 0);
        CHECK_EQ(node_counters(behind).snapshots_failed, 1);
        CHECK_EQ(node_counters(behind).snapshots_received, 1);
        CHECK(!has_aside(behind));
    }
}

TEST(a_snapshot_of_another_cluster_never_becomes_the_state)
{
    begin(100);
    raft_index applied = behind->machine.state.index;
    // The same nodes, but the one behind belongs elsewhere.
    node_crash(behind, 0);
    memset(&behind->disk, 0, sizeof behind->disk);
    behind->config.cluster_id = CLUSTER + 1;
    node_open(behind);
    behind->cut_off = false;
    cluster_run(3000);
    CHECK(host_stopped(behind->host) == NULL);
    CHECK(node_counters(behind).snapshots_failed > 0);
    CHECK_EQ(node_counters(behind).snapshots_received, 0);
    CHECK_EQ(behind->machine.state.index, 0);
    CHECK_EQ(node_view(behind).snapshot_index, 0);
    raft_index indices[8];
    CHECK_EQ(node_snapshots(behind, indices), 0);
    CHECK(applied > 0);
}

TEST(a_machine_that_cannot_restore_says_no_and_is_left_as_it_is)
{
    begin(100);
    raft_index index = behind->machine.state.index;
    behind->io.machine.snapshot_begin = NULL;
    behind->io.machine.restore_begin = NULL;
    behind->cut_off = false;
    cluster_run(3000);
    CHECK(host_stopped(behind->host) == NULL);
    CHECK(node_counters(behind).snapshots_failed > 0);
    CHECK_EQ(behind->machine.state.index, index);
}

TEST(a_machine_that_finds_it_wrong_stops_the_node)
{
    begin(100);
    behind->machine.write_status = -EBADMSG;
    behind->cut_off = false;
    cluster_run(3000);
    CHECK_TEXT(host_stopped(behind->host),
               "the snapshot cannot be restored: Bad message");
    // The file was good: with a machine that takes it, the node starts from it.
    behind->cut_off = true;
    node_crash(behind, 0);
    node_open(behind);
    CHECK_EQ(behind->machine.state.index, node_view(behind).snapshot_index);
    behind->cut_off = false;
    leader = cluster_elect();
    check_caught_up();
}

static void run_until_restoring(void)
{
    begin(200);
    behind->cut_off = false;
    for (int i = 0; i < 5000 && !behind->machine.restoring; i++) {
        if (!cluster_step())
            cluster_pass_time(cluster.now_ms + 10);
    }
    CHECK(behind->machine.restoring);
}

TEST(a_snapshot_that_is_damaged_between_its_check_and_its_use_stops_the_node)
{
    run_until_restoring();
    raft_index indices[8];
    CHECK_EQ(node_snapshots(behind, indices), 1);
    struct memory_content *file = node_snapshot(behind, indices[0]);
    file->bytes[file->size - 40] ^= 1;
    cluster_run(500);
    CHECK_TEXT(host_stopped(behind->host),
               "the snapshot cannot be restored: Bad message");
    CHECK(behind->machine.restoring); // it was never told that this was a state
}

TEST(a_snapshot_that_cannot_be_read_back_stops_the_node)
{
    run_until_restoring();
    behind->disk.read_status = -EIO;
    cluster_run(500);
    CHECK_TEXT(host_stopped(behind->host),
               "the snapshot cannot be restored: Input/output error");
}

TEST(a_leader_that_cannot_read_its_snapshot_leads_on_and_sends_it_later)
{
    begin(100);
    leader->disk.read_status = -EIO;
    behind->cut_off = false;
    cluster_run(1000);
    CHECK(host_stopped(leader->host) == NULL);
    CHECK_EQ(node_view(leader).role, RAFT_LEADER);
    CHECK_EQ(node_counters(behind).snapshots_received, 0);
    leader->disk.read_status = 0;
    check_caught_up();
}

TEST(a_sync_of_what_arrives_that_fails_stops_the_node)
{
    begin(100);
    receive_some(2);
    for (int i = 0; i < 5000 && behind->disk.pending_count == 0; i++) {
        if (!cluster_step())
            cluster_pass_time(cluster.now_ms + 10);
    }
    CHECK_EQ(behind->disk.pending_count, 1);
    behind->disk.sync_status = -EIO;
    node_end_sync(behind, 0);
    CHECK_TEXT(host_stopped(behind->host),
               "the sync of a snapshot: Input/output error");
}

// ---- a disk that fills up -------------------------------------------------------

// RedisRaft, LogCabin, NuRaft (bug 40): a chunk that failed, and both waited for ever.
TEST(a_chunk_that_cannot_be_stored_is_asked_for_again_from_the_first_one)
{
    begin(150);
    uint64_t size = node_counters(leader).snapshot_bytes_last;
    cluster_save(&beginning);
    for (uint64_t chunk = 1; chunk <= (size + CHUNK_BYTES - 1) / CHUNK_BYTES; chunk++) {
        cluster_load(&beginning);
        behind->disk.full_at = behind->disk.appends + chunk;
        behind->cut_off = false;
        check_caught_up();
        CHECK_EQ(node_counters(behind).snapshots_received, 1);
        CHECK(!has_aside(behind));
    }
}

TEST(a_disk_that_stays_full_is_tried_until_there_is_space)
{
    begin(150);
    receive_some(3);
    behind->disk.full_from = behind->disk.appends + 1;
    cluster_run(3000);
    CHECK(host_stopped(behind->host) == NULL);
    CHECK(node_counters(behind).snapshots_failed >= 2);
    CHECK(!has_aside(behind) || node_file(behind, SNAPSHOT_FILE_RECEIVING)->size == 0);
    behind->disk.full_from = 0;
    check_caught_up();
}

TEST_MAIN
