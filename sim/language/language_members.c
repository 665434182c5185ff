#include "sim/language/language_members.h"

#include "sim/json.h"

#include <inttypes.h>
#include <string.h>

void language_members_text(const struct raft_configuration *configuration,
                           struct buffer *out)
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];

        buffer_format(out, "%s%u", i > 0 ? " " : "", (unsigned)member->id);
        if (member->role != RAFT_VOTER)
            buffer_format(out, ":%s", raft_configuration_role_text(member->role));
    }
}

// ---- changes --------------------------------------------------------------------

// Reads "at N" at the end of a line, and drops it; without it, the leader is meant.
static bool read_at(struct language *language, struct node **node)
{
    uint32_t count = language->count;

    *node = world_leader(language->world);
    if (count >= 4 && language_is(language, count - 2, "at")) {
        if (!language_node(language, count - 1, node))
            return false;
        language->count -= 2;
    }
    if (*node == NULL)
        return language_fail(language, "there is no leader");
    if (!node_is_live(*node))
        return language_fail(language, "node %u is not running", (unsigned)(*node)->id);
    return true;
}

// Who is to be a member has to run: a spare starts when it is first named.
static bool start_members(struct language *language,
                          const struct raft_configuration *changes)
{
    for (uint32_t i = 0; i < changes->count; i++) {
        struct node *node = &language->world->nodes[changes->members[i].id];

        if (changes->members[i].role == RAFT_REMOVED || node->up)
            continue;
        if (node->incarnation > 0)
            continue; // it is down, which is no reason not to add it
        if (!node_start(node))
            return language_fail(language, "node %u does not start: %s",
                                 (unsigned)node->id, node->stopped);
    }
    return true;
}

static bool propose(struct language *language, struct node *node,
                    const struct raft_configuration *changes)
{
    struct world *world = language->world;
    enum raft_status status;
    int64_t ticket;

    language_note(language);
    if (!start_members(language, changes))
        return false;
    ticket = world_change(world, node->id, changes, &status);
    if (ticket < 0)
        return language_fail(language, "node %u: %s", (unsigned)node->id,
                             raft_status_text(status));
    json_number(language->out, "ticket", (uint64_t)ticket);
    json_number(language->out, "node", node->id);
    json_number(language->out, "index", world->tickets[ticket].index);
    json_number(language->out, "term", world->tickets[ticket].term);
    return true;
}

static bool change_one(struct language *language, enum raft_member_role role)
{
    struct raft_configuration changes = {.count = 1};
    struct node *leader, *node;

    if (!read_at(language, &leader))
        return false;
    if (language->count > 2)
        return language_fail(language, "expected: %s N [at LEADER]",
                             language_word(language, 0));
    if (!language_node(language, 1, &node))
        return false;
    changes.members[0] = (struct raft_member){node->id, role};
    return propose(language, leader, &changes);
}

bool language_members_add(struct language *language)
{
    enum raft_member_role role = RAFT_JOINING;

    if (language_is(language, 2, "learner") || language_is(language, 2, "voter")) {
        role = language_is(language, 2, "voter") ? RAFT_VOTER : RAFT_LEARNER;
        memmove(&language->words[2], &language->words[3],
                (language->count - 3) * sizeof(language->words[0]));
        language->count--;
    }
    return change_one(language, role);
}

bool language_members_remove(struct language *language)
{
    return change_one(language, RAFT_REMOVED);
}

bool language_members_promote(struct language *language)
{
    return change_one(language, RAFT_VOTER);
}

// "change voter 4 5 remove 1 2 learner 6": all at once.
bool language_members_change(struct language *language)
{
    static const struct {
        const char *word;
        enum raft_member_role role;
    } modes[] = {{"voter", RAFT_VOTER},
                 {"learner", RAFT_LEARNER},
                 {"joining", RAFT_JOINING},
                 {"remove", RAFT_REMOVED}};
    struct raft_configuration changes = {0};
    enum raft_member_role role = RAFT_VOTER;
    struct node *leader, *node;

    if (!read_at(language, &leader))
        return false;
    for (uint32_t at = 1; at < language->count; at++) {
        size_t mode = 0;

        while (mode < 4 && !language_is(language, at, modes[mode].word))
            mode++;
        if (mode < 4) {
            role = modes[mode].role;
            continue;
        }
        if (!language_node(language, at, &node))
            return false;
        if (changes.count == RAFT_MEMBERS_MAX)
            return language_fail(language, "a change names at most %d nodes",
                                 (int)RAFT_MEMBERS_MAX);
        changes.members[changes.count++] = (struct raft_member){node->id, role};
    }
    if (changes.count == 0)
        return language_fail(language, "usage: change [voter|learner|joining|remove] "
                                       "N... [at LEADER]");
    return propose(language, leader, &changes);
}

bool language_members_transfer(struct language *language)
{
    struct node *leader, *to = NULL;
    enum raft_status status;

    if (!read_at(language, &leader))
        return false;
    if (language->count > 2)
        return language_fail(language, "usage: transfer [N] [at LEADER]");
    if (language->count == 2 && !language_node(language, 1, &to))
        return false;
    language_note(language);
    status = host_transfer(leader->host, &leader->io, node_now_ms(leader),
                           to == NULL ? 0 : to->id);
    node_settle(leader);
    if (status != RAFT_OK)
        return language_fail(language, "node %u: %s", (unsigned)leader->id,
                             raft_status_text(status));
    json_number(language->out, "node", leader->id);
    return true;
}

bool language_members_snapshot(struct language *language)
{
    struct node *node;

    if (!language_node(language, 1, &node))
        return false;
    if (!node_is_live(node))
        return language_fail(language, "node %u is not running", (unsigned)node->id);
    language_note(language);
    host_snapshot(node->host, &node->io, node_now_ms(node));
    node_settle(node);
    json_number(language->out, "applied_index", service_applied_index(node->service));
    return true;
}

// ---- claims ---------------------------------------------------------------------

// The configuration that node N uses ("at N" at the end), or the leader, or whoever
// knows most.
static bool read_configuration(struct language *language,
                               const struct raft_configuration **configuration)
{
    uint32_t count = language->count;
    struct node *node;

    *configuration = world_configuration(language->world);
    if (count >= 4 && language_is(language, count - 2, "at")) {
        if (!language_node(language, count - 1, &node))
            return false;
        if (!node->up)
            return language_fail(language, "node %u is down", (unsigned)node->id);
        *configuration = node->view.configuration;
        language->count -= 2;
    }
    if (*configuration == NULL)
        return language_fail(language, "no node is running");
    return true;
}

bool language_members_expect(struct language *language)
{
    const struct raft_configuration *configuration;
    const struct raft_member *member;
    const char *role;
    struct node *node;

    if (!read_configuration(language, &configuration))
        return false;
    if (language->count != 4)
        return language_fail(language, "usage: expect member N ROLE [at M]");
    if (!language_node(language, 2, &node))
        return false;
    member = raft_member_find(configuration, node->id);
    role = member == NULL ? "none" : raft_configuration_role_text(member->role);
    if (!language_is(language, 3, role))
        return language_fail(language, "node %u is %s", (unsigned)node->id, role);
    return true;
}

bool language_members_expect_all(struct language *language)
{
    const struct raft_configuration *configuration;
    struct buffer text = {0}, wanted = {0};
    bool holds;

    if (!read_configuration(language, &configuration))
        return false;
    language_members_text(configuration, &text);
    for (uint32_t at = 2; at < language->count; at++)
        buffer_format(&wanted, "%s%s", at > 2 ? " " : "", language_word(language, at));
    holds = text.size == wanted.size &&
            (text.size == 0 || memcmp(text.data, wanted.data, text.size) == 0);
    if (!holds)
        language_fail(language, "the configuration is %.*s",
                      (int)(text.size < 100 ? text.size : 100),
                      text.size == 0 ? "" : text.data);
    buffer_free(&text);
    buffer_free(&wanted);
    return holds;
}
