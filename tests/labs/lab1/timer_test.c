// Election and heartbeat timeouts (section 5.2), by the functions of raft/timer.h.
#include "raft/timer.h"

#include "raft/state.h"
#include "tests/labs/lab1/paper.h"

// One that is no member, as before it is added: election_concerns() knows.
static void one_that_may_not_campaign_waits_for_none(void)
{
    struct node node;
    node_init(&node, 1, 3);
    node.config.configuration.members[0].id = 4;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    timer_advance(node.raft, 100000);
    CHECK(!timer_election_is_due(node.raft));
    node.raft->leader_id = 2; // but it has to notice that its leader is gone
    CHECK(timer_election_is_due(node.raft));
    node_stop(&node);
}

static bool is_due_as(struct raft *raft, enum raft_role role)
{
    raft->role = role;
    return timer_election_is_due(raft);
}

// LAB 1 step 1, 1 point: FOL-2 CAND-4
TEST(an_election_is_due_from_its_deadline_on_and_not_before)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct node node;
        node_init(&node, 1, 3);
        node.config.seed = seed;
        node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
        uint64_t deadline_ms = timer_deadline(node.raft);
        CHECK(deadline_ms >= node.config.election_timeout_ms);
        CHECK(!timer_election_is_due(node.raft));
        timer_advance(node.raft, deadline_ms - 1);
        CHECK(!timer_election_is_due(node.raft));
        timer_advance(node.raft, deadline_ms);
        CHECK(timer_election_is_due(node.raft));
        timer_advance(node.raft, deadline_ms + 1000);
        CHECK(is_due_as(node.raft, RAFT_FOLLOWER));
        CHECK(is_due_as(node.raft, RAFT_PRE_CANDIDATE)); // its questions may be lost
        CHECK(is_due_as(node.raft, RAFT_CANDIDATE));
        CHECK(!is_due_as(node.raft, RAFT_LEADER));
        node_stop(&node);
    }
    one_that_may_not_campaign_waits_for_none();
}

// How often each of these is drawn by one node at one moment.
static void count_timeouts(struct raft *raft, uint32_t count, uint32_t counts[1000])
{
    for (uint32_t i = 0; i < count; i++) {
        timer_reset_election(raft);
        uint64_t timeout_ms = timer_deadline(raft) - raft->now_ms;
        CHECK(timeout_ms >= raft->config.election_timeout_ms);
        CHECK_AT_MOST(timeout_ms, 2 * raft->config.election_timeout_ms - 1);
        counts[timeout_ms]++;
    }
}

// A timeout that is drawn once and kept splits the same vote again and again. Clocks
// begin anywhere: milliseconds leave 32 bits after 50 days.
// LAB 1 step 1, 1 point: FOL-2 CAND-1c
TEST(each_timeout_begins_now_and_is_drawn_anew)
{
    static const uint64_t clocks_ms[] = {0, 1000000, 5000000000};
    for (size_t i = 0; i < sizeof clocks_ms / sizeof *clocks_ms; i++) {
        struct node node;
        node_start(&node, 1, 3);
        timer_advance(node.raft, clocks_ms[i]);
        uint32_t counts[1000] = {0};
        count_timeouts(node.raft, 400, counts);
        uint32_t different = 0;
        for (uint32_t t = 0; t < 1000; t++)
            different += counts[t] > 0;
        CHECK(different >= 75); // of 150, of which 140 are expected
        node_stop(&node);
    }
}

// At the latest when heartbeat_ms are over, and not all the time.
// LAB 1 step 1, 1 point: LEAD-1
TEST(a_heartbeat_is_due_when_a_leader_was_silent_for_long_enough)
{
    struct node node;
    node_start(&node, 1, 3);
    struct raft *raft = node.raft;
    uint64_t heartbeat_ms = node.config.heartbeat_ms;
    raft->role = RAFT_LEADER;
    for (int i = 0; i < 5; i++) {
        timer_reset_heartbeat(raft);
        CHECK_AT_MOST(timer_deadline(raft), raft->now_ms + heartbeat_ms);
        timer_advance(raft, raft->now_ms + heartbeat_ms / 2 - 1);
        CHECK(!timer_heartbeat_is_due(raft));
        timer_advance(raft, timer_deadline(raft));
        CHECK(timer_heartbeat_is_due(raft));
    }
    timer_advance(raft, raft->now_ms + 1000000);
    CHECK(timer_heartbeat_is_due(raft));
    CHECK(!timer_election_is_due(raft)); // a leader has won it
    raft->role = RAFT_FOLLOWER;
    CHECK(!timer_heartbeat_is_due(raft));
    node_stop(&node);
}

TEST_MAIN
