// A crash at every operation of the disk while a snapshot is taken, received, restored
// or found at a start, with what was not synced lost in many ways.
//
// The claim: the node starts again; all that any node has applied is there in the end,
// and each index has one state on all nodes (bugs 41, 44, 58 of docs/bugs.md).
#define MEMORY_FILE_BYTES (8 * 1024)

#include "tests/host/cluster_fixture.h"

enum { MASKS = 5, ALONE_ACTIONS = 160, RECEIVE_MS = 1500 };

static struct cluster_copy beginning;
static struct cluster_copy crashed;
static uint64_t masks = 12345;

// Nothing unsynced is kept, all is, or some.
static uint64_t next_mask(int which)
{
    masks = masks * 6364136223846793005u + 1442695040888963407u;
    uint64_t mask = masks ^ masks >> 31;
    return which == 0 ? 0 : which == 1 ? UINT64_MAX : mask;
}

// ---- taking ---------------------------------------------------------------------

// False where no crash came.
static bool run_alone(uint64_t seed, uint64_t crash_at)
{
    struct node *node = &cluster.nodes[0];
    cluster_load(&beginning);
    cluster.random = seed;
    node->disk.crash_at = node->disk.operations + crash_at;
    for (int i = 0; i < ALONE_ACTIONS && node->host != NULL; i++) {
        if (fixture_random(4) == 0)
            (void)node_propose(node);
        else if (!cluster_step())
            cluster_pass_time(cluster.now_ms + 20);
    }
    return node->host == NULL;
}

// It starts again, also where that start is cut short at any operation.
static void open_again(struct node *node, uint64_t mask)
{
    node_crash(node, mask);
    static struct memory_disk found;
    found = node->disk;
    bool opened = false;
    for (uint64_t crash_at = 1; !opened; crash_at++) {
        CHECK(crash_at < 20);
        node->disk = found;
        node->disk.crash_at = crash_at;
        opened = node_try_open(node);
        CHECK(opened || node->disk.crashed);
        node_crash(node, ~mask >> 3);
        node_open(node); // whatever the first try has left
        // What has a snapshot's name was whole when it got it.
        CHECK(host_warning(node->host) == NULL);
    }
}

static void check_alone(uint64_t mask)
{
    struct node *node = &cluster.nodes[0];
    raft_index applied = cluster.applied_index;
    open_again(node, mask);
    cluster_elect();
    CHECK(node->machine.state.index > applied);
    cluster_propose(8);
    cluster_run(300);
    check_durable_is_the_cores(node);
    applied = cluster.applied_index;
    node_crash(node, mask);
    node_open(node);
    cluster_elect();
    CHECK(node->machine.state.index > applied);
}

TEST(no_crash_while_a_snapshot_is_taken_loses_anything)
{
    struct node *node = &cluster.nodes[0];
    cluster_init(1, 1);
    node->config.snapshot_entries = 8;
    node_open(node);
    cluster_elect();
    cluster_propose(12); // a snapshot is there already
    cluster_run(100);
    cluster_save(&beginning);
    uint64_t cases = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        for (uint64_t crash_at = 1; run_alone(seed, crash_at); crash_at++) {
            cluster_save(&crashed);
            for (int i = 0; i < MASKS; i++) {
                cluster_load(&crashed);
                check_alone(next_mask(i));
                cases++;
            }
        }
        CHECK(node_counters(node).snapshots_taken >= 3); // all of it came before one
        CHECK(node_counters(node).segments_removed >= 1);
    }
    CHECK(cases > 4 * 50 * MASKS);
}

// ---- receiving and restoring ----------------------------------------------------

static uint32_t behind;  // the node that lacks what the leader has compacted
static uint32_t leading; // who sends it
static uint32_t third;

// A node misses so much that it needs a snapshot, from a leader whose only quorum it
// is. With `uncommitted` it was a leader itself, whose last entries nobody else has.
static void begin_behind(bool uncommitted)
{
    cluster_init(3, 7);
    for (uint32_t i = 0; i < 3; i++) {
        cluster.nodes[i].config.snapshot_chunk_bytes = 128;
        node_open(&cluster.nodes[i]);
    }
    cluster_propose(4);
    struct node *lost = cluster_elect();
    if (!uncommitted)
        lost = lost == &cluster.nodes[2] ? &cluster.nodes[1] : &cluster.nodes[2];
    behind = lost->id - 1;
    lost->cut_off = true;
    for (int i = 0; i < 6 && uncommitted; i++)
        CHECK_EQ(node_propose(lost), RAFT_OK);
    cluster_run(100); // durable there
    cluster_propose(60);
    cluster_run(500);
    leading = cluster_elect()->id - 1;
    third = 3 - behind - leading;
    CHECK(node_view(&cluster.nodes[leading]).first_index >
          node_view(lost).last_index + 1);
    lost->cut_off = false;
    cluster.nodes[third].cut_off = true;
    cluster_save(&beginning);
}

static bool run_behind(uint64_t seed, uint64_t crash_at)
{
    cluster_load(&beginning);
    cluster.random = seed;
    struct node *node = &cluster.nodes[behind];
    struct node *leader = &cluster.nodes[leading];
    node->disk.crash_at = node->disk.operations + crash_at;
    uint64_t until_ms = cluster.now_ms + RECEIVE_MS;
    while (cluster.now_ms < until_ms && node->host != NULL) {
        if (fixture_random(30) == 0)
            (void)node_propose(leader); // it needs the node behind for each of them
        if (!cluster_step())
            cluster_pass_time(cluster.now_ms + 20);
    }
    return node->host == NULL;
}

// The leader is gone for good: the others have all that was ever applied.
static void check_behind(uint64_t mask, bool without_leader)
{
    open_again(&cluster.nodes[behind], mask);
    cluster.nodes[third].cut_off = false;
    if (without_leader)
        cluster.nodes[leading].host = NULL;
    cluster_settle();
    cluster_propose(3);
    cluster_settle();
    check_durable_is_the_cores(&cluster.nodes[behind]);
}

static void crash_behind(bool uncommitted)
{
    begin_behind(uncommitted);
    uint64_t cases = 0;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        for (uint64_t crash_at = 1; run_behind(seed, crash_at); crash_at++) {
            cluster_save(&crashed);
            for (int i = 0; i < MASKS; i++) {
                cluster_load(&crashed);
                check_behind(next_mask(i), (i + crash_at) % 2);
                cases++;
            }
        }
        CHECK(node_counters(&cluster.nodes[behind]).snapshots_received >= 1);
    }
    CHECK(cases > 2 * 20 * MASKS);
}

TEST(no_crash_while_a_snapshot_arrives_and_is_restored_loses_anything)
{
    crash_behind(false);
}

// Its entries have terms of their own at the snapshot's indices (bugs 38, 41).
TEST(no_crash_while_a_snapshot_replaces_entries_of_a_deposed_leader_loses_anything)
{
    crash_behind(true);
}

// TiKV, Nexus (bug 44): snapshot, hard state and log are of one piece, in whatever
// order they became durable; here the machine goes on, and only the process was killed.
TEST(a_process_killed_while_a_snapshot_arrives_goes_on)
{
    begin_behind(true);
    for (uint64_t crash_at = 1; run_behind(3, crash_at); crash_at++) {
        struct node *node = &cluster.nodes[behind];
        node->disk.crashed = false;
        node->disk.crash_at = 0;
        node->disk.pending_count = 0;
        node_open(node);
        struct raft_view view = node_view(node);
        CHECK(view.last_term <= view.current_term);
        CHECK(view.last_index >= view.snapshot_index);
        cluster.nodes[third].cut_off = false;
        cluster_settle();
    }
}

TEST_MAIN
