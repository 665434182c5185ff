// Leader election: Figure 2 and sections 5.2 and 5.4.1.
#include "tests/raft/fixture.h"

// STATE-1, STATE-2, section 5.2: servers begin as followers, in term 0, with no vote.
TEST(a_node_begins_as_a_follower_in_term_0)
{
    struct node node;
    node_start(&node, 1, 3);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.view.current_term, 0);
    CHECK_EQ(node.view.voted_for, 0);
    CHECK_EQ(node.view.leader_id, 0);
    node_stop(&node);
}

// FOL-2
TEST(a_follower_that_hears_nothing_asks_for_pre_votes)
{
    struct node node;
    node_start(&node, 1, 3);
    node_tick(&node, node.config.election_timeout_ms - 1);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    CHECK_EQ(node.view.current_term, 0);
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 2)->request_vote.pre_vote);
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 3)->request_vote.pre_vote);
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 1) == NULL);
    node_stop(&node);
}

// FOL-2: a heartbeat keeps a follower a follower.
TEST(a_follower_that_hears_its_leader_does_not_campaign)
{
    struct node node;
    node_start(&node, 1, 3);
    for (int i = 0; i < 100; i++) {
        node_tick(&node, node.config.election_timeout_ms - 1);
        node_receive(&node, an_append(2, 1, 1, 0, 0, 0, NULL));
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        CHECK_EQ(node.view.leader_id, 2);
    }
    node_stop(&node);
}

// FOL-2: so does a vote that it gave.
// LAB 1 step 3, 1 point: FOL-2
TEST(granting_a_vote_puts_the_own_campaign_off)
{
    struct node node;
    node_start(&node, 1, 3);
    node_tick(&node, node.config.election_timeout_ms - 1);
    node_receive(&node, a_vote_request(2, 1, 1, 0, 0));
    CHECK_EQ(node.view.voted_for, 2);
    node_tick(&node, node.config.election_timeout_ms - 1);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_stop(&node);
}

// CAND-1a, CAND-1b, CAND-1d
TEST(a_candidate_raises_its_term_votes_for_itself_and_asks_all_others)
{
    struct node node;
    node_start(&node, 1, 5);
    node_become_candidate(&node);
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    CHECK_EQ(node.view.current_term, 1);
    CHECK_EQ(node.view.voted_for, 1);
    for (raft_id to = 2; to <= 5; to++) {
        const struct raft_message *request =
            node_last_sent(&node, RAFT_REQUEST_VOTE, to);
        CHECK_EQ(request->term, 1);
        CHECK(!request->request_vote.pre_vote);
    }
    node_stop(&node);
}

// CAND-1c, CAND-4: a campaign that does not end begins anew, in a new term.
TEST(a_candidate_that_neither_wins_nor_loses_tries_again)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_candidate(&node);
    node_become_candidate(&node);
    CHECK_EQ(node.view.current_term, 2);
    CHECK_EQ(node.view.elections, 2);
    node_stop(&node);
}

// CAND-2, in clusters of all sizes, even ones too: a majority is more than half.
// LAB 1 step 5, 1 point: CAND-2
TEST(a_majority_of_votes_makes_a_leader_and_one_less_does_not)
{
    for (uint32_t size = 1; size <= 7; size++) {
        struct node node;
        node_start(&node, 1, size);
        node_become_candidate(&node);
        uint32_t needed = size / 2 + 1;
        uint32_t votes = 1; // its own
        for (raft_id from = 2; votes < needed; from++, votes++) {
            CHECK_EQ(node.view.role, RAFT_CANDIDATE);
            node_receive(&node, a_vote(from, 1, 1, true));
        }
        CHECK_EQ(node.view.role, RAFT_LEADER);
        node_stop(&node);
    }
}

// LAB 1 step 5, 1 point: CAND-2
TEST(the_same_vote_twice_counts_once)
{
    struct node node;
    node_init(&node, 1, 5);
    node.config.configuration.members[4].role = RAFT_LEARNER;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_become_candidate(&node);
    node_receive(&node, a_vote(2, 1, 1, true));
    node_receive(&node, a_vote(2, 1, 1, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_receive(&node, a_vote(9, 1, 1, true)); // no member
    node_receive(&node, a_vote(5, 1, 1, true)); // a member that has no vote
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);   // three of four are needed
    node_receive(&node, a_vote(3, 1, 1, true));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

// In a cluster of four, two refusals are enough. The next campaign comes when it would
// have come anyway.
// LAB 1 step 5, 1 point: CAND-2
TEST(a_campaign_ends_once_no_majority_is_left_for_it)
{
    for (uint32_t size = 2; size <= 7; size++) {
        struct node node;
        node_start(&node, 1, size);
        node_become_candidate(&node);
        uint64_t deadline_ms = node.output.deadline_ms;
        uint32_t left = size;
        for (raft_id from = 2; left > size / 2; from++, left--) {
            CHECK_EQ(node.view.role, RAFT_CANDIDATE);
            node_receive(&node, a_vote(from, 1, 1, false));
        }
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        CHECK_EQ(node.view.current_term, 1);
        CHECK_EQ(node.view.voted_for, 1);
        CHECK_EQ(node.output.deadline_ms, deadline_ms);
        node_stop(&node);
    }
}

// A vote of an older term is no vote in this one.
TEST(a_vote_of_an_older_term_is_not_counted)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_candidate(&node);
    node_become_candidate(&node);
    CHECK_EQ(node.view.current_term, 2);
    node_receive(&node, a_vote(2, 1, 1, true));
    node_receive(&node, a_vote(3, 1, 1, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_stop(&node);
}

// FOL-1, RV-2a
// LAB 1 step 3, 1 point: FOL-1 RV-2a
TEST(a_vote_is_not_granted_twice_in_a_term)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, a_vote_request(2, 1, 1, 0, 0));
    node_receive(&node, a_vote_request(3, 1, 1, 0, 0));
    CHECK(node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 2)
              ->request_vote_reply.vote_granted);
    CHECK(!node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 3)
               ->request_vote_reply.vote_granted);
    CHECK_EQ(node.view.voted_for, 2);
    node_stop(&node);
}

TEST(who_campaigns_or_leads_has_voted_for_itself)
{
    for (int role = RAFT_CANDIDATE; role <= RAFT_LEADER; role++) {
        struct node node;
        node_start(&node, 1, 3);
        if (role == RAFT_LEADER)
            node_become_leader(&node);
        else
            node_become_candidate(&node);
        node_receive(&node, a_vote_request(3, 1, 1, 9, 1));
        CHECK(!node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 3)
                   ->request_vote_reply.vote_granted);
        CHECK_EQ(node.view.role, role);
        CHECK_EQ(node.view.voted_for, 1);
        node_stop(&node);
    }
}

// The first answer may have been lost.
TEST(the_same_candidate_that_asks_again_gets_the_same_answer)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, a_vote_request(2, 1, 1, 0, 0));
    node_forget_sent(&node);
    node_receive(&node, a_vote_request(2, 1, 1, 0, 0));
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 2)->request_vote_reply.vote_granted);
    node_stop(&node);
}

// RV-1
// LAB 1 step 3, 1 point: RV-1
TEST(a_vote_request_of_an_older_term_is_refused_with_the_own_term)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){5, 0}, NULL, 0);
    node_receive(&node, a_vote_request(2, 1, 4, 9, 4));
    const struct raft_message *reply =
        node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 2);
    CHECK(!reply->request_vote_reply.vote_granted);
    CHECK_EQ(reply->term, 5);
    node_stop(&node);
}

// RV-2b, section 5.4.1
// LAB 1 step 3, 1 point: RV-2b
TEST(a_vote_goes_only_to_a_log_that_is_at_least_as_up_to_date)
{
    static const struct {
        raft_index last_index;
        raft_term last_term;
        bool granted;
    } cases[] = {
        {3, 3, true},  {4, 3, true},  {1, 4, true},  // equal, longer, later
        {2, 3, false}, {9, 2, false}, {0, 0, false}, // shorter, earlier, empty
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node node;
        node_init(&node, 1, 3);
        node_boot(&node, (struct raft_hard_state){3, 0}, TERMS(1, 2, 3), 3);
        node_receive(&node,
                     a_vote_request(2, 1, 5, cases[i].last_index, cases[i].last_term));
        const struct raft_message *reply =
            node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 2);
        CHECK_EQ(reply->request_vote_reply.vote_granted, cases[i].granted);
        CHECK_EQ(reply->term, 5);
        node_stop(&node);
    }
}

static bool puts_a_campaign_off(enum raft_message_type type)
{
    return type == RAFT_REQUEST_VOTE || type == RAFT_APPEND_ENTRIES; // granted; heard
}

// ALL-2, in every role, by every kind of message that tells its sender's term.
// LAB 1 step 5, 1 point: ALL-2
TEST(a_higher_term_makes_a_follower_of_everyone)
{
    for (int role = RAFT_FOLLOWER; role <= RAFT_LEADER; role++) {
        struct raft_message messages[] = {
            a_vote_request(2, 1, 7, 0, 0),     a_vote(2, 1, 7, false),
            an_append(2, 1, 7, 0, 0, 0, NULL), an_ack(2, 1, 7, 0),
            a_refusal(2, 1, 7, 0, 0, 0),       a_prevote(2, 1, 7, false),
        };
        for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
            struct node node;
            node_start(&node, 1, 3);
            if (role == RAFT_PRE_CANDIDATE)
                node_time_out(&node);
            if (role == RAFT_CANDIDATE)
                node_become_candidate(&node);
            if (role == RAFT_LEADER)
                node_become_leader(&node);
            CHECK_EQ(node.view.role, role);
            node_tick(&node, 0);
            uint64_t deadline_ms = node.output.deadline_ms;
            node_receive(&node, messages[i]);
            CHECK_EQ(node.view.role, RAFT_FOLLOWER);
            CHECK_EQ(node.view.current_term, 7);
            if (role != RAFT_LEADER && !puts_a_campaign_off(messages[i].type))
                CHECK_EQ(node.output.deadline_ms, deadline_ms);
            node_stop(&node);
        }
    }
}

// CAND-3
// LAB 1 step 4, 1 point: CAND-3
TEST(a_candidate_that_hears_a_leader_of_its_term_follows_it)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_candidate(&node);
    node_receive(&node, an_append(3, 1, 1, 0, 0, 0, NULL));
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.view.leader_id, 3);
    CHECK_EQ(node.view.voted_for, 1); // its vote in this term stays given
    node_stop(&node);
}

// LEAD-1; STATE-6 and STATE-7 begin at one past the log's end, and at 0
TEST(a_new_leader_tells_everyone_at_once)
{
    struct node node;
    node_start(&node, 1, 5);
    node_become_leader(&node);
    for (raft_id to = 2; to <= 5; to++)
        CHECK_EQ(node_must_send(&node, RAFT_APPEND_ENTRIES, to)->term, 1);
    for (uint32_t i = 0; i < node.view.peer_count; i++) {
        CHECK_EQ(node.view.peers[i].next_index, 1); // the log was empty then
        CHECK_EQ(node.view.peers[i].match_index, 0);
    }
    node_stop(&node);
}

// LEAD-1
// LAB 1 step 5, 1 point: LEAD-1
TEST(an_idle_leader_sends_heartbeats_in_time)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node_forget_sent(&node);
    node_tick(&node, node.config.heartbeat_ms / 2 - 1); // the first ones have just left
    CHECK_EQ(node_count_sent(&node, RAFT_APPEND_ENTRIES), 0);
    for (int i = 0; i < 20; i++) {
        node_forget_sent(&node);
        node_tick(&node, node.config.heartbeat_ms);
        CHECK(node_sent(&node, RAFT_APPEND_ENTRIES, 2) != NULL);
        CHECK(node_sent(&node, RAFT_APPEND_ENTRIES, 3) != NULL);
        CHECK_AT_MOST(node.output.deadline_ms, node.now_ms + node.config.heartbeat_ms);
    }
    node_stop(&node);
}

TEST(a_leader_does_not_campaign)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node_time_out(&node);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    CHECK_EQ(node.view.current_term, 1);
    node_stop(&node);
}

// Section 5.2: timeouts are spread over [T, 2T).
TEST(election_timeouts_are_spread_over_the_whole_range)
{
    uint32_t low = 0;
    uint32_t high = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct node node;
        node_init(&node, 1, 3);
        node.config.seed = seed;
        node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
        node_tick(&node, 0);
        uint64_t timeout = node.output.deadline_ms - node.now_ms;
        uint32_t base = node.config.election_timeout_ms;
        CHECK(timeout >= base && timeout < 2 * base);
        low += timeout < base + base / 4;
        high += timeout >= 2 * base - base / 4;
        node_stop(&node);
    }
    CHECK(low > 20 && high > 20); // of 50 expected
}

// The range is free: figure 16 needs narrow ones, and one without any randomness.
// LAB 1 step 1, 1 point: FOL-2
TEST(election_timeouts_are_spread_as_widely_as_asked)
{
    static const uint32_t spreads_ms[] = {1, 2, 6, 1000};
    for (size_t i = 0; i < sizeof spreads_ms / sizeof *spreads_ms; i++) {
        uint64_t least_ms = UINT64_MAX;
        uint64_t most_ms = 0;
        for (uint64_t seed = 0; seed < 200; seed++) {
            struct node node;
            node_init(&node, 1, 3);
            node.config.seed = seed;
            node.config.election_spread_ms = spreads_ms[i];
            node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
            node_tick(&node, 0);
            uint64_t timeout_ms = node.output.deadline_ms - node.now_ms;
            least_ms = timeout_ms < least_ms ? timeout_ms : least_ms;
            most_ms = timeout_ms > most_ms ? timeout_ms : most_ms;
            node_stop(&node);
        }
        CHECK(least_ms >= 150 && most_ms < 150 + spreads_ms[i]);
        CHECK(most_ms - least_ms >= (spreads_ms[i] - 1) * 9 / 10);
    }
}

// Nodes that are given the same seed must not time out together for ever.
TEST(equal_seeds_on_all_nodes_still_elect)
{
    uint64_t deadlines[3];
    for (raft_id id = 1; id <= 3; id++) {
        struct node node;
        node_start(&node, id, 3);
        node_tick(&node, 0);
        deadlines[id - 1] = node.output.deadline_ms;
        node_stop(&node);
    }
    CHECK(deadlines[0] != deadlines[1] || deadlines[1] != deadlines[2]);
}

TEST(a_sole_voter_leads_after_an_election_in_a_new_term)
{
    struct node node;
    node_init(&node, 1, 1);
    node_boot(&node, (struct raft_hard_state){4, 0}, TERMS(1, 4), 2);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_tick(&node, 0); // nobody to wait for
    CHECK_EQ(node.view.role, RAFT_LEADER);
    CHECK_EQ(node.view.current_term, 5);
    CHECK_EQ(node.view.commit_index, 3); // the old ones under its no-op
    CHECK_EQ(node.view.last_applied, 3);
    node_stop(&node);
}

TEST(a_node_that_is_not_a_voter_never_campaigns)
{
    struct node node;
    node_init(&node, 3, 3);
    node.config.configuration.members[2].role = RAFT_LEARNER;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    for (int i = 0; i < 10; i++)
        node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.output.deadline_ms, UINT64_MAX);
    CHECK_EQ(node.sent_count, 0);
    node_stop(&node);
}

// Two learners and the candidate would be three of five.
TEST(learners_are_neither_asked_nor_counted)
{
    struct node node;
    node_init(&node, 1, 5);
    node.config.configuration.members[3].role = RAFT_LEARNER;
    node.config.configuration.members[4].role = RAFT_LEARNER;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_time_out(&node);
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 4) == NULL);
    node_receive(&node, a_prevote(4, 1, 1, true));
    node_receive(&node, a_prevote(5, 1, 1, true));
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    node_receive(&node, a_prevote(2, 1, 1, true));
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 4) == NULL);
    node_receive(&node, a_vote(4, 1, 1, true));
    node_receive(&node, a_vote(5, 1, 1, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_receive(&node, a_vote(3, 1, 1, true));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    CHECK(node_sent(&node, RAFT_APPEND_ENTRIES, 4) != NULL); // but they are told
    node_stop(&node);
}

TEST(three_nodes_elect_exactly_one_leader)
{
    struct group group;
    group_start(&group, 3);
    group_elect(&group, 2);
    CHECK_EQ(group.nodes[0].view.role, RAFT_FOLLOWER);
    CHECK_EQ(group.nodes[2].view.role, RAFT_FOLLOWER);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(group.nodes[i].view.leader_id, 2);
        CHECK_EQ(group.nodes[i].view.current_term, 1);
    }
    group_stop(&group);
}

TEST(messages_that_no_correct_peer_sends_change_nothing)
{
    struct raft_message messages[] = {
        a_vote_request(2, 3, 9, 0, 0), // to another
        a_vote_request(1, 1, 9, 0, 0), // from itself
        a_vote_request(0, 1, 9, 0, 0), // from no one
        a_vote_request(2, 1, 0, 0, 0), // of no term
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct node node;
        node_start(&node, 1, 3);
        node_receive(&node, messages[i]);
        CHECK_EQ(node.status, RAFT_INVALID);
        CHECK_EQ(node.view.current_term, 0);
        CHECK_EQ(node.sent_count, 0);
        node_stop(&node);
    }
}

TEST_MAIN
