// Pre-vote: dissertation 9.6.
#include "tests/raft/fixture.h"

TEST(a_pre_vote_changes_neither_term_nor_vote_on_either_side)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){3, 2}, TERMS(3), 1);
    node_receive(&node, a_prevote_request(3, 1, 4, 1, 3));
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    CHECK_EQ(node.view.current_term, 3);
    CHECK_EQ(node.view.voted_for, 2);
    CHECK_EQ(node.output.write, 0);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    CHECK_EQ(node.view.current_term, 3);
    CHECK_EQ(node.view.voted_for, 2);
    node_stop(&node);
}

// A vote given in this term must survive a pre-campaign in it.
TEST(a_pre_candidate_does_not_vote_again_in_its_term)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, a_vote_request(2, 1, 1, 0, 0));
    CHECK_EQ(node.view.voted_for, 2);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    node_forget_sent(&node);
    node_receive(&node, a_vote_request(3, 1, 1, 0, 0));
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    node_stop(&node);
}

TEST(a_late_pre_vote_is_not_counted_as_a_vote)
{
    struct node node;
    node_start(&node, 1, 5);
    node_become_candidate(&node);
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    for (raft_id from = 2; from <= 5; from++)
        node_receive(&node, a_prevote(from, 1, 1, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_stop(&node);
}

TEST(a_pre_vote_of_an_earlier_campaign_is_not_counted)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){4, 0}, NULL, 0);
    node_time_out(&node);
    node_receive(&node, a_prevote(2, 1, 4, true)); // for a campaign in term 4
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    node_receive(&node, a_prevote(2, 1, 5, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_stop(&node);
}

TEST(a_node_that_hears_a_leader_refuses_pre_votes)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, NULL));
    node_receive(&node, a_prevote_request(3, 1, 2, 0, 0));
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    node_tick(&node, node.config.election_timeout_ms); // not heard for long enough
    node_forget_sent(&node);
    node_receive(&node, a_prevote_request(3, 1, 2, 0, 0));
    CHECK(node_last_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)
              ->request_vote_reply.vote_granted);
    node_stop(&node);
}

TEST(a_leader_refuses_pre_votes)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node_time_out(&node);
    node_receive(&node, a_prevote_request(3, 1, 2, 9, 1));
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

// A leader that steps down by itself and asks is the one whom its followers hear.
TEST(a_pre_vote_of_the_leader_itself_is_not_refused_for_its_own_sake)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, NULL));
    node_receive(&node, a_prevote_request(2, 1, 2, 0, 0));
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 2)->request_vote_reply.vote_granted);
    node_stop(&node);
}

// Else endless questions from one node would keep the others from ever campaigning.
TEST(granting_a_pre_vote_does_not_put_the_own_campaign_off)
{
    struct node node;
    node_start(&node, 1, 3);
    node_tick(&node, 0);
    uint64_t deadline = node.output.deadline_ms;
    node_receive(&node, a_prevote_request(2, 1, 1, 0, 0));
    CHECK_EQ(node.output.deadline_ms, deadline);
    node_stop(&node);
}

TEST(a_refusal_tells_the_own_term_and_a_grant_the_asked_one)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){7, 0}, NULL, 0);
    node_receive(&node, a_prevote_request(2, 1, 3, 0, 0));
    CHECK_EQ(node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 2)->term, 7);
    node_receive(&node, a_prevote_request(3, 1, 9, 0, 0));
    CHECK_EQ(node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->term, 9);
    CHECK_EQ(node.view.current_term, 7);
    node_stop(&node);
}

// Else a node that restarts with an old term could never be heard again.
TEST(a_pre_candidate_behind_in_term_catches_up_by_a_refusal)
{
    struct node node;
    node_start(&node, 1, 3);
    node_time_out(&node);
    node_receive(&node, a_prevote(2, 1, 7, false));
    CHECK_EQ(node.view.current_term, 7);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_time_out(&node);
    CHECK_EQ(node_last_sent(&node, RAFT_REQUEST_VOTE, 2)->term, 8);
    node_stop(&node);
}

TEST(a_pre_vote_needs_a_log_that_is_up_to_date)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){3, 0}, TERMS(1, 3), 2);
    node_receive(&node, a_prevote_request(2, 1, 4, 9, 1));
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 2)->request_vote_reply.vote_granted);
    node_stop(&node);
}

// The point of it: one who was cut off does not depose the leader when it returns.
TEST(a_node_that_was_cut_off_does_not_raise_the_term)
{
    struct group group;
    group_start(&group, 3);
    group_elect(&group, 1);
    group_isolate(&group, 3, true);
    for (int i = 0; i < 50; i++)
        group_tick(&group, group.nodes[0].config.heartbeat_ms);
    CHECK_EQ(group.nodes[2].view.role, RAFT_PRE_CANDIDATE);
    group_isolate(&group, 3, false);
    for (int i = 0; i < 50; i++)
        group_tick(&group, group.nodes[0].config.heartbeat_ms);
    CHECK_EQ(group.nodes[0].view.role, RAFT_LEADER);
    CHECK_EQ(group.nodes[0].view.current_term, 1);
    CHECK_EQ(group.nodes[2].view.leader_id, 1);
    group_stop(&group);
}

// Bug 15: the node with the only log that can win was long away, and its term is old.
TEST(a_node_with_an_old_term_learns_the_term_that_its_pre_votes_need)
{
    struct group group;
    group_start(&group, 3);
    struct node *two = group_node(&group, 2);
    node_boot(two, (struct raft_hard_state){2, 0}, TERMS(1, 2), 2);
    node_boot(group_node(&group, 3), (struct raft_hard_state){5, 0}, TERMS(1), 1);
    group_isolate(&group, 1, true);
    uint32_t timeout_ms = two->config.election_timeout_ms;
    for (uint32_t ms = 0; ms < 20 * timeout_ms && group_leader(&group) == NULL; ms += 5)
        group_tick(&group, 5);
    CHECK_EQ(two->view.role, RAFT_LEADER);
    CHECK(two->view.current_term > 5);
    group_stop(&group);
}

TEST_MAIN
