// Linearizable reads: section 8 and dissertation 6.4.
#include "tests/raft/fixture.h"

// A leader of five whose no-op is committed and applied.
static void start_leader(struct node *node)
{
    node_start(node, 1, 5);
    node_become_leader(node);
    for (raft_id from = 2; from <= 5; from++)
        node_receive(node, an_ack(from, 1, 1, 1));
    node_forget_sent(node);
}

// LAB 5 step 5, 1 point: reads
TEST(a_read_waits_for_a_quorum_to_confirm_the_leader)
{
    struct node node;
    start_leader(&node);
    raft_index last_index = node.view.last_index;
    uint64_t write = node.write;
    node_read(&node, 7);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.read_count, 0);
    for (raft_id to = 2; to <= 5; to++)
        CHECK_EQ(node_sent(&node, RAFT_APPEND_ENTRIES, to)->append_entries.round, 1);
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    CHECK_EQ(node.read_count, 0); // two of five
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    CHECK_EQ(node.read_count, 0); // the same one again
    struct raft_message refusal = a_refusal(3, 1, 1, 1, 0, 0);
    refusal.append_entries_reply.round = 1;
    node_receive(&node, refusal); // who refuses has heard its leader, too
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].id, 7);
    CHECK_EQ(node.reads[0].status, RAFT_OK);
    CHECK_EQ(node.view.last_index, last_index); // neither an entry nor a write
    CHECK_EQ(node.write, write);
    node_stop(&node);
}

// LAB 5 step 5, 1 point: reads ALL-1
TEST(a_read_waits_until_the_state_is_applied)
{
    struct node node;
    start_leader(&node);
    node.auto_apply = false;
    node_propose(&node, "a");
    node_receive(&node, an_ack(2, 1, 1, 2));
    node_receive(&node, an_ack(3, 1, 1, 2));
    CHECK_EQ(node.view.commit_index, 2);
    node_read(&node, 1);
    node_receive(&node, an_echo(2, 1, 1, 2, 1));
    node_receive(&node, an_echo(3, 1, 1, 2, 1));
    CHECK_EQ(node.read_count, 0);
    node_step(&node,
              (struct raft_event){.type = RAFT_EVENT_APPLIED, .applied.index = 2});
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].index, 2);
    node_stop(&node);
}

// A new leader's commit index may be behind what its predecessor answered for.
TEST(a_new_leader_answers_no_read_before_its_own_term_has_a_commit)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){2, 0}, TERMS(1, 2), 2);
    node_become_leader(&node);
    node_read(&node, 1);
    node_receive(&node, an_echo(2, 1, 3, 2, 1));
    node_receive(&node, an_echo(3, 1, 3, 2, 1));
    CHECK_EQ(node.read_count, 0);
    node_receive(&node, an_echo(2, 1, 3, 3, 1));
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].index, 3);
    node_stop(&node);
}

// Node 1 leads in term 3, is deposed, and leads again in term 4, while what node 3 said
// to the old leader is still on its way: refused in the name of term 4, which node 3
// may have left since.
TEST(a_message_of_an_older_term_is_refused_in_words_that_confirm_no_later_leader)
{
    struct node voter;
    node_init(&voter, 3, 3);
    node_boot(&voter, (struct raft_hard_state){4, 1}, TERMS(1, 3), 2);
    struct raft_message late = an_append(1, 3, 3, 2, 3, 1, NULL);
    late.append_entries.round = 1;
    node_receive(&voter, late);
    struct raft_message refusal = *node_must_send(&voter, RAFT_APPEND_ENTRIES_REPLY, 1);
    CHECK_EQ(refusal.term, 4);
    node_stop(&voter);

    struct node leader;
    node_init(&leader, 1, 3);
    node_boot(&leader, (struct raft_hard_state){3, 1}, TERMS(1, 3), 2);
    node_become_leader(&leader);
    CHECK_EQ(leader.view.current_term, 4);
    node_receive(&leader, an_ack(2, 1, 4, 3));
    CHECK_EQ(leader.view.commit_index, 3);
    node_read(&leader, 7);
    node_forget_sent(&leader);
    node_receive(&leader, refusal);
    CHECK_EQ(leader.status, RAFT_OK);
    CHECK_EQ(leader.read_count, 0);
    CHECK_EQ(leader.sent_count,
             0); // and it backs up for no refusal of what it said before
    node_receive(&leader, an_echo(3, 1, 4, 2, 1));
    CHECK_EQ(leader.read_count, 1);
    node_stop(&leader);
}

// An echo of an older round cannot confirm a read that came after it was sent.
// LAB 5 step 6, 1 point: reads
TEST(a_late_echo_of_an_older_round_does_not_confirm_a_later_read)
{
    struct node node;
    start_leader(&node);
    node_read(&node, 1);
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    node_receive(&node, an_echo(3, 1, 1, 1, 1));
    CHECK_EQ(node.read_count, 1);
    node_read(&node, 1); // the same name again
    node_receive(&node, an_echo(4, 1, 1, 1, 1));
    node_receive(&node, an_echo(5, 1, 1, 1, 1));
    CHECK_EQ(node.read_count, 1);
    node_receive(&node, an_echo(4, 1, 1, 1, 2));
    node_receive(&node, an_echo(5, 1, 1, 1, 2));
    CHECK_EQ(node.read_count, 2);
    node_stop(&node);
}

// LAB 5 step 6, 1 point: reads
TEST(a_read_that_arrives_during_a_round_waits_for_the_next_one)
{
    struct node node;
    start_leader(&node);
    node_read(&node, 1);
    node_read(&node, 2);
    node_read(&node, 3);
    node_receive(&node, an_echo(2, 1, 1, 1, 1));
    node_receive(&node, an_echo(3, 1, 1, 1, 1));
    CHECK_EQ(node.read_count, 1);
    node_receive(&node, an_echo(2, 1, 1, 1, 2)); // one more round for both
    node_receive(&node, an_echo(3, 1, 1, 1, 2));
    CHECK_EQ(node.read_count, 3);
    node_stop(&node);
}

TEST(a_lost_round_is_repeated_by_the_heartbeat)
{
    struct node node;
    start_leader(&node);
    node_read(&node, 1);
    node_forget_sent(&node); // lost
    node_tick(&node, node.config.heartbeat_ms);
    CHECK_EQ(node_sent(&node, RAFT_APPEND_ENTRIES, 2)->append_entries.round, 1);
    node_stop(&node);
}

// LAB 5 step 7, 1 point: reads ALL-2
TEST(reads_are_refused_when_leadership_is_lost)
{
    struct node node;
    start_leader(&node);
    node_read(&node, 1);
    node_read(&node, 2);
    node_receive(&node, an_append(2, 1, 2, 1, 1, 1, NULL));
    CHECK_EQ(node.read_count, 2);
    CHECK_EQ(node.reads[0].status, RAFT_NOT_LEADER);
    CHECK_EQ(node.reads[1].status, RAFT_NOT_LEADER);
    CHECK_EQ(node.view.reads_pending, 0);
    node_stop(&node);
}

// LAB 5 step 6, 1 point: reads
TEST(an_echo_of_an_older_term_confirms_nothing)
{
    struct node node;
    start_leader(&node);
    node_receive(&node, a_vote_request(2, 1, 2, 9, 1));
    node_become_leader(&node); // term 3
    node_receive(&node, an_ack(2, 1, 3, 2));
    node_receive(&node, an_ack(3, 1, 3, 2));
    CHECK_EQ(node.view.commit_index, 2);
    node_read(&node, 1);
    node_receive(&node, an_echo(4, 1, 1, 1, 1)); // of term 1
    node_receive(&node, an_echo(5, 1, 1, 1, 1));
    CHECK_EQ(node.read_count, 0);
    node_stop(&node);
}

// LAB 5 step 5, 1 point: reads
TEST(a_sole_voter_confirms_itself)
{
    struct node node;
    node_start(&node, 1, 1);
    node_tick(&node, 0);
    node_read(&node, 9);
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].status, RAFT_OK);
    node_stop(&node);
}

TEST(more_reads_than_fit_are_refused_and_none_is_lost)
{
    struct node node;
    start_leader(&node);
    for (uint64_t id = 1; id <= RAFT_READS_MAX; id++) {
        node_read(&node, id);
        CHECK_EQ(node.status, RAFT_OK);
    }
    node_read(&node, 999);
    CHECK_EQ(node.status, RAFT_READS_FULL);
    for (uint64_t round = 1; round <= 2; round++)
        for (raft_id from = 2; from <= 3; from++)
            node_receive(&node, an_echo(from, 1, 1, 1, round));
    CHECK_EQ(node.read_count, RAFT_READS_MAX);
    for (uint64_t id = 1; id <= RAFT_READS_MAX; id++)
        CHECK_EQ(node.reads[id - 1].id, id);
    node_stop(&node);
}

TEST(a_read_round_does_not_wait_for_a_followers_disk)
{
    struct group group;
    group_start(&group, 3);
    group_elect(&group, 1);
    group.nodes[1].auto_persist = false;
    group.nodes[2].auto_persist = false;
    node_propose(&group.nodes[0], "a");
    group_deliver(&group);
    CHECK_EQ(group.nodes[0].view.commit_index, 1);
    node_read(&group.nodes[0], 5);
    group_deliver(&group);
    CHECK_EQ(group.nodes[0].read_count, 1);
    group_stop(&group);
}

TEST_MAIN
