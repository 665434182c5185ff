// "Updated on stable storage before responding to RPCs": Figure 2, STATE-0;
// dissertation 10.2.1.
#include "tests/raft/fixture.h"

// STATE-0, STATE-2
// LAB 3 step 2, 1 point: STATE-0 STATE-2
TEST(a_vote_does_not_leave_before_it_is_durable)
{
    struct node node;
    node_start(&node, 1, 3);
    node.auto_persist = false;
    node_receive(&node, a_vote_request(2, 1, 1, 0, 0));
    CHECK(node.output.hard_state_changed);
    CHECK_EQ(node.output.hard_state.current_term, 1); // term and vote in one write
    CHECK_EQ(node.output.hard_state.voted_for, 2);
    CHECK_EQ(node.sent_count, 0);
    node_persist(&node);
    CHECK(node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 2)
              ->request_vote_reply.vote_granted);
    node_stop(&node);
}

TEST(a_restart_before_the_write_ends_forgets_the_vote_and_nobody_heard_of_it)
{
    struct node node;
    node_start(&node, 1, 3);
    node.auto_persist = false;
    node_receive(&node, a_vote_request(2, 1, 1, 0, 0));
    CHECK_EQ(node.sent_count, 0);
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node.auto_persist = true;
    node_receive(&node, a_vote_request(3, 1, 1, 0, 0));
    CHECK(node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 3)
              ->request_vote_reply.vote_granted);
    node_stop(&node);
}

TEST(a_restart_after_the_write_remembers_the_vote)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){1, 2}, NULL, 0);
    node_receive(&node, a_vote_request(3, 1, 1, 0, 0));
    CHECK(!node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 3)
               ->request_vote_reply.vote_granted);
    node_stop(&node);
}

// STATE-0, STATE-1: even a refusal tells a term, which must not be forgotten once it
// was told.
// LAB 3 step 2, 1 point: STATE-0 STATE-1
TEST(a_refusal_in_a_new_term_waits_for_that_term_to_be_durable)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){1, 0}, TERMS(1), 1);
    node.auto_persist = false;
    node_receive(&node, a_vote_request(2, 1, 4, 0, 0));
    CHECK_EQ(node.view.current_term, 4);
    CHECK_EQ(node.view.durable_term, 1);
    node_receive(&node, a_prevote_request(3, 1, 4, 0, 0)); // it refuses this as well
    CHECK_EQ(node.sent_count, 0);
    node_persist(&node);
    CHECK_EQ(node.view.durable_term, 4);
    CHECK(!node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 2)
               ->request_vote_reply.vote_granted);
    CHECK_EQ(node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 3)->term, 4);
    node_stop(&node);
}

static bool has_asked_for_votes(const struct node *node)
{
    for (uint32_t i = 0; i < node->sent_count; i++) {
        const struct raft_message *message = &node->sent[i].message;
        if (message->type == RAFT_REQUEST_VOTE && !message->request_vote.pre_vote)
            return true;
    }
    return false;
}

// CAND-1d: what a candidate says of its log and of its vote is on disk when it says so.
// LAB 3 step 3, 1 point: STATE-0 CAND-1d
TEST(a_candidate_asks_only_once_its_term_its_vote_and_its_log_are_durable)
{
    struct node node;
    node_start(&node, 1, 3);
    node.auto_persist = false;
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, TERMS(1, 1)));
    uint64_t entries = node.write;
    node_become_candidate(&node);
    CHECK_EQ(node.view.durable_index, 0);
    CHECK(!has_asked_for_votes(&node));
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                         .persisted.write = entries});
    CHECK(!has_asked_for_votes(&node)); // its log is durable, and its vote is not
    node_persist(&node);
    CHECK_EQ(node.view.durable_index, 2);
    CHECK_EQ(node_last_sent(&node, RAFT_REQUEST_VOTE, 3)->request_vote.last_log_index,
             2);
    node_stop(&node);
}

// CAND-3: its questions would promise a log that the leader has changed since.
// LAB 3 step 5, 1 point: STATE-0 CAND-3
TEST(a_candidate_that_follows_before_its_vote_is_durable_asks_nobody)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, TERMS(1, 1)));
    node.auto_persist = false;
    node_become_candidate(&node);
    CHECK_EQ(node.view.current_term, 2);
    node_forget_sent(&node);
    node_receive(&node, an_append(3, 1, 2, 1, 1, 1, TERMS(2)));
    node_persist(&node);
    CHECK_EQ(node.view.durable_index, 2);
    for (uint32_t i = 0; i < node.sent_count; i++)
        CHECK(node.sent[i].message.type != RAFT_REQUEST_VOTE);
    node_stop(&node);
}

// CAND-1b: its own vote counts like any other.
// LAB 3 step 4, 1 point: STATE-0 CAND-1b
TEST(a_candidate_does_not_count_its_own_vote_before_it_is_durable)
{
    struct node node;
    node_start(&node, 1, 3);
    node_time_out(&node);
    node.auto_persist = false;
    node_receive(&node, a_prevote(2, 1, 1, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_receive(&node, a_vote(2, 1, 1, true)); // early, but it may be
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_persist(&node);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

// STATE-0, STATE-3
// LAB 3 step 3, 1 point: STATE-0 STATE-3
TEST(entries_are_not_acknowledged_before_they_are_durable)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, NULL));
    node.auto_persist = false;
    node_forget_sent(&node);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, TERMS(1, 1)));
    CHECK_EQ(node.output.entry_count, 2);
    CHECK_EQ(node.sent_count, 0);
    node_persist(&node);
    CHECK_EQ(node_must_send(&node, RAFT_APPEND_ENTRIES_REPLY, 2)
                 ->append_entries_reply.match_index,
             2);
    node_stop(&node);
}

// A heartbeat is answered at once, and must not speak for entries under way to the
// disk.
// LAB 3 step 3, 1 point: STATE-0 STATE-3
TEST(the_answer_to_a_heartbeat_claims_only_what_is_durable)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, TERMS(1)));
    node.auto_persist = false;
    node_receive(&node, an_append(2, 1, 1, 1, 1, 0, TERMS(1, 1)));
    node_forget_sent(&node);
    node_receive(&node, an_append(2, 1, 1, 3, 1, 0, NULL));
    const struct raft_message *reply =
        node_must_send(&node, RAFT_APPEND_ENTRIES_REPLY, 2);
    CHECK(reply->append_entries_reply.success);
    CHECK_EQ(reply->append_entries_reply.match_index, 1);
    node_stop(&node);
}

// A repeated message whose entries are still under way to the disk.
TEST(a_repeated_message_is_not_acknowledged_before_its_entries_are_durable)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, NULL));
    node.auto_persist = false;
    node_forget_sent(&node);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, TERMS(1)));
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, TERMS(1)));
    CHECK_EQ(node.sent_count, 0);
    node_persist(&node);
    CHECK_EQ(node_must_send(&node, RAFT_APPEND_ENTRIES_REPLY, 2)
                 ->append_entries_reply.match_index,
             1);
    node_stop(&node);
}

// Dissertation 10.2.1: the leader writes while others do, and counts itself once it
// has.
// LAB 3 step 4, 1 point: STATE-0 LEAD-4
TEST(a_leader_counts_its_own_entry_only_once_it_is_durable)
{
    struct node node;
    node_start(&node, 1, 1);
    node_tick(&node, 0);
    node.auto_persist = false;
    node_propose(&node, "a");
    CHECK_EQ(node.view.commit_index, 1);
    CHECK_EQ(node.applied, 1);
    node_persist(&node);
    CHECK_EQ(node.view.commit_index, 2);
    CHECK_EQ(node.applied, 2);
    node_stop(&node);
}

// LAB 3 step 4, 1 point: STATE-0 LEAD-3
TEST(a_leader_sends_before_its_own_write_is_durable)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node_receive(&node, an_ack(2, 1, 1, 1));
    node.auto_persist = false;
    node_forget_sent(&node);
    node_propose(&node, "a");
    CHECK_EQ(node_must_send(&node, RAFT_APPEND_ENTRIES, 2)->append_entries.count, 1);
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK_EQ(node.view.commit_index, 1); // one of three
    node_persist(&node);
    CHECK_EQ(node.view.commit_index, 2);
    node_stop(&node);
}

// A leader with a slow disk must not hold the cluster back.
// LAB 3 step 4, 1 point: STATE-0 LEAD-4 ALL-1
TEST(a_majority_of_others_commits_without_the_leaders_own_disk)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node.auto_persist = false;
    for (int i = 0; i < 5; i++) {
        node_propose(&node, "a");
        node_receive(&node, an_ack(2, 1, 1, node.view.last_index));
        node_receive(&node, an_ack(3, 1, 1, node.view.last_index));
        CHECK_EQ(node.view.commit_index, node.view.last_index);
    }
    CHECK_EQ(node.view.durable_index, 1);
    CHECK_EQ(node.applied, 1); // applied here once they are durable here
    node_persist(&node);
    CHECK_EQ(node.applied, 6);
    node_stop(&node);
}

// Written, replaced, and written again with the same index and term: the first report
// says nothing of the third writing.
// LAB 3 step 5, 1 point: STATE-0 STATE-3
TEST(the_report_of_an_overwritten_write_does_not_vouch_for_what_replaced_it)
{
    struct node node;
    node_start(&node, 1, 3);
    node.auto_persist = false;
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, TERMS(1, 1)));
    uint64_t first = node.write;
    node_receive(&node, an_append(3, 1, 2, 0, 0, 0, TERMS(2)));
    uint64_t second = node.write;
    node_receive(&node, an_append(2, 1, 3, 0, 0, 0, TERMS(1, 1, 3)));
    CHECK_EQ(node.view.last_index, 3);
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                         .persisted.write = first});
    CHECK_EQ(node.view.durable_index, 0);
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                         .persisted.write = second});
    CHECK_EQ(node.view.durable_index, 0);
    CHECK_EQ(node.sent_count, 0);
    node_persist(&node);
    CHECK_EQ(node.view.durable_index, 3);
    CHECK_EQ(node_last_sent(&node, RAFT_APPEND_ENTRIES_REPLY, 2)
                 ->append_entries_reply.match_index,
             3);
    node_stop(&node);
}

// A write ends after its leader was deposed: it must not be acknowledged as if in the
// new term, nor count for a leader that is none any more.
// LAB 3 step 5, 1 point: STATE-0
TEST(a_write_that_ends_after_a_change_of_term_acknowledges_nothing_of_the_old_one)
{
    struct node node;
    node_start(&node, 1, 3);
    node.auto_persist = false;
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, TERMS(1, 1)));
    node_receive(&node, a_vote_request(3, 1, 2, 9, 1));
    node_persist(&node);
    CHECK(node_sent(&node, RAFT_APPEND_ENTRIES_REPLY, 2) == NULL);
    CHECK(node_must_send(&node, RAFT_REQUEST_VOTE_REPLY, 3)
              ->request_vote_reply.vote_granted);
    node_stop(&node);
}

TEST(a_deposed_leaders_write_commits_nothing)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    node_receive(&node, an_ack(2, 1, 1, 1));
    node.auto_persist = false;
    node_propose(&node, "a");
    node_receive(&node, an_ack(2, 1, 1, 2));
    node_receive(&node, a_vote_request(3, 1, 2, 9, 1));
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_persist(&node);
    CHECK_EQ(node.view.commit_index, 1);
    node_stop(&node);
}

TEST(a_report_of_a_write_that_was_never_given_out_is_refused)
{
    struct node node;
    node_start(&node, 1, 3);
    node_step(&node,
              (struct raft_event){.type = RAFT_EVENT_PERSISTED, .persisted.write = 5});
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.durable_index, 0);
    node_stop(&node);
}

// More writes are under way than are told apart. All but the last `together` are
// reported one by one, and those at once.
static void report_many_writes(uint64_t together)
{
    struct node node;
    node_start(&node, 1, 3);
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, NULL));
    node.auto_persist = false;
    for (raft_index i = 0; i < 3 * RAFT_WRITES_MAX; i++)
        node_receive(&node, an_append(2, 1, 1, i, i > 0, 0, TERMS(1)));
    raft_index last = node.view.last_index;
    uint64_t newest = node.write, first = newest - last + 1;
    for (uint64_t write = first; write <= newest - together; write++) {
        node_step(&node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                             .persisted.write = write});
        CHECK_EQ(node.write, newest); // a report gives out no write
        CHECK_AT_MOST(node.view.durable_index, write - first + 1);
    }
    node_forget_sent(&node);
    node_persist(&node);
    CHECK_EQ(node.view.durable_index, last);
    CHECK_EQ(node_count_sent(&node, RAFT_APPEND_ENTRIES_REPLY), together);
    node_stop(&node);
}

// The answers to the newest of them leave in one step, as many as can wait.
// LAB 3 step 5, 1 point: STATE-0
TEST(of_many_writes_under_way_none_counts_too_early_and_all_count_in_the_end)
{
    static_assert(RAFT_OUTBOX_MAX <= 3 * RAFT_WRITES_MAX, "so many answers wait");
    report_many_writes(0);
    report_many_writes(RAFT_OUTBOX_MAX);
}

TEST_MAIN
