// Membership changes: section 6; dissertation 4; Ongaro's note of 2015.
#include "tests/raft/fixture.h"

static struct raft_configuration voters(raft_id first, raft_id last)
{
    struct raft_configuration configuration = {0};
    for (raft_id id = first; id <= last; id++)
        configuration.members[configuration.count++] =
            (struct raft_member){id, RAFT_VOTER};
    return configuration;
}

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

// ---- asking -----------------------------------------------------------------------

// LAB 6 step 3, 1 point: changes-of-members
TEST(only_a_leader_takes_changes)
{
    struct node node;
    node_start(&node, 1, 3);
    node_change(&node, 4, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    CHECK_EQ(node.view.last_index, 0);
    node_stop(&node);
}

// LAB 6 step 3, 1 point: changes-of-members LEAD-2
TEST(a_change_tells_its_place_and_is_in_use_at_once)
{
    struct node node;
    start_leader(&node, 3);
    node_propose(&node, "a");
    node_change(&node, 4, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node.output.proposed_index, 3);
    CHECK_EQ(node.output.proposed_term, 1);
    CHECK_EQ(node.view.configuration_index, 3);
    CHECK_EQ(node.view.commit_index, 1);
    CHECK_EQ(node_role_of(&node, 4), RAFT_LEARNER);
    CHECK(node_sent(&node, RAFT_APPEND_ENTRIES, 4) != NULL);
    node_stop(&node);
}

// Bug 45: two leaders, each with a change that it alone knows, would use majorities
// that do not meet.
// LAB 6 step 3, 1 point: changes-of-members
TEST(no_change_before_the_leader_has_committed_in_its_own_term)
{
    struct node node;
    node_start(&node, 2, 4);
    node_become_leader(&node);
    node_change(&node, 1, RAFT_REMOVED);
    CHECK_EQ(node.status, RAFT_NOT_READY);
    node_receive(&node, an_ack(3, 2, 1, 1));
    node_change(&node, 1, RAFT_REMOVED); // two of four
    CHECK_EQ(node.status, RAFT_NOT_READY);
    node_receive(&node, an_ack(4, 2, 1, 1));
    node_change(&node, 1, RAFT_REMOVED);
    CHECK_EQ(node.status, RAFT_OK);
    node_stop(&node);
}

static void pass_votes(struct group *group, raft_id candidate, raft_id voter)
{
    group_pass(group, candidate, voter, RAFT_REQUEST_VOTE);
    group_pass(group, voter, candidate, RAFT_REQUEST_VOTE_REPLY);
}

// Pre-votes and votes of these two; what else is sent is lost.
static void elect_by(struct group *group, raft_id candidate, raft_id one, raft_id other)
{
    node_time_out(group_node(group, candidate));
    pass_votes(group, candidate, one);
    pass_votes(group, candidate, other);
    CHECK_EQ(group_node(group, candidate)->view.role, RAFT_CANDIDATE);
    pass_votes(group, candidate, one);
    pass_votes(group, candidate, other);
    CHECK_EQ(group_node(group, candidate)->view.role, RAFT_LEADER);
}

static void let_time_pass(struct group *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        group->nodes[i].now_ms += 2 * group->nodes[i].config.election_timeout_ms;
}

// Bug 45, as Ongaro told it in 2015: 1 adds 5, which 5 alone hears of; 2 is elected
// and removes 1, which 3 alone hears of; 1 is elected by 4 and 5. With both changes
// under way, {2, 3} and {1, 4, 5} would both be majorities.
// LAB 6 step 3, 1 point: changes-of-members
TEST(two_leaders_cannot_change_the_cluster_behind_each_others_back)
{
    struct group group;
    group_start_with(&group, 5, 4);
    struct node *one = group_node(&group, 1);
    struct node *two = group_node(&group, 2);
    group_elect(&group, 1);
    node_change(one, 5, RAFT_LEARNER);
    for (int i = 0; i < 4; i++)
        group_tick(&group, one->config.heartbeat_ms);
    node_change(one, 5, RAFT_VOTER);
    CHECK_EQ(one->status, RAFT_OK);
    group_pass(&group, 1, 5, RAFT_APPEND_ENTRIES);
    CHECK_EQ(node_role_of(group_node(&group, 5), 5), RAFT_VOTER);
    let_time_pass(&group);
    elect_by(&group, 2, 3, 4);
    raft_index before = two->view.commit_index;
    node_change(two, 1, RAFT_REMOVED);
    CHECK_EQ(two->status, RAFT_NOT_READY);
    group_pass(&group, 2, 3, RAFT_APPEND_ENTRIES);
    group_pass(&group, 3, 2, RAFT_APPEND_ENTRIES_REPLY);
    CHECK_EQ(two->view.commit_index, before);
    let_time_pass(&group);
    node_receive(one, an_ack(2, 1, two->view.current_term, 0)); // it was deposed
    elect_by(&group, 1, 4, 5);
    group_deliver(&group);
    group_tick(&group, one->config.heartbeat_ms);
    CHECK_EQ(two->view.last_index, one->view.last_index);
    CHECK_EQ(two->view.last_term, one->view.last_term);
    group_stop(&group);
}

// Bug 46.
// LAB 6 step 3, 1 point: changes-of-members
TEST(one_change_is_under_way_at_a_time)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 4, RAFT_LEARNER);
    node_change(&node, 5, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_CHANGE_PENDING);
    CHECK_EQ(node.view.last_index, 2);
    node_receive(&node, an_ack(2, 1, 1, 2));
    node_change(&node, 5, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_OK);
    node_stop(&node);
}

// Bug 46: a leader that died left a change in this log, and nobody knows its fate.
// LAB 6 step 3, 1 point: changes-of-members
TEST(a_new_leader_takes_no_change_before_the_one_it_inherited_is_committed)
{
    struct node node;
    node_start(&node, 2, 3);
    struct raft_configuration five = voters(1, 5);
    node_receive(&node, an_append_of(1, 2, 1, 0, 0, &five));
    CHECK_EQ(node_role_of(&node, 5), RAFT_VOTER);
    node_time_out(&node);
    node_receive(&node, a_prevote(1, 2, 2, true));
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE); // two of five
    node_receive(&node, a_prevote(4, 2, 2, true));
    node_receive(&node, a_vote(3, 2, 2, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_receive(&node, a_vote(5, 2, 2, true));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_change(&node, 6, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_NOT_READY);
    node_receive(&node, an_ack(1, 2, 2, 2));
    node_receive(&node, an_ack(3, 2, 2, 1));
    node_change(&node, 6, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_NOT_READY);
    node_receive(&node, an_ack(3, 2, 2, 2));
    node_change(&node, 6, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_OK);
    node_stop(&node);
}

// LAB 6 step 3, 1 point: changes-of-members
TEST(changes_that_cannot_be_are_refused_and_leave_no_trace)
{
    struct node node;
    start_leader(&node, 3);
    node_change_all(&node, NULL, 0);
    CHECK_EQ(node.status, RAFT_INVALID);
    node_change(&node, 0, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_INVALID);
    node_change(&node, 2, RAFT_VOTER);
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.last_index, 1);
    CHECK_EQ(node.view.configuration_index, 0);
    node_transfer(&node, 2);
    node_change(&node, 4, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_TRANSFERRING);
    node_stop(&node);
}

TEST(a_change_that_finds_no_room_is_refused)
{
    struct node node;
    node_init(&node, 1, 1);
    node.config.log_bytes_max = 16;
    node.config.command_bytes_max = 16;
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_lead(&node);
    node_change(&node, 4, RAFT_LEARNER); // "1 voter 0 -\n4 learner 0 -\n"
    CHECK_EQ(node.status, RAFT_LOG_FULL);
    CHECK_EQ(node.view.last_index, 1);
    CHECK_EQ(node.view.configuration->count, 1);
    node_stop(&node);
}

// ---- learners and joiners (4.2.1) -------------------------------------------------

// LAB 6 step 4, 1 point: learners
TEST(a_learner_that_has_caught_up_may_become_a_voter)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 4, RAFT_VOTER); // nobody has seen its log
    CHECK_EQ(node.status, RAFT_NOT_CAUGHT_UP);
    CHECK_EQ(node.view.last_index, 1);
    node_change(&node, 4, RAFT_LEARNER);
    CHECK_EQ(node.status, RAFT_OK);
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK(!node_peer(&node, 4)->caught_up);
    node_change(&node, 4, RAFT_VOTER);
    CHECK_EQ(node.status, RAFT_NOT_CAUGHT_UP);
    node_receive(&node, an_ack(4, 1, 1, 2));
    CHECK(node_peer(&node, 4)->caught_up);
    node_change(&node, 4, RAFT_VOTER);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(node_role_of(&node, 4), RAFT_VOTER);
    node_stop(&node);
}

TEST(a_learner_whose_round_took_too_long_has_not_caught_up)
{
    struct node node;
    start_leader(&node, 3);
    uint32_t timeout_ms = node.config.election_timeout_ms;
    node_change(&node, 4, RAFT_LEARNER);
    node_receive(&node, an_ack(2, 1, 1, 2));
    node_tick(&node, timeout_ms + 1);
    node_receive(&node, an_ack(4, 1, 1, 2)); // a long round ends, another begins
    CHECK(!node_peer(&node, 4)->caught_up);
    node_tick(&node, timeout_ms);
    node_receive(&node, an_ack(4, 1, 1, 2));
    CHECK(node_peer(&node, 4)->caught_up);
    node_propose(&node, "a");
    node_tick(&node, timeout_ms + 1); // and then nothing more is heard
    CHECK(!node_peer(&node, 4)->caught_up);
    node_stop(&node);
}

// LAB 6 step 4, 1 point: learners
TEST(who_is_joining_becomes_a_voter_by_itself_once_it_has_caught_up)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 4, RAFT_JOINING);
    node_receive(&node, an_ack(4, 1, 1, 2));
    CHECK_EQ(node_role_of(&node, 4), RAFT_JOINING); // that is not committed yet
    node_receive(&node, an_ack(2, 1, 1, 2));
    CHECK_EQ(node_role_of(&node, 4), RAFT_VOTER);
    CHECK_EQ(node.view.configuration_index, 3);
    node_stop(&node);
    // It joined under a leader that is gone, by an entry that is known to be committed:
    // the new leader may change nothing before it has committed in its own term.
    node_start(&node, 2, 3);
    struct raft_configuration four = voters(1, 4);
    four.members[3].role = RAFT_JOINING;
    node_receive(&node, an_append_of(1, 2, 1, 0, 0, &four));
    node_receive(&node, an_append(1, 2, 1, 1, 1, 1, NULL));
    CHECK_EQ(node.view.commit_index, 1);
    node_become_leader(&node);
    node_receive(&node, an_ack(4, 2, 2, 2));
    CHECK(node_peer(&node, 4)->caught_up);
    CHECK_EQ(node_role_of(&node, 4), RAFT_JOINING);
    node_receive(&node, an_ack(3, 2, 2, 2));
    CHECK_EQ(node_role_of(&node, 4), RAFT_VOTER);
    node_stop(&node);
}

// LAB 6 step 4, 1 point: learners transfer
TEST(nobody_is_promoted_while_leadership_is_handed_over)
{
    struct node node;
    start_leader(&node, 3);
    node_change(&node, 4, RAFT_JOINING);
    node_receive(&node, an_ack(2, 1, 1, 2));
    node_transfer(&node, 3);
    node_receive(&node, an_ack(4, 1, 1, 2));
    CHECK_EQ(node_role_of(&node, 4), RAFT_JOINING);
    node_stop(&node);
}

// LAB 6 step 4, 1 point: learners LEAD-4
TEST(a_learner_counts_neither_for_commitment_nor_in_elections)
{
    struct node node;
    start_leader(&node, 3);
    add(&node, 4, RAFT_LEARNER);
    node_propose(&node, "a");
    node_receive(&node, an_ack(4, 1, 1, 3));
    CHECK_EQ(node.view.commit_index, 2);
    node_receive(&node, an_ack(2, 1, 1, 3));
    CHECK_EQ(node.view.commit_index, 3);
    node_stop(&node);
}

// Bug 14: it would be needed, and has not heard that it is a voter now.
TEST(a_learner_votes_when_it_is_asked)
{
    struct node node;
    node_init(&node, 4, 3);
    node.config.configuration.members[node.config.configuration.count++] =
        (struct raft_member){4, RAFT_LEARNER};
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_receive(&node, a_prevote_request(2, 4, 1, 0, 0));
    node_receive(&node, a_vote_request(2, 4, 1, 0, 0));
    CHECK(
        node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 2)->request_vote_reply.vote_granted);
    CHECK(node_last_sent(&node, RAFT_REQUEST_VOTE_REPLY, 2)
              ->request_vote_reply.vote_granted);
    CHECK_EQ(node.view.voted_for, 2);
    node_stop(&node);
}

TEST(learners_joiners_and_those_without_a_cluster_never_campaign)
{
    for (int role = RAFT_REMOVED; role <= RAFT_JOINING; role++) {
        if (role != RAFT_REMOVED && role < RAFT_LEARNER)
            continue;
        struct node node;
        node_init(&node, 4, role == RAFT_REMOVED ? 0 : 3);
        if (role != RAFT_REMOVED)
            node.config.configuration.members[node.config.configuration.count++] =
                (struct raft_member){4, (enum raft_member_role)role};
        node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
        for (int i = 0; i < 3; i++)
            node_time_out(&node);
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        CHECK_EQ(node.view.current_term, 0);
        CHECK_EQ(node.output.deadline_ms, UINT64_MAX);
        node_stop(&node);
    }
}

TEST(a_node_without_a_cluster_follows_who_reaches_it)
{
    struct node node;
    node_start(&node, 4, 0);
    struct raft_configuration four = voters(1, 4);
    node_receive(&node, an_append_of(1, 4, 3, 0, 0, &four));
    CHECK_EQ(node.view.leader_id, 1);
    CHECK_EQ(node.view.current_term, 3);
    CHECK_EQ(node_role_of(&node, 4), RAFT_VOTER);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    node_stop(&node);
}

// ---- which configuration is in use ------------------------------------------------

// Bug 47.
// LAB 6 step 2, 1 point: changes-of-members AE-3
TEST(a_configuration_that_is_truncated_is_used_no_more)
{
    struct node node;
    node_start(&node, 2, 3);
    struct raft_configuration four = voters(1, 4);
    struct raft_configuration five = voters(1, 5);
    node_receive(&node, an_append_of(1, 2, 1, 0, 0, &four));
    node_receive(&node, an_append_of(1, 2, 1, 1, 1, &five));
    CHECK_EQ(node.view.configuration_index, 2);
    node_receive(&node, an_append(3, 2, 2, 1, 1, 0, TERMS(2)));
    CHECK_EQ(node.view.configuration_index, 1);
    CHECK_EQ(node.view.configuration->count, 4);
    node_receive(&node, an_append(1, 2, 3, 0, 0, 0, TERMS(3)));
    CHECK_EQ(node.view.configuration_index, 0);
    CHECK_EQ(node.view.configuration->count, 3);
    node_stop(&node);
}

// Bug 21: what is committed and not yet applied counts all the same.
// LAB 6 step 2, 1 point: changes-of-members CAND-2
TEST(a_candidate_uses_the_newest_configuration_in_its_log)
{
    struct node node;
    node_start(&node, 2, 3);
    node.auto_apply = false;
    struct raft_configuration five = voters(1, 5);
    node_receive(&node, an_append_of(1, 2, 1, 0, 0, &five));
    node_receive(&node, an_append(1, 2, 1, 1, 1, 1, NULL));
    CHECK_EQ(node.view.commit_index, 1);
    CHECK_EQ(node.view.last_applied, 0);
    node_forget_sent(&node);
    node_time_out(&node);
    for (raft_id to = 1; to <= 5; to++)
        CHECK_EQ(node_sent(&node, RAFT_REQUEST_VOTE, to) != NULL, to != 2);
    node_receive(&node, a_prevote(1, 2, 2, true));
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE); // two of five
    node_receive(&node, a_prevote(5, 2, 2, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_stop(&node);
}

// LAB 6 step 2, 1 point: changes-of-members
TEST(a_configuration_found_on_disk_is_used)
{
    struct node node;
    node_init(&node, 2, 3);
    node_boot(&node, (struct raft_hard_state){1, 0}, TERMS(1), 1);
    char text[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration sole = voters(2, 2);
    struct raft_entry entry = {.index = 2, .term = 1};
    entry.type = RAFT_ENTRY_CONFIGURATION;
    entry.size = raft_configuration_encode(&sole, text);
    entry.data = text;
    CHECK_EQ(raft_load(node.raft, &entry), RAFT_OK);
    node_tick(&node, 0);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    CHECK_EQ(node.view.current_term, 2);
    entry.index = 4;
    entry.size = 3;
    CHECK_EQ(raft_load(node.raft, &entry), RAFT_INVALID);
    node_stop(&node);
}

TEST(a_configuration_that_cannot_be_read_is_refused)
{
    struct node node;
    node_start(&node, 2, 3);
    struct raft_configuration four = voters(1, 4);
    struct raft_message message = an_append_of(1, 2, 1, 0, 0, &four);
    struct raft_entry entry = message.append_entries.entries[0];
    entry.size--;
    message.append_entries.entries = &entry;
    node_receive(&node, message);
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.last_index, 0);
    CHECK_EQ(node.view.configuration->count, 3);
    node_stop(&node);
}

// Bug 9: where one voter is left, it still has to be elected, in a term of its own.
TEST(a_sole_voter_leads_only_in_a_new_term)
{
    struct node node;
    node_start(&node, 2, 3);
    struct raft_configuration sole = voters(2, 2);
    node_receive(&node, an_append_of(1, 2, 1, 0, 0, &sole));
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK_EQ(node.view.leader_id, 1);
    node_time_out(&node);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    CHECK_EQ(node.view.current_term, 2);
    CHECK_EQ(node.view.voted_for, 2);
    node_stop(&node);
}

// Bug 10: nobody is member 0, and the highest id is one like any other.
TEST(the_lowest_and_the_highest_ids_vote_once_each)
{
    struct node node;
    node_init(&node, UINT32_MAX, 0);
    struct raft_configuration *configuration = &node.config.configuration;
    for (raft_id id = UINT32_MAX; id > UINT32_MAX - 3; id--)
        configuration->members[configuration->count++] =
            (struct raft_member){id, RAFT_VOTER};
    configuration->members[configuration->count++] =
        (struct raft_member){1, RAFT_VOTER};
    configuration->members[configuration->count++] =
        (struct raft_member){2, RAFT_VOTER};
    node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
    node_receive(&node, a_vote_request(0, UINT32_MAX, 1, 9, 1));
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.current_term, 0);
    node_become_candidate(&node);
    node_receive(&node, a_vote(0, UINT32_MAX, 1, true));
    node_receive(&node, a_vote(3, UINT32_MAX, 1, true)); // a stranger
    node_receive(&node, a_vote(1, UINT32_MAX, 1, true));
    node_receive(&node, a_vote(1, UINT32_MAX, 1, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_receive(&node, a_vote(UINT32_MAX - 1, UINT32_MAX, 1, true));
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

TEST_MAIN
