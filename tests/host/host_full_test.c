// A disk that is full at any append: the node holds back, serves what it can, and goes
// on once there is space, with a log that is what its core holds (bug 60 of
// docs/bugs.md: canonical's library, dqlite).
#define MEMORY_FILE_BYTES (8 * 1024)

#include "tests/host/cluster_fixture.h"

static struct cluster_copy beginning;
static struct cluster_copy during;

static void act(int actions)
{
    for (int i = 0; i < actions; i++) {
        if (!cluster_step())
            cluster_pass_time(cluster.now_ms + 20);
    }
}

static void propose_and_act(struct node *node, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        (void)node_propose(node);
        act(4);
    }
}

// There is space again: all of it becomes durable, now and over a crash.
static void check_goes_on(struct node *node, uint64_t mask)
{
    node->disk.full_from = 0;
    node->disk.full_at = 0;
    cluster_settle();
    cluster_propose(2);
    cluster_settle();
    CHECK(!host_disk_full(node->host));
    check_durable_is_the_cores(node);
    node_crash(node, mask);
    node_open(node);
    cluster_settle();
}

// ---- alone ----------------------------------------------------------------------

static void begin_alone(void)
{
    cluster_start(1, 1);
    cluster_propose(5);
    cluster_run(100);
    cluster_save(&beginning);
}

TEST(no_append_that_finds_the_disk_full_stops_or_loses_anything)
{
    struct node *node = &cluster.nodes[0];
    begin_alone();
    uint64_t full = 0;
    for (uint64_t at = 1; at <= 60; at++) {
        cluster_load(&beginning);
        node->disk.full_at = node->disk.appends + at;
        propose_and_act(node, 40);
        CHECK(host_stopped(node->host) == NULL);
        full += node->disk.appends >= node->disk.full_at;
        check_goes_on(node, at % 2 == 0 ? 0 : UINT64_MAX);
    }
    CHECK(full > 40);
}

TEST(a_disk_that_stays_full_refuses_proposals_and_answers_reads)
{
    struct node *node = &cluster.nodes[0];
    begin_alone();
    for (uint64_t at = 1; at <= 30; at++) {
        cluster_load(&beginning);
        node->disk.full_status = at % 2 == 0 ? -EDQUOT : -ENOSPC;
        node->disk.full_from = node->disk.appends + at;
        for (int i = 0; i < 100 && !host_disk_full(node->host); i++)
            propose_and_act(node, 1);
        CHECK(host_disk_full(node->host));
        cluster_run(500);
        CHECK(host_stopped(node->host) == NULL);
        raft_index last = node_view(node).last_index;
        CHECK_EQ(node_propose(node), RAFT_DISK_FULL);
        struct raft_member member = {.id = 9, .role = RAFT_LEARNER};
        raft_index index;
        raft_term term;
        CHECK_EQ(host_change(node->host, &node->io, cluster.now_ms, &member, 1, &index,
                             &term),
                 RAFT_DISK_FULL);
        CHECK_EQ(node_view(node).last_index, last);
        // The read is of a leader that knows what is committed: alone it is that.
        uint64_t reads = node->reads;
        CHECK_EQ(host_read(node->host, &node->io, cluster.now_ms, 3), RAFT_OK);
        CHECK_EQ(node->reads, reads + 1);
        check_goes_on(node, 0);
        CHECK(node_view(node).last_index > last);
    }
}

TEST(the_disk_is_tried_now_and_then_and_not_all_the_time)
{
    struct node *node = &cluster.nodes[0];
    begin_alone();
    node->disk.full_from = node->disk.appends + 1;
    CHECK_EQ(node_propose(node), RAFT_OK); // it was taken, and waits
    CHECK(host_disk_full(node->host));
    uint64_t appends = node->disk.appends;
    cluster_run(2000);
    CHECK(node->disk.appends - appends >= 10);
    CHECK(node->disk.appends - appends <= 20);
}

TEST(nothing_is_applied_before_it_is_written)
{
    struct node *node = &cluster.nodes[0];
    begin_alone();
    raft_index applied = node_view(node).last_applied;
    node->disk.full_from = node->disk.appends + 1;
    propose_and_act(node, 10);
    cluster_run(300);
    CHECK_EQ(node->machine.state.index, applied);
    node_crash(node, UINT64_MAX);
    node->disk.full_from = 0;
    node_open(node);
    CHECK_EQ(node_view(node).last_index, applied);
}

TEST(another_error_than_a_full_disk_stops_the_node_that_waits)
{
    struct node *node = &cluster.nodes[0];
    begin_alone();
    node->disk.full_from = node->disk.appends + 1;
    CHECK_EQ(node_propose(node), RAFT_OK);
    node->disk.full_status = -EIO;
    cluster_run(300);
    CHECK(host_stopped(node->host) != NULL);
    CHECK(strstr(host_stopped(node->host), "append: Input/output error") != NULL);
}

TEST(a_cut_that_fails_on_a_full_disk_stops_the_node)
{
    struct node *node = &cluster.nodes[0];
    begin_alone();
    CHECK_EQ(node->disk.pending_count, 0);
    node->disk.full_from = node->disk.appends + 1;
    node->disk.sync_status = -EIO; // of the cut
    CHECK_EQ(node_propose(node), RAFT_OK);
    CHECK(host_stopped(node->host) != NULL);
}

// ---- in a cluster ---------------------------------------------------------------

static void begin_three(void)
{
    cluster_start(3, 2);
    cluster_propose(5);
    cluster_run(300);
    cluster_save(&beginning);
}

TEST(a_leader_whose_disk_is_full_hands_over_and_follows)
{
    begin_three();
    for (uint64_t at = 1; at <= 25; at++) {
        cluster_load(&beginning);
        struct node *node = cluster_elect();
        node->disk.full_from = node->disk.appends + at;
        for (int i = 0; i < 100 && !host_disk_full(node->host); i++)
            propose_and_act(node, 1);
        CHECK(host_disk_full(node->host));
        raft_index applied = cluster.applied_index;
        cluster_run(2000);
        struct node *next = cluster_leader();
        CHECK(next != NULL && next != node);
        for (int i = 0; i < 5; i++) {
            CHECK_EQ(node_propose(next), RAFT_OK);
            cluster_run(50);
        }
        CHECK(cluster.applied_index >= applied + 5); // the others are a majority
        CHECK(host_disk_full(node->host));
        cluster_save(&during);
        check_goes_on(node, 0);
        cluster_load(&during); // or it crashes before there is any
        node_crash(node, at * 0x9e3779b97f4a7c15u);
        node->disk.full_from = 0;
        node_open(node);
        check_goes_on(node, 0);
    }
}

TEST(a_follower_whose_disk_is_full_acknowledges_nothing_and_catches_up)
{
    begin_three();
    for (uint64_t at = 1; at <= 25; at++) {
        cluster_load(&beginning);
        struct node *leader = cluster_elect();
        struct node *node = &cluster.nodes[leader->id % 3];
        struct node *third = &cluster.nodes[(leader->id + 1) % 3];
        node->disk.full_from = node->disk.appends + at;
        propose_and_act(leader, 20);
        cluster_run(500);
        CHECK(host_stopped(node->host) == NULL);
        // Without the third one, what it has not written is not committed.
        raft_index applied = cluster.applied_index;
        bool full = host_disk_full(node->host);
        third->cut_off = true;
        propose_and_act(leader, 3);
        cluster_run(300);
        if (full)
            CHECK_EQ(cluster.applied_index, applied);
        cluster_save(&during);
        third->cut_off = false;
        check_goes_on(node, 0);
        cluster_load(&during);
        cluster.nodes[third->id - 1].cut_off = false;
        node_crash(node, at * 0x9e3779b97f4a7c15u);
        node->disk.full_from = 0;
        node_open(node);
        check_goes_on(node, UINT64_MAX);
    }
}

static void propose_batch(struct node *leader)
{
    struct raft_command commands[PACKET_ENTRIES_MAX];
    for (uint32_t i = 0; i < PACKET_ENTRIES_MAX; i++)
        commands[i] = (struct raft_command){"one of many", 11};
    raft_index index;
    raft_term term;
    CHECK_EQ(host_propose(leader->host, &leader->io, cluster.now_ms, commands,
                          PACKET_ENTRIES_MAX, &index, &term),
             RAFT_OK);
    while (cluster.packet_count > 0)
        act(1);
}

// More waits than goes into one append; and the disk is full again in the middle.
TEST(a_long_backlog_is_written_in_parts_that_may_find_the_disk_full_again)
{
    cluster_init(3, 2);
    for (uint32_t i = 0; i < 3; i++) {
        cluster.nodes[i].config.snapshot_entries = 0;
        cluster.nodes[i].config.raft.log_entries_max = 512;
        cluster.nodes[i].config.raft.inflight_max = RAFT_INFLIGHT_MAX;
        cluster.nodes[i].config.segment_bytes_max = 7000;
        node_open(&cluster.nodes[i]);
    }
    cluster_propose(2);
    struct node *leader = cluster_elect();
    struct node *node = &cluster.nodes[leader->id % 3];
    node->disk.full_from = node->disk.appends + 1;
    for (int i = 0; i < 12; i++)
        propose_batch(leader);
    cluster_run(300);
    CHECK(host_disk_full(node->host));
    CHECK(node_view(node).last_index > node_view(node).durable_index + 2 * 64);
    cluster_save(&during);
    uint64_t parts = 0;
    for (uint64_t at = 1; at <= 8; at++) {
        cluster_load(&during);
        node->disk.full_from = 0;
        node->disk.full_at = node->disk.appends + at;
        uint64_t appends = node->disk.appends;
        cluster_pass_time(cluster.now_ms + 120);
        raft_index durable = node_view(node).durable_index;
        while (host_disk_full(node->host) && node->disk.appends == appends) {
            cluster.now_ms += 10;
            node_tick(node);
        }
        parts += host_disk_full(node->host) && node->disk.appends > appends + 1;
        CHECK_EQ(node_view(node).durable_index, durable); // all of it, or nothing yet
        check_goes_on(node, at % 2 == 0 ? 0 : UINT64_MAX);
    }
    CHECK(parts >= 1); // it did happen between two parts
}

// ---- what is replaced while it waits --------------------------------------------

// A leader without followers and without space: others replace what it could not write,
// and what it could.
static void begin_deposed(uint64_t written)
{
    cluster_start(3, 4);
    cluster_propose(3);
    struct node *node = cluster_elect();
    node->cut_off = true;
    for (uint64_t i = 0; i < written; i++)
        CHECK_EQ(node_propose(node), RAFT_OK);
    while (node->disk.pending_count > 0)
        node_end_sync(node, 0);
    node->disk.full_from = node->disk.appends + 1;
    CHECK_EQ(node_propose(node), RAFT_OK);
    CHECK_EQ(node_propose(node), RAFT_DISK_FULL);
}

TEST(entries_that_are_replaced_while_the_disk_is_full_are_never_written)
{
    for (uint64_t written = 0; written <= 4; written++) {
        begin_deposed(written);
        struct node *node = NULL;
        for (uint32_t i = 0; i < 3; i++)
            node = cluster.nodes[i].cut_off ? &cluster.nodes[i] : node;
        raft_term term = node_view(node).current_term;
        cluster_propose(4);
        node->cut_off = false;
        cluster_run(1000);
        CHECK(host_disk_full(node->host));
        CHECK(node_view(node).current_term > term);
        raft_term found = 0;
        CHECK(raft_term_at(host_raft(node->host), 5 + written, &found));
        cluster_save(&during);
        check_goes_on(node, 0);
        cluster_load(&during);
        node_crash(node, UINT64_MAX); // before any of it is written
        node->disk.full_from = 0;
        node_open(node);
        CHECK_EQ(node_view(node).last_term, term);
        check_goes_on(node, 0);
    }
}

// ---- a snapshot that arrives ----------------------------------------------------

static uint32_t behind;

static void begin_behind(bool uncommitted)
{
    cluster_start(3, 6);
    cluster_propose(4);
    struct node *node = cluster_elect();
    if (!uncommitted)
        node = &cluster.nodes[node->id % 3];
    behind = node->id - 1;
    node->cut_off = true;
    for (int i = 0; i < 4 && uncommitted; i++)
        CHECK_EQ(node_propose(node), RAFT_OK);
    cluster_run(100);
    cluster_propose(40);
    cluster_run(500);
    node->cut_off = false;
    cluster_save(&beginning);
}

// At every append, for a moment or for long; then a crash in the middle, or none.
static void fill_while_behind(void)
{
    struct node *node = &cluster.nodes[behind];
    uint64_t kept_back = 0;
    for (uint64_t at = 1; at <= 24; at++) {
        for (int variant = 0; variant < 3; variant++) {
            cluster_load(&beginning);
            if (variant == 0)
                node->disk.full_at = node->disk.appends + at;
            else
                node->disk.full_from = node->disk.appends + at;
            cluster_run(800);
            CHECK(host_stopped(node->host) == NULL);
            raft_index durable = node_view(node).durable_index;
            kept_back +=
                host_disk_full(node->host) && node_view(node).snapshot_index >= durable;
            if (variant == 2) {
                node_crash(node, at * 0x9e3779b97f4a7c15u);
                node->disk.full_from = 0;
                node_open(node);
            }
            check_goes_on(node, at % 2 == 0 ? 0 : UINT64_MAX);
        }
    }
    CHECK(kept_back > 0); // the log's new beginning was among what had to wait
}

TEST(a_snapshot_is_restored_over_a_disk_that_fills_up_at_any_append)
{
    begin_behind(false);
    fill_while_behind();
}

TEST(a_snapshot_replaces_entries_over_a_disk_that_fills_up_at_any_append)
{
    begin_behind(true);
    fill_while_behind();
}

static void append_by_hand(struct node *from, struct node *to, raft_index prev_index,
                           raft_term prev_term, uint32_t count)
{
    struct raft_entry entries[4];
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct raft_entry){.index = prev_index + 1 + i,
                                         .term = node_view(from).current_term,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .size = 4,
                                         .data = "data"};
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES,
                                   .from = from->id,
                                   .to = to->id,
                                   .term = node_view(from).current_term};
    message.append_entries.prev_log_index = prev_index;
    message.append_entries.prev_log_term = prev_term;
    message.append_entries.count = count;
    message.append_entries.entries = entries;
    host_receive(to->host, &to->io, cluster.now_ms, &message);
}

// Entries wait for space; a snapshot that replaces them becomes the state; more entries
// arrive behind it: its beginning and those are what is written in the end.
TEST(what_waits_before_a_snapshot_goes_and_what_waits_behind_it_is_written)
{
    begin_behind(false);
    struct node *node = &cluster.nodes[behind];
    struct node *leader = cluster_elect();
    for (uint32_t i = 0; i < 3; i++) // all is given by hand
        cluster.nodes[i].cut_off = true;
    uint64_t size = node_snapshot(leader, node_view(leader).snapshot_index)->size;
    for (uint64_t offset = 0; offset < size; offset += CHUNK_BYTES) {
        struct raft_message message = chunk_of(leader, node, offset);
        host_receive(node->host, &node->io, cluster.now_ms, &message);
    }
    node->disk.full_from = node->disk.appends + 1;
    struct raft_view view = node_view(node);
    append_by_hand(leader, node, view.last_index, view.last_term, 3);
    CHECK(host_disk_full(node->host));
    for (int i = 0; i < 50; i++) {
        if (node->disk.pending_count > 0)
            node_end_sync(node, 0);
        node_tick(node);
    }
    raft_index index = node_view(leader).snapshot_index;
    raft_term term = 0;
    CHECK(raft_term_at(host_raft(leader->host), index, &term));
    CHECK_EQ(node_counters(node).snapshots_received, 1);
    CHECK_EQ(node->machine.state.index, index);
    append_by_hand(leader, node, index, term, 4);
    CHECK_EQ(node_view(node).last_index, index + 4);
    CHECK(host_disk_full(node->host));
    node->disk.full_from = 0;
    for (int i = 0; i < 50; i++) {
        cluster.now_ms += 10;
        node_tick(node);
        if (node->disk.pending_count > 0)
            node_end_sync(node, 0);
    }
    CHECK(!host_disk_full(node->host));
    CHECK_EQ(node_view(node).durable_index, index + 4);
    node_crash(node, 0);
    node_open(node);
    CHECK_EQ(node_view(node).last_index, index + 4);
    CHECK_EQ(node->machine.state.index, index);
}

TEST_MAIN
