// Joint consensus: section 6; dissertation 4.3.
#include "tests/raft/fixture.h"

// Node 1 leads `count` voters; its no-op is committed.
static void start_leader(struct node *node, uint32_t count)
{
    node_start(node, 1, count);
    node_lead(node);
}

// Adds `id` with this role, and has the change committed and the member caught up.
static void add(struct node *node, raft_id id, enum raft_member_role role)
{
    node_change(node, id, role);
    CHECK_EQ(node->status, RAFT_OK);
    node_hear_from_all(node);
}

static uint32_t configurations_in(const struct node *node)
{
    uint32_t count = 0;
    struct raft_entry entry;
    for (raft_index at = node->view.first_index; at <= node->view.last_index; at++)
        count += raft_entry_at(node->raft, at, &entry) &&
                 entry.type == RAFT_ENTRY_CONFIGURATION;
    return count;
}

// {1, 2, 3} -> {1, 4, 5}, not committed yet.
static void start_joint(struct node *node)
{
    start_leader(node, 3);
    add(node, 4, RAFT_LEARNER);
    add(node, 5, RAFT_LEARNER);
    struct raft_member changes[] = {
        {2, RAFT_REMOVED}, {3, RAFT_REMOVED}, {4, RAFT_VOTER}, {5, RAFT_VOTER}};
    node_change_all(node, changes, 4);
    CHECK_EQ(node->status, RAFT_OK);
    CHECK_EQ(node->view.configuration_index, 4);
    node_forget_sent(node);
}

// LAB 6 step 6, 1 point: changes-of-members LEAD-4
TEST(a_joint_configuration_needs_both_majorities)
{
    struct node node;
    start_joint(&node);
    CHECK_EQ(node_role_of(&node, 1), RAFT_STAYING);
    CHECK_EQ(node_role_of(&node, 2), RAFT_LEAVING);
    node_receive(&node, an_ack(2, 1, 1, 4));
    node_receive(&node, an_ack(3, 1, 1, 4));
    CHECK_EQ(node.view.commit_index, 3); // all of the old, one of the new
    node_receive(&node, an_ack(4, 1, 1, 4));
    CHECK_EQ(node.view.commit_index, 4);
    node_stop(&node);
    start_joint(&node);
    node_receive(&node, an_ack(4, 1, 1, 4));
    node_receive(&node, an_ack(5, 1, 1, 4));
    CHECK_EQ(node.view.commit_index, 3); // all of the new, one of the old
    node_receive(&node, an_ack(3, 1, 1, 4));
    CHECK_EQ(node.view.commit_index, 4);
    node_stop(&node);
}

// Bug 50: it is left once, whatever stands behind it.
// LAB 6 step 6, 1 point: changes-of-members
TEST(a_joint_configuration_is_left_once_when_it_is_committed)
{
    struct node node;
    start_joint(&node);
    node_change(&node, 6, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_CHANGE_PENDING);
    node_propose(&node, "a");
    node_propose(&node, "b");
    uint32_t before = configurations_in(&node);
    node_receive(&node, an_ack(2, 1, 1, 4));
    node_receive(&node, an_ack(4, 1, 1, 4));
    CHECK_EQ(node.view.configuration_index, 7);
    CHECK_EQ(node_role_of(&node, 1), RAFT_VOTER);
    CHECK_EQ(node_role_of(&node, 2), RAFT_REMOVED);
    CHECK_EQ(node_role_of(&node, 4), RAFT_VOTER);
    node_change(&node, 6, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_CHANGE_PENDING); // to leave is a change as well
    node_tick(&node, node.config.heartbeat_ms);
    node_receive(&node, an_ack(4, 1, 1, 6));
    node_receive(&node, an_ack(4, 1, 1, 7));
    CHECK_EQ(node.view.commit_index, 7);
    CHECK_EQ(configurations_in(&node), before + 1);
    node_change(&node, 6, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_OK);
    node_stop(&node);
}

static struct raft_configuration joint_configuration(void)
{
    struct raft_configuration joint = {.count = 5};
    for (raft_id id = 1; id <= 5; id++)
        joint.members[id - 1] = (struct raft_member){id, id == 1  ? RAFT_STAYING
                                                         : id < 4 ? RAFT_LEAVING
                                                                  : RAFT_VOTER};
    return joint;
}

// Bug 50: its leader died between the two entries; the new one knows of the first that
// it is committed, or does not.
static void inherit_joint_configuration(raft_index leader_commit)
{
    struct node node;
    node_start(&node, 4, 0);
    struct raft_configuration joint = joint_configuration();
    node_receive(&node, an_append_of(1, 4, 1, 0, 0, &joint));
    node_receive(&node, an_append(1, 4, 1, 1, 1, leader_commit, NULL));
    CHECK_EQ(node.view.commit_index, leader_commit);
    node_time_out(&node);
    for (raft_id from = 1; from <= 2; from++)
        node_receive(&node, a_prevote(from, 4, 2, true));
    node_receive(&node, a_vote(1, 4, 2, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE); // 1 and 4 of the new, 1 of the old
    node_receive(&node, a_vote(2, 4, 2, true));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    CHECK_EQ(node.view.last_index, 2);
    node_receive(&node, an_ack(1, 4, 2, 1));
    node_receive(&node, an_ack(2, 4, 2, 1));
    CHECK_EQ(node.view.last_index, 2); // nothing of its own term is committed
    node_receive(&node, an_ack(1, 4, 2, 2));
    node_receive(&node, an_ack(2, 4, 2, 2));
    CHECK_EQ(node.view.configuration_index, 3);
    CHECK_EQ(node.view.configuration->count, 3);
    CHECK_EQ(node_role_of(&node, 1), RAFT_VOTER);
    node_stop(&node);
}

// LAB 6 step 6, 1 point: changes-of-members
TEST(a_new_leader_leaves_the_joint_configuration_that_it_inherited)
{
    inherit_joint_configuration(0);
    inherit_joint_configuration(1);
}

// Bug 50: nor does it leave it again.
// LAB 6 step 6, 1 point: changes-of-members
TEST(a_new_leader_with_both_entries_in_its_log_adds_none)
{
    struct node node;
    node_start(&node, 4, 0);
    struct raft_configuration joint = joint_configuration();
    struct raft_configuration new = {.count = 3};
    for (raft_id id = 1; id <= 5; id++) {
        if (id != 2 && id != 3)
            new.members[id == 1 ? 0 : id - 3] = (struct raft_member){id, RAFT_VOTER};
    }
    node_receive(&node, an_append_of(1, 4, 1, 0, 0, &joint));
    node_receive(&node, an_append_of(1, 4, 1, 1, 1, &new));
    node_time_out(&node);
    node_receive(&node, a_prevote(5, 4, 2, true));
    node_receive(&node, a_vote(5, 4, 2, true));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_receive(&node, an_ack(5, 4, 2, 3));
    CHECK_EQ(node.view.commit_index, 3);
    CHECK_EQ(node.view.last_index, 3);
    node_stop(&node);
    // Nor one that leaves with the second: it counted in the joint one, which is known
    // to be committed, and may be the only one that has both (4.2.2).
    node_start(&node, 2, 0);
    node_receive(&node, an_append_of(1, 2, 1, 0, 0, &joint));
    node_receive(&node, an_append(1, 2, 1, 1, 1, 1, NULL));
    CHECK_EQ(node.view.commit_index, 1);
    node_receive(&node, an_append_of(1, 2, 1, 1, 1, &new));
    CHECK_EQ(node_role_of(&node, 2), RAFT_REMOVED);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    for (raft_id from = 4; from <= 5; from++)
        node_receive(&node, a_prevote(from, 2, 2, true));
    for (raft_id from = 4; from <= 5; from++)
        node_receive(&node, a_vote(from, 2, 2, true));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    for (raft_id from = 4; from <= 5; from++)
        node_receive(&node, an_ack(from, 2, 2, 3));
    CHECK_EQ(node.view.commit_index, 3);
    CHECK_EQ(node.view.last_index, 3);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_stop(&node);
}

// Bug 18: one half has the longer log, the other the newer one; the member that both
// have in common is down.
TEST(the_halves_of_a_joint_configuration_find_a_leader)
{
    struct group group;
    group_start_with(&group, 5, 0);
    struct raft_configuration joint = joint_configuration();
    for (raft_id id = 2; id <= 5; id++) {
        struct node *node = group_node(&group, id);
        node_receive(node, an_append_of(1, id, 1, 0, 0, &joint));
        if (id < 4)
            node_receive(node, an_append(1, id, 1, 1, 1, 0, TERMS(1, 1, 1)));
        else
            node_receive(node, an_append(1, id, 3, 1, 1, 0, TERMS(3)));
        node_forget_sent(node);
    }
    group_isolate(&group, 1, true);
    uint32_t timeout_ms = group.nodes[1].config.election_timeout_ms;
    for (uint32_t ms = 0; ms < 20 * timeout_ms && group_leader(&group) == NULL; ms += 5)
        group_tick(&group, 5);
    CHECK(group_leader(&group) != NULL);
    CHECK(group_leader(&group)->config.id >= 4);
    group_stop(&group);
}

TEST_MAIN
