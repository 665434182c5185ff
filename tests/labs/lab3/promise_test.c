// Lab 3, step 5: whatever happens in whatever order, what a message says is on the disk
// when it leaves.
//
// Beside the node runs a picture of its disk, made of the writes that it gives out;
// what was reported is on it. Node 1 is the student's. In every third term it may be
// elected; in the others node 2 or 3 leads, with a log that grows and never changes.
#include "tests/raft/fixture.h"

enum { LOG_MAX = 64, WRITES_MAX = 64, EARLIER = 4, STEPS = 20000 };

struct stored { // on a disk, or in a leader's mind
    struct raft_hard_state hard_state;
    raft_index last_index;
    raft_term terms[LOG_MAX + 1];
};

static struct node node;
static struct stored disk[WRITES_MAX + 1]; // as each write leaves it; [0]: at the start
static uint64_t reported;
static struct stored leader; // the log of the newest leader but node 1
static raft_term leader_term;
static struct stored earlier[EARLIER]; // those of leaders before
static uint64_t random_state = 5;
static uint32_t checked[RAFT_MESSAGE_TYPE_END];

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static raft_term own_term_at(raft_index index)
{
    raft_term term = 0;
    CHECK(raft_term_at(node.raft, index, &term));
    return term;
}

// ---- the picture ------------------------------------------------------------------

static void note_write(uint64_t before)
{
    if (node.write == before)
        return;
    CHECK_EQ(node.write, before + 1);
    struct stored *stored = &disk[node.write];
    *stored = disk[before];
    if (node.output.hard_state_changed)
        stored->hard_state = node.output.hard_state;
    if (node.output.entry_count > 0) // they replace what was there, and all behind
        stored->last_index = node.view.last_index;
    raft_index first = node.view.last_index - node.output.entry_count + 1;
    for (raft_index i = first; i <= stored->last_index && i > 0; i++)
        stored->terms[i] = own_term_at(i);
}

// Whether the node's log, up to here, is on its disk.
static bool has_stored(const struct stored *stored, raft_index index)
{
    if (index > stored->last_index)
        return false;
    for (raft_index i = 1; i <= index; i++) {
        if (stored->terms[i] != own_term_at(i))
            return false;
    }
    return true;
}

static bool is_refusal(const struct raft_message *message)
{
    return message->type == RAFT_REQUEST_VOTE_REPLY &&
           !message->request_vote_reply.vote_granted;
}

static void check_message(const struct raft_message *message)
{
    const struct stored *stored = &disk[reported];
    const struct raft_hard_state *kept = &stored->hard_state;
    bool pre_vote = false;
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        pre_vote = message->request_vote.pre_vote;
        if (pre_vote)
            break;
        CHECK_EQ(kept->voted_for, 1);
        CHECK_EQ(message->request_vote.last_log_index, stored->last_index);
        CHECK(has_stored(stored, stored->last_index));
        break;
    case RAFT_REQUEST_VOTE_REPLY:
        pre_vote = message->request_vote_reply.pre_vote;
        if (!pre_vote && message->request_vote_reply.vote_granted)
            CHECK_EQ(kept->voted_for, message->to);
        break;
    case RAFT_APPEND_ENTRIES:
        CHECK_EQ(kept->voted_for, 1);
        break;
    case RAFT_APPEND_ENTRIES_REPLY:
        if (message->append_entries_reply.success)
            CHECK(has_stored(stored, message->append_entries_reply.match_index));
        break;
    default:
        break;
    }
    if (pre_vote && !is_refusal(message))
        return; // it tells no term of its own
    CHECK_EQ(message->term, node.view.current_term);
    CHECK_EQ(message->term, kept->current_term);
    checked[message->type] += !pre_vote;
}

// What was durable stays so, unless it is replaced; and all is, once all is reported.
static void check_durable_index(const struct stored *log, raft_index before)
{
    raft_index now = node.view.durable_index;
    CHECK(has_stored(&disk[reported], now));
    if (before <= node.view.last_index && has_stored(log, before))
        CHECK(now >= before);
    if (reported == node.write)
        CHECK_EQ(now, node.view.last_index);
}

static void check_step(uint64_t before, raft_index durable_before)
{
    note_write(before);
    for (uint32_t i = 0; i < node.sent_count; i++)
        check_message(&node.sent[i].message);
    node_forget_sent(&node);
    check_durable_index(&disk[before], durable_before);
    CHECK_AT_MOST(node.view.durable_term, disk[reported].hard_state.current_term);
}

// ---- what happens -----------------------------------------------------------------

// Power is lost; of what was not reported, any number of writes may have been done.
static void crash(void)
{
    disk[0] = disk[reported + draw(node.write - reported + 1)];
    reported = 0;
    node_boot(&node, disk[0].hard_state, NULL, 0);
    for (raft_index i = 1; i <= disk[0].last_index; i++) {
        struct raft_entry entry = {i, disk[0].terms[i], RAFT_ENTRY_COMMAND, 1, "x"};
        CHECK_EQ(raft_load(node.raft, &entry), RAFT_OK);
    }
    raft_observe(node.raft, &node.view);
}

// A node leads whose log is node 1's, or an earlier leader's, up to some entry.
static void elect_another(void)
{
    earlier[draw(EARLIER)] = leader;
    leader_term = node.view.current_term + 1 + draw(2);
    leader_term += leader_term % 3 == 0;
    leader = earlier[draw(EARLIER)];
    if (draw(2) == 0) {
        leader.last_index = node.view.last_index;
        for (raft_index i = 1; i <= leader.last_index; i++)
            leader.terms[i] = own_term_at(i);
    }
    leader.last_index = draw(leader.last_index + 1);
    if (leader.last_index > LOG_MAX / 2)
        leader.last_index = LOG_MAX / 2;
}

static void hear_leader(uint32_t entries)
{
    if (leader_term < node.view.current_term || draw(20) == 0)
        elect_another();
    if (leader.last_index < LOG_MAX - 4 && draw(2) == 0)
        leader.terms[++leader.last_index] = leader_term;
    raft_index prev = draw(leader.last_index + 1);
    if (draw(2) == 0 && node.view.last_index < leader.last_index)
        prev = node.view.last_index;
    raft_term terms[4] = {0};
    for (uint32_t i = 0; i < entries && prev + i < leader.last_index; i++)
        terms[i] = leader.terms[prev + i + 1];
    raft_term prev_term = prev == 0 ? 0 : leader.terms[prev];
    raft_id from = 2 + leader_term % 2;
    node_receive(&node, an_append(from, 1, leader_term, prev, prev_term, 0, terms));
}

static void hear_candidate(void)
{
    raft_term term = node.view.current_term + draw(2);
    raft_id from = 4 + (raft_id)draw(2);
    raft_index last_index = draw(3) == 0 ? 0 : LOG_MAX;
    if (term == 0)
        return;
    if (draw(4) == 0)
        node_receive(&node, a_prevote_request(from, 1, term, last_index, term - 1));
    else
        node_receive(&node, a_vote_request(from, 1, term, last_index, term - 1));
}

static void campaign(void)
{
    node_time_out(&node);
    for (raft_id from = 2; from <= 3 && node.view.role == RAFT_PRE_CANDIDATE; from++)
        node_receive(&node, a_prevote(from, 1, node.view.current_term + 1, true));
}

static void hear_vote(void)
{
    raft_term term = node.view.current_term;
    if (term == 0 || term % 3 != 0)
        return;
    raft_id first = 2 + (raft_id)draw(3);
    node_receive(&node, a_vote(first, 1, term, true));
    node_receive(&node, a_vote(first + 1, 1, term, true));
}

static void report(void)
{
    if (reported == node.write)
        return;
    reported += 1 + draw(node.write - reported);
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                         .persisted.write = reported});
    CHECK_EQ(node.status, RAFT_OK);
}

static void act(void)
{
    node.now_ms += draw(200);
    uint64_t choice = draw(16);
    if (choice < 5)
        hear_leader(4);
    else if (choice == 5)
        hear_leader(0);
    else if (choice == 6)
        hear_candidate();
    else if (choice == 7)
        campaign();
    else if (choice < 10)
        hear_vote();
    else if (choice == 10 && node.view.role == RAFT_LEADER &&
             node.view.last_index < LOG_MAX - 8)
        node_propose(&node, "x");
    else
        report();
}

// LAB 3 step 5, 2 points: STATE-0 STATE-1 STATE-2 STATE-3
TEST(of_20000_steps_none_sends_what_is_not_on_the_disk)
{
    node_start(&node, 1, 5);
    node.auto_persist = false;
    for (uint32_t step = 0; step < STEPS; step++) {
        // One event at a time: some of them are several steps, none of which writes
        // twice.
        uint64_t before = node.write;
        raft_index durable_before = node.view.durable_index;
        act();
        if (node.write > before + 1)
            test_fail(__FILE__, __LINE__, "one event, and more than one write");
        check_step(before, durable_before);
        if (node.write > WRITES_MAX - 4 || node.view.last_index > LOG_MAX - 8 ||
            draw(100) == 0)
            crash();
        if (node.view.last_index > LOG_MAX - 8) { // another node begins
            node_stop(&node);
            memset(&leader, 0, sizeof leader);
            memset(disk, 0, sizeof disk);
            memset(earlier, 0, sizeof earlier);
            reported = leader_term = 0;
            node_start(&node, 1, 5);
            node.auto_persist = false;
        }
    }
    CHECK(checked[RAFT_REQUEST_VOTE] > 100);
    CHECK(checked[RAFT_REQUEST_VOTE_REPLY] > 100);
    CHECK(checked[RAFT_APPEND_ENTRIES] > 100);
    CHECK(checked[RAFT_APPEND_ENTRIES_REPLY] > 100);
    node_stop(&node);
}

TEST_MAIN
