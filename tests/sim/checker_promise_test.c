// What a node has promised, and what it owes: each rule is shown to fire, and not to.
#include "sim/checker/checker.h"

#include "tests/sim/actor.h"

enum { TIMEOUT_MS = 100, HEARTBEAT_MS = 20 };

static void limit(bool leases)
{
    struct checker_limits limits = {.election_timeout_ms = TIMEOUT_MS,
                                    .heartbeat_ms = HEARTBEAT_MS,
                                    .message_bytes_max = 10,
                                    .check_quorum = true,
                                    .leases = leases};

    checker_set_limits(checker, &limits);
}

// A message comes in; what the step does is up to the test, which then tells it.
static void hear(struct actor *actor, const struct raft_message *message,
                 uint64_t now_ms)
{
    begin(actor);
    actor->message = *message;
    actor->event.type = RAFT_EVENT_MESSAGE;
    actor->event.message = &actor->message;
    actor->event.now_ms = now_ms;
}

static struct raft_message request(raft_id from, raft_term term)
{
    return (struct raft_message){.type = RAFT_REQUEST_VOTE, .from = from, .term = term};
}

// Node 1 leads term 1, and node 2 hears it at 1000 ms.
static void hear_leader(bool leases)
{
    struct raft_message heartbeat = {
        .type = RAFT_APPEND_ENTRIES, .from = 1, .to = 2, .term = 1};

    tell_true_story();
    limit(leases);
    hear(&two, &heartbeat, 1000);
    two.view.leader_id = 1;
    tell(&two);
}

static void follow_request(struct actor *actor, const struct raft_message *message,
                           uint64_t now_ms)
{
    hear(actor, message, now_ms);
    add_vote(actor, message->term, message->from);
    actor->view.leader_id = 0;
    tell(actor);
}

// ---- promises -------------------------------------------------------------------

TEST(a_vote_against_a_leader_that_was_just_heard_is_found)
{
    struct raft_message message = request(3, 2);

    hear_leader(false);
    follow_request(&two, &message, 1000 + TIMEOUT_MS - 1);
    finish_with(PROPERTY_PROMISE);
}

TEST(a_term_from_a_request_while_a_leader_is_heard_is_found)
{
    struct raft_message message = request(3, 2);

    hear_leader(false);
    hear(&two, &message, 1001);
    add_vote(&two, 2, 0);
    tell(&two);
    finish_with(PROPERTY_PROMISE);
}

TEST(a_vote_is_free_a_timeout_after_the_leader_was_heard)
{
    struct raft_message message = request(3, 2);

    hear_leader(false);
    follow_request(&two, &message, 1000 + TIMEOUT_MS);
    finish_clean();
}

TEST(the_leader_itself_may_ask_and_so_may_whom_it_told_to)
{
    struct raft_message of_leader = request(1, 2), of_target = request(3, 3);

    of_target.request_vote.transfer = true;
    hear_leader(false);
    follow_request(&two, &of_leader, 1001);
    follow_request(&two, &of_target, 1002);
    finish_clean();
}

TEST(a_promise_outlives_a_restart_where_there_are_leases)
{
    struct raft_message message = request(3, 2);

    for (int leases = 0; leases < 2; leases++) {
        hear_leader(leases);
        fall(&two);
        checker_load(checker, 2, &first);
        checker_load(checker, 2, &second);
        restart(&two, 1, 1);
        two.view.last_index = 2;
        two.view.last_term = 1;
        follow_request(&two, &message, 1050);
        if (leases)
            finish_with(PROPERTY_PROMISE);
        else
            finish_clean();
    }
}

// ---- votes ----------------------------------------------------------------------

// Node 2 has voted for node 3 in term 5, on disk, and is asked again.
static void ask_again(void)
{
    struct raft_message message = request(3, 5);

    open_all();
    limit(false);
    vote(&two, 5, 3);
    hear(&two, &message, 2000);
}

static void answer(struct actor *actor, bool granted)
{
    static struct raft_message reply;

    reply = (struct raft_message){
        .type = RAFT_REQUEST_VOTE_REPLY, .from = actor->view.id, .to = 3, .term = 5};
    reply.request_vote_reply.vote_granted = granted;
    actor->output.messages = &reply;
    actor->output.message_count = 1;
    tell(actor);
}

TEST(a_vote_that_is_given_again_is_right)
{
    ask_again();
    answer(&two, true);
    finish_clean();
}

TEST(a_vote_that_is_refused_to_who_has_it_is_found)
{
    ask_again();
    answer(&two, false);
    finish_with(PROPERTY_VOTE_KEPT);
}

TEST(silence_towards_who_has_the_vote_is_found)
{
    ask_again();
    tell(&two);
    finish_with(PROPERTY_VOTE_KEPT);
}

TEST(a_log_that_has_grown_since_may_refuse)
{
    struct raft_message message = request(3, 5);

    open_all();
    limit(false);
    vote(&two, 5, 3);
    write_entry(&two, 1, 5, "a");
    hear(&two, &message, 2000);
    answer(&two, false);
    finish_clean();
}

static void campaign(struct actor *actor, bool durable, raft_index last)
{
    struct raft_message message = request(2, 4);

    begin(actor);
    add_vote(actor, 4, 2);
    actor->view.role = RAFT_CANDIDATE;
    tell(actor);
    if (durable)
        persist(actor);
    message.to = 3;
    message.request_vote.last_log_index = last;
    say(actor, &message);
}

TEST(a_request_for_votes_before_the_own_is_durable_is_found)
{
    open_all();
    campaign(&two, false, 0);
    finish_with(PROPERTY_VOTE_DURABLE);
}

TEST(a_request_for_votes_with_a_log_that_is_not_durable_is_found)
{
    open_all();
    campaign(&two, true, 1);
    finish_with(PROPERTY_VOTE_DURABLE);
}

TEST(a_request_for_votes_with_what_is_on_disk_is_right)
{
    open_all();
    campaign(&two, true, 0);
    finish_clean();
}

// Node 2 follows node 1 and wants to be called at 1100 ms; then a pre-vote comes in.
static void ask_first(raft_id from, raft_index last_index, uint64_t now_ms)
{
    struct raft_message message = request(from, 2);

    hear_leader(false);
    begin(&two);
    two.event.now_ms = 1001;
    two.output.deadline_ms = 1100;
    tell(&two);
    message.request_vote.pre_vote = true;
    message.request_vote.last_log_index = last_index;
    message.request_vote.last_log_term = 1;
    hear(&two, &message, now_ms);
    two.output.deadline_ms = 1100;
}

static void answer_first(raft_id to, bool granted)
{
    static struct raft_message reply;

    reply = (struct raft_message){
        .type = RAFT_REQUEST_VOTE_REPLY, .from = 2, .to = to, .term = granted ? 2 : 1};
    reply.request_vote_reply.pre_vote = true;
    reply.request_vote_reply.vote_granted = granted;
    two.output.messages = &reply;
    two.output.message_count = 1;
    tell(&two);
}

TEST(a_pre_vote_that_puts_off_a_campaign_is_found)
{
    ask_first(3, 2, 1050);
    two.output.deadline_ms = 1101;
    answer_first(3, true);
    finish_with(PROPERTY_TIMEOUT);
}

TEST(a_pre_vote_of_the_own_leader_that_is_refused_is_found)
{
    ask_first(1, 2, 1050);
    answer_first(1, false);
    finish_with(PROPERTY_TIMEOUT);
}

TEST(a_pre_vote_may_be_refused_to_others_and_to_a_leader_whose_log_is_behind)
{
    ask_first(3, 2, 1050);
    answer_first(3, false);
    finish_clean();
    ask_first(1, 1, 1050);
    answer_first(1, false);
    finish_clean();
    ask_first(1, 2, 1050);
    answer_first(1, true);
    finish_clean();
}

TEST(a_node_that_was_told_to_take_over_and_does_not_say_so_is_found)
{
    for (int transfer = 0; transfer < 2; transfer++) {
        struct raft_message told = {
            .type = RAFT_TIMEOUT_NOW, .from = 1, .to = 2, .term = 1};
        struct raft_message message = request(2, 2);

        hear_leader(false);
        hear(&two, &told, 1001);
        add_vote(&two, 2, 2);
        two.view.role = RAFT_CANDIDATE;
        tell(&two);
        persist(&two);
        message.to = 3;
        message.request_vote.transfer = transfer;
        say(&two, &message);
        if (transfer)
            finish_clean();
        else
            finish_with(PROPERTY_OUTPUT_SHAPE);
    }
}

TEST(a_node_without_a_vote_that_takes_over_is_found)
{
    struct raft_message told = {
        .type = RAFT_TIMEOUT_NOW, .from = 1, .to = 2, .term = 1};

    hear_leader(false);
    write_members(&two, 3, 1, members(RAFT_VOTER, RAFT_LEARNER, RAFT_VOTER));
    hear(&two, &told, 1001);
    add_vote(&two, 2, 2);
    two.view.role = RAFT_CANDIDATE;
    tell(&two);
    finish_with(PROPERTY_LEADER_MEMBER);
}

// ---- messages -------------------------------------------------------------------

TEST(a_message_of_a_term_that_has_passed_is_found)
{
    struct raft_message message = {.type = RAFT_READ_INDEX_REPLY, .to = 2, .term = 1};

    open_all();
    vote(&one, 2, 1);
    say(&one, &message);
    finish_with(PROPERTY_OUTPUT_SHAPE);
}

TEST(a_message_longer_than_the_limit_is_found_unless_it_holds_one_entry)
{
    struct raft_entry entries[2] = {{1, 1, RAFT_ENTRY_COMMAND, 6, "123456"},
                                    {2, 1, RAFT_ENTRY_COMMAND, 11, "12345678901"}};

    for (uint32_t count = 1; count <= 2; count++) {
        struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .to = 3, .term = 1};

        tell_true_story();
        limit(false);
        message.append_entries.entries = &entries[2 - count];
        message.append_entries.count = count;
        say(&one, &message);
        if (count == 2)
            finish_with(PROPERTY_OUTPUT_SHAPE);
        else
            finish_clean();
    }
}

// ---- leaders --------------------------------------------------------------------

static void tick(struct actor *actor, uint64_t now_ms)
{
    begin(actor);
    actor->event.now_ms = now_ms;
    tell(actor);
}

TEST(a_leader_that_hears_nobody_and_leads_on_is_found)
{
    tell_true_story();
    limit(false);
    one.view.peers[0].contact_ms = 1000;
    tick(&one, 1000 + TIMEOUT_MS - 1);
    tick(&one, 1000 + TIMEOUT_MS);
    tick(&one, 1000 + TIMEOUT_MS + HEARTBEAT_MS - 1);
    CHECK_EQ(checker_violation_count(checker), 0);
    tick(&one, 1000 + TIMEOUT_MS + HEARTBEAT_MS);
    finish_with(PROPERTY_QUORUM_HEARD);
}

TEST(a_leader_that_hears_a_majority_may_lead_on)
{
    tell_true_story();
    limit(false);
    for (uint64_t now_ms = 1000; now_ms < 2000; now_ms += HEARTBEAT_MS) {
        one.view.peers[0].contact_ms = now_ms - TIMEOUT_MS + 1;
        tick(&one, now_ms);
    }
    finish_clean();
}

TEST(what_a_majority_has_and_is_not_committed_is_found)
{
    tell_true_story();
    limit(false);
    write_entry(&one, 3, 1, "a");
    one.view.durable_index = 3;
    write_entry(&two, 3, 1, "a");
    set_match(&one, 2, 3);
    finish_with(PROPERTY_COMMIT_AT_ONCE);
}

TEST(bytes_in_flight_without_a_message_are_found)
{
    tell_true_story();
    one.view.peers[0].inflight_bytes = 5;
    tick(&one, 0);
    finish_with(PROPERTY_REST);
}

// ---- reads ----------------------------------------------------------------------

static void read_at(raft_index index, enum raft_status status)
{
    struct raft_read read = {.id = 7, .index = index, .status = status};

    tell_true_story();
    begin(&two);
    two.event.type = RAFT_EVENT_READ;
    two.event.read.id = 7;
    tell(&two);
    begin(&two);
    two.output.reads = &read;
    two.output.read_count = 1;
    tell(&two);
}

TEST(a_read_behind_what_was_committed_is_found)
{
    read_at(1, RAFT_OK);
    finish_with(PROPERTY_READ_INDEX);
}

TEST(a_read_at_what_was_committed_is_right_and_a_refused_one_says_nothing)
{
    read_at(2, RAFT_OK);
    finish_clean();
    read_at(1, RAFT_NOT_LEADER);
    finish_clean();
}

TEST_MAIN
