// Every property is shown to fire: a small true story first, then the same with a lie.
#include "sim/checker/checker.h"

#include "tests/sim/actor.h"

// ---- what is right --------------------------------------------------------------

TEST(a_true_story_violates_nothing)
{
    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    write_entry(&three, 2, 1, "a");
    commit(&three, 2);
    finish_clean();
}

TEST(an_uncommitted_entry_may_be_replaced_by_a_later_leader)
{
    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    write_entry(&three, 2, 1, "a");
    write_entry(&one, 3, 1, "never committed");
    vote(&three, 2, 3);
    vote(&two, 2, 3);
    grant(&two, 2, 3);
    lead(&three);
    write_entry(&three, 3, 2, "other");
    follow(&one, 2);
    write_entry(&one, 3, 2, "other");
    commit(&three, 3);
    commit(&one, 3);
    finish_clean();
}

TEST(a_node_may_restart_with_what_was_durable)
{
    tell_true_story();
    fall(&two);
    checker_load(checker, 2, &(struct raft_entry){1, 1, RAFT_ENTRY_COMMAND, 1, "a"});
    checker_load(checker, 2, &(struct raft_entry){2, 1, RAFT_ENTRY_COMMAND, 1, "a"});
    restart(&two, 1, 1);
    finish_clean();
}

TEST(a_vote_that_was_never_durable_may_be_forgotten)
{
    open_all();
    begin(&two);
    add_vote(&two, 5, 3);
    tell(&two);
    restart(&two, 0, 0);
    vote(&two, 5, 1);
    grant(&two, 5, 1);
    finish_clean();
}

TEST(a_stale_leader_needs_not_hold_what_later_terms_committed)
{
    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    write_entry(&three, 2, 1, "a");
    vote(&two, 2, 1);
    grant(&two, 2, 1);
    vote(&three, 3, 3);
    vote(&two, 3, 3);
    grant(&two, 3, 3);
    lead(&three);
    write_entry(&three, 3, 3, "c");
    write_entry(&two, 3, 3, "c");
    commit(&three, 3);
    follow(&one, 2);
    vote(&one, 2, 1);
    lead(&one); // its votes of term 2 were long on their way
    finish_clean();
}

// ---- Figure 3 -------------------------------------------------------------------

TEST(two_leaders_of_a_term_are_found)
{
    tell_true_story();
    follow(&three, 1);
    lead(&three);
    finish_with(PROPERTY_ELECTION_SAFETY);
}

TEST(a_node_that_leads_a_term_in_two_lives_is_found)
{
    open_all();
    vote(&one, 1, 1);
    vote(&two, 1, 1);
    grant(&two, 1, 1);
    lead(&one);
    restart(&one, 1, 1);
    lead(&one);
    finish_with(PROPERTY_ELECTION_SAFETY);
}

TEST(a_leader_that_overwrites_its_log_is_found)
{
    tell_true_story();
    write_entry(&one, 3, 1, "b");
    write_entry(&one, 3, 1, "c");
    finish_with(PROPERTY_LEADER_APPEND_ONLY);
}

TEST(two_entries_of_one_index_and_term_are_found)
{
    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "another");
    finish_with(PROPERTY_LOG_MATCHING);
}

TEST(an_equal_entry_behind_an_unequal_log_is_found)
{
    tell_true_story();
    write_entry(&one, 3, 1, "c");
    follow(&three, 2);
    begin(&three);
    add_entry(&three, 1, 1, "a");
    add_entry(&three, 2, 2, "b");
    add_entry(&three, 3, 2, "c");
    tell(&three);
    write_entry(&two, 3, 2, "c"); // behind 2/1, not behind 2/2
    finish_with(PROPERTY_LOG_MATCHING);
}

TEST(a_new_leader_without_a_committed_entry_is_found)
{
    tell_true_story();
    vote(&three, 2, 3);
    lead(&three);
    finish_with(PROPERTY_LEADER_COMPLETENESS);
}

TEST(a_late_commit_that_a_newer_leader_lacks_is_found)
{
    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    write_entry(&three, 2, 1, "a");
    write_entry(&one, 3, 1, "b");
    write_entry(&two, 3, 1, "b");
    vote(&two, 2, 3);
    grant(&two, 2, 3);
    vote(&three, 2, 3);
    lead(&three);
    commit(&one, 3);
    finish_with(PROPERTY_LEADER_COMPLETENESS);
}

TEST(a_commit_of_another_log_is_found)
{
    tell_true_story();
    follow(&three, 2);
    write_entry(&three, 1, 2, "a");
    commit(&three, 1);
    finish_with(PROPERTY_STATE_MACHINE_SAFETY);
}

TEST(an_applied_entry_that_is_not_the_committed_one_is_found)
{
    static const struct raft_entry other = {1, 1, RAFT_ENTRY_COMMAND, 1, "b"};

    tell_true_story();
    begin(&two);
    two.output.apply = &other;
    two.output.apply_count = 1;
    tell(&two);
    finish_with(PROPERTY_STATE_MACHINE_SAFETY);
}

// ---- applying -------------------------------------------------------------------

TEST(states_that_differ_at_one_index_are_found)
{
    tell_true_story();
    checker_apply(checker, 1, &first, 17);
    checker_apply(checker, 2, &first, 17);
    CHECK_EQ(checker_violation_count(checker), 0);
    checker_apply(checker, 1, &second, 18);
    checker_apply(checker, 2, &second, 19);
    finish_with(PROPERTY_STATE_EQUALITY);
}

TEST(an_entry_applied_twice_is_found)
{
    tell_true_story();
    checker_apply(checker, 1, &first, 17);
    checker_apply(checker, 1, &first, 17);
    finish_with(PROPERTY_APPLY_ORDER);
}

TEST(a_gap_in_what_is_given_out_to_apply_is_found)
{
    tell_true_story();
    begin(&one);
    one.output.apply = &second;
    one.output.apply_count = 1;
    tell(&one);
    finish_with(PROPERTY_APPLY_ORDER);
}

TEST(an_entry_given_out_before_it_is_committed_is_found)
{
    open_all();
    follow(&one, 1);
    write_entry(&one, 1, 1, "a");
    begin(&one);
    one.output.apply = &first;
    one.output.apply_count = 1;
    tell(&one);
    finish_with(PROPERTY_APPLY_ORDER);
}

TEST(an_entry_given_out_before_it_is_durable_is_found)
{
    tell_true_story();
    follow(&three, 1);
    begin(&three);
    add_entry(&three, 1, 1, "a");
    tell(&three);
    begin(&three);
    three.view.commit_index = 1;
    three.output.apply = &first;
    three.output.apply_count = 1;
    tell(&three);
    finish_with(PROPERTY_APPLY_ORDER);
}

// ---- what never goes back -------------------------------------------------------

TEST(a_term_that_goes_down_is_found)
{
    open_all();
    follow(&one, 5);
    follow(&one, 4);
    finish_with(PROPERTY_TERM_MONOTONIC);
}

TEST(a_commit_index_that_goes_down_is_found)
{
    tell_true_story();
    commit(&one, 1);
    finish_with(PROPERTY_COMMIT_MONOTONIC);
}

TEST(a_match_index_that_goes_down_is_found)
{
    tell_true_story();
    set_match(&one, 2, 1);
    finish_with(PROPERTY_MATCH_MONOTONIC);
}

TEST(a_match_index_beyond_the_followers_disk_is_found)
{
    tell_true_story();
    write_entry(&one, 3, 1, "b");
    begin(&two);
    add_entry(&two, 3, 1, "b");
    tell(&two);
    set_match(&one, 2, 3);
    finish_with(PROPERTY_MATCH_TRUE);
}

TEST(a_match_index_over_another_log_is_found)
{
    tell_true_story();
    follow(&three, 1);
    write_entry(&three, 1, 1, "a");
    follow(&one, 2);
    vote(&two, 3, 1);
    grant(&two, 3, 1);
    vote(&one, 3, 1);
    lead(&one);
    follow(&three, 3);
    write_entry(&three, 2, 2, "x");
    set_match(&one, 3, 2);
    finish_with(PROPERTY_MATCH_TRUE);
}

// ---- commit ---------------------------------------------------------------------

TEST(a_leader_that_commits_an_older_term_by_counting_is_found)
{
    tell_true_story();
    write_entry(&one, 3, 1, "b");
    write_entry(&two, 3, 1, "b");
    follow(&one, 2);
    vote(&two, 3, 1);
    grant(&two, 3, 1);
    vote(&one, 3, 1);
    lead(&one);
    commit(&one, 3);
    finish_with(PROPERTY_COMMIT_OWN_TERM);
}

TEST(a_commit_without_a_durable_majority_is_found)
{
    tell_true_story();
    write_entry(&one, 3, 1, "b");
    begin(&two);
    add_entry(&two, 3, 1, "b");
    tell(&two);
    commit(&one, 3);
    finish_with(PROPERTY_COMMIT_DURABLE);
}

TEST(an_overwritten_committed_entry_is_found)
{
    tell_true_story();
    follow(&two, 2);
    write_entry(&two, 1, 2, "b");
    finish_with(PROPERTY_COMMIT_KEPT);
}

TEST_MAIN
