// Leadership is handed over: dissertation 3.10.
#include "tests/raft/fixture.h"

// Node 1 leads `count` voters; its no-op is committed.
static void start_leader(struct node *node, uint32_t count)
{
    node_start(node, 1, count);
    node_lead(node);
}

TEST(only_a_leader_hands_over)
{
    struct node node;
    node_start(&node, 1, 3);
    node_transfer(&node, 2);
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    node_stop(&node);
}

TEST(a_target_that_has_all_entries_is_told_at_once)
{
    struct node node;
    start_leader(&node, 3);
    node_transfer(&node, 2);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.view.transfer_to, 2);
    const struct raft_message *message = node_sent(&node, RAFT_TIMEOUT_NOW, 0);
    CHECK_EQ(message->to, 2);
    CHECK_EQ(message->term, 1);
    node_stop(&node);
}

TEST(a_target_that_lags_is_brought_up_to_date_first)
{
    struct node node;
    start_leader(&node, 3);
    node_propose(&node, "a");
    node_transfer(&node, 2);
    CHECK(node_sent(&node, RAFT_TIMEOUT_NOW, 0) == NULL);
    node_receive(&node, an_ack(3, 1, 1, 2));
    CHECK(node_sent(&node, RAFT_TIMEOUT_NOW, 0) == NULL);
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK(node_sent(&node, RAFT_TIMEOUT_NOW, 2) != NULL);
    node_stop(&node);
}

TEST(a_target_that_lacks_what_was_dropped_gets_the_snapshot_first)
{
    struct group group;
    group_start(&group, 3);
    group_elect(&group, 1);
    struct node *leader = group_node(&group, 1);
    struct node *target = group_node(&group, 3);
    group_isolate(&group, 3, true);
    for (int i = 0; i < 5; i++) {
        node_propose(leader, "a");
        group_deliver(&group);
    }
    CHECK_EQ(leader->view.commit_index, 6);
    node_compact(leader, 7);
    CHECK_EQ(leader->view.first_index, 7);
    group_isolate(&group, 3, false);
    node_transfer(leader, 3);
    CHECK_EQ(leader->status, RAFT_OK);
    CHECK(node_sent(leader, RAFT_TIMEOUT_NOW, 0) == NULL);
    group_tick(&group, leader->config.heartbeat_ms);
    CHECK_EQ(target->restored, 6);
    CHECK_EQ(target->view.role, RAFT_LEADER);
    CHECK_EQ(target->view.current_term, leader->view.current_term);
    CHECK_EQ(leader->view.role, RAFT_FOLLOWER);
    node_propose(target, "b");
    group_deliver(&group);
    CHECK_EQ(target->view.commit_index, 8); // behind the no-op of its term
    group_stop(&group);
}

TEST(nothing_is_taken_while_leadership_is_handed_over)
{
    struct node node;
    start_leader(&node, 3);
    node_transfer(&node, 2);
    node_propose(&node, "a");
    CHECK_EQ(node.status, RAFT_TRANSFERRING);
    CHECK_EQ(node.view.last_index, 1);
    node_transfer(&node, 3);
    CHECK_EQ(node.status, RAFT_TRANSFERRING);
    CHECK_EQ(node.view.transfer_to, 2);
    node_change(&node, 4, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_TRANSFERRING);
    node_read(&node, 1);
    CHECK_EQ(node.status, RAFT_OK);
    node_stop(&node);
}

TEST(a_target_that_does_not_take_over_is_given_up_after_an_election_timeout)
{
    struct node node;
    start_leader(&node, 3);
    node_transfer(&node, 2);
    node_forget_sent(&node);
    node_tick(&node, node.config.heartbeat_ms);
    CHECK(node_sent(&node, RAFT_TIMEOUT_NOW, 2) != NULL); // it may have been lost
    node_tick(&node, node.config.election_timeout_ms - node.config.heartbeat_ms - 1);
    CHECK_EQ(node.view.transfer_to, 2);
    node_tick(&node, 1);
    CHECK_EQ(node.view.transfer_to, 0);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_propose(&node, "a");
    CHECK_EQ(node.status, RAFT_OK);
    node_stop(&node);
}

// Another has won meanwhile: by its first message or by an answer to the own one.
TEST(a_higher_term_ends_a_transfer)
{
    const struct raft_message messages[] = {an_append(3, 1, 2, 1, 1, 1, TERMS(2)),
                                            a_refusal(2, 1, 2, 1, 1, 1)};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct node node;
        start_leader(&node, 3);
        node_transfer(&node, 2);
        node_receive(&node, messages[i]);
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        CHECK_EQ(node.view.current_term, 2);
        CHECK_EQ(node.view.transfer_to, 0);
        node_forget_sent(&node);
        node_tick(&node, node.config.heartbeat_ms);
        CHECK(node_sent(&node, RAFT_TIMEOUT_NOW, 0) == NULL);
        node_stop(&node);
    }
}

TEST(who_cannot_lead_is_no_target)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 4, RAFT_LEARNER);
    node_hear_from_all(&node);
    for (raft_id to = 4; to <= 5; to++) { // a learner, a stranger
        node_transfer(&node, to);
        CHECK_EQ(node.status, RAFT_INVALID);
    }
    node_transfer(&node, 1);
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.transfer_to, 0);
    node_stop(&node);
}

TEST(who_leaves_a_joint_configuration_is_no_target)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 4, RAFT_LEARNER);
    node_hear_from_all(&node);
    struct raft_member changes[] = {{3, RAFT_REMOVED}, {4, RAFT_VOTER}};
    node_change_all(&node, changes, 2);
    CHECK_EQ(node_role_of(&node, 3), RAFT_LEAVING);
    node_transfer(&node, 3);
    CHECK_EQ(node.status, RAFT_INVALID);
    node_transfer(&node, 4);
    CHECK_EQ(node.status, RAFT_OK);
    node_stop(&node);
}

TEST(the_best_is_of_high_priority_then_far_ahead_and_was_heard_lately)
{
    struct node node;
    node_init(&node, 1, 5);
    node.config.configuration.members[2].priority = 5;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_lead(&node);
    node_propose(&node, "a");
    node_receive(&node, an_ack(4, 1, 1, 2));
    node_receive(&node, an_ack(5, 1, 1, 2));
    node_transfer(&node, 0);
    CHECK_EQ(node.view.transfer_to, 3);
    node_tick(&node, node.config.election_timeout_ms);
    CHECK_EQ(node.view.transfer_to, 0);
    node_transfer(&node, 0);
    CHECK_EQ(node.status, RAFT_NOT_CAUGHT_UP); // all are silent
    node_receive(&node, an_ack(2, 1, 1, 1));
    node_receive(&node, an_ack(5, 1, 1, 2));
    node_transfer(&node, 0);
    CHECK_EQ(node.view.transfer_to, 5);
    node_stop(&node);
}

// Bug 20: what was told to a voter reaches one that is a voter no more.
TEST(who_is_no_voter_does_not_take_over)
{
    static const struct raft_configuration now[] = {
        {.count = 3, .members = {{1, RAFT_VOTER}, {2, RAFT_LEARNER}, {3, RAFT_VOTER}}},
        {.count = 2, .members = {{1, RAFT_VOTER}, {3, RAFT_VOTER}}}, // it is removed
    };
    for (size_t i = 0; i < sizeof now / sizeof now[0]; i++) {
        struct node node;
        node_start(&node, 2, 3);
        node_receive(&node, an_append_of(1, 2, 1, 0, 0, &now[i]));
        node_receive(&node, a_timeout_now(1, 2, 1));
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        CHECK_EQ(node.view.current_term, 1);
        node_stop(&node);
    }
}

TEST(who_is_told_to_take_over_campaigns_at_once_without_pre_votes)
{
    struct node node;
    node_start(&node, 2, 3);
    node_receive(&node, an_append(1, 2, 1, 0, 0, 0, TERMS(1)));
    node_receive(&node, a_timeout_now(1, 2, 1));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    CHECK_EQ(node.view.current_term, 2);
    const struct raft_message *request = node_sent(&node, RAFT_REQUEST_VOTE, 3);
    CHECK(!request->request_vote.pre_vote);
    CHECK(request->request_vote.transfer);
    CHECK_EQ(request->request_vote.last_log_index, 1);
    node_receive(&node, a_timeout_now(1, 2, 1)); // doubled, and of an older term now
    CHECK_EQ(node.view.current_term, 2);
    node_stop(&node);
}

// Bug 20: with its log's end not on its disk yet.
TEST(a_take_over_waits_for_the_disk_before_it_asks_for_votes)
{
    struct node node;
    node_start(&node, 2, 3);
    node.auto_persist = false;
    node_receive(&node, an_append(1, 2, 1, 0, 0, 0, TERMS(1)));
    uint64_t entries = node.write;
    node_receive(&node, a_timeout_now(1, 2, 1));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 0) == NULL);
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                         .persisted.write = entries});
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 0) == NULL);
    node_persist(&node);
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 3) != NULL);
    node_stop(&node);
}

TEST(only_the_own_leader_of_this_term_is_obeyed)
{
    struct node node;
    node_start(&node, 2, 3);
    node_receive(&node, an_append(1, 2, 3, 0, 0, 0, TERMS(1)));
    node_receive(&node, a_timeout_now(1, 2, 2));
    node_receive(&node, a_timeout_now(3, 2, 3));
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.view.current_term, 3);
    node_become_leader(&node);
    node_receive(&node, a_timeout_now(1, 2, node.view.current_term));
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

// Bug 19: the others have just heard the old leader, and would refuse anyone else.
TEST(leadership_is_handed_over_at_once_although_the_leader_is_well)
{
    for (uint32_t lease = 0; lease <= 10; lease += 10) {
        struct group group;
        group_start(&group, 5);
        group_configure(&group, true, true, lease);
        group_elect(&group, 1);
        group_tick(&group, group.nodes[0].config.heartbeat_ms);
        node_transfer(group_node(&group, 1), 4);
        group_deliver(&group);
        CHECK_EQ(group_node(&group, 4)->view.role, RAFT_LEADER);
        CHECK_EQ(group_node(&group, 1)->view.role, RAFT_FOLLOWER);
        CHECK_EQ(group_node(&group, 1)->view.transfer_to, 0);
        CHECK_EQ(group_node(&group, 4)->view.elections, 1);
        node_propose(group_node(&group, 4), "x");
        group_deliver(&group);
        group_tick(&group, group.nodes[0].config.heartbeat_ms);
        CHECK_EQ(group_node(&group, 1)->view.commit_index,
                 group_node(&group, 4)->view.last_index);
        group_stop(&group);
    }
}

TEST_MAIN
