// Lab 4, steps 2 to 5: chunks that race with entries, with each other and with time.
#include "tests/raft/fixture.h"

static const struct raft_install_snapshot_reply *answer(struct node *node,
                                                        struct raft_message message)
{
    node_forget_sent(node);
    node_receive(node, message);
    const struct raft_message *reply =
        node_last_sent(node, RAFT_INSTALL_SNAPSHOT_REPLY, message.from);
    CHECK(reply != NULL);
    return &reply->install_snapshot_reply;
}

// ---- a follower -------------------------------------------------------------------

// LAB 4 step 2, 1 point: IS-2
TEST(a_better_snapshot_takes_the_place_of_one_that_is_half_there)
{
    struct node node;
    node_init(&node, 2, 3);
    node_boot(&node, (struct raft_hard_state){2, 0}, NULL, 0);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    const struct raft_install_snapshot_reply *reply =
        answer(&node, a_chunk(1, 2, 2, 20, 2, 0));
    CHECK_EQ(reply->last_included_index, 20);
    CHECK_EQ(reply->next_offset, CHUNK_BYTES);
    // What is left of the old one is late, and moves nothing.
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, CHUNK_BYTES));
    CHECK_EQ(node.store_count, 2);
    reply = answer(&node, a_chunk(1, 2, 2, 20, 2, CHUNK_BYTES));
    CHECK_EQ(reply->next_offset, 2 * CHUNK_BYTES);
    // A new leader has another one, and no other.
    reply = answer(&node, a_chunk(3, 2, 3, 15, 2, 0));
    CHECK_EQ(reply->last_included_index, 15);
    CHECK_EQ(reply->next_offset, CHUNK_BYTES);
    node_stop(&node);
}

// LAB 4 step 3, 1 point: IS-6
TEST(entries_that_overtake_the_last_chunk_make_the_snapshot_needless)
{
    struct node node;
    node_init(&node, 2, 3);
    raft_term terms[8] = {1, 1, 1, 2, 2, 2, 2, 2};
    node_boot(&node, (struct raft_hard_state){2, 0}, terms, 8);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, CHUNK_BYTES));
    node_receive(&node, an_append(1, 2, 2, 8, 2, 0, TERMS(2, 2, 2)));
    CHECK_EQ(node.view.last_index, 11);
    const struct raft_install_snapshot_reply *reply =
        answer(&node, a_chunk(1, 2, 2, 10, 2, (uint64_t)2 * CHUNK_BYTES));
    CHECK(reply->installed);
    CHECK_EQ(reply->last_included_index, 10);
    CHECK_EQ(node.view.last_index, 11);
    CHECK_EQ(node.view.commit_index, 10);
    CHECK_EQ(node.restored, 0);
    node_stop(&node);
}

// LAB 4 step 4, 1 point: IS-5
TEST(a_snapshot_that_the_host_checks_is_not_disturbed_by_another)
{
    struct node node;
    node_init(&node, 2, 3);
    node_boot(&node, (struct raft_hard_state){2, 0}, NULL, 0);
    for (uint64_t at = 0; at < SNAPSHOT_BYTES; at += CHUNK_BYTES)
        node_receive(&node, a_chunk(1, 2, 2, 10, 2, at));
    uint32_t stored = node.store_count;
    node_receive(&node, a_chunk(3, 2, 3, 12, 3, 0));
    CHECK_EQ(node.store_count, stored);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    node_forget_sent(&node);
    node_received(&node, &meta, false);
    CHECK_EQ(node.restored, 10);
    const struct raft_message *reply =
        node_last_sent(&node, RAFT_INSTALL_SNAPSHOT_REPLY, 3); // who leads now
    CHECK(reply != NULL && reply->install_snapshot_reply.installed);
    node_receive(&node, a_chunk(3, 2, 3, 12, 3, 0));
    CHECK_EQ(node.store_count, stored + 1);
    node_stop(&node);
}

// LAB 4 step 4, 1 point: IS-7
TEST(behind_a_snapshot_the_log_goes_on_with_the_next_entry)
{
    struct node node;
    node_init(&node, 2, 3);
    node_boot(&node, (struct raft_hard_state){3, 0}, TERMS(1, 1, 2), 3);
    for (uint64_t at = 0; at < SNAPSHOT_BYTES; at += CHUNK_BYTES)
        node_receive(&node, a_chunk(1, 2, 3, 10, 3, at));
    struct raft_snapshot_meta meta = meta_of(10, 3, 3);
    node_received(&node, &meta, false);
    node_receive(&node,
                 an_append(1, 2, 3, 9, 3, 10, TERMS(3, 3))); // half of it is known
    const struct raft_message *reply =
        node_last_sent(&node, RAFT_APPEND_ENTRIES_REPLY, 1);
    CHECK(reply != NULL && reply->append_entries_reply.success);
    CHECK_EQ(reply->append_entries_reply.match_index, 11);
    CHECK_EQ(node.view.last_index, 11);
    CHECK_EQ(node.view.durable_index, 11);
    // Its log is as good as the snapshot's last entry says, and no less.
    node_receive(&node, a_vote_request(3, 2, 9, 10, 3));
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 3)->request_vote_reply.vote_granted);
    node_stop(&node);
}

// ---- a leader ---------------------------------------------------------------------

// Node 1 has entries 4 to 6, behind a snapshot up to 6; peer 3 has nothing, and is sent
// the first chunk.
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
    CHECK_EQ(node_count_sent(node, RAFT_INSTALL_SNAPSHOT), 1);
}

// Lets time pass in which peer 3 answers each heartbeat.
static void hear_for(struct node *node, uint32_t ms)
{
    for (uint32_t passed = 0; passed < ms; passed += node->config.heartbeat_ms) {
        node_tick(node, node->config.heartbeat_ms);
        node_receive(node, an_ack(3, 1, 1, 0));
    }
}

// LAB 4 step 5, 1 point: IS-4
TEST(a_lost_chunk_goes_out_again_to_a_peer_that_answers_heartbeats)
{
    struct node node;
    start_sending(&node);
    uint32_t timeout_ms = node.config.election_timeout_ms;
    hear_for(&node, 2 * timeout_ms);
    uint32_t count = node_count_sent(&node, RAFT_INSTALL_SNAPSHOT);
    CHECK(count >= 2);
    CHECK_AT_MOST(count, 1 + 2 * timeout_ms / node.config.heartbeat_ms);
    CHECK_EQ(node_last_sent(&node, RAFT_INSTALL_SNAPSHOT, 3)->install_snapshot.offset,
             0);
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 4, false));
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), count + 1);
    CHECK_EQ(node_last_sent(&node, RAFT_INSTALL_SNAPSHOT, 3)->install_snapshot.offset,
             4);
    node_stop(&node);
}

// LAB 4 step 5, 1 point: IS-4
TEST(a_peer_that_begins_anew_is_sent_all_of_it_again_but_not_at_once)
{
    struct node node;
    start_sending(&node);
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 4, false));
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 8, false));
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT), 3);
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 0, false));
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT),
             3); // a disk that goes on failing costs little
    hear_for(&node, 2 * node.config.election_timeout_ms);
    CHECK(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT) >= 4);
    CHECK_EQ(node_last_sent(&node, RAFT_INSTALL_SNAPSHOT, 3)->install_snapshot.offset,
             0);
    // A crash, and then a first chunk that came twice: it has 4 bytes, and no 8.
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 4, false));
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 8, false));
    uint32_t count = node_count_sent(&node, RAFT_INSTALL_SNAPSHOT);
    node_receive(&node, a_chunk_reply(3, 1, 1, 6, 4, false));
    hear_for(&node, 2 * node.config.election_timeout_ms);
    CHECK(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT) > count);
    CHECK_EQ(node_last_sent(&node, RAFT_INSTALL_SNAPSHOT, 3)->install_snapshot.offset,
             4);
    node_stop(&node);
}

TEST_MAIN
