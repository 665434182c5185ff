// Flow: how much is in flight to a peer, how much waits for its majority, and that
// neither count is ever left behind.
#include "tests/raft/fixture.h"

static void init(struct node *node, uint32_t voters)
{
    node_init(node, 1, voters);
    node->config.message_entries_max = 4;
}

static void lead(struct node *node)
{
    node_boot(node, (struct raft_hard_state){0}, NULL, 0);
    node_lead(node);
}

static uint32_t count_sent_to(const struct node *node, raft_id to)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->sent_count; i++) {
        const struct raft_message *message = &node->sent[i].message;
        count += message->type == RAFT_APPEND_ENTRIES && message->to == to &&
                 message->append_entries.count > 0;
    }
    return count;
}

// ---- in flight --------------------------------------------------------------------

TEST(no_more_messages_are_in_flight_than_the_window_allows)
{
    struct node node;
    init(&node, 3);
    node.config.inflight_max = 3;
    lead(&node);
    for (int i = 0; i < 10; i++)
        node_propose(&node, "x");
    CHECK_EQ(count_sent_to(&node, 2), 3);
    CHECK_EQ(node_peer(&node, 2)->inflight, 3);
    node_receive(&node, an_ack(2, 1, 1, 3)); // two of them
    CHECK_EQ(count_sent_to(&node, 2), 5);
    CHECK_EQ(node_last_sent(&node, RAFT_APPEND_ENTRIES, 2)->append_entries.count, 3);
    node_stop(&node);
}

TEST(no_more_bytes_are_in_flight_than_the_window_allows)
{
    struct node node;
    init(&node, 3);
    node.config.inflight_bytes_max = 100;
    lead(&node);
    for (int i = 0; i < 6; i++)
        node_propose(&node, "forty bytes, forty bytes, forty bytes...");
    CHECK_EQ(count_sent_to(&node, 2), 3); // the third one goes beyond
    CHECK_EQ(node_peer(&node, 2)->inflight_bytes, 120);
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK_EQ(count_sent_to(&node, 2), 4);
    node_receive(&node, an_ack(2, 1, 1, 7));
    CHECK_EQ(node_peer(&node, 2)->inflight_bytes, 0);
    CHECK_EQ(node_peer(&node, 2)->inflight, 0);
    node_stop(&node);
}

TEST(a_single_message_may_be_larger_than_the_window)
{
    struct node node;
    init(&node, 3);
    node.config.inflight_bytes_max = 1;
    lead(&node);
    node_propose(&node, "four");
    node_propose(&node, "five!");
    CHECK_EQ(count_sent_to(&node, 2), 1);
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK_EQ(count_sent_to(&node, 2), 2);
    node_stop(&node);
}

// Bug 35: what was in flight when the peer was found to lag is not in flight any more.
TEST(the_window_is_empty_after_a_refusal_a_snapshot_and_at_rest)
{
    struct node node;
    init(&node, 3);
    node.config.inflight_max = 2;
    lead(&node);
    for (int i = 0; i < 5; i++)
        node_propose(&node, "x");
    CHECK_EQ(node_peer(&node, 2)->inflight, 2);
    node_receive(&node, a_refusal(2, 1, 1, 3, 1, 1));
    CHECK_EQ(node_peer(&node, 2)->state, RAFT_PROBE);
    CHECK_EQ(node_peer(&node, 2)->inflight, 0);
    CHECK_EQ(node_peer(&node, 2)->inflight_bytes, 0);
    node_receive(&node, an_ack(2, 1, 1, 5));
    CHECK_EQ(node_peer(&node, 2)->state, RAFT_REPLICATE);
    CHECK_EQ(node_peer(&node, 2)->inflight, 1);
    node_receive(&node, an_ack(3, 1, 1, 6));
    node_compact(&node, 7);
    node_receive(&node, a_refusal(2, 1, 1, 6, 1, 1)); // it has lost its disk
    node_receive(&node, an_ack(2, 1, 1, 6));
    CHECK_EQ(node_peer(&node, 2)->inflight, 0);
    CHECK_EQ(node_peer(&node, 2)->inflight_bytes, 0);
    CHECK_EQ(node_peer(&node, 3)->inflight, 0);
    node_stop(&node);
}

// Bug 35: everything in the window is lost, and the heartbeat finds out.
TEST(a_window_full_of_lost_messages_opens_again)
{
    struct group group;
    group_start(&group, 2);
    struct node *one = group_node(&group, 1);
    one->config.inflight_max = 2;
    one->config.message_entries_max = 1;
    node_boot(one, (struct raft_hard_state){0}, NULL, 0);
    group_elect(&group, 1);
    group_isolate(&group, 2, true);
    for (int i = 0; i < 10; i++)
        node_propose(one, "x");
    group_deliver(&group);
    CHECK_EQ(node_peer(one, 2)->inflight, 2);
    group_isolate(&group, 2, false);
    for (int i = 0; i < 3; i++)
        group_tick(&group, one->config.heartbeat_ms);
    CHECK_EQ(one->view.commit_index, one->view.last_index);
    CHECK_EQ(node_peer(one, 2)->inflight, 0);
    CHECK_EQ(node_peer(one, 2)->inflight_bytes, 0);
    group_stop(&group);
}

// Bug 36: one that cannot be sent anything does not stand before the others.
// LAB 2 step 5, 1 point: LEAD-3
TEST(a_peer_that_is_stuck_does_not_keep_the_others_waiting)
{
    struct node node;
    init(&node, 5);
    node.config.inflight_max = 1;
    lead(&node);
    node_propose(&node, "a");
    for (raft_id from = 3; from <= 5; from++)
        node_receive(&node, an_ack(from, 1, 1, 2));
    node_forget_sent(&node);
    node_propose(&node, "b"); // 2 has answered nothing
    CHECK_EQ(count_sent_to(&node, 2), 0);
    for (raft_id to = 3; to <= 5; to++)
        CHECK_EQ(count_sent_to(&node, to), 1);
    node_stop(&node);
}

// Bug 36, when a step has no room for all: five peers lag, each at another place.
TEST(peers_for_whom_a_step_has_no_room_are_served_by_the_next_ones)
{
    struct node node;
    init(&node, 7);
    node.config.message_entries_max = 1;
    node.config.inflight_max = 1;
    node_boot(&node, (struct raft_hard_state){1, 0}, TERMS(1, 1, 1, 1), 4);
    node_become_leader(&node);
    node_forget_sent(&node);
    for (raft_id from = 2; from <= 7; from++)
        node_receive(&node, a_refusal(from, 1, 2, 4, (from - 2) % 4, 1));
    for (int i = 0; i < 10 && node.output.deadline_ms <= node.now_ms; i++)
        node_tick(&node, 0);
    for (raft_id to = 2; to <= 7; to++)
        CHECK(count_sent_to(&node, to) > 0);
    node_stop(&node);
}

// Bug 37: a batch that is cut is cut at its end.
TEST(batches_are_contiguous_whatever_their_entries_sizes)
{
    struct node node;
    init(&node, 3);
    node.config.message_bytes_max = 10;
    node.config.inflight_max = 1;
    lead(&node);
    node_propose(&node, "1");
    node_forget_sent(&node);
    node_propose(&node, "four");
    node_propose(&node, "much more than ten bytes");
    node_propose(&node, "1");
    node_propose(&node, "1");
    raft_index next = 3;
    static const uint32_t counts[] = {1, 1, 2};
    for (int i = 0; i < 3; i++) {
        node_receive(&node, an_ack(2, 1, 1, next - 1));
        const struct raft_message *message =
            node_last_sent(&node, RAFT_APPEND_ENTRIES, 2);
        CHECK_EQ(message->append_entries.prev_log_index, next - 1);
        CHECK_EQ(message->append_entries.count, counts[i]);
        for (uint32_t e = 0; e < counts[i]; e++)
            CHECK_EQ(message->append_entries.entries[e].index, next + e);
        next += counts[i];
    }
    CHECK_EQ(next, 7);
    node_stop(&node);
}

// ---- the backlog ------------------------------------------------------------------

TEST(proposals_that_would_wait_for_too_long_are_refused)
{
    struct node node;
    init(&node, 3);
    node.config.uncommitted_bytes_max = 10;
    lead(&node);
    node_propose(&node, "sixsix");
    CHECK_EQ(node.status, RAFT_OK);
    node_propose(&node, "fives");
    CHECK_EQ(node.status, RAFT_BACKLOG_FULL);
    CHECK_EQ(node.view.last_index, 2);
    node_propose(&node, "four");
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.view.uncommitted_bytes, 10);
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK_EQ(node.view.uncommitted_bytes, 4);
    node_propose(&node, "sixsix");
    CHECK_EQ(node.status, RAFT_OK);
    node_stop(&node);
}

TEST(a_first_proposal_is_taken_whatever_its_size)
{
    struct node node;
    init(&node, 3);
    node.config.uncommitted_bytes_max = 1;
    lead(&node);
    node_propose(&node, "more than one");
    CHECK_EQ(node.status, RAFT_OK);
    node_propose(&node, "x");
    CHECK_EQ(node.status, RAFT_BACKLOG_FULL);
    node_stop(&node);
}

// Bug 35: it is counted from the log, whatever becomes of its end.
TEST(what_is_truncated_or_inherited_is_counted_right)
{
    struct node node;
    init(&node, 3);
    lead(&node);
    node_propose(&node, "sixsix");
    node_receive(&node, an_append(2, 1, 2, 1, 1, 0, TERMS(2)));
    CHECK_EQ(node.view.uncommitted_bytes, 1);
    node_become_leader(&node);
    CHECK_EQ(node.view.uncommitted_bytes, 1);
    node_hear_from_all(&node);
    CHECK_EQ(node.view.uncommitted_bytes, 0);
    node_stop(&node);
}

// Bug 28: the leader is one of three, and the slowest.
TEST(a_slow_disk_of_the_leader_does_not_hold_up_commitment)
{
    struct node node;
    init(&node, 3);
    lead(&node);
    node.auto_persist = false;
    for (raft_index index = 2; index <= 20; index++) {
        node_propose(&node, "x");
        node_receive(&node, an_ack(2, 1, 1, index));
        node_receive(&node, an_ack(3, 1, 1, index));
        CHECK_EQ(node.view.commit_index, index);
    }
    CHECK_EQ(node.view.durable_index, 1);
    node_stop(&node);
}

// Bug 33: pages of one entry, from a restart in the middle on.
TEST(what_is_committed_is_applied_page_by_page_without_a_gap)
{
    struct node node;
    node_init(&node, 2, 3);
    node.config.message_entries_max = 1;
    struct raft_snapshot_meta meta = {.last_included_index = 3,
                                      .last_included_term = 1};
    meta.configuration = node.config.configuration;
    raft_term terms[20];
    for (int i = 0; i < 20; i++)
        terms[i] = 1;
    node_boot_behind(&node, (struct raft_hard_state){1, 0}, &meta, terms, 20);
    CHECK_EQ(node.view.commit_index, 3);
    node.auto_apply = false;
    node_receive(&node, an_append(1, 2, 1, 23, 1, 23, NULL));
    for (raft_index index = 4; index <= 23; index++) {
        CHECK_EQ(node.applied, index); // one, and no more before it is reported
        CHECK_EQ(node.view.commit_index, 23);
        node_step(&node, (struct raft_event){.type = RAFT_EVENT_APPLIED,
                                             .applied.index = index});
    }
    CHECK_EQ(node.view.last_applied, 23);
    node_stop(&node);
}

TEST_MAIN
