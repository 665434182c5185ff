// Lab 2, steps 1 and 2: what a follower takes, answers, commits and applies.
#include "tests/raft/fixture.h"

// A follower in term 3 with a log of terms 1 1 2 3.
static void start_follower(struct node *node)
{
    node_init(node, 1, 3);
    node_boot(node, (struct raft_hard_state){3, 0}, TERMS(1, 1, 2, 3), 4);
}

static void check_terms(const struct node *node, const raft_term *terms, uint32_t count)
{
    CHECK_EQ(node->view.last_index, count);
    for (uint32_t i = 0; i < count; i++) {
        raft_term term = 0;
        CHECK(raft_term_at(node->raft, i + 1, &term));
        CHECK_EQ(term, terms[i]);
    }
}

static const struct raft_append_entries_reply *answer(struct node *node,
                                                      struct raft_message message)
{
    node_forget_sent(node);
    node_receive(node, message);
    return &node_must_send(node, RAFT_APPEND_ENTRIES_REPLY, 2)->append_entries_reply;
}

// ---- step 1: entries --------------------------------------------------------------

// By each message of the own term: else it campaigns under its leader's eyes.
// LAB 2 step 1, 1 point: CAND-3 FOL-2
TEST(a_leader_is_followed_whether_its_message_matches_or_not)
{
    static const struct {
        raft_index prev_index;
        raft_term prev_term;
        raft_term came[4];
    } cases[] = {{4, 3, {4}}, {4, 3, {0}}, {2, 1, {2}}, {9, 4, {4}}, {9, 4, {0}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node node;
        start_follower(&node);
        for (int again = 0; again < 6; again++) {
            node_tick(&node, node.config.election_timeout_ms - 1);
            CHECK_EQ(node.view.role, RAFT_FOLLOWER);
            answer(&node, an_append(2, 1, 4, cases[i].prev_index, cases[i].prev_term, 0,
                                    cases[i].came));
            CHECK_EQ(node.view.leader_id, 2);
        }
        node_become_candidate(&node);
        answer(&node, an_append(2, 1, node.view.current_term, cases[i].prev_index,
                                cases[i].prev_term, 0, cases[i].came));
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        CHECK_EQ(node.view.leader_id, 2);
        node_stop(&node);
    }
}

// LAB 2 step 1, 1 point: AE-2
TEST(entries_behind_what_is_not_there_are_refused_and_change_nothing)
{
    static const struct {
        raft_index prev_index;
        raft_term prev_term;
    } cases[] = {{5, 3}, {9, 4}, {4, 4}, {4, 2}, {3, 1}, {1, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node node;
        start_follower(&node);
        CHECK(!answer(&node, an_append(2, 1, 4, cases[i].prev_index, cases[i].prev_term,
                                       0, TERMS(4)))
                   ->success);
        check_terms(&node, TERMS(1, 1, 2, 3), 4);
        node_stop(&node);
    }
}

// LAB 2 step 1, 1 point: AE-2
TEST(a_heartbeat_is_checked_like_any_other_message)
{
    struct node node;
    start_follower(&node);
    CHECK(!answer(&node, an_append(2, 1, 4, 4, 4, 0, NULL))->success);
    CHECK(!answer(&node, an_append(2, 1, 4, 5, 4, 0, NULL))->success);
    const struct raft_append_entries_reply *reply =
        answer(&node, an_append(2, 1, 4, 2, 1, 0, NULL));
    CHECK(reply->success);
    CHECK_EQ(reply->match_index, 2);
    check_terms(&node, TERMS(1, 1, 2, 3), 4);
    node_stop(&node);
}

// The table of all cases: what was there, what came, what is there then.
// LAB 2 step 1, 1 point: AE-3 AE-4
TEST(what_came_replaces_what_conflicts_and_nothing_else)
{
    static const struct {
        raft_index prev_index;
        raft_term prev_term;
        raft_term came[4];
        uint32_t count;
        raft_term terms[6];
        uint32_t written;
    } cases[] = {
        {4, 3, {3}, 5, {1, 1, 2, 3, 3}, 1},          // behind the end
        {4, 3, {3, 4}, 6, {1, 1, 2, 3, 3, 4}, 2},    //
        {2, 1, {2}, 4, {1, 1, 2, 3}, 0},             // there already
        {2, 1, {2, 3, 4}, 5, {1, 1, 2, 3, 4}, 1},    // a part of it
        {3, 2, {4}, 4, {1, 1, 2, 4}, 1},             // another at the end
        {2, 1, {4}, 3, {1, 1, 4}, 1},                // another, with more behind it
        {1, 1, {1, 4, 4, 4}, 5, {1, 1, 4, 4, 4}, 3}, // the first one is there
        {0, 0, {4}, 1, {4}, 1},                      // nothing stays
        {0, 0, {1, 1, 2, 3}, 4, {1, 1, 2, 3}, 0},    // all is there
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node node;
        start_follower(&node);
        struct raft_message message = an_append(2, 1, 4, cases[i].prev_index,
                                                cases[i].prev_term, 0, cases[i].came);
        CHECK(answer(&node, message)->success);
        check_terms(&node, cases[i].terms, cases[i].count);
        CHECK_EQ(node.output.entry_count, cases[i].written);
        CHECK(answer(&node, message)->success); // it comes twice
        check_terms(&node, cases[i].terms, cases[i].count);
        CHECK_EQ(node.output.entry_count, 0); // to be written again
        node_stop(&node);
    }
}

// Behind the entries of the message may stand a deposed leader's.
// LAB 2 step 1, 1 point: AE-4
TEST(an_acknowledgement_speaks_of_the_message_and_not_of_the_log)
{
    struct node node;
    start_follower(&node);
    CHECK_EQ(answer(&node, an_append(2, 1, 4, 0, 0, 0, TERMS(1)))->match_index, 1);
    CHECK_EQ(answer(&node, an_append(2, 1, 4, 1, 1, 0, TERMS(1, 2)))->match_index, 3);
    CHECK_EQ(answer(&node, an_append(2, 1, 4, 1, 1, 0, NULL))->match_index, 1);
    CHECK_EQ(answer(&node, an_append(2, 1, 4, 2, 1, 0, TERMS(4, 4)))->match_index, 4);
    node_stop(&node);
}

// ---- step 2: commitment and application -------------------------------------------

// LAB 2 step 2, 1 point: AE-2 AE-5
TEST(a_message_that_does_not_match_commits_nothing)
{
    struct node node;
    start_follower(&node);
    answer(&node, an_append(2, 1, 4, 4, 4, 4, NULL));
    CHECK_EQ(node.view.commit_index, 0);
    answer(&node, an_append(2, 1, 4, 7, 4, 7, TERMS(4)));
    CHECK_EQ(node.view.commit_index, 0);
    answer(&node, an_append(2, 1, 2, 2, 1, 2, NULL)); // of an older term
    CHECK_EQ(node.view.commit_index, 0);
    node_stop(&node);
}

// The fixture checks at each step that entries come in order, each once.
// LAB 2 step 2, 1 point: AE-5 ALL-1
TEST(a_follower_applies_what_its_leader_has_committed)
{
    struct node node;
    start_follower(&node);
    answer(&node, an_append(2, 1, 4, 4, 3, 0, TERMS(4)));
    CHECK_EQ(node.applied, 0);
    answer(&node, an_append(2, 1, 4, 5, 4, 2, NULL));
    CHECK_EQ(node.view.commit_index, 2);
    CHECK_EQ(node.applied, 2);
    answer(&node, an_append(2, 1, 4, 5, 4, 5, NULL));
    CHECK_EQ(node.view.commit_index, 5);
    CHECK_EQ(node.applied, 5);
    CHECK_EQ(node.view.last_applied, 5);
    answer(&node, an_append(2, 1, 4, 5, 4, 6, TERMS(4, 4)));
    CHECK_EQ(node.applied, 6); // and 7 is not committed
    // An old message, of what is committed, is answered like any other.
    CHECK_EQ(answer(&node, an_append(2, 1, 4, 1, 1, 0, TERMS(1, 2)))->match_index, 3);
    CHECK_EQ(answer(&node, an_append(2, 1, 4, 2, 1, 2, NULL))->match_index, 2);
    CHECK_EQ(node.view.last_index, 7);
    node_stop(&node);
}

TEST_MAIN
