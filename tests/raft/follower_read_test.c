// Reads on a follower: it asks its leader for a ReadIndex (dissertation 6.4).
#include "tests/raft/fixture.h"

// Node 2 follows node 1 in term 1; entry 1 is committed and applied.
static void start_follower(struct node *node)
{
    node_start(node, 2, 3);
    node_receive(node, an_append(1, 2, 1, 0, 0, 1, TERMS(1)));
    CHECK_EQ(node->view.last_applied, 1);
    node_forget_sent(node);
}

static uint64_t asked_id(const struct node *node)
{
    const struct raft_message *question = node_last_sent(node, RAFT_READ_INDEX, 1);
    CHECK(question != NULL);
    return question->read_index.id;
}

TEST(a_follower_asks_its_leader)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 7);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.read_count, 0);
    node_receive(&node, an_answer(1, 2, 1, asked_id(&node), 1, true));
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].id, 7);
    CHECK_EQ(node.reads[0].index, 1);
    CHECK_EQ(node.reads[0].status, RAFT_OK);
    node_stop(&node);
}

// LAB 5 step 7, 1 point: reads ALL-1
TEST(a_follower_answers_once_it_has_applied_what_the_leader_named)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 1);
    node_receive(&node, an_answer(1, 2, 1, asked_id(&node), 2, true));
    CHECK_EQ(node.read_count, 0);
    node.auto_apply = false;
    node_receive(&node, an_append(1, 2, 1, 1, 1, 2, TERMS(1)));
    CHECK_EQ(node.view.commit_index, 2);
    CHECK_EQ(node.read_count, 0);
    node_step(&node,
              (struct raft_event){.type = RAFT_EVENT_APPLIED, .applied.index = 2});
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].index, 2);
    node_stop(&node);
}

// LAB 5 step 7, 1 point: reads
TEST(reads_that_come_after_the_question_wait_for_the_next_one)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 1);
    uint64_t first = asked_id(&node);
    node_read(&node, 2);
    node_read(&node, 3);
    CHECK_EQ(asked_id(&node), first);
    node_receive(&node, an_answer(1, 2, 1, first, 1, true));
    CHECK_EQ(node.read_count, 1);
    uint64_t second = asked_id(&node);
    CHECK(second != first);
    node_receive(&node, an_answer(1, 2, 1, first, 1, true)); // doubled
    CHECK_EQ(node.read_count, 1);
    node_receive(&node, an_answer(1, 2, 1, second, 1, true));
    CHECK_EQ(node.read_count, 3);
    node_stop(&node);
}

// The answer to a question of long ago names what was committed then. The follower has
// asked, given up, and follows the same leader again: what it asks now has another
// name.
TEST(a_late_answer_says_nothing_to_who_asks_again_after_giving_up)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 1);
    uint64_t first = asked_id(&node);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    CHECK_EQ(node.read_count, 1); // refused
    CHECK_EQ(node.reads[0].status, RAFT_NOT_LEADER);
    node_receive(&node, an_append(1, 2, 1, 1, 1, 1, NULL));
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_forget_sent(&node);
    node_read(&node, 2);
    CHECK(asked_id(&node) != first);
    node_receive(&node, an_answer(1, 2, 1, first, 1, true));
    CHECK_EQ(node.read_count, 1);
    node_receive(&node, an_answer(1, 2, 1, asked_id(&node), 1, true));
    CHECK_EQ(node.read_count, 2);
    node_stop(&node);
}

// LAB 5 step 7, 1 point: reads
TEST(a_lost_question_is_asked_again)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 1);
    uint64_t id = asked_id(&node);
    CHECK_EQ(node.output.deadline_ms, node.now_ms + node.config.heartbeat_ms);
    node_forget_sent(&node);
    node_tick(&node, node.config.heartbeat_ms - 1);
    CHECK(node_sent(&node, RAFT_READ_INDEX, 1) == NULL);
    node_tick(&node, 1);
    CHECK_EQ(asked_id(&node), id);
    node_stop(&node);
}

// LAB 5 step 7, 1 point: reads
TEST(only_the_leaders_answer_in_this_term_counts)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 1);
    uint64_t id = asked_id(&node);
    node_receive(&node, an_answer(3, 2, 1, id, 1, true));
    node_receive(&node, an_answer(1, 2, 1, id + 1, 1, true));
    node_receive(&node, an_answer(1, 2, 1, id - 1, 1, true));
    CHECK_EQ(node.read_count, 0);
    node_receive(&node, an_answer(1, 2, 1, id, 1, true));
    CHECK_EQ(node.read_count, 1);

    node_become_leader(&node); // in term 2; its rounds are counted anew
    node_receive(&node, an_append(1, 2, 3, 1, 1, 1, NULL));
    node_read(&node, 2);
    id = asked_id(&node); // maybe the name that it had in term 1
    node_receive(&node, an_answer(1, 2, 1, id, 1, true));
    CHECK_EQ(node.read_count, 1);
    node_receive(&node, an_answer(1, 2, 3, id, 1, true));
    CHECK_EQ(node.read_count, 2);
    node_stop(&node);
}

TEST(a_new_term_refuses_the_reads_and_their_late_answers)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 1);
    uint64_t id = asked_id(&node);
    node_receive(&node, an_append(3, 2, 2, 1, 1, 1, NULL));
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].status, RAFT_NOT_LEADER);
    node_read(&node, 2);
    node_receive(&node, an_answer(1, 2, 1, id, 1, true));
    node_receive(&node, an_answer(3, 2, 2, id, 1, true)); // the question was another
    CHECK_EQ(node.read_count, 1);
    node_stop(&node);
}

// Two starts of a node have different seeds, so that an answer to the one before
// cannot be taken for this one's.
// LAB 5 step 7, 1 point: reads
TEST(a_restarted_follower_asks_by_another_name)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 1);
    uint64_t id = asked_id(&node);
    node.config.seed++;
    node_boot(&node, (struct raft_hard_state){1, 0}, TERMS(1), 1);
    node_receive(&node, an_append(1, 2, 1, 1, 1, 1, NULL));
    node_read(&node, 1);
    CHECK(asked_id(&node) != id);
    node_receive(&node, an_answer(1, 2, 1, id, 1, true));
    CHECK_EQ(node.read_count, 0);
    node_stop(&node);
}

TEST(a_follower_whose_leader_is_silent_refuses)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 1);
    node_time_out(&node);
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].status, RAFT_NOT_LEADER);
    node_read(&node, 2);
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    node_stop(&node);
}

TEST(a_follower_that_is_refused_refuses)
{
    struct node node;
    start_follower(&node);
    node_read(&node, 1);
    node_receive(&node, an_answer(1, 2, 1, asked_id(&node), 0, false));
    CHECK_EQ(node.read_count, 1);
    CHECK_EQ(node.reads[0].status, RAFT_NOT_LEADER);
    CHECK_EQ(node.view.reads_pending, 0);
    node_stop(&node);
}

TEST(a_learner_reads_as_well)
{
    struct node node;
    node_init(&node, 4, 3);
    node.config.configuration.members[node.config.configuration.count++] =
        (struct raft_member){4, RAFT_LEARNER};
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_receive(&node, an_append(1, 4, 1, 0, 0, 1, TERMS(1)));
    node_read(&node, 1);
    node_receive(&node, an_answer(1, 4, 1, asked_id(&node), 1, true));
    CHECK_EQ(node.read_count, 1);
    node_stop(&node);
}

// ---- the leader -------------------------------------------------------------------

static void start_leader(struct node *node)
{
    node_start(node, 1, 3);
    node_lead(node);
}

// LAB 5 step 7, 1 point: reads
TEST(a_leader_answers_a_follower_once_its_leadership_is_confirmed)
{
    struct node node;
    start_leader(&node);
    node_receive(&node, a_question(2, 1, 1, 77));
    CHECK(node_sent(&node, RAFT_READ_INDEX_REPLY, 2) == NULL);
    node_receive(&node, an_echo(3, 1, 1, 1, 1));
    const struct raft_message *reply = node_sent(&node, RAFT_READ_INDEX_REPLY, 2);
    CHECK_EQ(reply->read_index.id, 77);
    CHECK_EQ(reply->read_index.index, 1);
    CHECK(reply->read_index.ok);
    CHECK_EQ(node.read_count, 0); // nothing for the host
    node_stop(&node);
}

// Bug 51: on behalf of others, too.
TEST(a_new_leader_names_no_index_before_its_own_term_has_a_commit)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){2, 0}, TERMS(1, 2), 2);
    node_become_leader(&node);
    node_receive(&node, a_question(2, 1, 3, 5));
    node_receive(&node, an_echo(3, 1, 3, 2, 1));
    CHECK(node_sent(&node, RAFT_READ_INDEX_REPLY, 2) == NULL);
    node_receive(&node, an_echo(3, 1, 3, 3, 1));
    CHECK_EQ(node_sent(&node, RAFT_READ_INDEX_REPLY, 2)->read_index.index, 3);
    node_stop(&node);
}

TEST(a_leader_need_not_have_applied_what_it_names)
{
    struct node node;
    start_leader(&node);
    node.auto_apply = false;
    node_propose(&node, "a");
    node_receive(&node, an_ack(3, 1, 1, 2));
    node_receive(&node, a_question(2, 1, 1, 5));
    node_receive(&node, an_echo(3, 1, 1, 2, 1));
    CHECK_EQ(node_sent(&node, RAFT_READ_INDEX_REPLY, 2)->read_index.index, 2);
    node_stop(&node);
}

TEST(strangers_and_older_terms_are_not_answered)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){1, 0}, NULL, 0);
    node_lead(&node);
    node_receive(&node, a_question(9, 1, 2, 5));
    node_receive(&node, a_question(2, 1, 1, 5));
    CHECK_EQ(node.view.reads_pending, 0);
    node_receive(&node, an_echo(3, 1, 2, 1, 0));
    CHECK(node_sent(&node, RAFT_READ_INDEX_REPLY, 0) == NULL);
    node_stop(&node);
}

TEST(a_leader_with_no_room_for_more_reads_says_so)
{
    struct node node;
    start_leader(&node);
    for (uint64_t id = 1; id <= RAFT_READS_MAX; id++)
        node_receive(&node, a_question(2, 1, 1, id));
    node_receive(&node, a_question(3, 1, 1, 5));
    const struct raft_message *reply = node_sent(&node, RAFT_READ_INDEX_REPLY, 3);
    CHECK(!reply->read_index.ok);
    CHECK_EQ(reply->read_index.id, 5);
    node_stop(&node);
}

TEST(a_deposed_leader_answers_nobody)
{
    struct node node;
    start_leader(&node);
    node_receive(&node, a_question(2, 1, 1, 5));
    node_receive(&node, an_append(3, 1, 2, 1, 1, 1, NULL));
    CHECK(node_sent(&node, RAFT_READ_INDEX_REPLY, 0) == NULL);
    CHECK_EQ(node.view.reads_pending, 0);
    CHECK_EQ(node.read_count, 0);
    node_stop(&node);
}

TEST(every_node_of_a_cluster_reads_what_was_committed)
{
    struct group group;
    group_start(&group, 3);
    group_elect(&group, 1);
    node_propose(group_node(&group, 1), "a");
    group_deliver(&group);
    raft_index committed = group_node(&group, 1)->view.commit_index;
    for (raft_id id = 1; id <= 3; id++)
        node_read(group_node(&group, id), 100 + id);
    group_deliver(&group);
    group_tick(&group, group.nodes[0].config.heartbeat_ms);
    for (raft_id id = 1; id <= 3; id++) {
        struct node *node = group_node(&group, id);
        CHECK_EQ(node->read_count, 1);
        CHECK_EQ(node->reads[0].id, 100 + id);
        CHECK(node->reads[0].index >= committed);
        CHECK(node->view.last_applied >= committed);
    }
    group_stop(&group);
}

TEST_MAIN
