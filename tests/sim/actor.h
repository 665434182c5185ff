// actor.h: nodes that tell the checker whatever a test wants, true or not.
#ifndef TESTS_SIM_ACTOR_H
#define TESTS_SIM_ACTOR_H

#include "sim/checker/checker.h"

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
    bool down;
};

static struct checker *checker;
static struct raft_configuration first_members; // of the first start: all
static struct actor one, two, three;

static inline void open_actor(struct actor *actor, raft_id id)
{
    memset(actor, 0, sizeof(*actor));
    actor->checker = checker;
    actor->view.id = id;
    actor->view.first_index = 1;
    actor->view.configuration = &first_members;
    checker_open(checker, id, &actor->view);
}

static inline void open_all(void)
{
    first_members.count = NODES;
    for (uint32_t i = 0; i < NODES; i++)
        first_members.members[i] =
            (struct raft_member){.id = i + 1, .role = RAFT_VOTER};
    checker = checker_new(NODES, NODES);
    open_actor(&one, 1);
    open_actor(&two, 2);
    open_actor(&three, 3);
}

static inline void begin(struct actor *actor)
{
    actor->event = (struct raft_event){.type = RAFT_EVENT_TICK};
    memset(&actor->output, 0, sizeof(actor->output));
}

static inline void tell(struct actor *actor)
{
    struct checker_step step = {&actor->view, &actor->event, &actor->output, NULL};

    checker_step(actor->checker, actor->view.id, &step);
    begin(actor);
}

// Puts a term and a vote into this step's write.
static inline void add_vote(struct actor *actor, raft_term term, raft_id vote)
{
    actor->output.write = ++actor->write;
    actor->output.hard_state_changed = true;
    actor->output.hard_state = (struct raft_hard_state){term, vote};
    actor->view.current_term = term;
    actor->view.voted_for = vote;
}

// Puts one entry into this step's write; the log ends with it.
static inline void add_entry(struct actor *actor, raft_index index, raft_term term,
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

static inline void persist(struct actor *actor)
{
    begin(actor);
    actor->event.type = RAFT_EVENT_PERSISTED;
    actor->event.persisted.write = actor->write;
    tell(actor);
}

static inline void vote(struct actor *actor, raft_term term, raft_id to)
{
    begin(actor);
    add_vote(actor, term, to);
    tell(actor);
    persist(actor);
}

static inline void lead(struct actor *actor)
{
    begin(actor);
    actor->view.role = RAFT_LEADER;
    tell(actor);
}

static inline void follow(struct actor *actor, raft_term term)
{
    begin(actor);
    actor->view.role = RAFT_FOLLOWER;
    add_vote(actor, term, 0);
    tell(actor);
    persist(actor);
}

static inline void write_entry(struct actor *actor, raft_index index, raft_term term,
                               const char *data)
{
    begin(actor);
    add_entry(actor, index, term, data);
    tell(actor);
    persist(actor);
}

static inline void commit(struct actor *actor, raft_index index)
{
    begin(actor);
    actor->view.commit_index = index;
    tell(actor);
}

static inline void say(struct actor *actor, const struct raft_message *message)
{
    begin(actor);
    actor->message = *message;
    actor->message.from = actor->view.id;
    actor->output.messages = &actor->message;
    actor->output.message_count = 1;
    tell(actor);
}

static inline void grant(struct actor *actor, raft_term term, raft_id to)
{
    struct raft_message message = {
        .type = RAFT_REQUEST_VOTE_REPLY, .to = to, .term = term};

    message.request_vote_reply.vote_granted = true;
    say(actor, &message);
}

static inline void acknowledge(struct actor *actor, raft_term term, raft_index match)
{
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES_REPLY, .to = 1, .term = term};

    message.append_entries_reply.success = true;
    message.append_entries_reply.match_index = match;
    say(actor, &message);
}

static inline void set_match(struct actor *actor, raft_id peer, raft_index match)
{
    begin(actor);
    actor->view.peer_count = 1;
    actor->view.peers[0] = (struct raft_peer_view){.id = peer, .match_index = match};
    tell(actor);
}

static inline void fall(struct actor *actor)
{
    checker_crash(checker, actor->view.id);
    actor->down = true;
}

static inline void restart(struct actor *actor, raft_term term, raft_id voted_for)
{
    raft_id id = actor->view.id;

    if (!actor->down)
        fall(actor);
    actor->down = false;
    memset(&actor->view, 0, sizeof(actor->view));
    actor->view.id = id;
    actor->view.current_term = term;
    actor->view.voted_for = voted_for;
    actor->view.first_index = 1;
    actor->view.configuration = &first_members;
    actor->write = 0;
    checker_open(checker, id, &actor->view);
}

// Node 1 leads term 1; entries 1 and 2 are on nodes 1 and 2, and committed.
static inline void tell_true_story(void)
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

// A configuration of nodes 1 to 3 with these roles, which lives until the test ends.
static inline const struct raft_configuration *members(enum raft_member_role first,
                                                       enum raft_member_role second,
                                                       enum raft_member_role third)
{
    static struct raft_configuration pool[8];
    static uint32_t taken;
    struct raft_configuration *made = &pool[taken++];
    enum raft_member_role roles[NODES] = {first, second, third};

    for (uint32_t i = 0; i < NODES; i++)
        if (roles[i] != RAFT_REMOVED)
            made->members[made->count++] =
                (struct raft_member){.id = i + 1, .role = roles[i]};
    return made;
}

// Writes a configuration and uses it from this step on.
static inline void write_members(struct actor *actor, raft_index index, raft_term term,
                                 const struct raft_configuration *configuration)
{
    char text[RAFT_CONFIGURATION_BYTES_MAX + 1] = "";

    raft_configuration_encode(configuration, text);
    begin(actor);
    add_entry(actor, index, term, text);
    actor->entries[0].type = RAFT_ENTRY_CONFIGURATION;
    actor->view.configuration = configuration;
    actor->view.configuration_index = index;
    tell(actor);
    persist(actor);
}

static inline void finish_with(enum property property)
{
    CHECK(checker_violation_count(checker) >= 1);
    CHECK_TEXT(checker_property_text(checker_violation(checker, 0)->property),
               checker_property_text(property));
    CHECK(strlen(checker_violation(checker, 0)->text) > 10);
    checker_free(checker);
}

static inline void finish_clean(void)
{
    if (checker_violation_count(checker) > 0)
        CHECK_TEXT(checker_violation(checker, 0)->text, "");
    checker_free(checker);
}

static const struct raft_entry first = {1, 1, RAFT_ENTRY_COMMAND, 1, "a"};
static const struct raft_entry second = {2, 1, RAFT_ENTRY_COMMAND, 1, "a"};

#endif
