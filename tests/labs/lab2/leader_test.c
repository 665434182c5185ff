// Lab 2, steps 3 to 5: what a leader takes, sends and counts.
#include "tests/raft/fixture.h"

static void propose(struct node *node, const char *const *texts, uint32_t count)
{
    struct raft_command commands[8];
    for (uint32_t i = 0; i < count; i++)
        commands[i] = (struct raft_command){texts[i], (uint32_t)strlen(texts[i])};
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    event.propose.commands = commands;
    event.propose.count = count;
    node_step(node, event);
}

static void check_entry(const struct node *node, raft_index index, raft_term term,
                        const char *text)
{
    struct raft_entry entry;
    CHECK(raft_entry_at(node->raft, index, &entry));
    CHECK_EQ(entry.term, term);
    CHECK_EQ(entry.type, RAFT_ENTRY_COMMAND);
    CHECK_EQ(entry.size, strlen(text));
    CHECK(memcmp(entry.data, text, entry.size) == 0);
}

// ---- step 3: a leader that is alone -----------------------------------------------

// LAB 2 step 3, 1 point: LEAD-2 LEAD-4
TEST(a_leader_without_peers_commits_what_it_takes)
{
    struct node node;
    node_start(&node, 1, 1);
    node_tick(&node, 0);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    struct raft_entry entry;
    CHECK(raft_entry_at(node.raft, 1, &entry));
    CHECK_EQ(entry.type, RAFT_ENTRY_NOOP);
    CHECK_EQ(entry.term, 1);
    node_propose(&node, "a");
    node_propose(&node, "b");
    check_entry(&node, 2, 1, "a");
    check_entry(&node, 3, 1, "b");
    CHECK_EQ(node.view.commit_index, 3);
    CHECK_EQ(node.applied, 3);
    node_stop(&node);
}

// LAB 2 step 3, 1 point: LEAD-2
TEST(the_commands_of_one_proposal_stand_behind_each_other)
{
    struct node node;
    node_start(&node, 1, 1);
    node_tick(&node, 0);
    node.auto_persist = false; // what is to be written is looked at first
    propose(&node, (const char *const[]){"a", "", "ccc"}, 3);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.output.proposed_index, 2);
    CHECK_EQ(node.output.proposed_term, 1);
    CHECK_EQ(node.view.last_index, 4);
    check_entry(&node, 2, 1, "a");
    check_entry(&node, 3, 1, "");
    check_entry(&node, 4, 1, "ccc");
    CHECK_EQ(node.output.entry_count, 3); // all of them go to the disk
    for (uint32_t i = 0; i < 3; i++)
        CHECK_EQ(node.output.entries[i].index, 2 + i);
    node_persist(&node);
    CHECK_EQ(node.applied, 4);
    node_stop(&node);
}

// LAB 2 step 3, 1 point: LEAD-2
TEST(a_proposal_beyond_the_limits_is_refused_whole)
{
    struct node node;
    node_init(&node, 1, 1);
    node.config.command_bytes_max = 4;
    node.config.message_entries_max = 2;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_tick(&node, 0);
    node_propose(&node, "12345");
    CHECK_EQ(node.status, RAFT_TOO_LARGE);
    propose(&node, (const char *const[]){"a", "b", "c"}, 3);
    CHECK_EQ(node.status, RAFT_TOO_LARGE);
    propose(&node, (const char *const[]){"a", "12345"}, 2);
    CHECK_EQ(node.status, RAFT_TOO_LARGE);
    propose(&node, NULL, 0);
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.last_index, 1);
    propose(&node, (const char *const[]){"a", "b"}, 2);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.view.last_index, 3);
    node_stop(&node);
}

// ---- step 4: what it sends --------------------------------------------------------

// That what stands in the message stands in the sender's log.
static void check_message(const struct node *node, const struct raft_message *message)
{
    const struct raft_append_entries *request = &message->append_entries;
    raft_term term = 0;
    CHECK(raft_term_at(node->raft, request->prev_log_index, &term));
    CHECK_EQ(request->prev_log_term, term);
    CHECK_EQ(message->term, node->view.current_term);
    CHECK_AT_MOST(request->leader_commit, node->view.commit_index);
    for (uint32_t i = 0; i < request->count; i++) {
        CHECK_EQ(request->entries[i].index, request->prev_log_index + 1 + i);
        CHECK(raft_term_at(node->raft, request->entries[i].index, &term));
        CHECK_EQ(request->entries[i].term, term);
    }
}

static uint32_t check_sent(const struct node *node, raft_id to)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->sent_count; i++) {
        const struct raft_message *message = &node->sent[i].message;
        if (message->type != RAFT_APPEND_ENTRIES || message->to != to)
            continue;
        check_message(node, message);
        count++;
    }
    return count;
}

// LAB 2 step 4, 1 point: LEAD-1 LEAD-3 STATE-6
TEST(a_new_leader_speaks_to_all_at_once_from_the_end_of_its_log)
{
    struct node node;
    node_init(&node, 1, 5);
    node_boot(&node, (struct raft_hard_state){2, 0}, TERMS(1, 1, 2), 3);
    node_become_leader(&node);
    for (raft_id to = 2; to <= 5; to++) {
        CHECK(check_sent(&node, to) > 0);
        const struct raft_message *first = node_sent(&node, RAFT_APPEND_ENTRIES, to);
        CHECK_EQ(first->append_entries.prev_log_index, 3);
        CHECK_EQ(first->append_entries.prev_log_term, 2);
    }
    node_stop(&node);
}

// An answer may be lost, so what it has not heard of goes again.
// LAB 2 step 4, 1 point: LEAD-1 LEAD-3
TEST(a_peer_that_answers_nothing_is_spoken_to_at_each_heartbeat)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    for (int i = 0; i < 10; i++) {
        node_forget_sent(&node);
        node_propose(&node, "a");
        node_tick(&node, node.config.heartbeat_ms);
        CHECK(check_sent(&node, 2) > 0);
        CHECK(check_sent(&node, 3) > 0);
    }
    const struct raft_message *last = node_last_sent(&node, RAFT_APPEND_ENTRIES, 2);
    CHECK_EQ(last->append_entries.prev_log_index, 0); // nothing is known to match
    CHECK(last->append_entries.count > 0);
    node_stop(&node);
}

// ---- step 5: what it hears --------------------------------------------------------

// LAB 2 step 5, 1 point: LEAD-3a STATE-7
TEST(an_answer_of_another_term_says_nothing)
{
    struct node node;
    node_start(&node, 1, 5);
    node_become_leader(&node);
    for (int i = 0; i < 3; i++)
        node_propose(&node, "a");
    node_receive(&node, an_ack(2, 1, 1, 4));
    CHECK_EQ(node_peer(&node, 2)->match_index, 4);
    node_receive(&node, an_append(3, 1, 2, 1, 1, 0, TERMS(2))); // it is deposed
    CHECK_EQ(node.view.last_index, 2);
    node_receive(&node, an_ack(2, 1, 2, 9)); // nobody asked
    CHECK_EQ(node.status, RAFT_OK);
    node_become_leader(&node); // and leads again, in term 3
    CHECK_EQ(node.view.current_term, 3);
    CHECK_EQ(node_peer(&node, 2)->match_index, 0);
    node_propose(&node, "b");
    for (raft_id from = 2; from <= 5; from++) {
        node_receive(&node, an_ack(from, 1, 1, 4)); // late, of another log
        node_receive(&node, an_ack(from, 1, 2, 3));
        CHECK_EQ(node_peer(&node, from)->match_index, 0);
        node_receive(&node, an_ack(from, 1, 1, 9)); // of one that was longer
        CHECK_EQ(node.status, RAFT_OK);
    }
    CHECK_EQ(node.view.commit_index, 0);
    node_receive(&node, an_ack(2, 1, 3, 4));
    CHECK_EQ(node.view.commit_index, 0); // two of five
    node_receive(&node, an_ack(3, 1, 3, 4));
    CHECK_EQ(node.view.commit_index, 4);
    node_stop(&node);
}

// LAB 2 step 5, 1 point: LEAD-3a LEAD-4
TEST(an_answer_counts_once_and_only_a_members)
{
    struct node node;
    node_start(&node, 1, 5);
    node_become_leader(&node);
    node_propose(&node, "a");
    for (int i = 0; i < 4; i++) {
        node_receive(&node, an_ack(2, 1, 1, 2)); // again and again
        node_receive(&node, an_ack(9, 1, 1, 2)); // a stranger
        CHECK_EQ(node.status, RAFT_OK);
    }
    CHECK_EQ(node.view.commit_index, 0);
    node_receive(&node, an_ack(3, 1, 1, 3)); // the log ends at 2
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node_peer(&node, 3)->match_index, 0);
    node_receive(&node, an_ack(4, 1, 1, 1));
    CHECK_EQ(node.view.commit_index, 1); // 1, 2 and 4 have this much
    node_receive(&node, an_ack(5, 1, 1, 2));
    CHECK_EQ(node.view.commit_index, 2);
    node_stop(&node);
}

TEST_MAIN
