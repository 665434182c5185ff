// Lab 3, step 1: each step that changes what must be kept gives out one numbered write.
#include "tests/raft/fixture.h"

#include "raft/durability.h"

// A follower of node 2 in term 3, with a log of terms 1 1 3, all of it on the disk.
static void start_follower(struct node *node)
{
    node_init(node, 1, 3);
    node_boot(node, (struct raft_hard_state){3, 2}, TERMS(1, 1, 3), 3);
    node->auto_persist = false;
    node_receive(node, an_append(2, 1, 3, 3, 3, 0, NULL));
}

static void check_entries(const struct node *node, raft_index first,
                          const raft_term *terms, uint32_t count)
{
    CHECK_EQ(node->output.entry_count, count);
    for (uint32_t i = 0; i < count; i++) {
        struct raft_entry entry;
        CHECK(raft_entry_at(node->raft, first + i, &entry));
        CHECK_EQ(entry.term, terms[i]);
    }
    CHECK_EQ(node->view.last_index, first + count - 1);
}

static void report(struct node *node, uint64_t write)
{
    node_step(node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                        .persisted.write = write});
}

// LAB 3 step 1, 1 point: STATE-0
TEST(a_step_that_changes_nothing_gives_nothing_to_write)
{
    struct node node;
    start_follower(&node);
    CHECK_EQ(node.output.write, 0);
    node_receive(&node, an_append(2, 1, 3, 1, 1, 0, TERMS(1, 3))); // there already
    CHECK_EQ(node.output.write, 0);
    node_receive(&node, an_append(2, 1, 3, 9, 3, 0, TERMS(3))); // refused
    CHECK_EQ(node.output.write, 0);
    node_receive(&node, a_vote_request(3, 1, 2, 9, 2)); // of an older term
    CHECK_EQ(node.output.write, 0);
    node_tick(&node, 1);
    CHECK_EQ(node.output.write, 0);
    node_propose(&node, "a"); // it does not lead
    CHECK_EQ(node.output.write, 0);
    node_stop(&node);
}

// LAB 3 step 1, 1 point: STATE-0 STATE-1 STATE-2 STATE-3
TEST(one_write_holds_all_that_its_step_has_changed)
{
    struct node node;
    start_follower(&node);
    node_receive(&node, an_append(2, 1, 3, 3, 3, 0, TERMS(3, 3)));
    CHECK_EQ(node.output.write, 1);
    CHECK(!node.output.hard_state_changed);
    CHECK_EQ(node.output.hard_state.current_term, 3); // as it is, changed or not
    CHECK_EQ(node.output.hard_state.voted_for, 2);
    check_entries(&node, 4, TERMS(3, 3), 2);
    // A new term and entries, in a single write.
    node_receive(&node, an_append(3, 1, 5, 5, 3, 0, TERMS(4, 5)));
    CHECK_EQ(node.output.write, 2);
    CHECK(node.output.hard_state_changed);
    CHECK_EQ(node.output.hard_state.current_term, 5);
    CHECK_EQ(node.output.hard_state.voted_for, 0);
    check_entries(&node, 6, TERMS(4, 5), 2);
    node_receive(&node, a_refusal(2, 1, 6, 0, 0, 0)); // a term, and nothing else
    CHECK_EQ(node.output.write, 3);
    CHECK_EQ(node.output.hard_state.current_term, 6);
    CHECK_EQ(node.output.entry_count, 0);
    node_time_out(&node); // it asks for pre-votes
    CHECK_EQ(node.output.write, 0);
    node_receive(&node, a_prevote(2, 1, 7, true));
    CHECK_EQ(node.output.write, 4);
    CHECK_EQ(node.output.hard_state.current_term, 7);
    CHECK_EQ(node.output.hard_state.voted_for, 1);
    // Whether term and vote are on the disk is a matter of the newest write that has
    // them: entries do not count, and neither does the term without its vote.
    node_boot(&node, (struct raft_hard_state){3, 0}, TERMS(1, 1, 3), 3);
    CHECK(durability_of_hard_state(node.raft));
    node_receive(&node, an_append(2, 1, 3, 3, 3, 0, TERMS(3)));
    CHECK(durability_of_hard_state(node.raft));
    report(&node, 1);
    CHECK(durability_of_hard_state(node.raft));
    node_receive(&node, a_vote_request(3, 1, 3, 9, 3));
    CHECK_EQ(node.output.hard_state.voted_for, 3);
    CHECK(!durability_of_hard_state(node.raft)); // the term is, and the vote is not
    node_receive(&node, an_append(2, 1, 3, 4, 3, 0, TERMS(3)));
    CHECK_EQ(node.output.write, 3);
    CHECK(!durability_of_hard_state(node.raft));
    report(&node, 2);
    CHECK(durability_of_hard_state(node.raft));
    // A log that begins anew is written as well, even where nothing else has changed.
    struct raft_snapshot_meta snapshot = {.last_included_index = 9};
    struct raft_output output = {.snapshot_restore = &snapshot};
    CHECK_EQ(durability_newest_write(node.raft, &output), 4);
    durability_issue(node.raft, &output);
    CHECK_EQ(output.write, 4);
    node_stop(&node);
}

static void propose_all(struct node *node, uint32_t count)
{
    struct raft_command commands[16];
    CHECK_AT_MOST(count, 16);
    for (uint32_t i = 0; i < count; i++)
        commands[i] = (struct raft_command){"x", 1};
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    event.propose.commands = commands;
    event.propose.count = count;
    node_step(node, event);
}

// Dissertation 10.2.1: the more a leader is given at once, the less a write costs.
// LAB 3 step 1, 1 point: STATE-0 STATE-3
TEST(commands_that_come_together_are_written_together)
{
    struct node node;
    node_start(&node, 1, 3);
    node_lead(&node);
    uint64_t before = node.write;
    node.auto_persist = false;
    for (uint32_t i = 0; i < 10; i++) {
        raft_index first = node.view.last_index + 1;
        propose_all(&node, 16);
        CHECK_EQ(node.output.write, before + i + 1);
        CHECK(!node.output.hard_state_changed);
        CHECK_EQ(node.output.entry_count, 16);
        CHECK_EQ(node.view.last_index, first + 15);
    }
    node_stop(&node);
}

TEST_MAIN
