// What a candidate does (Figure 2, "Candidates"; section 5.2).
#include "tests/labs/lab1/paper.h"

// LAB 1 step 4, 1 point: FOL-2 CAND-1a CAND-1b STATE-2
TEST(a_campaign_begins_at_the_deadline_with_a_new_term_and_the_own_vote)
{
    struct node node;
    paper_boot(&node, 1, 3, (struct raft_hard_state){4, 2}, NULL, 0);
    node_receive(&node, an_append(2, 1, 4, 0, 0, 0, NULL));
    CHECK_EQ(node.view.leader_id, 2); // and now it falls silent
    uint64_t left_ms = paper_patience_ms(&node);
    node_tick(&node, left_ms - 1);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.view.current_term, 4);
    node_tick(&node, 1);
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    CHECK_EQ(node.view.current_term, 5);
    CHECK_EQ(node.view.voted_for, 1);
    CHECK_EQ(node.view.leader_id, 0);
    CHECK(node.output.hard_state_changed);
    CHECK_EQ(node.output.hard_state.current_term, 5);
    CHECK_EQ(node.output.hard_state.voted_for, 1);
    node_stop(&node);
}

// A leader that goes has told it to, and voters have to know that.
static void one_that_is_told_to_campaign_says_so(void)
{
    struct node node;
    paper_boot(&node, 1, 3, (struct raft_hard_state){6, 0}, NULL, 0);
    node_receive(&node, a_timeout_now(2, 1, 6));
    for (raft_id to = 2; to <= 3; to++)
        CHECK(node_must_send(&node, RAFT_REQUEST_VOTE, to)->request_vote.transfer);
    node_stop(&node);
}

// LAB 1 step 4, 1 point: CAND-1d RV-2b
TEST(a_candidate_tells_the_last_entry_of_its_log)
{
    static const struct {
        raft_term terms[4];
        uint32_t count;
        raft_term last_term;
    } logs[] = {{{0}, 0, 0}, {{1}, 1, 1}, {{1, 2, 2}, 3, 2}, {{1, 1, 1, 4}, 4, 4}};
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        struct node node;
        paper_boot(&node, 1, 3, (struct raft_hard_state){6, 0}, logs[i].terms,
                   logs[i].count);
        paper_wait(&node);
        for (raft_id to = 2; to <= 3; to++) {
            const struct raft_message *request =
                node_sent(&node, RAFT_REQUEST_VOTE, to);
            CHECK(request != NULL);
            CHECK_EQ(request->from, 1);
            CHECK_EQ(request->term, 7);
            CHECK_EQ(request->request_vote.last_log_index, logs[i].count);
            CHECK_EQ(request->request_vote.last_log_term, logs[i].last_term);
            CHECK(!request->request_vote.transfer);
        }
        node_stop(&node);
    }
    one_that_is_told_to_campaign_says_so();
}

// LAB 1 step 4, 1 point: CAND-1d
TEST(everyone_who_counts_is_asked_once_and_nobody_else)
{
    for (uint32_t size = 2; size <= 7; size++) {
        struct node node;
        node_init(&node, 1, size);
        node.config.pre_vote = false;
        // The last one is a learner, which is sent entries and has no vote.
        if (size > 2)
            node.config.configuration.members[size - 1].role = RAFT_LEARNER;
        node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
        paper_wait(&node);
        uint32_t voters = size > 2 ? size - 1 : size;
        CHECK_EQ(paper_sent_count(&node, RAFT_REQUEST_VOTE), voters - 1);
        for (raft_id to = 2; to <= voters; to++)
            CHECK(node_sent(&node, RAFT_REQUEST_VOTE, to) != NULL);
        node_stop(&node);
    }
}

// LAB 1 step 4, 1 point: CAND-1c CAND-4
TEST(a_campaign_that_ends_in_nothing_is_followed_by_another)
{
    struct node node;
    paper_start(&node, 1, 5);
    uint64_t shortest_ms = UINT64_MAX;
    uint64_t longest_ms = 0;
    for (raft_term term = 1; term <= 30; term++) {
        node_forget_sent(&node);
        paper_wait(&node);
        CHECK_EQ(node.view.role, RAFT_CANDIDATE);
        CHECK_EQ(node.view.current_term, term);
        CHECK_EQ(node.view.voted_for, 1);
        CHECK_EQ(paper_sent_count(&node, RAFT_REQUEST_VOTE), 4);
        uint64_t timeout_ms = paper_patience_ms(&node);
        CHECK(timeout_ms >= node.config.election_timeout_ms);
        CHECK_AT_MOST(timeout_ms, 2 * node.config.election_timeout_ms - 1);
        shortest_ms = timeout_ms < shortest_ms ? timeout_ms : shortest_ms;
        longest_ms = timeout_ms > longest_ms ? timeout_ms : longest_ms;
    }
    CHECK(longest_ms - shortest_ms >= node.config.election_timeout_ms / 2);
    node_stop(&node);
}

TEST_MAIN
