// A leader that hears no majority steps down, and who hears a leader elects no other
// (section 6; dissertation 6.2 and 4.2.3).
#include "tests/raft/fixture.h"

static void start_leader(struct node *node, uint32_t voters)
{
    node_init(node, 1, voters);
    node->config.check_quorum = true;
    node_boot(node, (struct raft_hard_state){0}, NULL, 0);
    node_lead(node);
}

// Heartbeat after heartbeat, answered by these.
static void lead_for(struct node *node, uint64_t ms, raft_id first, raft_id last)
{
    for (uint64_t end_ms = node->now_ms + ms; node->now_ms < end_ms;) {
        node_tick(node, node->config.heartbeat_ms);
        for (raft_id from = first; from <= last && node->view.role == RAFT_LEADER;
             from++)
            node_receive(node, an_ack(from, 1, node->view.current_term, 1));
        node_forget_sent(node);
    }
}

TEST(a_leader_that_hears_no_majority_steps_down_after_an_election_timeout)
{
    struct node node;
    start_leader(&node, 5);
    uint64_t begin_ms = node.now_ms;
    lead_for(&node, 1000, 2, 3); // itself and two others
    CHECK_EQ(node.view.role, RAFT_LEADER);
    begin_ms = node.now_ms;
    while (node.view.role == RAFT_LEADER)
        lead_for(&node, node.config.heartbeat_ms, 2, 2);
    CHECK(node.now_ms - begin_ms >= node.config.election_timeout_ms);
    CHECK(node.now_ms - begin_ms <=
          node.config.election_timeout_ms + node.config.heartbeat_ms);
    CHECK_EQ(node.view.current_term, 1);
    CHECK_EQ(node.view.leader_id, 0);
    node_propose(&node, "a");
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    node_stop(&node);
}

TEST(without_check_quorum_it_leads_on)
{
    struct node node;
    node_start(&node, 1, 3);
    node_lead(&node);
    lead_for(&node, 1000, 2, 1);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

TEST(a_sole_voter_hears_itself)
{
    struct node node;
    start_leader(&node, 1);
    lead_for(&node, 1000, 2, 1);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

TEST(learners_and_strangers_do_not_keep_a_leader)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 4, RAFT_LEARNER);
    node_hear_from_all(&node);
    lead_for(&node, 2ull * node.config.election_timeout_ms, 4, 9);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_stop(&node);
}

TEST(answers_of_an_older_term_do_not_keep_a_leader)
{
    struct node node;
    start_leader(&node, 3);
    node_receive(&node, a_vote(2, 1, 2, false)); // term 2
    node_lead(&node);
    CHECK_EQ(node.view.current_term, 3);
    while (node.view.role == RAFT_LEADER) {
        CHECK(node.now_ms < 5000);
        node_tick(&node, node.config.heartbeat_ms);
        node_receive(&node, an_ack(2, 1, 1, 1));
        node_receive(&node, an_ack(3, 1, 2, 1));
        node_forget_sent(&node);
    }
    node_stop(&node);
}

TEST(a_joint_leader_has_to_hear_both_majorities)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 4, RAFT_LEARNER);
    node_hear_from_all(&node);
    node_change(&node, 5, RAFT_LEARNER);
    node_hear_from_all(&node);
    struct raft_member changes[] = {
        {2, RAFT_REMOVED}, {3, RAFT_REMOVED}, {4, RAFT_VOTER}, {5, RAFT_VOTER}};
    node_change_all(&node, changes, 4);
    CHECK_EQ(node.status, RAFT_OK);
    lead_for(&node, 1000, 3, 4);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    lead_for(&node, 2ull * node.config.election_timeout_ms, 4, 5);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_stop(&node);
}

// ---- who hears a leader -----------------------------------------------------------

static void start_follower(struct node *node, bool check_quorum)
{
    node_init(node, 2, 3);
    node->config.check_quorum = check_quorum;
    node_boot(node, (struct raft_hard_state){0}, NULL, 0);
    node_receive(node, an_append(1, 2, 1, 0, 0, 0, NULL));
    node_tick(node, node->config.election_timeout_ms - 1);
    CHECK_EQ(node->view.leader_id, 1);
    node_forget_sent(node);
}

TEST(a_campaign_against_a_leader_that_was_just_heard_is_ignored)
{
    struct node node;
    start_follower(&node, true);
    node_receive(&node, a_vote_request(3, 2, 5, 9, 1));
    CHECK_EQ(node.view.current_term, 1);
    CHECK_EQ(node.view.leader_id, 1);
    CHECK_EQ(node.sent_count, 0);
    node_stop(&node);
    start_follower(&node, false);
    node_receive(&node, a_vote_request(3, 2, 5, 9, 1));
    CHECK_EQ(node.view.current_term, 5);
    node_stop(&node);
}

TEST(a_leader_ignores_campaigns_while_it_leads)
{
    struct node node;
    start_leader(&node, 3);
    node_receive(&node, a_vote_request(3, 1, 5, 9, 1));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    CHECK_EQ(node.view.current_term, 1);
    node_stop(&node);
}

TEST(a_campaign_that_the_leader_asked_for_is_heard)
{
    struct node node;
    start_follower(&node, true);
    struct raft_message request = a_vote_request(3, 2, 2, 9, 1);
    request.request_vote.transfer = true;
    node_receive(&node, request);
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    node_stop(&node);
}

// Bug 17: who asks leads no more, or it would not ask.
TEST(the_leader_itself_may_ask_for_votes)
{
    struct node node;
    start_follower(&node, true);
    node_receive(&node, a_prevote_request(1, 2, 2, 9, 1));
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 1)->request_vote_reply.vote_granted);
    node_forget_sent(&node);
    node_receive(&node, a_vote_request(1, 2, 2, 9, 1));
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 1)->request_vote_reply.vote_granted);
    node_stop(&node);
}

// Bug 16: it is no news of a leader, nor a promise to anyone.
TEST(a_granted_pre_vote_does_not_put_off_the_own_campaign)
{
    struct node node;
    node_init(&node, 2, 3);
    node.config.check_quorum = true;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    for (uint32_t ms = 0; ms < 2 * node.config.election_timeout_ms; ms += 10) {
        node_receive(&node, a_prevote_request(3, 2, 1, 0, 0));
        node_tick(&node, 10);
    }
    CHECK(node.view.role != RAFT_FOLLOWER);
    node_stop(&node);
}

// Bug 11.
TEST(a_repeated_request_gets_the_same_answer)
{
    struct node node;
    node_init(&node, 2, 3);
    node.config.check_quorum = true;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    for (int i = 0; i < 3; i++) {
        node_forget_sent(&node);
        node_receive(&node, a_vote_request(3, 2, 1, 0, 0));
        CHECK(node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)
                  ->request_vote_reply.vote_granted);
    }
    node_stop(&node);
}

TEST(a_cluster_whose_leader_died_elects_another_one)
{
    struct group group;
    group_start(&group, 5);
    group_configure(&group, true, true, 0);
    group_elect(&group, 1);
    group_isolate(&group, 1, true);
    for (int i = 0; i < 200; i++)
        group_tick(&group, 10);
    CHECK(group_leader(&group) != NULL);
    CHECK(group_leader(&group)->config.id != 1);
    CHECK_EQ(group_node(&group, 1)->view.role == RAFT_LEADER, false);
    group_stop(&group);
}

// Bug 61: equal seeds, equal clocks.
TEST(nodes_with_equal_seeds_do_not_campaign_in_step)
{
    struct group group;
    group_start(&group, 7);
    group_configure(&group, false, true, 0);
    uint64_t ms = 0;
    for (; group_leader(&group) == NULL && ms < 5000; ms++)
        group_tick(&group, 1);
    CHECK(group_leader(&group) != NULL);
    group_stop(&group);
}

// Bug 62: the clock has run for 25 and for 50 days.
TEST(a_dead_majority_is_noticed_when_milliseconds_leave_32_bits)
{
    static const uint64_t edges[] = {INT32_MAX, UINT32_MAX, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        struct node node;
        node_init(&node, 1, 3);
        node.config.check_quorum = true;
        node.now_ms = edges[i] - 700;
        node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
        node_lead(&node);
        CHECK(node.now_ms < edges[i]);
        lead_for(&node, 1000, 2, 2);
        CHECK(node.now_ms > edges[i]);
        CHECK_EQ(node.view.role, RAFT_LEADER);
        lead_for(&node, 2ull * node.config.election_timeout_ms, 2, 1);
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        node_stop(&node);
    }
}

TEST_MAIN
