// Configurations and snapshots: a true story of each, then the lies.
#include "sim/checker/checker.h"

#include "tests/sim/actor.h"

// ---- configurations -------------------------------------------------------------

// Node 3 is removed by an entry at 3, which all hold and which is committed.
static void tell_removal(void)
{
    const struct raft_configuration *two_left =
        members(RAFT_VOTER, RAFT_VOTER, RAFT_REMOVED);

    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    write_entry(&three, 2, 1, "a");
    write_members(&one, 3, 1, two_left);
    write_members(&two, 3, 1, two_left);
    write_members(&three, 3, 1, two_left);
    commit(&one, 3);
    CHECK_EQ(checker_violation_count(checker), 0);
}

TEST(a_removal_and_a_change_through_joint_consensus_are_right)
{
    const struct raft_configuration *joint =
        members(RAFT_STAYING, RAFT_LEAVING, RAFT_STAYING);
    const struct raft_configuration *after =
        members(RAFT_VOTER, RAFT_REMOVED, RAFT_VOTER);

    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    write_entry(&three, 2, 1, "a");
    write_members(&one, 3, 1, joint);
    write_members(&two, 3, 1, joint);
    write_members(&three, 3, 1, joint);
    commit(&one, 3);
    write_members(&one, 4, 1, after);
    write_members(&three, 4, 1, after);
    commit(&one, 4);
    finish_clean();
}

TEST(a_truncated_configuration_gives_way_to_the_one_before)
{
    tell_true_story();
    write_members(&one, 3, 1, members(RAFT_VOTER, RAFT_VOTER, RAFT_REMOVED));
    begin(&one);
    one.view.role = RAFT_FOLLOWER;
    add_vote(&one, 2, 0);
    add_entry(&one, 3, 2, "b");
    one.view.configuration = &first_members;
    one.view.configuration_index = 0;
    tell(&one);
    finish_clean();
}

TEST(a_configuration_that_cannot_be_read_is_found)
{
    tell_true_story();
    begin(&one);
    add_entry(&one, 3, 1, "1 nobody knows");
    one.entries[0].type = RAFT_ENTRY_CONFIGURATION;
    tell(&one);
    finish_with(PROPERTY_CONFIGURATION);
}

TEST(a_configuration_without_a_voter_is_found)
{
    tell_true_story();
    write_members(&one, 3, 1, members(RAFT_LEARNER, RAFT_LEARNER, RAFT_LEARNER));
    finish_with(PROPERTY_CONFIGURATION);
}

TEST(a_node_that_uses_an_older_configuration_than_its_log_holds_is_found)
{
    tell_true_story();
    write_members(&one, 3, 1, members(RAFT_VOTER, RAFT_VOTER, RAFT_REMOVED));
    begin(&one);
    one.view.configuration = &first_members;
    one.view.configuration_index = 0;
    tell(&one);
    finish_with(PROPERTY_CONFIGURATION);
}

TEST(a_node_that_uses_another_configuration_than_is_logged_is_found)
{
    char text[RAFT_CONFIGURATION_BYTES_MAX] = "";

    tell_true_story();
    raft_configuration_encode(members(RAFT_VOTER, RAFT_VOTER, RAFT_REMOVED), text);
    begin(&one);
    add_entry(&one, 3, 1, text);
    one.entries[0].type = RAFT_ENTRY_CONFIGURATION;
    one.view.configuration_index = 3; // but the members are the first ones still
    tell(&one);
    finish_with(PROPERTY_CONFIGURATION);
}

TEST(a_second_change_before_the_first_is_committed_is_found)
{
    tell_true_story();
    write_members(&one, 3, 1, members(RAFT_VOTER, RAFT_VOTER, RAFT_REMOVED));
    write_members(&one, 4, 1, members(RAFT_VOTER, RAFT_VOTER, RAFT_VOTER));
    finish_with(PROPERTY_CHANGE_ALONE);
}

TEST(two_voters_that_go_at_once_without_joint_consensus_are_found)
{
    tell_true_story();
    write_members(&one, 3, 1, members(RAFT_VOTER, RAFT_REMOVED, RAFT_REMOVED));
    finish_with(PROPERTY_CHANGE_ALONE);
}

TEST(a_joint_configuration_with_another_old_half_is_found)
{
    tell_true_story();
    write_members(&one, 3, 1, members(RAFT_STAYING, RAFT_STAYING, RAFT_VOTER));
    finish_with(PROPERTY_CHANGE_ALONE);
}

TEST(a_joint_configuration_left_for_another_than_its_new_half_is_found)
{
    const struct raft_configuration *joint =
        members(RAFT_STAYING, RAFT_LEAVING, RAFT_STAYING);

    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    write_entry(&three, 2, 1, "a");
    write_members(&one, 3, 1, joint);
    write_members(&three, 3, 1, joint);
    commit(&one, 3);
    write_members(&one, 4, 1, members(RAFT_VOTER, RAFT_VOTER, RAFT_VOTER));
    finish_with(PROPERTY_CHANGE_ALONE);
}

TEST(a_change_before_a_commit_in_the_leaders_own_term_is_found)
{
    tell_true_story();
    follow(&one, 2);
    vote(&two, 3, 1);
    grant(&two, 3, 1);
    vote(&one, 3, 1);
    lead(&one);
    write_members(&one, 3, 3, members(RAFT_VOTER, RAFT_VOTER, RAFT_REMOVED));
    finish_with(PROPERTY_CHANGE_OWN_TERM);
}

TEST(a_joint_configuration_needs_both_majorities)
{
    const struct raft_configuration *joint =
        members(RAFT_STAYING, RAFT_STAYING, RAFT_LEAVING);

    tell_true_story();
    write_members(&one, 3, 1, joint);
    commit(&one, 3); // of the new ones, 1 and 2, only 1 holds it
    finish_with(PROPERTY_COMMIT_DURABLE);
}

TEST(a_joint_configuration_left_by_the_votes_of_what_follows_is_found)
{
    const struct raft_configuration *joint =
        members(RAFT_STAYING, RAFT_LEAVING, RAFT_LEAVING);
    const struct raft_configuration *after =
        members(RAFT_VOTER, RAFT_REMOVED, RAFT_REMOVED);

    tell_true_story();
    write_members(&one, 3, 1, joint);
    one.view.commit_index = 3; // by node 1 alone, which is all of the new ones
    write_members(&one, 4, 1, after);
    finish_with(PROPERTY_COMMIT_DURABLE);
}

TEST(a_removed_leader_does_not_count_itself)
{
    tell_true_story();
    write_members(&one, 3, 1, members(RAFT_REMOVED, RAFT_VOTER, RAFT_VOTER));
    write_members(&two, 3, 1, members(RAFT_REMOVED, RAFT_VOTER, RAFT_VOTER));
    commit(&one, 3);
    finish_with(PROPERTY_COMMIT_DURABLE);
}

TEST(a_learner_does_not_count)
{
    const struct raft_configuration *learning =
        members(RAFT_VOTER, RAFT_VOTER, RAFT_LEARNER);

    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    write_entry(&three, 2, 1, "a");
    write_members(&one, 3, 1, learning);
    write_members(&three, 3, 1, learning);
    commit(&one, 3);
    finish_with(PROPERTY_COMMIT_DURABLE);
}

// ---- leaders --------------------------------------------------------------------

TEST(a_leader_without_the_votes_of_a_majority_is_found)
{
    open_all();
    vote(&one, 1, 1);
    lead(&one);
    finish_with(PROPERTY_VOTE_QUORUM);
}

TEST(a_vote_of_a_node_outside_the_configuration_counts_for_nothing)
{
    tell_removal();
    vote(&two, 2, 2);
    vote(&three, 2, 2);
    grant(&three, 2, 2);
    lead(&two);
    finish_with(PROPERTY_VOTE_QUORUM);
}

TEST(a_removed_node_may_lead_while_its_removal_may_be_lost)
{
    tell_removal(); // node 3 holds the entry, but does not know that it is committed
    one.view.role = RAFT_FOLLOWER;
    vote(&one, 2, 3);
    grant(&one, 2, 3);
    vote(&two, 2, 3);
    grant(&two, 2, 3);
    vote(&three, 2, 3);
    lead(&three);
    finish_clean();
}

TEST(a_node_that_knows_of_its_removal_and_leads_is_found)
{
    tell_removal();
    commit(&three, 3);
    one.view.role = RAFT_FOLLOWER;
    vote(&one, 2, 3);
    grant(&one, 2, 3);
    vote(&two, 2, 3);
    grant(&two, 2, 3);
    vote(&three, 2, 3);
    lead(&three);
    finish_with(PROPERTY_LEADER_MEMBER);
}

// All have the entry that removes node 1, which leads, and none knows it committed.
static void log_removal_of_leader(void)
{
    const struct raft_configuration *without =
        members(RAFT_REMOVED, RAFT_VOTER, RAFT_VOTER);

    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    write_entry(&three, 2, 1, "a");
    write_members(&one, 3, 1, without);
    write_members(&two, 3, 1, without);
    write_members(&three, 3, 1, without);
    CHECK_EQ(checker_violation_count(checker), 0);
}

TEST(a_leader_that_stays_after_its_removal_is_committed_is_found)
{
    log_removal_of_leader();
    commit(&one, 3);
    finish_with(PROPERTY_LEADER_MEMBER);
}

TEST(another_change_does_not_keep_a_removed_leader_in_office)
{
    log_removal_of_leader();
    one.view.commit_index = 3; // in the step that logs the next
    write_members(&one, 4, 1, members(RAFT_REMOVED, RAFT_VOTER, RAFT_LEARNER));
    finish_with(PROPERTY_LEADER_MEMBER);
}

// ---- snapshots ------------------------------------------------------------------

// Tells that `actor` restores a snapshot of this place.
static void install(struct actor *actor, const struct raft_snapshot_meta *meta)
{
    begin(actor);
    actor->output.write = ++actor->write;
    actor->output.snapshot_restore = meta;
    actor->view.commit_index = meta->last_included_index;
    actor->view.snapshot_index = meta->last_included_index;
    actor->view.first_index = meta->last_included_index + 1;
    actor->view.last_index = meta->last_included_index;
    actor->view.last_term = meta->last_included_term;
    tell(actor);
}

static struct raft_snapshot_meta meta_at(raft_index index, raft_term term)
{
    return (struct raft_snapshot_meta){index, term, 0, first_members};
}

TEST(an_installed_snapshot_stands_for_the_log)
{
    struct raft_snapshot_meta meta;

    tell_true_story();
    checker_apply(checker, 1, &first, 17);
    checker_apply(checker, 1, &second, 18);
    meta = meta_at(2, 1);
    follow(&three, 1);
    install(&three, &meta);
    checker_restored(checker, 3, 2, 18);
    persist(&three);
    write_entry(&three, 3, 1, "b");
    write_entry(&one, 3, 1, "b");
    commit(&one, 3);
    // And after a crash, behind the snapshot.
    checker_crash(checker, 3);
    checker_restored(checker, 3, 2, 18);
    checker_base(checker, 3, 2, 1);
    checker_load(checker, 3, &(struct raft_entry){3, 1, RAFT_ENTRY_COMMAND, 1, "b"});
    three.view = (struct raft_view){.id = 3,
                                    .current_term = 1,
                                    .commit_index = 2,
                                    .last_applied = 2,
                                    .first_index = 3,
                                    .snapshot_index = 2,
                                    .last_index = 3,
                                    .configuration = &first_members};
    checker_open(checker, 3, &three.view);
    finish_clean();
}

TEST(a_snapshot_of_what_was_never_committed_is_found)
{
    struct raft_snapshot_meta meta;

    tell_true_story();
    meta = meta_at(3, 1);
    follow(&three, 1);
    install(&three, &meta);
    finish_with(PROPERTY_SNAPSHOT);
}

TEST(a_snapshot_of_another_term_than_was_committed_is_found)
{
    struct raft_snapshot_meta meta;

    tell_true_story();
    meta = meta_at(2, 2);
    follow(&three, 2);
    install(&three, &meta);
    finish_with(PROPERTY_SNAPSHOT);
}

TEST(a_snapshot_that_tells_another_configuration_is_found)
{
    struct raft_snapshot_meta meta;

    tell_true_story();
    meta = meta_at(2, 1);
    meta.configuration = *members(RAFT_VOTER, RAFT_VOTER, RAFT_LEARNER);
    follow(&three, 1);
    install(&three, &meta);
    finish_with(PROPERTY_SNAPSHOT);
}

TEST(a_snapshot_that_takes_back_what_is_committed_is_found)
{
    struct raft_snapshot_meta meta;

    tell_true_story();
    meta = meta_at(1, 1);
    begin(&two);
    two.view.commit_index = 2;
    tell(&two);
    install(&two, &meta);
    finish_with(PROPERTY_COMMIT_KEPT);
}

TEST(a_restored_state_that_differs_is_found)
{
    tell_true_story();
    checker_apply(checker, 1, &first, 17);
    checker_restored(checker, 3, 1, 18);
    finish_with(PROPERTY_STATE_EQUALITY);
}

TEST(a_restored_state_that_nobody_had_is_found)
{
    tell_true_story();
    checker_apply(checker, 1, &first, 17);
    checker_restored(checker, 3, 2, 17);
    finish_with(PROPERTY_SNAPSHOT);
}

TEST(a_log_cut_off_beyond_its_snapshot_is_found)
{
    tell_true_story();
    begin(&one);
    one.view.first_index = 3;
    one.view.snapshot_index = 1;
    tell(&one);
    finish_with(PROPERTY_SNAPSHOT);
}

TEST(a_first_index_that_goes_back_is_found)
{
    tell_true_story();
    begin(&one);
    one.view.first_index = 3;
    one.view.snapshot_index = 2;
    tell(&one);
    CHECK_EQ(checker_violation_count(checker), 0);
    begin(&one);
    one.view.first_index = 2;
    tell(&one);
    finish_with(PROPERTY_SNAPSHOT);
}

TEST(a_snapshot_of_uncommitted_entries_is_found)
{
    tell_true_story();
    begin(&two);
    two.view.snapshot_index = 2; // but it knows 1 as committed
    tell(&two);
    finish_with(PROPERTY_SNAPSHOT);
}

TEST(an_installation_told_before_it_is_durable_is_found)
{
    struct raft_message message = {
        .type = RAFT_INSTALL_SNAPSHOT_REPLY, .to = 1, .term = 1};

    tell_true_story();
    follow(&three, 1);
    message.install_snapshot_reply.last_included_index = 2;
    message.install_snapshot_reply.installed = true;
    say(&three, &message);
    finish_with(PROPERTY_ACK_DURABLE);
}

TEST(an_entry_given_out_while_a_snapshot_is_restored_is_found)
{
    struct raft_snapshot_meta meta;

    tell_true_story();
    write_entry(&one, 3, 1, "b");
    write_entry(&two, 3, 1, "b");
    commit(&one, 3);
    meta = meta_at(2, 1);
    follow(&three, 1);
    install(&three, &meta);
    write_entry(&three, 3, 1, "b");
    begin(&three);
    three.view.commit_index = 3;
    three.output.apply = &(struct raft_entry){3, 1, RAFT_ENTRY_COMMAND, 1, "b"};
    three.output.apply_count = 1;
    tell(&three);
    finish_with(PROPERTY_APPLY_ORDER);
}

TEST_MAIN
