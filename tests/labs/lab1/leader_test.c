// How votes make a leader, and how it ends (section 5.2 and 5.4.1).
#include "tests/labs/lab1/paper.h"

// Two campaigns with one vote each are not one with two.
// LAB 1 step 5, 1 point: CAND-2 CAND-4
TEST(votes_of_an_earlier_campaign_are_forgotten)
{
    struct node node;
    paper_start(&node, 1, 5);
    paper_wait(&node);
    node_receive(&node, a_vote(2, 1, 1, true));
    node_receive(&node, a_vote(3, 1, 1, false));
    paper_wait(&node);
    CHECK_EQ(node.view.current_term, 2);
    node_receive(&node, a_vote(4, 1, 2, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_receive(&node, a_vote(3, 1, 2, true)); // it has no leader any more
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

// A candidate of term 2 that is about to be one of term 3, and has asked whether it
// could win there.
static void ask_for_pre_votes(struct node *node)
{
    node_init(node, 1, 5);
    node_boot(node, (struct raft_hard_state){1, 1}, NULL, 0);
    node_become_candidate(node);
    node_time_out(node);
    CHECK_EQ(node->view.role, RAFT_PRE_CANDIDATE);
}

// What is not counted is not noted either: only pre-votes say that it could win.
static void count_pre_votes(struct node *node)
{
    node_receive(node, a_prevote(2, 1, 3, true));
    CHECK_EQ(node->view.role, RAFT_PRE_CANDIDATE); // two of five
    node_receive(node, a_prevote(3, 1, 3, true));
    CHECK_EQ(node->view.role, RAFT_CANDIDATE);
    CHECK_EQ(node->view.current_term, 3);
}

// LAB 1 step 5, 1 point: CAND-2
TEST(answers_that_come_too_late_change_nothing)
{
    struct raft_message late[] = {
        a_vote(4, 1, 2, false), a_vote(5, 1, 2, false), a_vote(3, 1, 2, false),
        a_vote(4, 1, 2, true),  a_vote(5, 1, 2, true),  a_vote(2, 1, 1, true),
        a_vote(3, 1, 1, true),
    };
    for (int role = RAFT_FOLLOWER; role <= RAFT_LEADER; role++) {
        struct node node;
        if (role == RAFT_PRE_CANDIDATE) {
            ask_for_pre_votes(&node);
        } else {
            paper_boot(&node, 1, 5, (struct raft_hard_state){1, 1}, NULL, 0);
            paper_wait(&node);
        }
        if (role == RAFT_LEADER)
            paper_votes(&node, 3);
        if (role == RAFT_FOLLOWER)
            node_receive(&node, an_append(5, 1, 2, 0, 0, 0, NULL));
        size_t first = role == RAFT_CANDIDATE ? 5 : 0;
        for (size_t i = first; i < sizeof late / sizeof late[0]; i++) {
            node_receive(&node, late[i]);
            CHECK_EQ(node.view.role, role);
            CHECK_EQ(node.view.current_term, 2);
            CHECK_EQ(node.view.voted_for, 1);
        }
        if (role == RAFT_PRE_CANDIDATE)
            count_pre_votes(&node);
        node_stop(&node);
    }
}

// Its election timeout began before it was elected, and is long over.
// LAB 1 step 5, 1 point: ALL-2 FOL-2
TEST(a_leader_that_steps_down_waits_for_a_whole_timeout)
{
    struct node node;
    paper_start(&node, 1, 3);
    paper_wait(&node);
    paper_votes(&node, 2);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    for (int i = 0; i < 100; i++)
        node_tick(&node, node.config.heartbeat_ms);
    node_transfer(&node, 2); // that goes with the office, too
    CHECK_EQ(node.view.transfer_to, 2);
    node_receive(&node, a_vote(3, 1, 9, false));
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.view.current_term, 9);
    CHECK_EQ(node.view.leader_id, 0);
    CHECK_EQ(node.view.transfer_to, 0);
    CHECK(paper_patience_ms(&node) >= node.config.election_timeout_ms);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.view.current_term, 9);
    node_stop(&node);
}

// Asked by node 3 in term 7.
static void grants_in_term_7(struct node *node)
{
    node_forget_sent(node);
    node_receive(node, a_vote_request(3, 1, 7, 9, 6));
    CHECK_EQ(node->view.current_term, 7);
    CHECK_EQ(node->view.voted_for, 3);
    CHECK(node->output.hard_state_changed);
    const struct raft_message *reply = node_must_send(node, RAFT_REQUEST_VOTE_REPLY, 3);
    CHECK(reply->request_vote_reply.vote_granted);
    CHECK_EQ(reply->term, 7);
}

// It has asked, and has voted for nobody yet: not in a newer term, nor in its own.
static void a_pre_candidate_has_a_vote_to_give(raft_term term)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){term, 0}, NULL, 0);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    grants_in_term_7(&node);
    node_stop(&node);
}

// A higher term frees it; a candidate's and a leader's own is theirs.
// LAB 1 step 5, 1 point: ALL-2 RV-2a
TEST(a_free_vote_is_granted_in_any_role)
{
    for (int role = RAFT_FOLLOWER; role <= RAFT_LEADER; role++) {
        if (role == RAFT_PRE_CANDIDATE)
            continue;
        struct node node;
        paper_start(&node, 1, 3);
        if (role != RAFT_FOLLOWER)
            paper_wait(&node);
        if (role == RAFT_LEADER)
            paper_votes(&node, 2);
        CHECK_EQ(node.view.role, role);
        grants_in_term_7(&node);
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        node_stop(&node);
    }
    a_pre_candidate_has_a_vote_to_give(1);
    a_pre_candidate_has_a_vote_to_give(7);
}

// STATE-6 and STATE-7 as they begin, of a log that ended at `last_index`.
static void knows_nothing_of_its_peers(const struct node *node, raft_index last_index)
{
    for (raft_id id = 2; id <= 5; id++) {
        CHECK_EQ(node_peer(node, id)->next_index, last_index + 1);
        CHECK_EQ(node_peer(node, id)->match_index, 0);
    }
}

// What it knew of the others is of its first term in office, and says nothing now.
// LAB 1 step 5, 1 point: LEAD-1 CAND-2
TEST(a_node_that_is_elected_again_tells_everyone_at_once)
{
    struct node node;
    paper_start(&node, 1, 5);
    for (raft_term term = 1; term <= 9; term += 4) {
        paper_wait(&node);
        CHECK_EQ(node.view.current_term, term);
        node_forget_sent(&node);
        raft_index last_index = node.view.last_index;
        paper_votes(&node, 3);
        CHECK_EQ(node.view.role, RAFT_LEADER);
        knows_nothing_of_its_peers(&node, last_index);
        for (raft_id to = 2; to <= 5; to++)
            CHECK_EQ(node_must_send(&node, RAFT_APPEND_ENTRIES, to)->term, term);
        node_receive(&node, a_vote(5, 1, term + 3, false)); // nobody else has answered
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    }
    node_stop(&node);
}

// ---- several nodes ----------------------------------------------------------------

static void group_boot(struct group *group, raft_id id, raft_term term,
                       const raft_term *terms, uint32_t count)
{
    struct node *node = group_node(group, id);
    node->config.pre_vote = false;
    node_boot(node, (struct raft_hard_state){term, 0}, terms, count);
}

static void group_campaign(struct group *group, raft_id id)
{
    paper_wait(group_node(group, id));
    group_deliver(group);
}

// Nodes 1 and 2 have an older, longer log; 3 has the newest entry, 4 lacks a part of
// it, 5 has all.
// LAB 1 step 5, 1 point: RV-2b CAND-2
TEST(only_a_log_as_good_as_a_majoritys_is_elected)
{
    static const struct {
        raft_term terms[4];
        uint32_t count;
        bool wins;
    } logs[] = {
        {{1, 1, 1, 1}, 4, false}, {{1, 1, 1, 1}, 4, false}, {{1, 2, 3}, 3, true},
        {{1, 2}, 2, false},       {{1, 2, 3}, 3, true},
    };
    for (raft_id candidate = 1; candidate <= 5; candidate++) {
        struct group group;
        group_start(&group, 5);
        group_isolate(&group, 2, true); // a majority is three of the four that are left
        for (raft_id id = 1; id <= 5; id++)
            group_boot(&group, id, 3, logs[id - 1].terms, logs[id - 1].count);
        group_campaign(&group, candidate);
        struct node *node = group_node(&group, candidate);
        CHECK_EQ(node->view.current_term, 4);
        CHECK_EQ(node->view.role == RAFT_LEADER, logs[candidate - 1].wins);
        group_stop(&group);
    }
}

TEST_MAIN
