// What wrong, foreign or slow surroundings may not do to a core: crash it, wedge it, or
// make it talk without end.
#include "tests/raft/fixture.h"

TEST(a_batch_longer_than_ours_is_taken_in_parts)
{
    struct node node;
    node_init(&node, 2, 3);
    node.config.message_entries_max = 1;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    struct raft_entry entries[5];
    for (uint32_t i = 0; i < 5; i++)
        entries[i] = (struct raft_entry){i + 1, 1, RAFT_ENTRY_COMMAND, 1, "x"};
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES, .from = 1, .to = 2, .term = 1};
    message.append_entries.leader_commit = 5;
    message.append_entries.entries = entries;
    message.append_entries.count = 5;
    node_receive(&node, message);
    CHECK_EQ(node.view.last_index, 1);
    CHECK_EQ(node.view.commit_index, 1);
    const struct raft_message *reply =
        node_last_sent(&node, RAFT_APPEND_ENTRIES_REPLY, 1);
    CHECK_EQ(reply->append_entries_reply.match_index, 1);
    node_stop(&node);
}

TEST(a_leader_with_longer_messages_still_replicates_all)
{
    struct group group = {.count = 2};
    for (raft_id id = 1; id <= 2; id++) {
        node_init(group_node(&group, id), id, 2);
        group_node(&group, id)->config.message_entries_max = id == 1 ? 16 : 1;
        node_boot(group_node(&group, id), (struct raft_hard_state){0}, NULL, 0);
    }
    group_elect(&group, 1);
    group_isolate(&group, 2, true);
    for (int i = 0; i < 30; i++)
        node_propose(group_node(&group, 1), "x");
    group_deliver(&group);
    group_isolate(&group, 2, false);
    for (int i = 0; i < 40; i++)
        group_tick(&group, group_node(&group, 1)->config.heartbeat_ms);
    CHECK_EQ(group_node(&group, 2)->view.commit_index, 31);
    group_stop(&group);
}

TEST(an_entry_of_an_unknown_type_is_refused)
{
    struct node node;
    node_start(&node, 2, 3);
    struct raft_message message = an_append(1, 2, 1, 0, 0, 0, TERMS(1));
    struct raft_entry entry = message.append_entries.entries[0];
    entry.type = (enum raft_entry_type)RAFT_ENTRY_TYPE_COUNT;
    message.append_entries.entries = &entry;
    node_receive(&node, message);
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.last_index, 0);
    node_stop(&node);
}

TEST(a_term_that_leaves_no_higher_one_is_refused)
{
    struct node node;
    node_start(&node, 1, 1);
    node_receive(&node, a_vote(9, 1, UINT64_MAX, false));
    CHECK_EQ(node.status, RAFT_INVALID);
    node_time_out(&node);
    CHECK_EQ(node.view.current_term, 1);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

TEST(the_highest_term_is_never_left)
{
    struct node node;
    node_start(&node, 1, 1);
    node_receive(&node, a_vote(9, 1, INT64_MAX, false));
    for (int i = 0; i < 3; i++)
        node_time_out(&node);
    CHECK_EQ(node.view.current_term, INT64_MAX);
    CHECK(node.output.deadline_ms > node.now_ms);
    node_stop(&node);
}

// CAND-1: a vote that is slow to become durable.
static void elect_on_a_slow_disk(uint32_t voters)
{
    struct node node;
    node_start(&node, 1, voters);
    node.auto_persist = false;
    uint64_t sync_ms = 5 * node.config.election_timeout_ms;
    uint64_t ends_ms = 0;
    uint64_t syncing = 0;
    uint64_t durable = 0;
    while (node.view.role != RAFT_LEADER) {
        CHECK(node.now_ms < 20 * sync_ms);
        node_tick(&node, 1);
        raft_term term = node.view.current_term;
        bool asked =
            node_sent(&node, RAFT_REQUEST_VOTE, 2) != NULL &&
            !node_last_sent(&node, RAFT_REQUEST_VOTE, 2)->request_vote.pre_vote;
        node_forget_sent(&node);
        if (node.view.role == RAFT_PRE_CANDIDATE)
            node_receive(&node, a_prevote(2, 1, term + 1, true));
        else if (asked)
            node_receive(&node, a_vote(2, 1, term, true));
        if (syncing == 0 && node.write > durable) {
            syncing = node.write;
            ends_ms = node.now_ms + sync_ms;
        } else if (syncing != 0 && node.now_ms >= ends_ms) {
            durable = syncing;
            syncing = 0;
            node_step(&node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                                 .persisted.write = durable});
        }
    }
    node_stop(&node);
}

TEST(a_disk_slower_than_the_election_timeout_only_delays_an_election)
{
    elect_on_a_slow_disk(1);
    elect_on_a_slow_disk(3);
}

TEST(early_votes_of_all_others_do_not_make_a_leader_of_a_term_that_is_not_durable)
{
    struct node node;
    node_start(&node, 1, 3);
    node.auto_persist = false;
    node_become_candidate(&node);
    node_receive(&node, a_vote(2, 1, 1, true));
    node_receive(&node, a_vote(3, 1, 1, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_persist(&node);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

// Delivers round by round, with the clock standing still: how many messages there are.
static uint32_t messages_until_quiet(struct group *group, uint32_t limit)
{
    uint32_t total = 0;
    for (bool busy = true; busy && total < limit;) {
        busy = false;
        for (uint32_t i = 0; i < group->count; i++) {
            struct node *node = &group->nodes[i];
            if (node->sent_count == 0)
                continue;
            uint32_t count;
            struct sent *sent = node_take_sent(node, &count);
            for (uint32_t m = 0; m < count; m++)
                node_receive(group_node(group, sent[m].message.to), sent[m].message);
            free(sent);
            total += count;
            busy = true;
        }
    }
    return total;
}

TEST(a_follower_with_a_full_log_is_asked_again_by_heartbeats_only)
{
    struct group group = {.count = 2};
    for (raft_id id = 1; id <= 2; id++) {
        node_init(group_node(&group, id), id, 2);
        if (id == 2)
            group_node(&group, id)->config.log_entries_max = 64;
        node_boot(group_node(&group, id), (struct raft_hard_state){0}, NULL, 0);
    }
    group_elect(&group, 1);
    for (int i = 0; i < 200; i++)
        node_propose(group_node(&group, 1), "x");
    CHECK(messages_until_quiet(&group, 500) < 500);
    node_tick(group_node(&group, 1), group_node(&group, 1)->config.heartbeat_ms);
    CHECK(messages_until_quiet(&group, 500) < 10);
    CHECK_EQ(group_node(&group, 1)->view.commit_index, 64);
    group_stop(&group);
}

TEST(a_refusal_that_leaves_nothing_else_to_offer_is_not_answered_at_once)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    for (int i = 0; i < 5; i++)
        node_propose(&node, "x");
    raft_term term = node.view.current_term;
    node_receive(&node, an_ack(2, 1, term, 3));
    node_receive(&node, a_refusal(2, 1, term, 5, 0, 0));
    node_forget_sent(&node);
    node_receive(&node, a_refusal(2, 1, term, 3, 0, 0)); // of what it acknowledged
    CHECK_EQ(node.sent_count, 0);
    node_tick(&node, node.config.heartbeat_ms);
    CHECK(node_sent(&node, RAFT_APPEND_ENTRIES, 2) != NULL);
    node_stop(&node);
}

// ---- behind a snapshot ------------------------------------------------------------

static void boot_behind_a_snapshot(struct node *node, raft_id id)
{
    node_start(node, id, 3);
    struct raft_snapshot_meta meta = {.last_included_index = 10,
                                      .last_included_term = 5,
                                      .configuration = node->config.configuration};
    struct raft_hard_state hard_state = {.current_term = 5};
    node->raft = raft_init(node->memory, &node->config, &hard_state, &meta);
    node->applied = 10;
    raft_observe(node->raft, &node->view);
}

TEST(a_peer_that_needs_what_the_snapshot_holds_does_not_stop_the_leader)
{
    struct node node;
    boot_behind_a_snapshot(&node, 1);
    node_become_leader(&node);
    node_forget_sent(&node);
    for (int i = 0; i < 3; i++)
        node_receive(&node, a_refusal(2, 1, node.view.current_term, 10, 0, 0));
    CHECK_EQ(node.sent_count, 2); // one heartbeat and one chunk
    node_propose(&node, "x");
    CHECK_EQ(node.status, RAFT_OK);
    node_stop(&node);
}

TEST(entries_that_contradict_the_snapshots_last_are_refused)
{
    struct node node;
    boot_behind_a_snapshot(&node, 2);
    node_receive(&node, an_append(1, 2, 5, 9, 1, 0, TERMS(1, 1)));
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.last_index, 10);
    node_stop(&node);
}

TEST_MAIN
