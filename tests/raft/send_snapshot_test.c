// A leader sends its newest snapshot to who needs what the log has dropped: section 7
// and Figure 13.
#include "tests/raft/fixture.h"

// Node 1 has entries 4 to 6, behind a snapshot up to 6; peer 3 has nothing.
static void start_sending(struct node *node)
{
    node_start(node, 1, 3);
    node_lead(node);
    for (int i = 0; i < 5; i++)
        node_propose(node, "x");
    node_receive(node, an_ack(2, 1, 1, 6));
    node_compact(node, 4);
    node_forget_sent(node);
    node_receive(node, a_refusal(3, 1, 1, 6, 0, 0));
}

// Bug 24: index 3 is the last that is dropped, and 4 the first that is held.
// LAB 4 step 5, 1 point: LEAD-3 IS-4
TEST(a_peer_at_the_very_edge_is_sent_what_it_needs)
{
    for (raft_index has = 2; has <= 3; has++) {
        struct node node;
        node_init(&node, 1, 3);
        struct raft_snapshot_meta meta = meta_of(3, 1, 3);
        snapshots[3] = meta;
        node_boot_behind(&node, (struct raft_hard_state){1, 0}, &meta, TERMS(1, 1, 1),
                         3);
        node_become_leader(&node);
        node_receive(&node, an_ack(2, 1, 2, 7));
        node_forget_sent(&node);
        node_receive(&node, a_refusal(3, 1, 2, 6, has, 1));
        const struct raft_message *append = node_sent(&node, RAFT_APPEND_ENTRIES, 3);
        const struct raft_message *chunk = node_sent(&node, RAFT_INSTALL_SNAPSHOT, 3);
        CHECK_EQ(chunk != NULL, has == 2);
        CHECK_EQ(append->append_entries.count, has == 2 ? 0 : 4);
        CHECK_EQ(append->append_entries.prev_log_index, has == 2 ? 0 : 3);
        CHECK_EQ(node_peer(&node, 3)->state, has == 2 ? RAFT_SNAPSHOT : RAFT_PROBE);
        node_stop(&node);
    }
}

// LAB 4 step 5, 1 point: IS-4
TEST(a_peer_that_needs_what_was_dropped_is_sent_the_newest_snapshot)
{
    struct node node;
    start_sending(&node);
    CHECK_EQ(node_peer(&node, 3)->state, RAFT_SNAPSHOT);
    CHECK_EQ(node_peer(&node, 3)->snapshot_index, 6);
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), 1);
    const struct raft_install_snapshot *chunk =
        &node_sent(&node, RAFT_INSTALL_SNAPSHOT, 3)->install_snapshot;
    CHECK_EQ(chunk->offset, 0);
    CHECK_EQ(chunk->last_included_index, 6);
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 4, false));
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 4, false)); // doubled
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), 2);
    CHECK_EQ(node_peer(&node, 3)->snapshot_offset, 4);
    node_receive(&node, a_chunk_reply(3, 1, 1, 5, 8, false)); // of another one
    CHECK_EQ(node_peer(&node, 3)->snapshot_offset, 4);
    node_propose(&node, "x");
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 0, true));
    CHECK_EQ(node_peer(&node, 3)->state, RAFT_PROBE);
    CHECK_EQ(node_peer(&node, 3)->match_index, 6);
    const struct raft_message *append = node_last_sent(&node, RAFT_APPEND_ENTRIES, 3);
    CHECK_EQ(append->append_entries.prev_log_index, 6);
    CHECK_EQ(append->append_entries.count, 1);
    node_stop(&node);
}

// Bug 40.
TEST(a_lost_chunk_is_sent_again_to_a_peer_that_is_heard)
{
    struct node node;
    start_sending(&node);
    uint32_t timeout_ms = node.config.election_timeout_ms;
    node_tick(&node, timeout_ms - 1);
    node_receive(&node, an_ack(3, 1, 1, 0));
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), 1);
    node_tick(&node, 1);
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), 2);
    node_tick(&node, timeout_ms);
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), 2); // it is silent
    node_receive(&node, an_ack(3, 1, 1, 0));
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), 3);
    node_stop(&node);
}

// Bug 40: the peer could not use it, or has lost what it had in a crash. Not at once: a
// disk that goes on failing would be sent the whole of it again and again.
TEST(a_peer_that_begins_anew_is_sent_the_first_chunk_after_a_pause)
{
    struct node node;
    start_sending(&node);
    uint32_t timeout_ms = node.config.election_timeout_ms;
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 4, false));
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 8, false));
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 0, false));
    node_tick(&node, timeout_ms - 1);
    node_receive(&node, an_ack(3, 1, 1, 0));
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), 3);
    node_tick(&node, 1);
    CHECK_EQ(node_last_sent(&node, RAFT_INSTALL_SNAPSHOT, 3)->install_snapshot.offset,
             0);
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), 4);
    node_stop(&node);
}

TEST(a_heartbeat_to_a_peer_that_waits_for_a_snapshot_claims_nothing)
{
    struct node node;
    start_sending(&node);
    node_forget_sent(&node);
    node_tick(&node, node.config.heartbeat_ms);
    const struct raft_message *message = node_sent(&node, RAFT_APPEND_ENTRIES, 3);
    CHECK_EQ(message->append_entries.prev_log_index, 0);
    CHECK_EQ(message->append_entries.prev_log_term, 0);
    CHECK_EQ(message->append_entries.count, 0);
    node_receive(&node, an_ack(3, 1, 1, 0));
    CHECK_EQ(node_peer(&node, 3)->state, RAFT_SNAPSHOT);
    node_stop(&node);
}

TEST(a_peer_that_gets_there_without_the_snapshot_goes_on_with_the_log)
{
    struct node node;
    start_sending(&node);
    node_receive(&node, an_ack(3, 1, 1, 3)); // an older message has come through
    CHECK_EQ(node_peer(&node, 3)->state, RAFT_PROBE);
    CHECK_EQ(node_peer(&node, 3)->next_index, 4);
    node_stop(&node);
}

// Bug 40: the host holds the two newest.
TEST(a_transfer_outlives_one_newer_snapshot_and_begins_anew_after_two)
{
    struct node node;
    start_sending(&node);
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 4, false));
    for (raft_index index = 7; index <= 8; index++) {
        node_propose(&node, "x");
        node_receive(&node, an_ack(2, 1, 1, index));
        node_compact(&node, 4);
        CHECK_EQ(node_peer(&node, 3)->snapshot_index, index == 7 ? 6 : 8);
        CHECK_EQ(node_peer(&node, 3)->snapshot_offset, index == 7 ? 4 : 0);
    }
    CHECK_EQ(node_last_sent(&node, RAFT_INSTALL_SNAPSHOT, 3)
                 ->install_snapshot.last_included_index,
             8);
    node_stop(&node);
}

TEST(an_impossible_answer_moves_nothing)
{
    struct node node;
    start_sending(&node);
    node_receive(&node, a_chunk_reply(3, 1, 1, 7, 0, true)); // beyond the log
    CHECK_EQ(node.status, RAFT_INVALID);
    node_receive(&node, a_chunk_reply(9, 1, 1, 6, 0, true)); // a stranger's
    CHECK_EQ(node_peer(&node, 3)->state, RAFT_SNAPSHOT);
    CHECK_EQ(node_peer(&node, 3)->match_index, 1);
    node_stop(&node);
}

// LAB 4 step 5, 1 point: LEAD-4
TEST(what_is_installed_counts_towards_commitment)
{
    struct node node;
    start_sending(&node);
    node_propose(&node, "x");
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 0, true));
    CHECK_EQ(node.view.commit_index, 6);
    node_receive(&node, an_ack(3, 1, 1, 7));
    CHECK_EQ(node.view.commit_index, 7);
    node_stop(&node);
}

// Of two whole snapshots the first would be sent for nothing.
TEST(who_was_not_heard_since_is_sent_the_newest_instead)
{
    for (int silent = 0; silent <= 1; silent++) {
        struct node node;
        start_sending(&node);
        node_tick(&node, node.config.election_timeout_ms);
        node_propose(&node, "x");
        if (!silent)
            node_receive(&node, a_chunk_reply(3, 1, 1, 6, 0, false));
        node_receive(&node, an_ack(2, 1, 1, 7));
        node_compact(&node, 4);
        CHECK_EQ(node_peer(&node, 3)->snapshot_index, silent ? 7 : 6);
        node_stop(&node);
    }
}

TEST_MAIN
