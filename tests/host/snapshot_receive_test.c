// A follower that is far behind is sent a snapshot by its leader, chunk by chunk, and
// takes it in the place of what its log held.
#include "tests/host/snapshot_transfer_fixture.h"

// ---- it arrives -----------------------------------------------------------------

TEST(a_follower_far_behind_gets_a_snapshot_in_chunks_and_then_entries)
{
    begin(200);
    uint64_t sent = node_counters(leader).snapshot_chunks_sent; // in vain
    behind->cut_off = false;
    cluster_propose(5);
    check_caught_up();
    CHECK_EQ(node_counters(behind).snapshots_received, 1);
    uint64_t size = node_counters(behind).snapshot_bytes_last;
    CHECK(size > 4 * CHUNK_BYTES);
    CHECK_EQ(node_counters(leader).snapshot_chunks_sent,
             sent + (size + CHUNK_BYTES - 1) / CHUNK_BYTES);
    CHECK(!has_aside(behind));
    raft_index indices[8];
    CHECK_EQ(node_snapshots(behind, indices), 1);
    // The same bytes on every node.
    const struct memory_content *mine = node_snapshot(behind, indices[0]);
    const struct memory_content *theirs = node_snapshot(leader, indices[0]);
    CHECK_EQ(mine->size, theirs->size);
    CHECK(memcmp(mine->bytes, theirs->bytes, (size_t)mine->size) == 0);
}

TEST(the_chunks_resume_where_they_were_after_a_loss)
{
    begin(200);
    receive_some(5);
    uint64_t sent = node_counters(leader).snapshot_chunks_sent;
    uint64_t size = node_counters(leader).snapshot_bytes_last;
    behind->cut_off = true;
    cluster_run(100); // what was under way is lost
    behind->cut_off = false;
    check_caught_up();
    uint64_t all = (size + CHUNK_BYTES - 1) / CHUNK_BYTES;
    CHECK(node_counters(leader).snapshot_chunks_sent < sent + all - 2);
}

TEST(a_lossy_network_only_delays_it)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        begin(100);
        cluster.random = seed;
        cluster.drop_percent = 30;
        behind->cut_off = false;
        cluster_run(4000);
        cluster.drop_percent = 0;
        leader = cluster_elect();
        check_caught_up();
        CHECK_EQ(node_counters(behind).snapshots_received, 1);
    }
}

TEST(no_call_reads_or_writes_more_than_a_chunk_while_it_goes_on)
{
    begin(300);
    behind->cut_off = false;
    enum { BOUND = CHUNK_BYTES + HEADER_BYTES + SNAPSHOT_TRAILER_BYTES };
    for (uint64_t turns = 0; node_counters(behind).snapshots_received == 0; turns++) {
        CHECK(turns < 20000);
        uint64_t read = memory_disk_bytes_read;
        uint64_t written = behind->disk.bytes_appended;
        if (!cluster_step())
            cluster_pass_time(cluster.now_ms + 10);
        CHECK(memory_disk_bytes_read - read <= BOUND);
        CHECK(behind->disk.bytes_appended - written <= BOUND);
    }
    check_caught_up();
}

// braft (bug 42): a read may return less than was asked for, and is not counted as
// whole.
TEST(a_chunk_that_takes_several_reads_is_sent_whole)
{
    chunk_bytes = 2200; // read 1000 bytes at a time
    begin(300);
    CHECK(node_counters(leader).snapshot_bytes_last > chunk_bytes);
    behind->cut_off = false;
    check_caught_up();
    CHECK_EQ(node_counters(behind).snapshots_received, 1);
    CHECK_EQ(node_counters(behind).snapshots_failed, 0);
}

// openraft, etcd (bug 43): the entry of the configuration went with the snapshot.
TEST(the_configuration_of_a_snapshot_that_arrives_is_in_use)
{
    start_three();
    leader = cluster_elect();
    behind = &cluster.nodes[leader->id % 3];
    behind->cut_off = true;
    struct raft_member learner = {.id = 9, .role = RAFT_LEARNER, .priority = 3};
    raft_index index;
    raft_term term;
    CHECK_EQ(host_change(leader->host, &leader->io, cluster.now_ms, &learner, 1, &index,
                         &term),
             RAFT_OK);
    cluster_run(200);
    cluster_propose(100);
    cluster_run(500);
    leader = cluster_elect();
    CHECK(node_view(leader).first_index > index);
    behind->cut_off = false;
    check_caught_up();
    CHECK_EQ(node_view(behind).configuration_index, index);
    CHECK_EQ(node_view(behind).configuration->count, 4);
    node_crash(behind, 0);
    node_open(behind);
    CHECK_EQ(node_view(behind).configuration_index, index);
    CHECK_EQ(node_view(behind).configuration->members[3].priority, 3);
}

TEST(others_are_served_while_it_goes_on)
{
    begin(300);
    receive_some(3);
    raft_index applied = cluster.applied_index;
    uint64_t reads = leader->reads;
    for (int i = 0; i < 400 && node_counters(behind).snapshots_received == 0; i++) {
        if (i % 20 == 0)
            CHECK_EQ(node_propose(leader), RAFT_OK);
        if (i == 20)
            CHECK_EQ(host_read(leader->host, &leader->io, cluster.now_ms, 5), RAFT_OK);
        if (!cluster_step())
            cluster_pass_time(cluster.now_ms + 10);
    }
    CHECK(cluster.applied_index > applied);
    CHECK_EQ(leader->reads, reads + 1);
    check_caught_up();
}

// The files of a transfer under way are not taken away by newer snapshots.
TEST(the_leader_takes_no_snapshot_while_one_is_sent)
{
    chunk_bytes = 90;
    begin(200);
    receive_some(2);
    uint64_t taken = node_counters(leader).snapshots_taken;
    raft_index index = node_view(leader).snapshot_index;
    while (node_counters(behind).snapshots_received == 0 &&
           node_view(leader).last_applied < index + 30) {
        for (int i = 0; i < 5; i++)
            CHECK_EQ(node_propose(leader), RAFT_OK);
        for (int i = 0; i < 12; i++) {
            if (!cluster_step())
                cluster_pass_time(cluster.now_ms + 1);
        }
    }
    CHECK_EQ(node_counters(behind).snapshots_received, 0);
    CHECK(node_view(leader).last_applied >= index + 30); // two were due
    CHECK_EQ(node_counters(leader).snapshots_taken, taken);
    check_caught_up();
    CHECK_EQ(node_counters(behind).snapshots_received, 1);
    cluster_run(500);
    CHECK(node_counters(leader).snapshots_taken > taken);
}

// But not at the price of a log that takes no more.
TEST(a_log_that_is_nearly_full_does_not_wait_for_a_transfer)
{
    begin(200);
    receive_some(2);
    cluster.lose_chunks = true;
    raft_index index = node_view(leader).snapshot_index;
    uint64_t taken = node_counters(leader).snapshots_taken;
    raft_index waited = 0;
    while (node_counters(leader).snapshots_taken == taken) {
        waited = node_view(leader).last_applied - index;
        cluster_propose(1);
    }
    CHECK(waited > 2 * 12); // so many entries make one due
    CHECK(node_view(leader).last_index - node_view(leader).first_index < 128);
    cluster.lose_chunks = false;
    check_caught_up();
}

static bool end_sync_of(struct node *node, const char *name)
{
    for (uint32_t i = 0; i < node->disk.pending_count; i++) {
        const struct memory_file *file = &node->disk.files[node->disk.pending[i].file];
        if (strcmp(file->name, name) == 0) {
            node_end_sync(node, i);
            return true;
        }
    }
    return false;
}

// Its own snapshot is of a state that is no more.
TEST(a_snapshot_that_is_taken_is_given_up_for_one_that_has_arrived)
{
    start_three();
    cluster_propose(106);
    leader = cluster_elect();
    behind = &cluster.nodes[leader->id % 3];
    cluster_run(500);
    behind->cut_off = true;
    cluster_propose(60);
    cluster_run(500);
    leader = cluster_elect();
    leader->cut_off = true;
    uint64_t taken = node_counters(behind).snapshots_taken;
    raft_index index = node_view(leader).snapshot_index;
    for (uint64_t offset = 0; offset < node_snapshot(leader, index)->size;
         offset += CHUNK_BYTES) {
        struct raft_message message = chunk_of(leader, behind, offset);
        host_receive(behind->host, &behind->io, cluster.now_ms, &message);
    }
    for (int i = 0; i < 30; i++) { // it is checked, but for its sync
        (void)end_sync_of(behind, "00000000000000000001.log");
        node_tick(behind);
    }
    CHECK(node_view(behind).last_applied > node_view(behind).snapshot_index);
    cluster.now_ms += 100;
    host_snapshot(behind->host, &behind->io, cluster.now_ms);
    node_tick(behind);
    CHECK(behind->machine.is_frozen);
    CHECK(end_sync_of(behind, SNAPSHOT_FILE_RECEIVING));
    node_tick(behind);
    CHECK(behind->machine.is_frozen);
    while (behind->disk.pending_count > 0)
        node_end_sync(behind, 0);
    for (int i = 0; i < 30; i++)
        node_tick(behind);
    CHECK(!behind->machine.is_frozen);
    CHECK(host_stopped(behind->host) == NULL);
    CHECK_EQ(node_counters(behind).snapshots_received, 1);
    CHECK_EQ(node_counters(behind).snapshots_taken, taken);
    CHECK_EQ(behind->machine.state.index, index);
    CHECK(!node_counters(behind).snapshot_underway);
    const struct memory_file *file =
        memory_disk_find(&behind->disk, SNAPSHOT_FILE_WRITING);
    CHECK(file == NULL || !file->now.exists);
}

// ---- what the log held ----------------------------------------------------------

// hashicorp (bug 38) and etcd (bug 39): its last entries are of a term that nobody
// else has, and stand at the snapshot's indices.
TEST(entries_that_contradict_the_snapshot_go_and_those_behind_them)
{
    start_three();
    behind = cluster_elect();
    behind->cut_off = true;
    for (int i = 0; i < 60; i++)
        CHECK_EQ(node_propose(behind), RAFT_OK);
    cluster_run(100);
    raft_term term = node_view(behind).current_term;
    raft_index far = node_view(behind).last_index;
    cluster_propose(45);
    cluster_run(500);
    leader = cluster_elect();
    CHECK(node_view(leader).last_index < far);
    CHECK(node_view(leader).first_index > 4);
    behind->cut_off = false;
    check_caught_up();
    CHECK_EQ(node_counters(behind).snapshots_received, 1);
    CHECK(node_view(behind).last_index < far);
    CHECK(node_view(behind).last_term > term);
}

// etcd (bug 39): chunks that were delayed until the log had it all.
TEST(a_snapshot_that_comes_late_changes_nothing)
{
    begin(100);
    behind->cut_off = false;
    check_caught_up();
    cluster_propose(20);
    check_caught_up();
    struct raft_view before = node_view(behind);
    for (uint64_t offset = 0;
         offset < node_snapshot(leader, node_view(leader).snapshot_index)->size;
         offset += CHUNK_BYTES) {
        struct raft_message message = chunk_of(leader, behind, offset);
        host_receive(behind->host, &behind->io, cluster.now_ms, &message);
        cluster_run(20);
    }
    CHECK_EQ(node_view(behind).last_index, before.last_index);
    CHECK_EQ(node_counters(behind).snapshots_received, 1);
    check_caught_up();
}

// An entry of the snapshot's last term, as another way of getting there.
static void receive_entry(raft_index index, raft_term prev_term, raft_term term)
{
    struct raft_entry entry = {.index = index, .term = term, .type = RAFT_ENTRY_NOOP};
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
    message.from = node_view(leader).id;
    message.to = node_view(behind).id;
    message.term = node_view(leader).current_term;
    message.append_entries.prev_log_index = index - 1;
    message.append_entries.prev_log_term = prev_term;
    message.append_entries.entries = &entry;
    message.append_entries.count = 1;
    host_receive(behind->host, &behind->io, cluster.now_ms, &message);
}

// Else its log would be full in the end, and no snapshot due that makes room.
TEST(a_snapshot_that_was_overtaken_by_entries_makes_room_in_the_log)
{
    begin(100);
    leader->cut_off = true;
    behind->cut_off = false;
    raft_index last = node_view(leader).snapshot_index;
    uint64_t size = node_snapshot(leader, last)->size;
    struct raft_view view = node_view(behind);
    raft_term term = view.last_term;
    memset(cluster.hash_at, 0, sizeof cluster.hash_at); // of other entries
    raft_term new_term = 0;
    for (uint64_t offset = 0; offset < size; offset += CHUNK_BYTES) {
        struct raft_message message = chunk_of(leader, behind, offset);
        new_term = message.install_snapshot.last_included_term;
        host_receive(behind->host, &behind->io, cluster.now_ms, &message);
    }
    for (raft_index i = view.last_index + 1; i <= last; i++) {
        receive_entry(i, term, new_term);
        term = new_term;
    }
    CHECK_EQ(node_view(behind).first_index, 1);
    for (int i = 0; i < 400; i++) {
        while (behind->disk.pending_count > 0)
            node_end_sync(behind, 0);
        node_tick(behind);
    }
    CHECK_EQ(node_view(behind).last_applied, last);
    CHECK_EQ(node_view(behind).snapshot_index, last);
    CHECK_EQ(node_view(behind).first_index, last + 1 - 20);
}

// All of its checksums are right, but it is not the one that was announced.
TEST(a_whole_snapshot_that_is_not_the_one_announced_is_refused)
{
    begin(100);
    leader->cut_off = true;
    behind->cut_off = false;
    uint64_t size = node_snapshot(leader, node_view(leader).snapshot_index)->size;
    for (int wrong = 0; wrong < 3; wrong++) {
        for (uint64_t offset = 0; offset < size; offset += CHUNK_BYTES) {
            struct raft_message message = chunk_of(leader, behind, offset);
            message.install_snapshot.last_included_index += wrong == 0;
            message.install_snapshot.last_included_term += wrong == 1;
            message.install_snapshot.checksum ^= wrong == 2;
            message.term += 1 + (raft_term)wrong;
            host_receive(behind->host, &behind->io, cluster.now_ms, &message);
        }
        for (int i = 0; i < 20; i++) {
            while (behind->disk.pending_count > 0)
                node_end_sync(behind, 0);
            node_tick(behind);
        }
        CHECK_EQ(node_counters(behind).snapshots_failed, 1 + (uint64_t)wrong);
        CHECK_EQ(node_view(behind).snapshot_index, 0);
        CHECK(!has_aside(behind));
    }
    CHECK(!behind->machine.restoring);
}

// The write of the term that it came in, and what else was under way, first.
TEST(a_snapshot_that_arrives_gets_no_name_before_what_was_written_before_it_is_durable)
{
    begin(100);
    leader->cut_off = true;
    behind->cut_off = false;
    uint64_t size = node_snapshot(leader, node_view(leader).snapshot_index)->size;
    for (uint64_t offset = 0; offset < size; offset += CHUNK_BYTES) {
        struct raft_message message = chunk_of(leader, behind, offset);
        message.term += 1;
        host_receive(behind->host, &behind->io, cluster.now_ms, &message);
    }
    CHECK_EQ(behind->disk.pending_count, 1); // of the log
    raft_index indices[8];
    for (int i = 0; i < 50; i++) {
        node_tick(behind);
        if (behind->disk.pending_count > 1)
            node_end_sync(behind, 1);
    }
    CHECK_EQ(node_file(behind, SNAPSHOT_FILE_RECEIVING)->size, size);
    CHECK_EQ(node_snapshots(behind, indices), 0);
    for (int i = 0; i < 50; i++) {
        if (behind->disk.pending_count > 0)
            node_end_sync(behind, 0);
        node_tick(behind);
    }
    CHECK_EQ(node_snapshots(behind, indices), 1);
}

// A newer offer begins anew: chunks of two are never mixed.
TEST(a_first_chunk_in_the_middle_begins_anew)
{
    begin(150);
    receive_some(3);
    leader->cut_off = true; // its chunks are given by hand
    struct raft_message message = chunk_of(leader, behind, 0);
    message.term += 1;
    message.install_snapshot.checksum ^= 1; // another file of the same length
    host_receive(behind->host, &behind->io, cluster.now_ms, &message);
    CHECK_EQ(node_file(behind, SNAPSHOT_FILE_RECEIVING)->size, CHUNK_BYTES);
    leader->cut_off = false;
    cluster_run(100);
    leader = cluster_elect();
    check_caught_up();
}

// ---- plain data -----------------------------------------------------------------

TEST(a_copy_made_in_the_middle_goes_on_like_the_original)
{
    static struct cluster_copy copy;
    begin(100);
    cluster_save(&beginning);
    for (uint64_t steps = 10; steps < 400; steps += 30) {
        cluster_load(&beginning);
        behind->cut_off = false;
        for (uint64_t i = 0; i < steps; i++) {
            if (!cluster_step())
                cluster_pass_time(cluster.now_ms + 10);
        }
        cluster_save(&copy);
        check_caught_up();
        uint64_t digest = cluster_digest();
        cluster_load(&copy);
        check_caught_up();
        CHECK_EQ(cluster_digest(), digest);
    }
}

TEST_MAIN
