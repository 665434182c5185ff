// Lab 3, steps 2, 3 and 5: what waits for which write, and what a report is worth.
#include "tests/raft/fixture.h"

#include "raft/durability.h"

static uint32_t sent_of(const struct node *node, enum raft_message_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->sent_count; i++)
        count += node->sent[i].message.type == type;
    return count;
}

static void report(struct node *node, uint64_t write)
{
    node_step(node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                        .persisted.write = write});
}

// A follower of node 2 in term 1, whose writes end when the test says so.
static void start_follower(struct node *node)
{
    node_start(node, 1, 3);
    node_receive(node, an_append(2, 1, 1, 0, 0, 0, NULL));
    node->auto_persist = false;
    node_forget_sent(node);
}

// The candidate asks again, since it has heard nothing: nothing is to be written for
// that answer, and still it has to wait for the first one's write.
// LAB 3 step 2, 1 point: STATE-0 STATE-2
TEST(a_vote_that_is_asked_for_twice_does_not_leave_before_it_is_durable)
{
    struct node node;
    node_start(&node, 1, 3);
    node.auto_persist = false;
    node_receive(&node, a_vote_request(2, 1, 1, 0, 0));
    node_receive(&node, a_vote_request(2, 1, 1, 0, 0));
    node_receive(&node, a_vote_request(3, 1, 1, 0, 0)); // refused, in a new term
    CHECK_EQ(sent_of(&node, RAFT_REQUEST_VOTE_REPLY), 0);
    node_persist(&node);
    CHECK_EQ(sent_of(&node, RAFT_REQUEST_VOTE_REPLY), 3);
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 2)->request_vote_reply.vote_granted);
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    node_stop(&node);
}

// Three writes under way, each acknowledged twice, since its entry came twice: both
// leave with the report of that write. What needs no write does not wait behind them.
// LAB 3 step 3, 1 point: STATE-0
TEST(a_message_waits_for_its_own_write_and_for_none_after_it)
{
    struct node node;
    start_follower(&node);
    uint64_t before = node.write;
    for (raft_index i = 0; i < 6; i++)
        node_receive(&node, an_append(2, 1, 1, i / 2, i > 1, 0, TERMS(1)));
    CHECK_EQ(node.write, before + 3);
    CHECK_EQ(node.sent_count, 0);
    node_receive(&node, an_append(2, 1, 1, 7, 1, 0, TERMS(1)));
    CHECK_EQ(sent_of(&node, RAFT_APPEND_ENTRIES_REPLY), 1); // a refusal, at once
    for (raft_index i = 1; i <= 3; i++) {
        node_forget_sent(&node);
        report(&node, before + i);
        CHECK_EQ(node.view.durable_index, i);
        CHECK_EQ(sent_of(&node, RAFT_APPEND_ENTRIES_REPLY), 2);
        CHECK_EQ(node.sent[0].message.append_entries_reply.match_index, i);
        CHECK_EQ(node.sent[1].message.append_entries_reply.match_index, i);
    }
    node_forget_sent(&node);
    report(&node, before + 3);
    CHECK_EQ(node.sent_count, 0); // and none leaves twice
    // Three more, and room for one in a step that says so much else: the others stay.
    for (raft_index i = 3; i < 6; i++)
        node_receive(&node, an_append(2, 1, 1, i, 1, 0, TERMS(1)));
    CHECK_EQ(durability_report(node.raft, node.write), RAFT_OK);
    struct raft_output output = {.message_count = RAFT_OUTPUT_MESSAGES_MAX - 1};
    durability_release(node.raft, &output);
    CHECK_EQ(output.message_count, RAFT_OUTPUT_MESSAGES_MAX);
    node_tick(&node, 0);
    CHECK_EQ(sent_of(&node, RAFT_APPEND_ENTRIES_REPLY), 2);
    node_stop(&node);
}

// LAB 3 step 5, 1 point: STATE-0 STATE-3
TEST(what_was_replaced_is_not_durable_any_more)
{
    struct node node;
    start_follower(&node);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, TERMS(1, 1, 1, 1)));
    node_persist(&node);
    CHECK_EQ(node.view.durable_index, 4);
    // Entries 3 and 4 give way to one of term 2, which is under way to the disk.
    node_receive(&node, an_append(3, 1, 2, 2, 1, 0, TERMS(2)));
    CHECK_EQ(node.view.last_index, 3);
    CHECK_EQ(node.view.durable_index, 2);
    node_forget_sent(&node);
    node_receive(&node, an_append(3, 1, 2, 3, 2, 0, NULL));
    node_persist(&node);
    CHECK_EQ(node.view.durable_index, 3);
    // Nothing that is replaced while it is under way is durable with its own report.
    node_receive(&node, an_append(3, 1, 2, 3, 2, 0, TERMS(2, 2, 2)));
    uint64_t overtaken = node.write;
    node_receive(&node, an_append(2, 1, 3, 4, 2, 0, TERMS(3, 3)));
    report(&node, overtaken);
    CHECK_EQ(node.view.durable_index, 4); // the first of the three has stayed
    node_persist(&node);
    CHECK_EQ(node.view.durable_index, 6);
    node_stop(&node);
}

// One sync makes many writes durable: the host reports the newest of them, and may tell
// again of older ones.
// LAB 3 step 5, 1 point: STATE-0
TEST(a_report_speaks_for_all_writes_before_it_and_for_none_behind)
{
    struct node node;
    start_follower(&node);
    uint64_t before = node.write;
    for (raft_index i = 0; i < 5; i++)
        node_receive(&node, an_append(2, 1, 1, i, i > 0, 0, TERMS(1)));
    report(&node, before + 6); // never given out
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.durable_index, 0);
    CHECK_EQ(node.sent_count, 0);
    report(&node, before + 3);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.view.durable_index, 3);
    CHECK_EQ(sent_of(&node, RAFT_APPEND_ENTRIES_REPLY), 3);
    report(&node, before + 1);
    report(&node, before + 3);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.view.durable_index, 3);
    CHECK_EQ(node.sent_count, 3);
    report(&node, before + 5);
    CHECK_EQ(node.view.durable_index, 5);
    CHECK_EQ(node.sent_count, 5);
    // What is durable stays so, whatever is told again.
    node_receive(&node, a_vote_request(3, 1, 2, 9, 1));
    report(&node, before + 6);
    report(&node, before + 2);
    node_forget_sent(&node);
    node_receive(&node, an_append(3, 1, 2, 5, 1, 0, NULL));
    CHECK_EQ(node.sent_count, 1);
    CHECK_EQ(node.sent[0].message.append_entries_reply.match_index, 5);
    node_stop(&node);
}

TEST_MAIN
