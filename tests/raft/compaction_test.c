// Snapshots: when the log is compacted (section 7).
#include "tests/raft/fixture.h"

// Node 1 leads three; entries 1 to 6 are committed and applied.
static void start_leader(struct node *node)
{
    node_start(node, 1, 3);
    node_lead(node);
    for (int i = 0; i < 5; i++)
        node_propose(node, "x");
    node_hear_from_all(node);
    CHECK_EQ(node->view.last_applied, 6);
    node_forget_sent(node);
}

// LAB 4 step 1, 1 point: IS-5
TEST(a_snapshot_drops_what_it_holds_and_keeps_what_is_asked)
{
    struct node node;
    start_leader(&node);
    node_compact(&node, 4);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.view.snapshot_index, 6);
    CHECK_EQ(node.view.first_index, 4);
    struct raft_entry entry;
    CHECK(!raft_entry_at(node.raft, 3, &entry));
    raft_term term;
    CHECK(raft_term_at(node.raft, 3, &term));
    CHECK(!raft_term_at(node.raft, 2, &term)); // bug 34: not known is not 0
    node_propose(&node, "x");
    node_hear_from_all(&node);
    node_compact(&node, 99); // all of it
    CHECK_EQ(node.view.first_index, 8);
    CHECK_EQ(node.view.last_index, 7);
    node_stop(&node);
}

// LAB 4 step 1, 1 point: IS-5
TEST(a_snapshot_of_what_is_not_applied_or_not_newer_is_refused)
{
    struct node node;
    start_leader(&node);
    struct raft_snapshot_meta meta;
    CHECK(!raft_snapshot_meta_at(node.raft, 0, &meta));
    CHECK(!raft_snapshot_meta_at(node.raft, 7, &meta));
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_TAKEN};
    event.snapshot_taken.index = 7;
    node_step(&node, event);
    CHECK_EQ(node.status, RAFT_INVALID);
    event.snapshot_taken.index = 6;
    event.snapshot_taken.keep_from = 6;
    node_step(&node, event);
    CHECK_EQ(node.status, RAFT_OK);
    node_step(&node, event); // no newer one, and as much is asked for
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.view.first_index, 6);
    event.snapshot_taken.keep_from = 99; // no newer one, and less
    node_step(&node, event);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.view.first_index, 7);
    event.snapshot_taken.index = 3;
    node_step(&node, event);
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.first_index, 7);
    node_stop(&node);
}

// Bug 43: neither a newer one, nor the one of the start.
// LAB 6 step 3, 1 point: changes-of-members snapshots
TEST(a_snapshot_tells_the_configuration_at_its_index)
{
    struct node node;
    start_leader(&node);
    node_change(&node, 4, RAFT_LEARNER); // index 7
    node_hear_from_all(&node);
    node_change(&node, 5, RAFT_LEARNER); // index 8, not committed
    struct raft_snapshot_meta meta;
    CHECK(raft_snapshot_meta_at(node.raft, 6, &meta));
    CHECK_EQ(meta.configuration_index, 0);
    CHECK_EQ(meta.configuration.count, 3);
    CHECK(raft_snapshot_meta_at(node.raft, 7, &meta));
    CHECK_EQ(meta.configuration_index, 7);
    CHECK_EQ(meta.configuration.count, 4);
    CHECK_EQ(meta.last_included_term, 1);
    node_compact(&node, 8);
    CHECK_EQ(node.view.configuration_index, 8);
    CHECK_EQ(node.view.configuration->count, 5);
    // The entry is gone; what it said is not, when the one behind it is truncated.
    node_receive(&node, an_append(2, 1, 2, 7, 1, 0, TERMS(2)));
    CHECK_EQ(node.view.configuration_index, 7);
    CHECK_EQ(node.view.configuration->count, 4);
    node_stop(&node);
}

// ---- the log behind a snapshot ----------------------------------------------------

// Bug 12.
TEST(the_last_term_of_a_log_that_is_all_compacted_is_the_snapshots)
{
    struct node node;
    node_init(&node, 2, 3);
    struct raft_snapshot_meta meta = meta_of(10, 4, 3);
    node_boot_behind(&node, (struct raft_hard_state){4, 0}, &meta, NULL, 0);
    CHECK_EQ(node.view.last_term, 4);
    node_receive(&node, a_vote_request(1, 2, 5, 11, 3));
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 1)->request_vote_reply.vote_granted);
    node_receive(&node, a_vote_request(3, 2, 5, 9, 4));
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    node_forget_sent(&node);
    node_receive(&node, a_vote_request(3, 2, 5, 10, 4));
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    node_time_out(&node);
    const struct raft_message *request = node_sent(&node, RAFT_REQUEST_VOTE, 3);
    CHECK_EQ(request->request_vote.last_log_index, 10);
    CHECK_EQ(request->request_vote.last_log_term, 4);
    node_stop(&node);
}

// Bug 23.
TEST(entries_that_the_snapshot_holds_are_not_appended_again)
{
    struct node node;
    node_init(&node, 2, 3);
    struct raft_snapshot_meta meta = meta_of(2, 1, 3);
    node_boot_behind(&node, (struct raft_hard_state){1, 0}, &meta, TERMS(1), 1);
    node_receive(&node, an_append(1, 2, 1, 0, 0, 0, TERMS(1, 1, 1, 1)));
    CHECK_EQ(node.view.last_index, 4);
    CHECK_EQ(node.output.entry_count, 1);
    node_receive(&node, an_append(1, 2, 1, 0, 0, 0, TERMS(1)));
    CHECK_EQ(node.view.last_index, 4);
    CHECK_EQ(node_last_sent(&node, RAFT_APPEND_ENTRIES_REPLY, 1)
                 ->append_entries_reply.match_index,
             1);
    node_stop(&node);
}

// Bug 34: what is not known any more matches nothing, and not what is missing either.
TEST(an_entry_that_is_missing_does_not_match_one_that_is_compacted)
{
    struct node node;
    node_init(&node, 2, 3);
    struct raft_snapshot_meta meta = meta_of(5, 2, 3);
    node_boot_behind(&node, (struct raft_hard_state){3, 0}, &meta, NULL, 0);
    node_receive(&node, an_append(1, 2, 3, 9, 3, 9, TERMS(3)));
    const struct raft_append_entries_reply *reply =
        &node_sent(&node, RAFT_APPEND_ENTRIES_REPLY, 1)->append_entries_reply;
    CHECK(!reply->success);
    CHECK_EQ(reply->conflict_index, 5);
    CHECK_EQ(reply->conflict_term, 2);
    CHECK_EQ(node.view.commit_index, 5);
    node_stop(&node);
}

// ---- a whole cluster --------------------------------------------------------------

// Bugs 24, 38 and 40: whatever is lost on the way.
static void bring_back(uint64_t seed, uint32_t drop_percent)
{
    struct group group;
    group_start(&group, 3);
    group_configure(&group, true, true, 0);
    group_elect(&group, 1);
    struct node *one = group_node(&group, 1);
    group_isolate(&group, 3, true);
    for (int i = 0; i < 20; i++)
        node_propose(one, "x");
    group_deliver(&group);
    group_tick(&group, one->config.heartbeat_ms);
    node_compact(one, 15); // whoever leads
    node_compact(group_node(&group, 2), 15);
    group.random = seed;
    group.drop_percent = drop_percent;
    group_isolate(&group, 3, false);
    for (int i = 0; i < 300; i++) {
        group_tick(&group, 10);
        struct node *leader = group_leader(&group);
        if (i % 50 == 0 && leader != NULL && leader->view.commit_index < 60)
            node_propose(leader, "y");
    }
    group.drop_percent = 0;
    for (int i = 0; i < 100; i++)
        group_tick(&group, 10);
    struct node *leader = group_leader(&group);
    CHECK(leader != NULL);
    CHECK(group_node(&group, 3)->restored > 0);
    for (raft_id id = 1; id <= 3; id++)
        CHECK_EQ(group_node(&group, id)->view.last_applied, leader->view.last_index);
    group_stop(&group);
}

TEST(a_node_that_was_away_comes_back_by_a_snapshot_over_a_lossy_network)
{
    for (uint64_t seed = 1; seed <= 6; seed++)
        bring_back(seed, (uint32_t)seed * 10 - 10);
}

TEST_MAIN
