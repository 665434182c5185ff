// Commitment and application: sections 5.3 and 5.4.2.
#include "tests/raft/fixture.h"

// LEAD-4
TEST(an_entry_of_the_own_term_on_a_majority_is_committed)
{
    struct node node;
    node_start(&node, 1, 5);
    node_become_leader(&node);
    node_receive(&node, an_ack(2, 1, 1, 1));
    CHECK_EQ(node.view.commit_index, 0); // two of five
    node_receive(&node, an_ack(3, 1, 1, 1));
    CHECK_EQ(node.view.commit_index, 1);
    node_stop(&node);
}

// Sizes 1 to 7, odd and even: a majority is more than half.
// LAB 2 step 5, 1 point: LEAD-4
TEST(a_majority_is_more_than_half_in_clusters_of_every_size)
{
    for (uint32_t size = 1; size <= 7; size++) {
        struct node node;
        node_start(&node, 1, size);
        node_become_leader(&node);
        for (uint32_t acks = 1; acks < size / 2 + 1; acks++) {
            CHECK_EQ(node.view.commit_index, 0);
            node_receive(&node, an_ack(acks + 1, 1, 1, 1));
        }
        CHECK_EQ(node.view.commit_index, 1);
        node_stop(&node);
    }
}

// Two learners and the leader would be three of five.
TEST(learners_do_not_count_towards_commitment)
{
    struct node node;
    node_init(&node, 1, 5);
    node.config.configuration.members[3].role = RAFT_LEARNER;
    node.config.configuration.members[4].role = RAFT_LEARNER;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_become_leader(&node);
    node_receive(&node, an_ack(4, 1, 1, 1));
    node_receive(&node, an_ack(5, 1, 1, 1));
    CHECK_EQ(node.view.commit_index, 0);
    node_receive(&node, an_ack(2, 1, 1, 1));
    CHECK_EQ(node.view.commit_index, 1);
    node_stop(&node);
}

// LEAD-4, section 5.4.2
// LAB 2 step 7, 1 point: LEAD-4
TEST(an_entry_of_an_older_term_is_not_committed_by_counting)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){2, 0}, TERMS(1, 2), 2);
    node_become_leader(&node);
    CHECK_EQ(node.view.last_index, 3); // its no-op, term 3
    node_receive(&node, an_ack(2, 1, 3, 2));
    node_receive(&node, an_ack(3, 1, 3, 2));
    CHECK_EQ(node.view.commit_index, 0); // everywhere, and still not committed
    node_receive(&node, an_ack(2, 1, 3, 3));
    CHECK_EQ(node.view.commit_index, 3); // with the own entry, all before it
    CHECK_EQ(node.applied, 3);
    node_stop(&node);
}

// Figure 8, as the paper tells it. S1 leads in term 2 and 4, S5 in term 3.
// LAB 2 step 7, 1 point: LEAD-4
TEST(figure_8_an_overwritten_entry_was_never_committed)
{
    struct group group;
    group_start(&group, 5);
    // (a), (b): entry 2 of term 2 on S1 and S2; S5 has another, of term 3, at index 2.
    node_boot(&group.nodes[0], (struct raft_hard_state){3, 0}, TERMS(1, 2), 2);
    node_boot(&group.nodes[1], (struct raft_hard_state){3, 0}, TERMS(1, 2), 2);
    node_boot(&group.nodes[2], (struct raft_hard_state){3, 0}, TERMS(1), 1);
    node_boot(&group.nodes[3], (struct raft_hard_state){3, 0}, TERMS(1), 1);
    node_boot(&group.nodes[4], (struct raft_hard_state){3, 5}, TERMS(1, 3), 2);
    // (c): S1 leads in term 4 and brings the entry of term 2 to S3: on a majority now.
    // Its own entry of term 4 reaches nobody.
    group_isolate(&group, 5, true);
    struct node *leader = &group.nodes[0];
    for (uint32_t i = 0; i < 5; i++)
        group.nodes[i].now_ms += 1000;
    node_become_leader(leader);
    CHECK_EQ(leader->view.current_term, 4);
    node_forget_sent(leader);
    node_receive(leader, an_ack(2, 1, 4, 2));
    node_receive(leader, an_ack(3, 1, 4, 2));
    CHECK_EQ(leader->view.commit_index, 0);
    node_receive(&group.nodes[2], an_append(1, 3, 4, 1, 1, 0, TERMS(2)));
    CHECK_EQ(group.nodes[2].view.last_term, 2);
    // (d): S5 leads in term 5, by the votes of S3 and S4 (and S2's), and overwrites it.
    group_isolate(&group, 5, false);
    group_isolate(&group, 1, true);
    for (uint32_t i = 1; i < 5; i++)
        node_forget_sent(&group.nodes[i]);
    node_time_out(&group.nodes[4]); // it still asks with term 4, which is taken
    group_deliver(&group);
    group_elect(&group, 5);
    group_tick(&group, group.nodes[4].config.heartbeat_ms);
    for (raft_id id = 2; id <= 4; id++) {
        raft_term term = 0;
        CHECK(raft_term_at(group_node(&group, id)->raft, 2, &term));
        CHECK_EQ(term, 3);
        CHECK(group_node(&group, id)->view.commit_index >= 2);
    }
    group_stop(&group);
}

// ALL-1, STATE-4, STATE-5
TEST(committed_entries_are_applied_in_order_and_once)
{
    struct node node; // the fixture checks order and repetition at each step
    node_start(&node, 1, 3);
    node_become_leader(&node);
    for (int i = 0; i < 100; i++) {
        node_propose(&node, "a");
        node_receive(&node, an_ack(2, 1, 1, node.view.last_index));
        node_forget_sent(&node);
    }
    CHECK_EQ(node.view.last_applied, 101);
    CHECK_EQ(node.applied, 101);
    node_stop(&node);
}

// LAB 2 step 2, 1 point: ALL-1
TEST(a_backlog_is_handed_out_in_pages_without_a_gap)
{
    struct node node;
    node_init(&node, 1, 3);
    node.config.message_entries_max = 3;
    raft_term terms[50];
    for (int i = 0; i < 50; i++)
        terms[i] = 1;
    node_boot(&node, (struct raft_hard_state){1, 0}, terms, 50);
    node_receive(&node, an_append(2, 1, 1, 50, 1, 50, NULL));
    CHECK_AT_MOST(node.output.apply_count, 3); // and the rest in the steps behind it
    CHECK_EQ(node.view.commit_index, 50);
    CHECK_EQ(node.applied, 50);
    CHECK_EQ(node.view.last_applied, 50);
    node_stop(&node);
}

TEST(nothing_more_is_handed_out_until_the_last_is_applied)
{
    struct node node;
    node_start(&node, 1, 1);
    node.auto_apply = false;
    node_tick(&node, 0);
    CHECK_EQ(node.applied, 1);
    node_propose(&node, "a");
    CHECK_EQ(node.view.commit_index, 2);
    CHECK_EQ(node.applied, 1);
    CHECK_EQ(node.view.last_applied, 0);
    node_step(&node,
              (struct raft_event){.type = RAFT_EVENT_APPLIED, .applied.index = 1});
    CHECK_EQ(node.applied, 2);
    node_stop(&node);
}

TEST(an_application_that_was_not_asked_for_is_refused)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node_step(&node,
              (struct raft_event){.type = RAFT_EVENT_APPLIED, .applied.index = 1});
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.last_applied, 0);
    node_stop(&node);
}

// Sections 5.3 and 6.4: a new leader commits what it inherited with its own no-op.
// LAB 2 step 5, 1 point: LEAD-2 LEAD-4
TEST(a_new_leader_begins_its_term_with_a_no_op)
{
    struct group group;
    group_start(&group, 3);
    group_elect(&group, 1);
    struct raft_entry entry;
    CHECK(raft_entry_at(group.nodes[0].raft, 1, &entry));
    CHECK_EQ(entry.type, RAFT_ENTRY_NOOP);
    CHECK_EQ(entry.term, 1);
    CHECK_EQ(group.nodes[0].view.commit_index, 1);
    group_stop(&group);
}

TEST_MAIN
