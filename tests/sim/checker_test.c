// Every property is shown to fire: a small true story first, then the same with one
// lie.
#include "sim/checker.h"

#include "tests/test.h"

enum { NODES = 3, ENTRIES_MAX = 8 };

// A node as the checker is told of it, step by step.
struct actor {
    struct checker *checker;
    struct raft_view view;
    uint64_t write;
    struct raft_event event;
    struct raft_output output;
    struct raft_entry entries[ENTRIES_MAX];
    struct raft_message message;
};

static struct checker *checker;
static struct actor one, two, three;

static void open_actor(struct actor *actor, raft_id id)
{
    memset(actor, 0, sizeof(*actor));
    actor->checker = checker;
    actor->view.id = id;
    actor->view.configuration.count = NODES;
    for (uint32_t i = 0; i < NODES; i++)
        actor->view.configuration.members[i] = (struct raft_member){i + 1, RAFT_VOTER};
    checker_open(checker, id, &actor->view);
}

static void open_all(void)
{
    checker = checker_new(NODES);
    open_actor(&one, 1);
    open_actor(&two, 2);
    open_actor(&three, 3);
}

static void begin(struct actor *actor)
{
    actor->event = (struct raft_event){.type = RAFT_EVENT_TICK};
    memset(&actor->output, 0, sizeof(actor->output));
}

static void tell(struct actor *actor)
{
    struct checker_step step = {&actor->view, &actor->event, &actor->output, NULL};

    checker_step(actor->checker, actor->view.id, &step);
    begin(actor);
}

// Puts a term and a vote into this step's write.
static void add_vote(struct actor *actor, raft_term term, raft_id vote)
{
    actor->output.write = ++actor->write;
    actor->output.hard_state_changed = true;
    actor->output.hard_state = (struct raft_hard_state){term, vote};
    actor->view.current_term = term;
    actor->view.voted_for = vote;
}

// Puts one entry into this step's write; the log ends with it.
static void add_entry(struct actor *actor, raft_index index, raft_term term,
                      const char *data)
{
    uint32_t at = actor->output.entry_count++;

    if (actor->output.write == 0)
        actor->output.write = ++actor->write;
    actor->entries[at] = (struct raft_entry){index, term, RAFT_ENTRY_COMMAND,
                                             (uint32_t)strlen(data), data};
    actor->output.entries = actor->entries;
    actor->view.last_index = index;
    actor->view.last_term = term;
}

static void persist(struct actor *actor)
{
    begin(actor);
    actor->event.type = RAFT_EVENT_PERSISTED;
    actor->event.persisted.write = actor->write;
    tell(actor);
}

static void vote(struct actor *actor, raft_term term, raft_id to)
{
    begin(actor);
    add_vote(actor, term, to);
    tell(actor);
    persist(actor);
}

static void lead(struct actor *actor)
{
    begin(actor);
    actor->view.role = RAFT_LEADER;
    tell(actor);
}

static void follow(struct actor *actor, raft_term term)
{
    begin(actor);
    actor->view.role = RAFT_FOLLOWER;
    add_vote(actor, term, 0);
    tell(actor);
    persist(actor);
}

static void write_entry(struct actor *actor, raft_index index, raft_term term,
                        const char *data)
{
    begin(actor);
    add_entry(actor, index, term, data);
    tell(actor);
    persist(actor);
}

static void commit(struct actor *actor, raft_index index)
{
    begin(actor);
    actor->view.commit_index = index;
    tell(actor);
}

static void say(struct actor *actor, const struct raft_message *message)
{
    begin(actor);
    actor->message = *message;
    actor->message.from = actor->view.id;
    actor->output.messages = &actor->message;
    actor->output.message_count = 1;
    tell(actor);
}

static void grant(struct actor *actor, raft_term term, raft_id to)
{
    struct raft_message message = {
        .type = RAFT_REQUEST_VOTE_REPLY, .to = to, .term = term};

    message.request_vote_reply.vote_granted = true;
    say(actor, &message);
}

static void acknowledge(struct actor *actor, raft_term term, raft_index match)
{
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES_REPLY, .to = 1, .term = term};

    message.append_entries_reply.success = true;
    message.append_entries_reply.match_index = match;
    say(actor, &message);
}

static void set_match(struct actor *actor, raft_id peer, raft_index match)
{
    begin(actor);
    actor->view.peer_count = 1;
    actor->view.peers[0] = (struct raft_peer_view){.id = peer, .match_index = match};
    tell(actor);
}

static void restart(struct actor *actor, raft_term term, raft_id voted_for)
{
    raft_id id = actor->view.id;

    checker_crash(checker, id);
    memset(&actor->view, 0, sizeof(actor->view));
    actor->view.id = id;
    actor->view.current_term = term;
    actor->view.voted_for = voted_for;
    actor->write = 0;
    checker_open(checker, id, &actor->view);
}

// Node 1 leads term 1; entries 1 and 2 are on nodes 1 and 2, and committed.
static void tell_true_story(void)
{
    open_all();
    vote(&one, 1, 1);
    vote(&two, 1, 1);
    grant(&two, 1, 1);
    lead(&one);
    for (raft_index index = 1; index <= 2; index++) {
        write_entry(&one, index, 1, "a");
        write_entry(&two, index, 1, "a");
        acknowledge(&two, 1, index);
        set_match(&one, 2, index);
    }
    commit(&one, 2);
    commit(&two, 1);
    CHECK_EQ(checker_violation_count(checker), 0);
    CHECK_EQ(checker_committed(checker), 2);
    CHECK_EQ(checker_leaders(checker), 1);
}

static void finish_with(enum property property)
{
    CHECK(checker_violation_count(checker) >= 1);
    CHECK_TEXT(checker_property_text(checker_violation(checker, 0)->property),
               checker_property_text(property));
    CHECK(strlen(checker_violation(checker, 0)->text) > 10);
    checker_free(checker);
}

static void finish_clean(void)
{
    if (checker_violation_count(checker) > 0)
        CHECK_TEXT(checker_violation(checker, 0)->text, "");
    checker_free(checker);
}

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
    vote(&three, 3, 3);
    vote(&two, 3, 3);
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

static const struct raft_entry first = {1, 1, RAFT_ENTRY_COMMAND, 1, "a"};
static const struct raft_entry second = {2, 1, RAFT_ENTRY_COMMAND, 1, "a"};

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

TEST(a_joint_configuration_needs_both_majorities)
{
    tell_true_story();
    write_entry(&one, 3, 1, "b");
    write_entry(&two, 3, 1, "b");
    one.view.configuration.members[0].role = RAFT_STAYING;
    one.view.configuration.members[1].role = RAFT_VOTER;
    one.view.configuration.members[2].role = RAFT_LEAVING;
    commit(&one, 3); // of the old ones, 1 and 3, only 1 holds it
    finish_with(PROPERTY_COMMIT_DURABLE);
}

TEST(an_overwritten_committed_entry_is_found)
{
    tell_true_story();
    follow(&two, 2);
    write_entry(&two, 1, 2, "b");
    finish_with(PROPERTY_COMMIT_KEPT);
}

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
    checker_load(checker, 2, &first);
    restart(&two, 1, 1);
    finish_with(PROPERTY_DURABILITY);
}

TEST(a_durable_entry_changed_in_a_crash_is_found)
{
    tell_true_story();
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
    finish_with(PROPERTY_OUTPUT_SHAPE);
}

TEST(a_report_of_a_write_that_nobody_asked_for_is_found)
{
    open_all();
    one.write = 7;
    persist(&one);
    finish_with(PROPERTY_OUTPUT_SHAPE);
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
