// What a follower makes of leaders and of terms (section 5.1 and 5.2).
#include "tests/labs/lab1/paper.h"

// LAB 1 step 2, 1 point: ALL-2 STATE-1 STATE-2
TEST(a_higher_term_is_taken_over_with_no_vote_in_it)
{
    struct raft_message messages[] = {
        an_append(3, 1, 5, 0, 0, 0, NULL),
        an_ack(3, 1, 5, 0),
        a_refusal(3, 1, 5, 0, 0, 0),
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct node node;
        paper_boot(&node, 1, 3, (struct raft_hard_state){3, 2}, NULL, 0);
        node_receive(&node, an_append(2, 1, 3, 0, 0, 0, NULL));
        CHECK_EQ(node.view.leader_id, 2);
        node_receive(&node, messages[i]);
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        CHECK_EQ(node.view.current_term, 5);
        CHECK_EQ(node.view.voted_for, 0);
        CHECK(node.output.hard_state_changed); // both are to be made durable
        CHECK_EQ(node.output.hard_state.current_term, 5);
        CHECK_EQ(node.output.hard_state.voted_for, 0);
        bool by_leader = messages[i].type == RAFT_APPEND_ENTRIES;
        CHECK_EQ(node.view.leader_id, by_leader ? 3 : 0); // node 2 led an older term
        node_stop(&node);
    }
}

// Each heartbeat of the leader begins a new timeout; one of an older term does not.
// LAB 1 step 2, 1 point: FOL-2 AE-1
TEST(only_the_leader_of_the_own_term_puts_a_campaign_off)
{
    struct node node;
    paper_start(&node, 1, 3);
    uint64_t timeout_ms = node.config.election_timeout_ms;
    node_receive(&node, an_append(2, 1, 5, 0, 0, 0, NULL));
    for (int i = 0; i < 50; i++) {
        node_tick(&node, timeout_ms - 1);
        node_receive(&node, an_append(2, 1, 5, 0, 0, 0, NULL));
        CHECK_EQ(node.view.leader_id, 2);
        CHECK(paper_patience_ms(&node) >= timeout_ms);
        CHECK_AT_MOST(paper_patience_ms(&node), 2 * timeout_ms - 1);
    }
    node_tick(&node, timeout_ms - 1);
    node_forget_sent(&node);
    uint64_t deadline_ms = node.output.deadline_ms;
    node_receive(&node, an_append(3, 1, 4, 0, 0, 0, NULL));
    CHECK_EQ(node.output.deadline_ms, deadline_ms);
    CHECK_EQ(node.view.leader_id, 2);
    CHECK_EQ(node_must_send(&node, RAFT_APPEND_ENTRIES_REPLY, 3)->term, 5);
    node_stop(&node);
}

// Whoever could win it would be kept from asking by whoever asks in ever newer terms.
// LAB 1 step 2, 1 point: FOL-2 ALL-2
TEST(a_mere_new_term_puts_nothing_off)
{
    struct node node;
    paper_boot(&node, 1, 3, (struct raft_hard_state){3, 2}, NULL, 0);
    node_tick(&node, node.config.election_timeout_ms - 1);
    uint64_t deadline_ms = node.output.deadline_ms;
    for (raft_term term = 4; term <= 40; term += 4) {
        node_receive(&node, an_ack(2, 1, term, 0));
        CHECK_EQ(node.view.current_term, term);
        CHECK_EQ(node.output.deadline_ms, deadline_ms);
        node_receive(&node, a_refusal(3, 1, term + 2, 0, 0, 0));
        CHECK_EQ(node.output.deadline_ms, deadline_ms);
    }
    node_stop(&node);
}

// Only a new term brings a new vote.
// LAB 1 step 2, 1 point: STATE-2 RV-2a
TEST(who_follows_a_leader_of_its_own_term_keeps_its_vote)
{
    for (raft_id vote = 1; vote <= 3; vote++) {
        struct node node;
        paper_boot(&node, 1, 3, (struct raft_hard_state){4, vote}, NULL, 0);
        for (int i = 0; i < 3; i++) {
            node_receive(&node, an_append(3, 1, 4, 0, 0, 0, NULL));
            CHECK_EQ(node.view.leader_id, 3);
            CHECK_EQ(node.view.current_term, 4);
            CHECK_EQ(node.view.voted_for, vote);
            CHECK(!node.output.hard_state_changed);
        }
        node_stop(&node);
    }
}

static uint64_t random_below(uint64_t *state, uint64_t limit)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % limit;
}

// LAB 1 step 2, 1 point: STATE-1 ALL-2
TEST(the_term_is_the_highest_that_was_heard_and_never_goes_down)
{
    struct node node;
    paper_start(&node, 1, 5);
    uint64_t random = 1;
    raft_term highest = 0;
    for (int i = 0; i < 3000; i++) {
        raft_term term = 1 + (raft_term)i / 10 + random_below(&random, 20);
        raft_id from = 2 + (raft_id)(term % 4); // who leads in it
        switch (random_below(&random, 3)) {
        case 0:
            node_receive(&node, an_append(from, 1, term, 0, 0, 0, NULL));
            break;
        case 1:
            node_receive(&node, a_refusal(from, 1, term, 0, 0, 0));
            break;
        default:
            node_receive(&node, an_ack(from, 1, term, 0));
            break;
        }
        highest = term > highest ? term : highest;
        CHECK_EQ(node.view.current_term, highest);
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        node_forget_sent(&node);
    }
    node_stop(&node);
}

TEST_MAIN
