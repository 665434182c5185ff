// Votes, disks and outputs: each lie about them is found.
#include "sim/checker/checker.h"

#include "tests/sim/actor.h"

// ---- votes and disks ------------------------------------------------------------

TEST(a_vote_that_changes_in_a_term_is_found)
{
    open_all();
    vote(&two, 1, 1);
    vote(&two, 1, 3);
    finish_with(PROPERTY_VOTE_ONCE);
}

TEST(a_second_vote_of_a_term_after_a_restart_is_found)
{
    open_all();
    vote(&two, 1, 1);
    grant(&two, 1, 1);
    checker_crash(checker, 2);
    two.view.current_term = 1;
    two.view.voted_for = 3; // the disk forgot
    checker_open(checker, 2, &two.view);
    finish_with(PROPERTY_VOTE_ONCE);
}

TEST(two_granted_votes_of_a_term_are_found)
{
    open_all();
    vote(&two, 1, 1);
    grant(&two, 1, 1);
    grant(&two, 1, 3);
    finish_with(PROPERTY_VOTE_ONCE);
}

TEST(a_vote_that_leaves_before_it_is_durable_is_found)
{
    open_all();
    begin(&two);
    add_vote(&two, 1, 1);
    tell(&two);
    grant(&two, 1, 1);
    finish_with(PROPERTY_VOTE_DURABLE);
}

TEST(an_acknowledgement_before_the_entry_is_durable_is_found)
{
    tell_true_story();
    begin(&two);
    add_entry(&two, 3, 1, "b");
    tell(&two);
    acknowledge(&two, 1, 3);
    finish_with(PROPERTY_ACK_DURABLE);
}

TEST(an_acknowledgement_before_the_term_is_durable_is_found)
{
    tell_true_story();
    begin(&two);
    add_vote(&two, 2, 0);
    tell(&two);
    acknowledge(&two, 2, 1);
    finish_with(PROPERTY_ACK_DURABLE);
}

// What the same steps are worth where what is given out is durable in that step.
static void open_on_perfect_disks(void)
{
    struct checker_limits limits = {.perfect_disks = true};

    open_all();
    checker_set_limits(checker, &limits);
}

TEST(on_a_perfect_disk_a_vote_may_leave_in_its_own_step)
{
    open_on_perfect_disks();
    begin(&two);
    add_vote(&two, 1, 1);
    tell(&two);
    grant(&two, 1, 1);
    finish_clean();
}

TEST(on_a_perfect_disk_a_vote_that_was_never_written_is_found)
{
    open_on_perfect_disks();
    vote(&two, 1, 3);
    two.view.voted_for = 1; // given to another, and not written
    grant(&two, 1, 1);
    CHECK(checker_violation_count(checker) > 0);
    checker_free(checker);
}

TEST(on_a_perfect_disk_a_crash_loses_nothing)
{
    open_on_perfect_disks();
    begin(&two);
    add_vote(&two, 1, 1);
    tell(&two);
    checker_crash(checker, 2);
    two.view.current_term = two.view.voted_for = 0;
    checker_open(checker, 2, &two.view);
    finish_with(PROPERTY_TERM_MONOTONIC);
}

TEST(a_report_on_an_overwritten_entry_vouches_for_nothing)
{
    tell_true_story();
    begin(&two);
    add_entry(&two, 3, 1, "b");
    tell(&two);
    uint64_t early = two.write;
    begin(&two);
    add_vote(&two, 2, 0);
    add_entry(&two, 3, 2, "c");
    tell(&two);
    begin(&two);
    two.event.type = RAFT_EVENT_PERSISTED;
    two.event.persisted.write = early;
    tell(&two);
    CHECK_EQ(checker_violation_count(checker), 0);
    acknowledge(&two, 1, 3);
    finish_with(PROPERTY_ACK_DURABLE);
}

TEST(a_durable_entry_lost_in_a_crash_is_found)
{
    tell_true_story();
    fall(&two);
    checker_load(checker, 2, &first);
    restart(&two, 1, 1);
    finish_with(PROPERTY_DURABILITY);
}

TEST(a_durable_entry_changed_in_a_crash_is_found)
{
    tell_true_story();
    fall(&two);
    checker_load(checker, 2, &first);
    checker_load(checker, 2, &(struct raft_entry){2, 2, RAFT_ENTRY_COMMAND, 1, "z"});
    restart(&two, 2, 0);
    finish_with(PROPERTY_DURABILITY);
}

TEST(a_durable_term_lost_in_a_crash_is_found)
{
    open_all();
    follow(&two, 4);
    restart(&two, 3, 0);
    finish_with(PROPERTY_TERM_MONOTONIC);
}

TEST(a_durable_vote_lost_in_a_crash_is_found)
{
    open_all();
    vote(&two, 4, 1);
    restart(&two, 4, 0);
    finish_with(PROPERTY_VOTE_ONCE);
}

// ---- outputs that lie -----------------------------------------------------------

TEST(terms_that_fall_in_a_log_are_found)
{
    open_all();
    follow(&two, 3);
    write_entry(&two, 1, 3, "a");
    write_entry(&two, 2, 2, "a");
    finish_with(PROPERTY_LOG_TERMS);
}

TEST(an_entry_of_a_future_term_is_found)
{
    open_all();
    follow(&two, 3);
    write_entry(&two, 1, 4, "a");
    finish_with(PROPERTY_LOG_TERMS);
}

TEST(a_skipped_write_number_is_found)
{
    open_all();
    one.write = 1;
    vote(&one, 1, 1);
    finish_with(PROPERTY_OUTPUT_SHAPE);
}

TEST(entries_without_a_write_are_found)
{
    open_all();
    follow(&one, 1);
    begin(&one);
    add_entry(&one, 1, 1, "a");
    one.output.write = 0;
    tell(&one);
    finish_with(PROPERTY_OUTPUT_SHAPE);
}

TEST(a_gap_in_a_log_is_found)
{
    open_all();
    follow(&one, 1);
    write_entry(&one, 2, 1, "a");
    finish_with(PROPERTY_OUTPUT_SHAPE);
}

TEST(a_log_that_changed_without_a_write_is_found)
{
    tell_true_story();
    begin(&one);
    one.view.last_index = 1;
    tell(&one);
    finish_with(PROPERTY_OUTPUT_SHAPE);
}

TEST(a_term_that_was_not_given_out_to_persist_is_found)
{
    open_all();
    begin(&one);
    one.view.current_term = 1;
    tell(&one);
    finish_with(PROPERTY_HARD_STATE);
}

TEST(a_report_of_a_write_that_nobody_asked_for_is_found)
{
    open_all();
    one.write = 7;
    persist(&one);
    finish_with(PROPERTY_OUTPUT_SHAPE);
}

// Node 2, which follows node 1 in term 2, is told what its host says of a snapshot; and
// it answers with this offset, if it answers.
static void receive(raft_term term, bool failed, bool answers, uint64_t next_offset)
{
    static struct raft_snapshot_meta meta;
    struct raft_message message = {
        .type = RAFT_INSTALL_SNAPSHOT_REPLY, .from = 2, .to = 1, .term = 2};

    meta = (struct raft_snapshot_meta){.last_included_index = 1,
                                       .last_included_term = term};
    message.install_snapshot_reply.last_included_index = 1;
    message.install_snapshot_reply.next_offset = next_offset;
    two.view.leader_id = 1;
    two.event.type = RAFT_EVENT_SNAPSHOT_RECEIVED;
    two.event.snapshot_received.meta = &meta;
    two.event.snapshot_received.failed = failed;
    two.output.messages = &message;
    two.output.message_count = answers ? 1 : 0;
    tell(&two);
}

TEST(a_snapshot_that_is_of_no_use_and_not_asked_for_again_is_found)
{
    tell_true_story();
    follow(&two, 2);
    receive(1, true, false, 0);
    finish_with(PROPERTY_SNAPSHOT_TAKEN);
    tell_true_story();
    follow(&two, 2);
    receive(1, true, true, 100); // the next chunk of it
    finish_with(PROPERTY_SNAPSHOT_TAKEN);
}

TEST(a_snapshot_that_is_asked_for_again_or_cannot_be_yet_is_right)
{
    tell_true_story();
    follow(&two, 2);
    receive(1, true, true, 0);
    begin(&two);
    add_vote(&two, 3, 0); // what it says in this term has to wait for the disk
    tell(&two);
    receive(1, true, false, 0);
    finish_clean();
}

TEST(a_snapshot_that_counts_before_its_term_is_durable_is_found)
{
    tell_true_story();
    follow(&two, 2);
    receive(2, false, false, 0);
    CHECK_EQ(checker_violation_count(checker), 0);
    begin(&two);
    add_vote(&two, 3, 0);
    tell(&two);
    receive(3, false, false, 0);
    finish_with(PROPERTY_SNAPSHOT_TAKEN);
}

TEST(append_entries_from_a_follower_is_found)
{
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .to = 2, .term = 1};

    open_all();
    follow(&one, 1);
    say(&one, &message);
    finish_with(PROPERTY_OUTPUT_SHAPE);
}

TEST(a_commit_index_in_a_message_beyond_the_leaders_own_is_found)
{
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .to = 2, .term = 1};

    tell_true_story();
    message.append_entries.leader_commit = 3;
    say(&one, &message);
    finish_with(PROPERTY_OUTPUT_SHAPE);
}

TEST(what_the_core_says_of_itself_is_passed_on)
{
    struct checker_step step = {&one.view, &one.event, &one.output, "it is broken"};

    open_all();
    begin(&one);
    checker_step(checker, 1, &step);
    finish_with(PROPERTY_CORE_INVARIANT);
}

TEST(a_violation_carries_event_time_and_node)
{
    open_all();
    checker_at(checker, 42, 1234);
    checker_violate(checker, PROPERTY_LIVENESS, 2, 3, "it hangs");
    const struct violation *violation = checker_violation(checker, 0);
    CHECK_EQ(violation->event, 42);
    CHECK_EQ(violation->time_us, 1234);
    CHECK_EQ(violation->node, 2);
    CHECK_EQ(violation->other, 3);
    CHECK_TEXT(violation->text, "it hangs");
    checker_free(checker);
}

TEST_MAIN
