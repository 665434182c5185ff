// Who is removed: a leader, a follower that is never told (dissertation 4.2).
#include "tests/raft/fixture.h"

static struct raft_configuration voters(raft_id first, raft_id last)
{
    struct raft_configuration configuration = {0};
    for (raft_id id = first; id <= last; id++)
        configuration.members[configuration.count++] =
            (struct raft_member){id, RAFT_VOTER};
    return configuration;
}

// Node 1 leads `count` voters; its no-op is committed.
static void start_leader(struct node *node, uint32_t count)
{
    node_start(node, 1, count);
    node_lead(node);
}

// Bug 48: it manages the cluster until then, and does not count itself.
// LAB 6 step 5, 1 point: changes-of-members LEAD-4
TEST(a_leader_that_is_removed_leads_until_the_others_have_committed_it)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 1, RAFT_REMOVED);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK_EQ(node.view.commit_index, 1); // one of two
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_forget_sent(&node);
    node_tick(&node, node.config.heartbeat_ms);
    CHECK(node_sent(&node, RAFT_APPEND_ENTRIES, 3) != NULL);
    node_receive(&node, an_ack(3, 1, 1, 2));
    CHECK_EQ(node.view.commit_index, 2);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    for (int i = 0; i < 3; i++)
        node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.view.current_term, 1);
    node_stop(&node);
    // It goes with that entry, and with no later one: not even to let a node join.
    start_leader(&node, 3);
    const struct raft_member changes[] = {{1, RAFT_REMOVED}, {4, RAFT_JOINING}};
    node_change_all(&node, changes, 2);
    CHECK_EQ(node.status, RAFT_OK);
    node_receive(&node, an_ack(2, 1, 1, 2));
    node_receive(&node, an_ack(4, 1, 1, 2));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_receive(&node, an_ack(3, 1, 1, 2));
    CHECK_EQ(node.view.commit_index, 2);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_stop(&node);
}

// Dissertation 4.2.2: so that nobody has to wait for an election timeout.
TEST(a_leader_that_is_removed_hands_over)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 1, RAFT_REMOVED);
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK(node_sent(&node, RAFT_TIMEOUT_NOW, 0) == NULL);
    node_receive(&node, an_ack(3, 1, 1, 2));
    CHECK(node_sent(&node, RAFT_TIMEOUT_NOW, 0) != NULL);
    node_stop(&node);
}

// LAB 6 step 5, 1 point: changes-of-members learners
TEST(a_leader_that_becomes_a_learner_steps_down_as_well)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 1, RAFT_LEARNER);
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_receive(&node, an_ack(3, 1, 1, 2));
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_stop(&node);
}

// Dissertation 4.2.2: the others may need what it has.
// LAB 6 step 5, 1 point: changes-of-members FOL-2
TEST(who_is_removed_may_be_elected_while_that_is_not_known_to_be_committed)
{
    struct node node;
    node_start(&node, 3, 3);
    struct raft_configuration two = voters(1, 2);
    node_receive(&node, an_append_of(1, 3, 1, 0, 0, &two));
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    node_receive(&node, a_prevote(1, 3, 2, true));
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE); // its own counts no more
    node_receive(&node, a_prevote(2, 3, 2, true));
    node_receive(&node, a_vote(1, 3, 2, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_receive(&node, a_vote(2, 3, 2, true));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_receive(&node, an_ack(1, 3, 2, 2));
    node_receive(&node, an_ack(2, 3, 2, 2));
    CHECK_EQ(node.view.commit_index, 2);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_stop(&node);
}

// It was never a voter of what is in use now.
// LAB 6 step 5, 1 point: learners AE-3
TEST(a_learner_whose_promotion_is_truncated_does_not_campaign)
{
    struct node node;
    node_start(&node, 4, 0);
    struct raft_configuration now = voters(1, 4);
    now.members[3].role = RAFT_LEARNER;
    node_receive(&node, an_append_of(1, 4, 1, 0, 0, &now));
    struct raft_configuration four = voters(1, 4);
    node_receive(&node, an_append_of(1, 4, 1, 1, 1, &four));
    CHECK_EQ(node_role_of(&node, 4), RAFT_VOTER);
    node_receive(&node, an_append(2, 4, 2, 1, 1, 0, TERMS(2)));
    CHECK_EQ(node_role_of(&node, 4), RAFT_LEARNER);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    now.members[now.count++] = (struct raft_member){5, RAFT_LEARNER};
    node_receive(&node, an_append_of(2, 4, 2, 2, 2, &now)); // another's change
    CHECK_EQ(node.view.configuration_index, 3);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_stop(&node);
}

static void remove_the_leader(uint32_t count, uint32_t drop_percent, uint64_t seed)
{
    struct group group;
    group_start(&group, count);
    group_configure(&group, true, true, 0);
    group_elect(&group, 1);
    group_tick(&group, 30);
    group.drop_percent = drop_percent;
    group.random = seed;
    node_change(group_node(&group, 1), 1, RAFT_REMOVED);
    CHECK_EQ(group_node(&group, 1)->status, RAFT_OK);
    for (int i = 0; i < 400; i++)
        group_tick(&group, 10);
    group.drop_percent = 0;
    for (int i = 0; i < 100; i++)
        group_tick(&group, 10);
    struct node *leader = group_leader(&group);
    CHECK(leader != NULL);
    CHECK(leader->config.id != 1);
    for (raft_id id = 2; id <= count; id++) {
        CHECK_EQ(node_role_of(group_node(&group, id), 1), RAFT_REMOVED);
        CHECK_EQ(group_node(&group, id)->view.commit_index, leader->view.last_index);
    }
    group_stop(&group);
}

// Bug 48.
TEST(a_leader_can_be_removed_from_clusters_of_two_to_five_over_a_lossy_network)
{
    for (uint32_t count = 2; count <= 5; count++) {
        for (uint64_t seed = 1; seed <= 4; seed++)
            remove_the_leader(count, (uint32_t)seed * 15 - 15, seed);
    }
}

// Bug 49: it was cut off when it was removed, and runs on.
static void run_on_after_removal(bool pre_vote)
{
    struct group group;
    group_start(&group, 4);
    group_configure(&group, pre_vote, true, 0);
    group_elect(&group, 1);
    group_isolate(&group, 4, true);
    node_change(group_node(&group, 1), 4, RAFT_REMOVED);
    for (int i = 0; i < 20; i++)
        group_tick(&group, 10);
    CHECK_EQ(node_role_of(group_node(&group, 2), 4), RAFT_REMOVED);
    raft_term term = group.nodes[0].view.current_term;
    group_isolate(&group, 4, false);
    for (int i = 0; i < 200; i++)
        group_tick(&group, 10);
    CHECK(pre_vote || group_node(&group, 4)->view.current_term > term);
    CHECK_EQ(group_node(&group, 1)->view.role, RAFT_LEADER);
    for (raft_id id = 1; id <= 3; id++)
        CHECK_EQ(group_node(&group, id)->view.current_term, term);
    group_stop(&group);
}

TEST(a_removed_node_that_was_never_told_deposes_nobody)
{
    run_on_after_removal(true);
    run_on_after_removal(false);
}

TEST(who_is_removed_is_sent_nothing_more_and_is_heard_no_more)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 3, RAFT_REMOVED);
    node_forget_sent(&node);
    node_receive(&node, an_ack(3, 1, 1, 2)); // it does not count
    CHECK_EQ(node.view.commit_index, 1);
    node_tick(&node, node.config.heartbeat_ms);
    CHECK(node_sent(&node, RAFT_APPEND_ENTRIES, 3) == NULL);
    node_stop(&node);
}

// A majority of those who stay has it, which was none of those before.
TEST(who_is_removed_is_not_waited_for_by_what_came_before)
{
    for (raft_id gone = 3; gone <= 4; gone++) { // one that is silent, one that answers
        struct node node;
        start_leader(&node, 4);
        node_propose(&node, "a");
        node_receive(&node, an_ack(2, 1, 1, 2));
        CHECK_EQ(node.view.commit_index, 1); // two of four
        node_change(&node, gone, RAFT_REMOVED);
        CHECK_EQ(node.status, RAFT_OK);
        CHECK_EQ(node.view.last_index, 3);
        CHECK_EQ(node.view.commit_index, 2); // two of three, and nobody has said more
        CHECK_EQ(node.applied, 2);
        CHECK_EQ(node_role_of(&node, gone), RAFT_REMOVED);
        node_receive(&node, an_ack(2, 1, 1, 3));
        CHECK_EQ(node.view.commit_index, 3);
        node_stop(&node);
    }
}

TEST(who_comes_back_is_a_stranger)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 3, RAFT_REMOVED);
    node_hear_from_all(&node);
    node_change(&node, 3, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node_peer(&node, 3)->match_index, 0);
    CHECK(!node_peer(&node, 3)->caught_up);
    CHECK_EQ(node_peer(&node, 2)->match_index, 2);
    node_stop(&node);
}

// ---- a whole cluster --------------------------------------------------------------

TEST(a_cluster_moves_to_other_machines_one_by_one_and_all_at_once)
{
    struct group group;
    group_start_with(&group, 6, 3);
    group_configure(&group, true, true, 0);
    group_elect(&group, 1);
    for (raft_id id = 4; id <= 6; id++) {
        node_change(group_node(&group, 1), id, RAFT_JOINING);
        for (int i = 0; i < 20; i++)
            group_tick(&group, 10);
        CHECK_EQ(node_role_of(group_node(&group, 2), id), RAFT_VOTER);
    }
    struct raft_member changes[] = {
        {1, RAFT_REMOVED}, {2, RAFT_REMOVED}, {3, RAFT_REMOVED}};
    node_change_all(group_node(&group, 1), changes, 3);
    CHECK_EQ(group_node(&group, 1)->status, RAFT_OK);
    for (int i = 0; i < 100; i++)
        group_tick(&group, 10);
    struct node *leader = group_leader(&group);
    CHECK(leader != NULL);
    CHECK(leader->config.id >= 4);
    CHECK_EQ(leader->view.configuration->count, 3);
    node_propose(leader, "x");
    group_deliver(&group);
    CHECK_EQ(leader->view.commit_index, leader->view.last_index);
    group_stop(&group);
}

TEST_MAIN
