// Each sentence that raft_check() can say, told of a state that was damaged to fit it.
#include "tests/raft/fixture.h"

#include "raft/state.h"

static struct node node;

// Node 1 leads 2 and 3. Entries 1..5 are committed and applied, 6 and 7 are not; a
// snapshot holds 1..5, and 4 is the first entry that the log still holds.
static struct raft *a_leader(void)
{
    node_start(&node, 1, 3);
    node_lead(&node);
    for (int i = 0; i < 4; i++)
        node_propose(&node, "x");
    node_hear_from_all(&node);
    node_compact(&node, 4);
    node_propose(&node, "x");
    node_propose(&node, "x");
    struct raft *raft = node.raft;
    CHECK_EQ(raft->log.last_index, 7);
    CHECK_EQ(raft->commit_index, 5);
    CHECK_EQ(raft->last_applied, 5);
    CHECK_EQ(raft->snapshot_index, 5);
    CHECK_EQ(raft->log.base_index, 3);
    CHECK(raft_check(raft) == NULL);
    return raft;
}

static struct raft *a_candidate(void)
{
    node_start(&node, 1, 3);
    node_become_candidate(&node);
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    CHECK(raft_check(node.raft) == NULL);
    return node.raft;
}

static void is_told(const char *sentence)
{
    const char *broken = raft_check(node.raft);
    CHECK_TEXT(broken == NULL ? "nothing" : broken, sentence);
    node_stop(&node);
}

// ---- the log --------------------------------------------------------------------

TEST(an_entry_of_a_term_yet_to_come_is_told)
{
    a_leader()->hard_state.current_term = 0;
    is_told("an entry's term is higher than the current term");
}

TEST(a_commit_index_beyond_the_log_is_told)
{
    a_leader()->commit_index = 8;
    is_told("the commit index is beyond the log");
}

TEST(a_durable_index_beyond_the_log_is_told)
{
    a_leader()->durability.durable_index = 8;
    is_told("the durable index is beyond the log");
}

TEST(an_entry_given_for_apply_before_it_is_committed_is_told)
{
    a_leader()->apply_given = 6;
    is_told("an entry was given for apply that is not committed");
}

TEST(an_entry_given_for_apply_before_it_is_durable_is_told)
{
    a_leader()->durability.durable_index = 4;
    is_told("an entry was given for apply that is not durable");
}

TEST(an_entry_applied_before_it_was_given_is_told)
{
    a_leader()->last_applied = 6;
    is_told("an entry was applied that was not given for it");
}

TEST(entries_dropped_beyond_the_snapshot_are_told)
{
    a_leader()->snapshot_index = 2;
    is_told("entries were dropped that no snapshot holds");
}

TEST(a_snapshot_of_what_is_not_committed_is_told)
{
    a_leader()->snapshot_index = 6;
    is_told("a snapshot holds what is not committed");
}

TEST(entries_dropped_before_they_are_applied_are_told)
{
    struct raft *raft = a_leader();
    raft->apply_given = 2;
    raft->last_applied = 2;
    is_told("entries were dropped that are not applied");
}

TEST(a_log_of_more_bytes_than_there_is_room_for_is_told)
{
    struct raft *raft = a_leader();
    raft->log.bytes_tail += raft->log.byte_count + 1;
    is_told("the log holds more bytes than it has room for");
}

// ---- the role -------------------------------------------------------------------

TEST(a_candidate_that_voted_for_another_is_told)
{
    a_candidate()->hard_state.voted_for = 2;
    is_told("a candidate did not vote for itself");
}

TEST(a_leader_that_voted_for_another_is_told)
{
    a_leader()->hard_state.voted_for = 2;
    is_told("a leader did not vote for itself");
}

TEST(a_leader_whose_term_could_be_forgotten_is_told)
{
    struct raft *raft = a_leader();
    raft->durability.hard_state_write = raft->durability.reported + 1;
    is_told("a leader's term is not durable");
}

TEST(a_leader_that_follows_another_is_told)
{
    a_leader()->leader_id = 2;
    is_told("a leader follows another");
    a_leader()->leader_id = 0;
    is_told("a leader's leader_id is 0, not its own id");
}

TEST(a_follower_of_itself_is_told)
{
    struct raft *raft = a_candidate();
    raft->role = RAFT_FOLLOWER;
    raft->leader_id = 1;
    is_told("a node that does not lead follows itself");
    raft = a_candidate();
    raft->role = RAFT_PRE_CANDIDATE;
    raft->leader_id = 1;
    is_told("a node that does not lead follows itself");
}

// ---- membership, transfer and snapshots -------------------------------------------

TEST(a_configuration_that_the_log_does_not_hold_is_told)
{
    a_leader()->configuration_index = 8;
    is_told("the configuration in use is not in the log");
}

TEST(a_base_configuration_beyond_the_base_is_told)
{
    a_leader()->base_configuration_index = 4;
    is_told("the base's configuration is beyond the base");
}

TEST(a_transfer_by_who_does_not_lead_is_told)
{
    a_candidate()->transfer_to = 2;
    is_told("a node that does not lead hands leadership over");
}

TEST(a_snapshot_longer_than_announced_is_told)
{
    a_leader()->receipt.next_offset = 1;
    is_told("more of a snapshot has arrived than there is");
}

// ---- peers ----------------------------------------------------------------------

TEST(a_match_index_that_is_not_below_the_next_is_told)
{
    struct raft *raft = a_leader();
    state_peer(raft, 2)->match_index = state_peer(raft, 2)->next_index;
    is_told("a peer's match index is not below its next index");
}

TEST(a_next_index_beyond_the_logs_end_is_told)
{
    state_peer(a_leader(), 3)->next_index = 9;
    is_told("a peer's next index is beyond the log's end");
}

TEST(more_in_flight_than_the_window_is_told)
{
    struct raft *raft = a_leader();
    state_peer(raft, 2)->inflight_count = raft->config.inflight_max + 1;
    is_told("more messages are in flight to a peer than allowed");
}

TEST(a_round_confirmed_before_it_started_is_told)
{
    struct raft *raft = a_leader();
    state_peer(raft, 3)->acked_round = raft->round_started + 1;
    is_told("a peer confirmed a round that was not started");
}

TEST_MAIN
