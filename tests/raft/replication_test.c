// Log replication: Figure 2's AppendEntries and section 5.3.
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

static const struct raft_append_entries_reply *reply_of(const struct node *node)
{
    const struct raft_message *reply =
        node_last_sent(node, RAFT_APPEND_ENTRIES_REPLY, 2);
    CHECK(reply != NULL);
    return &reply->append_entries_reply;
}

// AE-1
// LAB 2 step 1, 1 point: AE-1
TEST(entries_of_an_older_term_are_refused_with_the_own_term)
{
    struct node node;
    start_follower(&node);
    node_receive(&node, an_append(2, 1, 2, 4, 3, 4, TERMS(3)));
    CHECK_EQ(node.status, RAFT_INVALID); // no leader of term 2 has entries of term 3
    node_receive(&node, an_append(2, 1, 2, 3, 2, 4, TERMS(2)));
    CHECK(!reply_of(&node)->success);
    CHECK_EQ(node_sent(&node, RAFT_APPEND_ENTRIES_REPLY, 2)->term, 3);
    CHECK_EQ(node.view.leader_id, 0);
    check_terms(&node, TERMS(1, 1, 2, 3), 4);
    node_stop(&node);
}

// AE-2
TEST(entries_behind_a_place_that_does_not_match_are_refused)
{
    static const struct {
        raft_index prev_index;
        raft_term prev_term;
        raft_index conflict_index;
        raft_term conflict_term;
    } cases[] = {
        {9, 4, 4, 3}, // beyond the log
        {4, 4, 4, 3}, // another term there, a later one
        {4, 2, 3, 2}, // an earlier one: nothing of term 3 can match
        {4, 1, 2, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node node;
        start_follower(&node);
        node_receive(&node, an_append(2, 1, 4, cases[i].prev_index, cases[i].prev_term,
                                      9, TERMS(4)));
        CHECK(!reply_of(&node)->success);
        CHECK_EQ(reply_of(&node)->prev_log_index, cases[i].prev_index);
        CHECK_EQ(reply_of(&node)->conflict_index, cases[i].conflict_index);
        CHECK_EQ(reply_of(&node)->conflict_term, cases[i].conflict_term);
        CHECK_EQ(node.view.commit_index, 0);
        check_terms(&node, TERMS(1, 1, 2, 3), 4);
        node_stop(&node);
    }
}

// AE-3, AE-4
TEST(a_conflicting_entry_goes_with_all_behind_it_and_new_ones_come)
{
    struct node node;
    start_follower(&node);
    node_receive(&node, an_append(2, 1, 4, 2, 1, 0, TERMS(4, 4, 4)));
    CHECK(reply_of(&node)->success);
    CHECK_EQ(reply_of(&node)->match_index, 5);
    check_terms(&node, (raft_term[]){1, 1, 4, 4, 4}, 5);
    node_stop(&node);
}

// AE-3: only a conflict takes entries away.
// LAB 2 step 1, 1 point: AE-3
TEST(an_old_short_message_takes_nothing_away)
{
    struct node node;
    start_follower(&node);
    node_receive(&node, an_append(2, 1, 3, 0, 0, 0, TERMS(1, 1)));
    check_terms(&node, TERMS(1, 1, 2, 3), 4);
    CHECK_EQ(reply_of(&node)->match_index, 2);
    node_receive(&node, an_append(2, 1, 3, 1, 1, 0, NULL));
    check_terms(&node, TERMS(1, 1, 2, 3), 4);
    CHECK_EQ(node.output.write, 0); // and writes nothing
    node_stop(&node);
}

// AE-5: the commit index goes no further than the last entry shown to match.
// LAB 2 step 2, 2 points: AE-5
TEST(a_follower_commits_no_further_than_the_last_new_entry)
{
    struct node node;
    start_follower(&node);
    node_receive(&node, an_append(2, 1, 4, 2, 1, 9, NULL)); // its 3 and 4 may be stale
    CHECK_EQ(node.view.commit_index, 2);
    CHECK_EQ(node.applied, 2);
    node_receive(&node, an_append(2, 1, 4, 2, 1, 9, TERMS(4)));
    CHECK_EQ(node.view.commit_index, 3);
    CHECK_EQ(node.applied, 3);
    node_stop(&node);
}

// AE-5: a smaller leaderCommit, from an older message, takes nothing back.
// LAB 2 step 2, 1 point: AE-5 STATE-4
TEST(the_commit_index_never_goes_down)
{
    struct node node;
    start_follower(&node);
    node_receive(&node, an_append(2, 1, 3, 4, 3, 4, NULL));
    CHECK_EQ(node.view.commit_index, 4);
    node_receive(&node, an_append(2, 1, 3, 4, 3, 1, NULL));
    CHECK_EQ(node.view.commit_index, 4);
    node_stop(&node);
}

TEST(entries_that_contradict_committed_ones_are_refused_as_impossible)
{
    struct node node;
    start_follower(&node);
    node_receive(&node, an_append(2, 1, 3, 4, 3, 4, NULL));
    node_receive(&node, an_append(2, 1, 4, 2, 1, 4, TERMS(4)));
    CHECK_EQ(node.status, RAFT_INVALID);
    check_terms(&node, TERMS(1, 1, 2, 3), 4);
    node_stop(&node);
}

TEST(entries_that_do_not_follow_each_other_are_refused_as_impossible)
{
    struct node node;
    start_follower(&node);
    struct raft_entry entries[2] = {{.index = 5, .term = 3}, {.index = 7, .term = 3}};
    struct raft_message message = an_append(2, 1, 3, 4, 3, 0, NULL);
    message.append_entries.entries = entries;
    message.append_entries.count = 2;
    node_receive(&node, message);
    CHECK_EQ(node.status, RAFT_INVALID);
    entries[1] = (struct raft_entry){.index = 6, .term = 2}; // terms never decrease
    node_receive(&node, message);
    CHECK_EQ(node.status, RAFT_INVALID);
    entries[1] = (struct raft_entry){.index = 6, .term = 4}; // beyond the leader's own
    node_receive(&node, message);
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.last_index, 4);
    node_stop(&node);
}

// Figure 7: each follower's log, in the table's order, and a leader of term 8.
static const struct {
    raft_term terms[12];
    uint32_t count;
} figure_7[] = {
    {{1, 1, 1, 4, 4, 5, 5, 6, 6}, 9},
    {{1, 1, 1, 4}, 4},
    {{1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6}, 11},
    {{1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}, 12},
    {{1, 1, 1, 4, 4, 4, 4}, 7},
    {{1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}, 11},
};

// LAB 2 step 6, 1 point: LEAD-3b AE-3
TEST(a_new_leader_repairs_every_log_of_figure_7)
{
    static const raft_term leader_terms[] = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
    for (size_t i = 0; i < sizeof figure_7 / sizeof figure_7[0]; i++) {
        struct group group;
        group_start(&group, 3);
        node_boot(&group.nodes[0], (struct raft_hard_state){7, 0}, leader_terms, 10);
        node_boot(&group.nodes[1], (struct raft_hard_state){7, 0}, figure_7[i].terms,
                  figure_7[i].count);
        group_elect(&group, 1); // by the vote of node 3, whose log is empty, if need be
        CHECK_EQ(group.nodes[0].view.current_term, 8);
        group_tick(&group, group.nodes[0].config.heartbeat_ms);
        group_tick(&group, group.nodes[0].config.heartbeat_ms);
        for (uint32_t n = 1; n < 3; n++) {
            const struct node *node = &group.nodes[n];
            check_terms(node, (raft_term[]){1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8}, 11);
            CHECK_EQ(node->view.commit_index, 11);
            CHECK_EQ(node->view.last_applied, 11);
        }
        group_stop(&group);
    }
}

// Section 5.3: a whole term is skipped for each refusal, not an entry.
TEST(backing_up_takes_one_refusal_for_each_term_that_differs)
{
    struct group group;
    group_start(&group, 3);
    raft_term leader_terms[40];
    raft_term follower_terms[40];
    for (int i = 0; i < 40; i++) {
        leader_terms[i] = i < 10 ? 1 : 5;
        follower_terms[i] = i < 10 ? 1 : i < 25 ? 2 : 3;
    }
    node_boot(&group.nodes[0], (struct raft_hard_state){5, 0}, leader_terms, 40);
    node_boot(&group.nodes[1], (struct raft_hard_state){5, 0}, follower_terms, 40);
    group.cut[1][2] = group.cut[2][1] = true;
    group_elect(&group, 1);
    group.cut[1][2] = group.cut[2][1] = false;
    uint32_t refusals = 0;
    node_tick(&group.nodes[0], group.nodes[0].config.heartbeat_ms);
    for (int round = 0; round < 20 && group.nodes[1].view.last_index < 41; round++) {
        const struct raft_message *request =
            node_last_sent(&group.nodes[0], RAFT_APPEND_ENTRIES, 2);
        CHECK(request != NULL);
        node_forget_sent(&group.nodes[1]);
        node_receive(&group.nodes[1], *request);
        node_forget_sent(&group.nodes[0]);
        const struct raft_message *reply =
            node_last_sent(&group.nodes[1], RAFT_APPEND_ENTRIES_REPLY, 1);
        refusals += !reply->append_entries_reply.success;
        node_receive(&group.nodes[0], *reply);
    }
    CHECK_EQ(group.nodes[1].view.last_index, 41);
    CHECK(refusals >= 1 && refusals <= 2);
    group_stop(&group);
}

// LEAD-2
// LAB 2 step 5, 1 point: LEAD-2 LEAD-3
TEST(a_leader_appends_a_command_and_sends_it_to_all)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node_receive(&node, an_ack(2, 1, 1, 1));
    node_receive(&node, an_ack(3, 1, 1, 1));
    node_forget_sent(&node);
    node_propose(&node, "a");
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.view.last_index, 2);
    CHECK_EQ(node.view.commit_index, 1);
    for (raft_id to = 2; to <= 3; to++) {
        const struct raft_message *message = node_sent(&node, RAFT_APPEND_ENTRIES, to);
        CHECK(message != NULL);
        CHECK_EQ(message->append_entries.count, 1);
        CHECK_EQ(message->append_entries.prev_log_index, 1);
        CHECK_EQ(message->append_entries.prev_log_term, 1);
        CHECK_EQ(message->append_entries.leader_commit, 1);
        CHECK_EQ(message->append_entries.entries[0].index, 2);
        CHECK_EQ(message->append_entries.entries[0].term, 1);
        CHECK_EQ(message->append_entries.entries[0].size, 1);
        CHECK(memcmp(message->append_entries.entries[0].data, "a", 1) == 0);
    }
    node_propose(&node, "b");
    node_tick(&node, node.config.heartbeat_ms);
    for (raft_id to = 2; to <= 3; to++) // what was sent need not have come
        CHECK_EQ(node_peer(&node, to)->match_index, 1);
    CHECK_EQ(node.view.commit_index, 1);
    node_stop(&node);
}

// LAB 2 step 3, 1 point: LEAD-2
TEST(only_a_leader_takes_proposals_and_others_say_who_leads)
{
    struct node node;
    node_init(&node, 1, 3);
    node.config.command_bytes_max = 4;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_propose(&node, "a");
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    CHECK_EQ(node.output.leader_hint, 0);
    node_receive(&node, an_append(3, 1, 1, 0, 0, 0, NULL));
    node_propose(&node, "a");
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    CHECK_EQ(node.output.leader_hint, 3);
    node_propose(&node, "12345"); // whatever the commands
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_PROPOSE}); // none
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    CHECK_EQ(node.view.last_index, 0);
    node_stop(&node);
}

TEST(a_full_log_refuses_proposals_and_keeps_room_for_a_no_op)
{
    struct node node;
    node_init(&node, 1, 3);
    node.config.log_entries_max = 64;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_become_leader(&node);
    uint32_t taken = 0;
    do {
        node_propose(&node, "a");
        taken += node.status == RAFT_OK;
        node_forget_sent(&node);
    } while (node.status == RAFT_OK);
    CHECK_EQ(node.status, RAFT_LOG_FULL);
    CHECK(taken >= 40 && taken < 64);
    node_receive(&node, a_vote_request(2, 1, 2, 999, 1));
    node_become_leader(&node);
    CHECK_EQ(node.view.last_index, taken + 2); // its no-op
    node_stop(&node);
}

// LAB 2 step 2, 1 point: AE-4 AE-5
TEST(a_follower_with_a_full_log_acknowledges_what_it_took)
{
    struct node node;
    node_init(&node, 1, 3);
    node.config.log_bytes_max = 16;
    node.config.command_bytes_max = 16;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    struct raft_entry entries[4];
    for (uint32_t i = 0; i < 4; i++)
        entries[i] = (struct raft_entry){.index = i + 1,
                                         .term = 1,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .size = 6,
                                         .data = "abcdef"};
    struct raft_message message = an_append(2, 1, 1, 0, 0, 4, NULL);
    message.append_entries.entries = entries;
    message.append_entries.count = 4;
    node_receive(&node, message);
    CHECK_EQ(node.view.last_index, 2);
    CHECK_EQ(node.view.commit_index, 2);
    CHECK_EQ(reply_of(&node)->match_index, 2);
    node_stop(&node);
}

TEST(commands_beyond_the_limits_are_refused_whole)
{
    struct node node;
    node_init(&node, 1, 3);
    node.config.command_bytes_max = 4;
    node.config.message_entries_max = 2;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_become_leader(&node);
    node_propose(&node, "12345");
    CHECK_EQ(node.status, RAFT_TOO_LARGE);
    struct raft_command commands[3] = {{"a", 1}, {"b", 1}, {"c", 1}};
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    event.propose.commands = commands;
    event.propose.count = 3;
    node_step(&node, event);
    CHECK_EQ(node.status, RAFT_TOO_LARGE);
    event.propose.count = 0;
    node_step(&node, event);
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.last_index, 1);
    event.propose.count = 2;
    node_step(&node, event);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.output.proposed_index, 2);
    CHECK_EQ(node.view.last_index, 3);
    node_stop(&node);
}

// LEAD-3: several messages are in flight, and no more than allowed.
TEST(a_leader_keeps_its_window_full_and_no_fuller)
{
    struct node node;
    node_init(&node, 1, 3);
    node.config.inflight_max = 3;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_become_leader(&node);
    node_receive(&node, an_ack(2, 1, 1, 1)); // found: replicates from here on
    node_forget_sent(&node);
    for (int i = 0; i < 10; i++)
        node_propose(&node, "a");
    uint32_t to_2 = 0;
    for (uint32_t i = 0; i < node.sent_count; i++)
        to_2 += node.sent[i].message.to == 2;
    CHECK_EQ(to_2, 3);
    node_forget_sent(&node);
    node_receive(&node, an_ack(2, 1, 1, 3)); // frees two, and seven entries wait
    const struct raft_message *batch = node_sent(&node, RAFT_APPEND_ENTRIES, 2);
    CHECK_EQ(batch->append_entries.count, 7); // what arrived meanwhile goes together
    CHECK_EQ(batch->append_entries.prev_log_index, 4);
    node_stop(&node);
}

TEST(a_probed_peer_gets_one_message_until_it_answers_or_a_heartbeat_is_due)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node_forget_sent(&node);
    for (int i = 0; i < 5; i++)
        node_propose(&node, "a");
    CHECK(node_sent(&node, RAFT_APPEND_ENTRIES, 2) == NULL);
    node_tick(&node, node.config.heartbeat_ms);
    CHECK_EQ(node_sent(&node, RAFT_APPEND_ENTRIES, 2)->append_entries.count, 6);
    node_stop(&node);
}

// LEAD-3a
// LAB 2 step 5, 1 point: LEAD-3a
TEST(an_acknowledgement_never_lowers_the_match_index)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    for (int i = 0; i < 5; i++)
        node_propose(&node, "a");
    node_receive(&node, an_ack(2, 1, 1, 6));
    node_receive(&node, an_ack(2, 1, 1, 3)); // an older one, late
    CHECK_EQ(node.view.peers[0].match_index, 6);
    CHECK_EQ(node.view.peers[0].next_index, 7);
    for (int i = 0; i < 3; i++)
        node_propose(&node, "b");
    raft_index next_index = node.view.peers[0].next_index;
    node_forget_sent(&node);
    node_receive(&node, an_ack(2, 1, 1, 7));
    CHECK_EQ(node.view.peers[0].match_index, 7);
    CHECK(node.view.peers[0].next_index >= next_index);
    const struct raft_message *next = node_sent(&node, RAFT_APPEND_ENTRIES, 2);
    if (next != NULL) // what is under way does not go out again
        CHECK(next->append_entries.prev_log_index + 1 >= next_index);
    node_stop(&node);
}

// LEAD-3b
TEST(a_stale_refusal_does_not_move_next_index_back)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    for (int i = 0; i < 5; i++)
        node_propose(&node, "a");
    node_receive(&node, an_ack(2, 1, 1, 6));
    node_receive(&node, a_refusal(2, 1, 1, 4, 0, 0)); // 4 is known to match
    CHECK_EQ(node.view.peers[0].state, RAFT_REPLICATE);
    CHECK_EQ(node.view.peers[0].next_index, 7);
    node_stop(&node);
}

// LEAD-3b: a message that was lost shows at the next one.
TEST(a_lost_message_is_found_and_sent_again)
{
    struct group group;
    group_start(&group, 3);
    group_elect(&group, 1);
    group.cut[1][3] = true;
    node_propose(&group.nodes[0], "a");
    group_deliver(&group);
    group.cut[1][3] = false;
    CHECK_EQ(group.nodes[2].view.last_index, 1);
    node_propose(&group.nodes[0], "b");
    group_deliver(&group);
    CHECK_EQ(group.nodes[2].view.last_index, 3);
    group_stop(&group);
}

// LEAD-3b: and where nothing follows, at the heartbeat.
// LAB 2 step 6, 1 point: LEAD-3b LEAD-1
TEST(a_lost_last_message_is_found_by_the_heartbeat)
{
    struct group group;
    group_start(&group, 3);
    group_elect(&group, 1);
    group.cut[1][3] = true;
    node_propose(&group.nodes[0], "a");
    group_deliver(&group);
    group.cut[1][3] = false;
    group_tick(&group, group.nodes[0].config.heartbeat_ms);
    CHECK_EQ(group.nodes[2].view.last_index, 2);
    CHECK_EQ(group.nodes[2].view.commit_index, 2);
    group_stop(&group);
}

TEST(an_acknowledgement_beyond_the_log_is_refused_as_impossible)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node_receive(&node, an_ack(2, 1, 1, 99));
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.peers[0].match_index, 0);
    CHECK_EQ(node.view.commit_index, 0);
    node_stop(&node);
}

TEST_MAIN
