// What a voter makes of RequestVote (Figure 2; sections 5.2 and 5.4.1).
#include "tests/labs/lab1/paper.h"

static bool granted(const struct node *node, raft_id candidate)
{
    const struct raft_message *reply =
        node_last_sent(node, RAFT_REQUEST_VOTE_REPLY, candidate);
    CHECK(reply != NULL);
    CHECK_EQ(reply->from, node->config.id);
    CHECK_EQ(reply->term, node->view.current_term);
    return reply->request_vote_reply.vote_granted;
}

// The vote is on disk: it is the same after a restart, and no other candidate gets one.
// LAB 1 step 3, 1 point: STATE-2 RV-2a
TEST(a_vote_is_kept_through_a_restart)
{
    struct node node;
    paper_boot(&node, 1, 3, (struct raft_hard_state){4, 0}, NULL, 0);
    node_receive(&node, a_vote_request(2, 1, 4, 0, 0));
    CHECK(granted(&node, 2));
    CHECK(node.output.hard_state_changed);
    struct raft_hard_state on_disk = node.output.hard_state;
    CHECK_EQ(on_disk.current_term, 4);
    CHECK_EQ(on_disk.voted_for, 2);
    node_boot(&node, on_disk, NULL, 0);
    node_receive(&node, a_vote_request(3, 1, 4, 9, 3));
    CHECK(!granted(&node, 3));
    node_receive(&node, a_vote_request(2, 1, 4, 0, 0));
    CHECK(granted(&node, 2));
    CHECK(!node.output.hard_state_changed); // it is on disk, and goes out at once
    node_stop(&node);
}

// Who cannot win and asks again and again would keep all others from asking.
// LAB 1 step 3, 1 point: FOL-2
TEST(a_refusal_does_not_put_the_own_campaign_off)
{
    struct node node;
    paper_boot(&node, 1, 5, (struct raft_hard_state){3, 0}, TERMS(1, 2, 3), 3);
    node_receive(&node, a_vote_request(2, 1, 4, 3, 3));
    CHECK(granted(&node, 2));
    node_tick(&node, node.config.election_timeout_ms - 1);
    uint64_t deadline_ms = node.output.deadline_ms;
    struct raft_message refused[] = {
        a_vote_request(3, 1, 3, 3, 3), // of an older term
        a_vote_request(3, 1, 4, 3, 3), // the vote is given
        a_vote_request(4, 1, 4, 9, 9), // even to a better log
        a_vote_request(4, 1, 7, 2, 3), // of a newer term, and the log is shorter,
        a_vote_request(5, 1, 8, 9, 2), // or older
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        bool newer = refused[i].term > node.view.current_term;
        node_receive(&node, refused[i]);
        CHECK(!granted(&node, refused[i].from));
        CHECK_EQ(node.output.deadline_ms, deadline_ms);
        CHECK_EQ(node.output.hard_state_changed,
                 newer); // else nothing is to be written
    }
    node_stop(&node);
}

// ---- a voter beside the paper's three sentences -----------------------------------

struct rules {
    struct raft_hard_state state;
    raft_index last_index;
    raft_term last_term;
};

static bool rules_grant(struct rules *rules, const struct raft_message *request)
{
    if (request->term < rules->state.current_term)
        return false;
    if (request->term > rules->state.current_term)
        rules->state = (struct raft_hard_state){.current_term = request->term};
    if (rules->state.voted_for != 0 && rules->state.voted_for != request->from)
        return false;
    const struct raft_request_vote *vote = &request->request_vote;
    bool good = vote->last_log_term > rules->last_term ||
                (vote->last_log_term == rules->last_term &&
                 vote->last_log_index >= rules->last_index);
    if (good)
        rules->state.voted_for = request->from;
    return good;
}

static uint64_t random_below(uint64_t *state, uint64_t limit)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % limit;
}

// Logs of every relation, terms that come late, requests that come twice, and a restart
// now and then. A candidate's log is the same whenever it asks in one term.
static struct raft_message some_request(uint64_t *random, raft_term term)
{
    uint64_t from = 2 + random_below(random, 4);
    uint64_t log = term * 4 + from;
    raft_index last_index = 1 + random_below(&log, 5);
    raft_term last_term = 1 + random_below(&log, 4);
    return a_vote_request((raft_id)from, 1, term, last_index,
                          last_term < term ? last_term : term);
}

// LAB 1 step 3, 1 point: RV-1 RV-2a RV-2b
TEST(of_5000_requests_each_is_answered_as_figure_2_says)
{
    struct rules rules = {{3, 0}, 3, 3};
    struct node node;
    paper_boot(&node, 1, 5, rules.state, TERMS(1, 2, 3), 3);
    uint64_t random = 7;
    struct raft_message request = a_vote_request(2, 1, 3, 3, 3);
    for (int i = 0; i < 5000; i++) {
        if (random_below(&random, 4) != 0) { // else once more
            raft_term term = 3 + (raft_term)i / 20 + random_below(&random, 3);
            request = some_request(&random, term);
        }
        struct raft_hard_state before = rules.state;
        bool expected = rules_grant(&rules, &request);
        bool changed = before.current_term != rules.state.current_term ||
                       before.voted_for != rules.state.voted_for;
        node_receive(&node, request);
        CHECK_EQ(granted(&node, request.from), expected);
        CHECK_EQ(node.output.hard_state_changed, changed);
        CHECK_EQ(node.view.current_term, rules.state.current_term);
        CHECK_EQ(node.view.voted_for, rules.state.voted_for);
        node_forget_sent(&node);
        if (random_below(&random, 50) == 0)
            node_boot(&node, rules.state, TERMS(1, 2, 3), 3);
    }
    node_stop(&node);
}

TEST_MAIN
