// Lease reads: dissertation 6.4.1. Bug 54: a lease must end before anyone else can
// lead.
#include "tests/raft/fixture.h"

enum { DRIFT_PERCENT = 10 };

// What is left of an election timeout by a clock that is as slow as may be.
static uint64_t lease_ms(const struct node *node)
{
    return node->config.election_timeout_ms * (100 - DRIFT_PERCENT) / 100 - 1;
}

static void init(struct node *node, raft_id id, uint32_t voters)
{
    node_init(node, id, voters);
    node->config.check_quorum = true;
    node->config.lease_drift_percent = DRIFT_PERCENT;
}

// Node 1 leads three; no round has been confirmed yet.
static void start_leader(struct node *node)
{
    init(node, 1, 3);
    node_boot(node, (struct raft_hard_state){0}, NULL, 0);
    node_lead(node);
    CHECK(!node->view.lease);
}

TEST(leases_need_check_quorum_and_clocks_that_can_be_relied_on)
{
    struct node node;
    init(&node, 1, 3);
    CHECK(raft_config_problem(&node.config) == NULL);
    node.config.check_quorum = false;
    CHECK(raft_config_problem(&node.config) != NULL);
    node.config.check_quorum = true;
    node.config.lease_drift_percent = 51;
    CHECK(raft_config_problem(&node.config) != NULL);
    node_stop(&node);
}

TEST(a_leader_whose_heartbeat_was_confirmed_answers_at_once)
{
    struct node node;
    start_leader(&node);
    node_tick(&node, node.config.heartbeat_ms);
    CHECK_EQ(node_sent(&node, RAFT_APPEND_ENTRIES, 2)->append_entries.round, 1);
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    CHECK(node.view.lease);
    node_forget_sent(&node);
    node_read(&node, 7);
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].id, 7);
    CHECK_EQ(node.reads[0].index, 1);
    CHECK_EQ(node.sent_count, 0); // without a word to anyone
    node_stop(&node);
}

TEST(without_leases_each_read_needs_a_round)
{
    struct node node;
    node_start(&node, 1, 3);
    node_lead(&node);
    node_tick(&node, node.config.heartbeat_ms);
    CHECK_EQ(node_sent(&node, RAFT_APPEND_ENTRIES, 2)->append_entries.round, 0);
    node_read(&node, 1);
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    CHECK_EQ(node.read_count, 1);
    CHECK(!node.view.lease);
    node_read(&node, 2);
    CHECK_EQ(node.read_count, 1);
    node_stop(&node);
}

// Bug 54: it counts from when the round began, not from when the answers came.
TEST(a_lease_ends_before_a_voters_clock_lets_it_go)
{
    struct node node;
    start_leader(&node);
    node_tick(&node, node.config.heartbeat_ms);
    uint64_t began_ms = node.now_ms;
    node_tick(&node, 20);
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    node.now_ms = began_ms + lease_ms(&node) - 1;
    node_read(&node, 1);
    CHECK_EQ(node.read_count, 1);
    node.now_ms = began_ms + lease_ms(&node);
    node_read(&node, 2);
    CHECK(!node.view.lease);
    CHECK_EQ(node.read_count, 1);
    node_receive(&node, an_echo(2, 1, 1, 1, 1)); // the old round again
    CHECK_EQ(node.read_count, 1);
    node_receive(&node, an_echo(2, 1, 1, 1, 2));
    CHECK_EQ(node.read_count, 2);
    node_stop(&node);
}

TEST(a_lease_needs_a_majority_not_one)
{
    struct node node;
    init(&node, 1, 5);
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_lead(&node);
    node_tick(&node, node.config.heartbeat_ms);
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    CHECK(!node.view.lease);
    node_receive(&node, an_echo(5, 1, 1, 1, 1));
    CHECK(node.view.lease);
    node_stop(&node);
}

// Bug 51 holds for leases as well.
TEST(a_lease_does_not_tell_a_new_leader_what_is_committed)
{
    struct node node;
    init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){2, 0}, TERMS(1, 2), 2);
    node_become_leader(&node);
    node_tick(&node, node.config.heartbeat_ms);
    node_receive(&node, an_echo(2, 1, 3, 0, 1));
    CHECK(node.view.lease);
    node_read(&node, 1);
    CHECK_EQ(node.read_count, 0);
    node_receive(&node, an_ack(2, 1, 3, 3));
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].index, 3);
    node_stop(&node);
}

// Whoever is told to campaign is voted for in spite of any lease.
TEST(a_leader_that_tells_another_to_take_over_has_no_lease)
{
    struct node node;
    start_leader(&node);
    node_tick(&node, node.config.heartbeat_ms);
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    CHECK(node.view.lease);
    node_transfer(&node, 2);
    CHECK(!node.view.lease);
    node_read(&node, 1);
    CHECK_EQ(node.read_count, 0);
    node_tick(&node, node.config.election_timeout_ms - 1); // the round of that read
    node_tick(&node, 1);
    CHECK_EQ(node.view.transfer_to, 0);
    // What was sent may arrive as late as it likes.
    node_receive(&node, an_echo(2, 1, 1, 1, 2));
    CHECK_EQ(node.read_count, 1);
    CHECK(!node.view.lease);
    node_stop(&node);
}

TEST(a_leader_that_steps_down_has_no_lease)
{
    struct node node;
    start_leader(&node);
    node_tick(&node, node.config.heartbeat_ms);
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    node_receive(&node, an_append(2, 1, 2, 1, 1, 1, NULL));
    CHECK(!node.view.lease);
    node_stop(&node);
}

// ---- who confirmed one ------------------------------------------------------------

static void check_ignores(struct node *node, struct raft_message request)
{
    raft_term term = node->view.current_term;
    node_forget_sent(node);
    node_receive(node, request);
    const struct raft_message *reply = node_sent(node, RAFT_REQUEST_VOTE_REPLY, 0);
    CHECK(reply == NULL || !reply->request_vote_reply.vote_granted);
    CHECK_EQ(node->view.current_term, term);
    CHECK_EQ(node->view.voted_for, 0);
}

TEST(who_heard_the_leader_votes_for_nobody_else_for_an_election_timeout)
{
    struct node node;
    init(&node, 2, 3);
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_receive(&node, an_append(1, 2, 1, 0, 0, 0, NULL));
    node.now_ms += node.config.election_timeout_ms - 1;
    check_ignores(&node, a_vote_request(3, 2, 2, 9, 9));
    node.now_ms++;
    node_receive(&node, a_vote_request(3, 2, 2, 9, 9));
    CHECK_EQ(node.view.voted_for, 3);
    node_stop(&node);
}

// Bug 54: the term of another's campaign comes by another way than its request.
TEST(a_higher_term_from_elsewhere_does_not_end_that_promise)
{
    struct node node;
    init(&node, 2, 3);
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_receive(&node, an_append(1, 2, 1, 0, 0, 0, NULL));
    // A late refusal of what this node asked long ago.
    node_receive(&node, a_prevote(3, 2, 2, false));
    CHECK_EQ(node.view.current_term, 2);
    check_ignores(&node, a_vote_request(3, 2, 2, 9, 9));
    node.now_ms += node.config.election_timeout_ms;
    node_receive(&node, a_vote_request(3, 2, 2, 9, 9));
    CHECK_EQ(node.view.voted_for, 3);
    node_stop(&node);
}

// Bug 11 all the same: who has the vote gets the same answer again.
TEST(a_vote_that_was_given_is_given_again_after_a_restart)
{
    struct node node;
    init(&node, 2, 3);
    node_boot(&node, (struct raft_hard_state){4, 3}, NULL, 0);
    node_receive(&node, a_vote_request(3, 2, 4, 9, 3));
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    node_stop(&node);
}

// Bug 54: it does not know whom it heard before it stopped.
TEST(who_starts_keeps_a_promise_that_it_may_have_made)
{
    struct node node;
    init(&node, 2, 3);
    node.now_ms = 1000;
    node_boot(&node, (struct raft_hard_state){1, 0}, NULL, 0);
    check_ignores(&node, a_vote_request(3, 2, 2, 9, 9));
    node_forget_sent(&node);
    node_receive(&node, a_prevote_request(3, 2, 2, 9, 9));
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    node.now_ms += node.config.election_timeout_ms;
    node_receive(&node, a_vote_request(3, 2, 2, 9, 9));
    CHECK_EQ(node.view.voted_for, 3);
    node_stop(&node);
}

// Bug 54, with a leader that stands still while the others elect another one.
TEST(a_leader_that_was_paused_does_not_answer_from_an_old_lease)
{
    struct group group;
    group_start(&group, 3);
    group_configure(&group, true, true, DRIFT_PERCENT);
    group_elect(&group, 1);
    struct node *one = group_node(&group, 1);
    group_tick(&group, one->config.heartbeat_ms);
    CHECK(one->view.lease);
    group_isolate(&group, 1, true);
    uint64_t waited_ms = 0;
    while (group_node(&group, 2)->view.role != RAFT_LEADER &&
           group_node(&group, 3)->view.role != RAFT_LEADER) {
        for (raft_id id = 2; id <= 3; id++)
            node_tick(group_node(&group, id), 1);
        group_deliver(&group);
        waited_ms++;
        CHECK(waited_ms < 5000);
    }
    CHECK(waited_ms >= one->config.election_timeout_ms);
    one->now_ms += waited_ms;
    node_read(one, 1); // it wakes
    CHECK_EQ(one->read_count, 0);
    node_stop(one);
    group.nodes[0].memory = NULL;
    group.nodes[0].sent = NULL;
    group_stop(&group);
}

TEST_MAIN
