// What the host's calls answer: changes, transfers, reads and snapshots, by whom and
// when.
#include "tests/host/cluster_fixture.h"

static struct node *leader;
static struct node *follower;

static void begin(void)
{
    cluster_start(3, 9);
    cluster_propose(3);
    leader = cluster_elect();
    follower = &cluster.nodes[leader->id % 3];
    cluster_run(200);
}

static enum raft_status change(struct node *node, raft_id id,
                               enum raft_member_role role, raft_index *index)
{
    struct raft_member member = {.id = id, .role = role, .priority = 1};
    raft_term term = 0;
    enum raft_status status =
        host_change(node->host, &node->io, cluster.now_ms, &member, 1, index, &term);
    if (status == RAFT_OK)
        CHECK_EQ(term, node_view(node).current_term);
    return status;
}

static enum raft_status transfer(struct node *node, raft_id to)
{
    return host_transfer(node->host, &node->io, cluster.now_ms, to);
}

TEST(a_change_is_told_its_place_and_is_one_at_a_time)
{
    begin();
    raft_index index = 0;
    CHECK_EQ(change(leader, 8, RAFT_LEARNER, &index), RAFT_OK);
    CHECK_EQ(index, node_view(leader).last_index);
    raft_index other = 0;
    CHECK_EQ(change(leader, 9, RAFT_LEARNER, &other), RAFT_CHANGE_PENDING);
    cluster_settle();
    CHECK_EQ(node_view(follower).configuration_index, index);
    CHECK_EQ(node_view(follower).configuration->count, 4);
    CHECK_EQ(change(leader, 8, RAFT_VOTER, &other), RAFT_NOT_CAUGHT_UP); // never heard
    CHECK_EQ(change(leader, 8, RAFT_REMOVED, &other), RAFT_OK);
    cluster_settle();
    CHECK_EQ(node_view(follower).configuration->count, 3);
}

TEST(a_change_is_the_leaders_and_not_of_anything)
{
    begin();
    raft_index index = 0;
    CHECK_EQ(change(follower, 8, RAFT_LEARNER, &index), RAFT_NOT_LEADER);
    CHECK_EQ(change(leader, 0, RAFT_LEARNER, &index), RAFT_INVALID);
    raft_term term = 0;
    CHECK_EQ(
        host_change(leader->host, &leader->io, cluster.now_ms, NULL, 0, &index, &term),
        RAFT_INVALID);
    CHECK_EQ(node_view(leader).configuration_index, 0);
}

TEST(leadership_goes_to_whom_it_is_handed)
{
    begin();
    CHECK_EQ(transfer(follower, leader->id), RAFT_NOT_LEADER);
    CHECK_EQ(transfer(leader, 9), RAFT_INVALID);
    CHECK_EQ(node_view(leader).transfer_to, 0);
    CHECK_EQ(transfer(leader, follower->id), RAFT_OK);
    if (node_view(leader).role == RAFT_LEADER)
        CHECK_EQ(node_propose(leader), RAFT_TRANSFERRING);
    cluster_run(300);
    CHECK(cluster_elect() == follower);
    CHECK_EQ(transfer(follower, 0), RAFT_OK); // whoever is best
    cluster_run(300);
    CHECK(cluster_elect() != follower);
}

TEST(a_transfer_to_one_that_cannot_be_heard_is_given_up)
{
    begin();
    follower->cut_off = true;
    CHECK_EQ(transfer(leader, follower->id), RAFT_OK);
    CHECK_EQ(node_propose(leader), RAFT_TRANSFERRING);
    cluster_run(2 * leader->config.raft.election_timeout_ms);
    CHECK_EQ(node_view(leader).role, RAFT_LEADER);
    CHECK_EQ(node_view(leader).transfer_to, 0);
    CHECK_EQ(node_propose(leader), RAFT_OK);
}

TEST(a_follower_reads_what_its_leader_has_committed)
{
    begin();
    CHECK_EQ(host_read(follower->host, &follower->io, cluster.now_ms, 4), RAFT_OK);
    CHECK_EQ(follower->reads, 0);
    cluster_run(200);
    CHECK_EQ(follower->reads, 1);
    CHECK_EQ(follower->reads_refused, 0);
}

TEST(a_follower_takes_snapshots_of_its_own)
{
    begin();
    uint64_t taken = node_counters(leader).snapshots_taken;
    host_snapshot(follower->host, &follower->io, cluster.now_ms);
    cluster_run(200);
    CHECK_EQ(node_counters(follower).snapshots_taken, 1);
    CHECK_EQ(node_counters(leader).snapshots_taken, taken);
}

TEST(a_node_that_waits_to_be_added_takes_no_snapshot)
{
    cluster_init(1, 1);
    struct node *node = &cluster.nodes[0];
    node->config.raft.configuration.count = 0;
    node_open(node);
    host_snapshot(node->host, &node->io, cluster.now_ms);
    cluster_run(2000);
    CHECK_EQ(node_counters(node).snapshots_taken, 0);
    CHECK_EQ(node->machine.frozen_count, 0);
    raft_index index;
    CHECK_EQ(change(node, 1, RAFT_VOTER, &index), RAFT_NOT_LEADER);
}

TEST(a_node_that_has_stopped_answers_no_to_everything)
{
    begin();
    uint64_t frozen = leader->machine.frozen_count;
    leader->disk.sync_status = -EIO;
    CHECK_EQ(node_propose(leader), RAFT_OK);
    node_end_sync(leader, 0);
    CHECK(host_stopped(leader->host) != NULL);
    uint64_t operations = leader->disk.operations;
    raft_index index;
    CHECK_EQ(change(leader, 8, RAFT_LEARNER, &index), RAFT_NOT_LEADER);
    CHECK_EQ(transfer(leader, 0), RAFT_NOT_LEADER);
    CHECK_EQ(host_read(leader->host, &leader->io, cluster.now_ms, 4), RAFT_NOT_LEADER);
    CHECK_EQ(node_propose(leader), RAFT_NOT_LEADER);
    host_snapshot(leader->host, &leader->io, cluster.now_ms);
    node_tick(leader);
    CHECK_EQ(leader->machine.frozen_count, frozen);
    CHECK_EQ(leader->disk.operations, operations);
}

TEST_MAIN
