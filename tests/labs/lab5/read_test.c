// Reads without an entry (section 8; dissertation 6.4), beyond tests/raft: whatever
// order a leader chooses for its steps, no answer may be too old.
#include "tests/raft/fixture.h"

// A follower answers the newest message that it was sent: its round is that message's.
static void echo_newest(struct node *node, raft_id from, raft_index match)
{
    const struct raft_message *sent = node_last_sent(node, RAFT_APPEND_ENTRIES, from);
    CHECK(sent != NULL);
    node_receive(node, an_echo(from, node->config.id, node->view.current_term, match,
                               sent->append_entries.round));
}

// All others answer, until nobody has anything new to say.
static void echo_from_all(struct node *node, raft_index match)
{
    for (int turn = 0; turn < 3; turn++) {
        node_tick(node, node->config.heartbeat_ms);
        for (raft_id from = 2; from <= node->config.configuration.count; from++)
            echo_newest(node, from, match);
    }
}

// A new leader's commit index may lie behind what its predecessor has answered for.
// LAB 5 step 6, 1 point: reads no-op
TEST(a_new_leader_reads_nothing_older_than_the_first_entry_of_its_term)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){2, 0}, TERMS(1, 2), 2);
    node_become_leader(&node);
    raft_index begin = node.view.last_index; // its no-op
    CHECK_EQ(begin, 3);
    node_read(&node, 1);
    CHECK_EQ(node.status, RAFT_OK);
    echo_from_all(&node, 2); // who leads is sure, what is committed is not
    CHECK_EQ(node.view.commit_index, 0);
    CHECK_EQ(node.read_count, 0);
    echo_from_all(&node, begin);
    CHECK_EQ(node.view.commit_index, begin);
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].status, RAFT_OK);
    CHECK(node.reads[0].index >= begin);
    node_stop(&node);
}

// What is committed when the read comes has to be seen, and no more is waited for.
// LAB 5 step 6, 1 point: reads
TEST(a_read_waits_for_what_is_committed_and_for_nothing_more)
{
    struct node node;
    node_start(&node, 1, 3);
    node_lead(&node);
    node_propose(&node, "a");
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK_EQ(node.view.commit_index, 2);
    node_propose(&node, "b"); // nobody acknowledges it
    node_read(&node, 1);
    echo_newest(&node, 2, 2);
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].status, RAFT_OK);
    CHECK_EQ(node.reads[0].index, 2);
    node_stop(&node);
}

// Nothing is written for it: an entry is what the world before this lab pays.
// LAB 5 step 5, 1 point: reads
TEST(a_read_writes_nothing_to_the_log_or_to_the_disk)
{
    struct node node;
    node_start(&node, 1, 3);
    node_lead(&node);
    raft_index last_index = node.view.last_index;
    uint64_t write = node.write;
    for (uint64_t id = 1; id <= 20; id++) {
        node_read(&node, id);
        echo_newest(&node, 2, last_index);
    }
    CHECK_EQ(node.read_count, 20);
    CHECK_EQ(node.view.last_index, last_index);
    CHECK_EQ(node.write, write);
    node_stop(&node);
}

// A follower may ask twice, and the network may double what it asks.
// LAB 5 step 7, 1 point: reads ALL-2
TEST(a_question_that_comes_twice_takes_one_place_and_dies_with_the_leadership)
{
    struct node node;
    node_start(&node, 1, 3);
    node_lead(&node);
    for (int i = 0; i < 3 * RAFT_READS_MAX; i++)
        node_receive(&node, a_question(2, 1, 1, 77));
    node_read(&node, 5);
    CHECK_EQ(node.status, RAFT_OK);
    node_receive(&node, an_append(3, 1, 2, 1, 1, 1, NULL));
    CHECK_EQ(node.view.reads_pending, 0);
    const struct raft_message *reply = node_sent(&node, RAFT_READ_INDEX_REPLY, 0);
    CHECK(reply == NULL || !reply->read_index.ok);
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].status, RAFT_NOT_LEADER);
    node_stop(&node);
}

TEST_MAIN
