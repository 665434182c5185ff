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
static void echo_from_all(struct node *node, raft_index match, uint32_t reads_max)
{
    for (int turn = 0; turn < 3; turn++) {
        node_tick(node, node->config.heartbeat_ms);
        for (raft_id from = 2; from <= node->config.configuration.count; from++) {
            echo_newest(node, from, match);
            CHECK_AT_MOST(node->read_count, reads_max);
        }
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
    echo_from_all(&node, 2, 0); // who leads is sure, what is committed is not
    CHECK_EQ(node.view.commit_index, 0);
    echo_from_all(&node, begin, 1);
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

// As many reads as fit are taken, and each is answered once, in turn.
static void fill_with_reads(struct node *node)
{
    for (uint64_t id = 1; id <= RAFT_READS_MAX; id++) {
        node_forget_sent(node);
        node_read(node, id);
        CHECK_EQ(node->status, RAFT_OK);
        CHECK_EQ(node->read_count, 0);
    }
    node_read(node, 999);
    CHECK_EQ(node->status, RAFT_READS_FULL);
    for (uint32_t round = 0; round < RAFT_READS_MAX && node->view.reads_pending > 0;
         round++) {
        node_tick(node, node->config.heartbeat_ms);
        echo_newest(node, 2, node->view.last_index);
        node_forget_sent(node);
    }
    CHECK_EQ(node->read_count, RAFT_READS_MAX);
    for (uint64_t id = 1; id <= RAFT_READS_MAX; id++)
        CHECK_EQ(node->reads[id - 1].id, id);
}

// LAB 5 step 5, 1 point: reads
TEST(a_read_that_cannot_wait_is_refused)
{
    struct node node;
    node_start(&node, 1, 3);
    node_read(&node, 1); // who leads?
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    node_lead(&node);
    fill_with_reads(&node);
    node_stop(&node);

    node_init(&node, 1, 3);
    node.config.log_entries_max = 64;
    raft_term terms[64];
    for (int i = 0; i < 64; i++)
        terms[i] = 1;
    node_boot(&node, (struct raft_hard_state){.current_term = 1}, terms, 64);
    node_become_leader(&node); // without a no-op, for which there is no room
    node_read(&node, 7);
    CHECK_EQ(node.status, RAFT_LOG_FULL);
    CHECK_EQ(node.view.reads_pending, 0);
    CHECK_EQ(node.read_count, 0);
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

    // Who stepped down for want of answers leads no more, in the same term.
    node_init(&node, 1, 3);
    node.config.check_quorum = true;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_lead(&node);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.view.current_term, 1);
    node_receive(&node, a_question(2, 1, 1, 78));
    CHECK_EQ(node.view.reads_pending, 0);
    node_stop(&node);
}

TEST_MAIN
