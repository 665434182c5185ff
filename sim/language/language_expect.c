#include "sim/language/language_expect.h"

#include "sim/json.h"
#include "sim/language/language_answers.h"
#include "sim/language/language_members.h"
#include "sim/language/language_show.h"
#include "sim/language/options.h"

#include <inttypes.h>
#include <string.h>

// ---- numbers --------------------------------------------------------------------

struct number_field {
    const char *name;
    uint64_t (*get)(const struct node *node);
};

static uint64_t get_term(const struct node *node)
{
    return node->view.current_term;
}

static uint64_t get_commit(const struct node *node)
{
    return node->view.commit_index;
}

static uint64_t get_applied(const struct node *node)
{
    return service_applied_index(node->service);
}

static uint64_t get_last(const struct node *node)
{
    return node->view.last_index;
}

static uint64_t get_last_term(const struct node *node)
{
    return node->view.last_term;
}

static uint64_t get_durable(const struct node *node)
{
    return node->view.durable_index;
}

static uint64_t get_first(const struct node *node)
{
    return node->view.first_index;
}

static uint64_t get_snapshot(const struct node *node)
{
    return node->view.snapshot_index;
}

static uint64_t get_configuration(const struct node *node)
{
    return node->view.configuration_index;
}

static uint64_t get_taken(const struct node *node)
{
    struct host_counters counters;

    host_count(node->host, &counters);
    return counters.snapshots_taken;
}

static uint64_t get_received(const struct node *node)
{
    struct host_counters counters;

    host_count(node->host, &counters);
    return counters.snapshots_received;
}

static uint64_t get_reads(const struct node *node)
{
    return node->view.reads_pending;
}

static uint64_t get_uncommitted(const struct node *node)
{
    return node->view.uncommitted_bytes;
}

static uint64_t get_vote(const struct node *node)
{
    return node->view.voted_for;
}

static uint64_t get_transfer(const struct node *node)
{
    return node->view.transfer_to;
}

static uint64_t get_lease(const struct node *node)
{
    struct raft_view view; // a lease ends by itself, without a step

    raft_observe(host_raft(node->host), &view);
    return view.lease;
}

static uint64_t get_full(const struct node *node)
{
    return host_disk_full(node->host);
}

static const struct number_field fields[] = {
    {"term", get_term},
    {"commit_index", get_commit},
    {"applied_index", get_applied},
    {"last_index", get_last},
    {"last_term", get_last_term},
    {"durable_index", get_durable},
    {"first_index", get_first},
    {"snapshot_index", get_snapshot},
    {"configuration_index", get_configuration},
    {"snapshots_taken", get_taken},
    {"snapshots_received", get_received},
    {"reads_pending", get_reads},
    {"uncommitted_bytes", get_uncommitted},
    {"voted_for", get_vote},
    {"transfer_to", get_transfer},
    {"lease", get_lease},
    {"disk_full", get_full},
};

static bool compare(const char *operator, uint64_t left, uint64_t right, bool *holds)
{
    if (strcmp(operator, "==") == 0 || strcmp(operator, "=") == 0)
        *holds = left == right;
    else if (strcmp(operator, "!=") == 0)
        *holds = left != right;
    else if (strcmp(operator, ">=") == 0)
        *holds = left >= right;
    else if (strcmp(operator, "<=") == 0)
        *holds = left <= right;
    else if (strcmp(operator, ">") == 0)
        *holds = left > right;
    else if (strcmp(operator, "<") == 0)
        *holds = left < right;
    else
        return false;
    return true;
}

// "expect term 2 >= 4" of node 2, "expect term >= 4" of the leader.
static bool expect_number(struct language *language, const struct number_field *field)
{
    struct node *node = world_leader(language->world);
    uint32_t at = 2;
    uint64_t right, left;
    bool holds;

    if (language->count == 5) {
        if (!language_node(language, at++, &node))
            return false;
    } else if (language->count != 4) {
        return language_fail(language, "usage: expect %s [N] ==|!=|<|<=|>|>= NUMBER",
                             field->name);
    }
    if (node == NULL)
        return language_fail(language, "there is no leader");
    if (!node->up)
        return language_fail(language, "node %u is down", (unsigned)node->id);
    if (!language_number(language, at + 1, &right))
        return false;
    left = field->get(node);
    if (!compare(language_word(language, at), left, right, &holds))
        return language_fail(language, "\"%s\" compares nothing",
                             language_word(language, at));
    if (!holds)
        return language_fail(language, "%s of node %u is %" PRIu64, field->name,
                             (unsigned)node->id, left);
    return true;
}

// "expect messages <= 42", of what `counters` counts.
static bool expect_counter(struct language *language, uint64_t left)
{
    uint64_t right;
    bool holds;

    if (language->count != 4)
        return language_fail(language, "usage: expect %s ==|!=|<|<=|>|>= NUMBER",
                             language_word(language, 1));
    if (!language_number(language, 3, &right))
        return false;
    if (!compare(language_word(language, 2), left, right, &holds))
        return language_fail(language, "\"%s\" compares nothing",
                             language_word(language, 2));
    return holds ||
           language_fail(language, "%s is %" PRIu64, language_word(language, 1), left);
}

// ---- leaders --------------------------------------------------------------------

// "expect leader 2 3": one of these.
static bool expect_leader(struct language *language)
{
    const struct node *leader = world_leader(language->world);
    bool leads = language->count == 2;
    struct node *node;

    for (uint32_t at = 2; at < language->count; at++) {
        if (!language_node(language, at, &node))
            return false;
        leads = leads || node == leader;
    }
    if (leader == NULL)
        return language_fail(language, "there is no leader");
    if (!leads)
        return language_fail(language, "node %u leads in term %" PRIu64,
                             (unsigned)leader->id, leader->view.current_term);
    return true;
}

static bool expect_no_leader(struct language *language)
{
    const struct node *leader = world_leader(language->world);

    if (leader != NULL)
        return language_fail(language, "node %u leads in term %" PRIu64,
                             (unsigned)leader->id, leader->view.current_term);
    return true;
}

static bool expect_one_leader(struct language *language)
{
    const struct world *world = language->world;
    uint32_t count = 0;

    for (raft_id id = 1; id <= world->config.node_count; id++)
        count += node_is_live(&world->nodes[id]) &&
                 world->nodes[id].view.role == RAFT_LEADER;
    if (count != 1)
        return language_fail(language, "%u nodes say that they lead", (unsigned)count);
    return true;
}

// "expect role 1 follower candidate": one of these.
static bool expect_role(struct language *language)
{
    struct node *node;
    const char *role;

    if (language->count < 4)
        return language_fail(language, "usage: expect role N ROLE...");
    if (!language_node(language, 2, &node))
        return false;
    role = !node->up ? "down" : raft_role_text(node->view.role);
    for (uint32_t at = 3; at < language->count; at++)
        if (language_is(language, at, role))
            return true;
    return language_fail(language, "node %u is %s", (unsigned)node->id, role);
}

static bool expect_state(struct language *language, const char *state)
{
    struct node *node;
    bool stopped, holds;

    if (language->count != 3)
        return language_fail(language, "usage: expect %s N", state);
    if (!language_node(language, 2, &node))
        return false;
    stopped = node->stopped[0] != '\0';
    if (strcmp(state, "up") == 0)
        holds = node_is_live(node);
    else if (strcmp(state, "down") == 0)
        holds = !node->up;
    else
        holds = stopped;
    if (!holds)
        return language_fail(language, "node %u is %s", (unsigned)node->id,
                             stopped     ? node->stopped
                             : !node->up ? "down"
                                         : "not");
    return true;
}

// ---- logs and states ------------------------------------------------------------

bool language_expect_same(struct language *language)
{
    struct world *world = language->world;
    const struct node *first = NULL;

    for (raft_id id = 1; id <= world->config.node_count; id++) {
        const struct node *node = &world->nodes[id];

        if (!node_is_live(node) || !world_is_member(world, id))
            continue;
        if (first == NULL)
            first = node;
        if (node->view.last_index != first->view.last_index ||
            node->view.last_term != first->view.last_term ||
            service_applied_index(node->service) != node->view.last_index ||
            service_hash(node->service) != service_hash(first->service))
            return false;
    }
    return true;
}

// The live node that has applied most.
static const struct node *most_applied(const struct world *world)
{
    const struct node *most = NULL;

    for (raft_id id = 1; id <= world->config.node_count; id++) {
        const struct node *node = &world->nodes[id];

        if (node_is_live(node) &&
            (most == NULL || service_applied_index(node->service) >
                                 service_applied_index(most->service)))
            most = node;
    }
    return most;
}

// The value that a node's applied state holds, as text; "(nil)" where there is none.
static void read_applied(struct language *language, const struct node *node,
                         struct buffer *value)
{
    const struct bytes words[2] = {{"GET", 3}, language->words[2]};
    struct buffer reply = {0};

    service_read(node->service, words, 2, node_wall_ms(node), &reply);
    language_plain(reply.data, reply.size, value);
    buffer_free(&reply);
}

static bool expect_value(struct language *language, bool absent)
{
    static const struct bytes nil = {"(nil)", 5};
    uint32_t at = absent ? 3 : 4;
    struct bytes wanted = absent ? nil : language->words[3];
    struct node *node = NULL;
    const struct node *holder = most_applied(language->world);
    struct buffer value = {0};
    bool holds;

    if (language->count == at + 2 && language_is(language, at, "at")) {
        if (!language_node(language, at + 1, &node))
            return false;
        holder = node;
    } else if (language->count != at) {
        return language_fail(language, "usage: expect committed KEY VALUE [at N] | "
                                       "expect absent KEY [at N]");
    }
    if (holder == NULL || !node_is_live(holder))
        return language_fail(language, "no such node is running");
    read_applied(language, holder, &value);
    holds = value.size == wanted.size &&
            (value.size == 0 || memcmp(value.data, wanted.data, value.size) == 0);
    if (!holds)
        language_fail(language, "node %u has applied %.*s", (unsigned)holder->id,
                      (int)(value.size < 100 ? value.size : 100),
                      value.size == 0 ? "" : value.data);
    buffer_free(&value);
    return holds;
}

// "expect entry N INDEX TERM [WORDS...]", or "expect entry N INDEX none".
static bool expect_entry(struct language *language)
{
    struct buffer text = {0}, wanted = {0};
    struct raft_entry entry;
    struct node *node;
    uint64_t index, term;
    bool held, holds;

    if (language->count < 5)
        return language_fail(language, "usage: expect entry N INDEX TERM [WORDS...] | "
                                       "expect entry N INDEX none");
    if (!language_node(language, 2, &node) || !language_number(language, 3, &index))
        return false;
    if (!node->up)
        return language_fail(language, "node %u is down", (unsigned)node->id);
    held = raft_entry_at(host_raft(node->host), index, &entry);
    if (language_is(language, 4, "none"))
        return !held ||
               language_fail(language,
                             "node %u holds entry %" PRIu64 " of term %" PRIu64,
                             (unsigned)node->id, index, entry.term);
    if (!language_number(language, 4, &term))
        return false;
    if (!held)
        return language_fail(language, "node %u holds no entry %" PRIu64,
                             (unsigned)node->id, index);
    language_show_entry(&entry, &text);
    for (uint32_t at = 5; at < language->count; at++) {
        buffer_append_text(&wanted, at > 5 ? " " : "");
        buffer_append(&wanted, language->words[at].data, language->words[at].size);
    }
    holds = entry.term == term &&
            (language->count == 5 ||
             (wanted.size == text.size && wanted.data != NULL && text.data != NULL &&
              memcmp(wanted.data, text.data, text.size) == 0));
    if (!holds)
        language_fail(language,
                      "entry %" PRIu64 " of node %u is of term %" PRIu64 ": %.*s",
                      index, (unsigned)node->id, entry.term,
                      (int)(text.size < 100 ? text.size : 100), text.data);
    buffer_free(&text);
    buffer_free(&wanted);
    return holds;
}

// ---- answers --------------------------------------------------------------------

static bool expect_ticket(struct language *language)
{
    const struct world_ticket *ticket;
    uint64_t number;
    const char *state;

    if (language->count != 4)
        return language_fail(language, "usage: expect ticket NUMBER open|done|lost");
    if (!language_number(language, 2, &number))
        return false;
    if (number >= language->world->ticket_count)
        return language_fail(language, "there is no ticket %" PRIu64, number);
    ticket = &language->world->tickets[number];
    state = !ticket->ended ? "open" : ticket->status == REPLY_DONE ? "done" : "lost";
    if (!language_is(language, 3, state))
        return language_fail(language, "ticket %" PRIu64 " is %s", number, state);
    return true;
}

static bool expect_reply(struct language *language)
{
    const struct buffer *reply = &language->reply;

    if (language->count != 3)
        return language_fail(language, "usage: expect reply TEXT");
    if (!language->replied)
        return language_fail(language, "there is no reply yet");
    if (!language_is_text(language, 2, reply))
        return language_fail(language, "the reply was %.*s",
                             (int)(reply->size < 100 ? reply->size : 100),
                             reply->size == 0 ? "" : reply->data);
    return true;
}

static bool expect_violations(struct language *language)
{
    uint32_t found = checker_violation_count(language->world->checker);
    uint64_t wanted;

    if (language->count != 3)
        return language_fail(language, "usage: expect violations COUNT");
    if (!language_number(language, 2, &wanted))
        return false;
    if (found != wanted)
        return language_fail(
            language, "there are %u: %s", (unsigned)found,
            found == 0 ? "none" : checker_violation(language->world->checker, 0)->text);
    return true;
}

// "expect violation RULE": that rule is the first that was broken.
static bool expect_violation(struct language *language)
{
    const struct checker *checker = language->world->checker;
    const char *rule;

    if (language->count != 3)
        return language_fail(language, "usage: expect violation RULE");
    if (checker_violation_count(checker) == 0)
        return language_fail(language, "no rule is broken");
    rule = checker_property_text(checker_violation(checker, 0)->property);
    if (!language_is(language, 2, rule))
        return language_fail(language, "the rule that is broken is %s", rule);
    json_string(language->out, "text", checker_violation(checker, 0)->text);
    return true;
}

static bool expect_same(struct language *language)
{
    if (!language_expect_same(language))
        return language_fail(language,
                             "the running nodes differ in log, applied index or state");
    return true;
}

bool language_expect_claim(struct language *language)
{
    static const struct {
        const char *name;
        bool (*check)(struct language *language);
    } claims[] = {
        {"role", expect_role},
        {"same", expect_same},
        {"entry", expect_entry},
        {"ticket", expect_ticket},
        {"reply", expect_reply},
        {"answer", language_answers_expect},
        {"violations", expect_violations},
        {"violation", expect_violation},
        {"leader", expect_leader},
        {"member", language_members_expect},
        {"configuration", language_members_expect_all},
    };
    const struct world *world = language->world;
    const char *name = language_word(language, 1);
    uint64_t counted;

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
        if (strcmp(name, claims[i].name) == 0)
            return claims[i].check(language);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strcmp(name, fields[i].name) == 0)
            return expect_number(language, &fields[i]);
    if (counters_find(&world->counters, world->now_us, name, &counted))
        return expect_counter(language, counted);
    if (strcmp(name, "no") == 0 && language_is(language, 2, "leader"))
        return expect_no_leader(language);
    if (strcmp(name, "no") == 0 && language_is(language, 2, "answer"))
        return language_answers_expect_none(language);
    if (strcmp(name, "one") == 0 && language_is(language, 2, "leader"))
        return expect_one_leader(language);
    if (strcmp(name, "up") == 0 || strcmp(name, "down") == 0 ||
        strcmp(name, "stopped") == 0)
        return expect_state(language, name);
    if (strcmp(name, "committed") == 0 && language->count >= 4)
        return expect_value(language, false);
    if (strcmp(name, "absent") == 0 && language->count >= 3)
        return expect_value(language, true);
    return language_fail(language, "unknown claim; there are: " LANGUAGE_EXPECT_CLAIMS);
}
