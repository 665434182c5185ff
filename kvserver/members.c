#include "kvserver/members.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kvserver/place.h"
#include "kvserver/service/command.h"
#include "kvserver/service/number.h"
#include "kvserver/service/resp.h"

enum { CHANGE_WORDS = 4 }; // for each member

bool members_joint(const struct raft_configuration *configuration)
{
    for (uint32_t i = 0; i < configuration->count; i++)
        if (configuration->members[i].role == RAFT_LEAVING ||
            configuration->members[i].role == RAFT_STAYING)
            return true;
    return false;
}

// ---- words ----------------------------------------------------------------------

static bool refuse(struct buffer *error, const char *text)
{
    resp_error(error, text);
    return false;
}

static bool id_read(struct bytes word, raft_id *id, struct buffer *error)
{
    uint64_t value;

    if (!number_parse_unsigned(word, &value) || value == 0 || value > UINT32_MAX)
        return refuse(error, "ERR a member's id is a number from 1 to 4294967295");
    *id = (raft_id)value;
    return true;
}

static bool priority_read(struct bytes word, uint32_t *priority, struct buffer *error)
{
    uint64_t value;

    if (!number_parse_unsigned(word, &value) || value > 1000)
        return refuse(error, "ERR a priority is a number from 0 to 1000");
    *priority = (uint32_t)value;
    return true;
}

static bool address_read(struct bytes word, char *address, struct buffer *error)
{
    struct place place;

    if (word.size < RAFT_ADDRESS_BYTES) {
        memcpy(address, word.data, word.size);
        address[word.size] = '\0';
        if (strlen(address) == word.size && place_read(address, &place))
            return true;
    }
    return refuse(error, "ERR a member's address is host:peer-port/client-port");
}

// The roles that can be asked for; the others are steps of a change.
static bool role_read(struct bytes word, enum raft_member_role *role,
                      struct buffer *error)
{
    static const enum raft_member_role roles[] = {RAFT_REMOVED, RAFT_VOTER,
                                                  RAFT_LEARNER, RAFT_JOINING};

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        const char *name = raft_configuration_role_text(roles[i]);

        if (word.size == strlen(name) && strncasecmp(word.data, name, word.size) == 0) {
            *role = roles[i];
            return true;
        }
    }
    return refuse(error, "ERR a role is voter, learner, joining or removed");
}

static bool is_dash(struct bytes word)
{
    return word.size == 1 && memcmp(word.data, "-", 1) == 0;
}

static bool add_read(const struct bytes *words, uint32_t count, struct members_ask *ask,
                     struct buffer *error)
{
    struct raft_member *member = &ask->members[0];

    ask->count = 1;
    member->role = RAFT_JOINING;
    if (count < 3)
        return refuse(error, "ERR wrong number of arguments for RAFT.MEMBER ADD");
    if (!id_read(words[1], &member->id, error) ||
        !address_read(words[2], member->address, error))
        return false;
    for (uint32_t i = 3; i < count; i++) {
        if (command_word_is(words[i], "LEARNER")) {
            member->role = RAFT_LEARNER;
        } else if (command_word_is(words[i], "PRIORITY") && i + 1 < count) {
            if (!priority_read(words[++i], &member->priority, error))
                return false;
            ask->priority_given[0] = true;
        } else {
            return refuse(error, "ERR syntax error");
        }
    }
    return true;
}

static bool change_read(const struct bytes *words, uint32_t count,
                        struct members_ask *ask, struct buffer *error)
{
    if (count < 1 + CHANGE_WORDS || (count - 1) % CHANGE_WORDS != 0 ||
        (count - 1) / CHANGE_WORDS > RAFT_MEMBERS_MAX)
        return refuse(error, "ERR wrong number of arguments for RAFT.MEMBER CHANGE");
    for (uint32_t i = 1; i < count; i += CHANGE_WORDS) {
        struct raft_member *member = &ask->members[ask->count];

        if (!id_read(words[i], &member->id, error) ||
            !role_read(words[i + 1], &member->role, error) ||
            (!is_dash(words[i + 2]) &&
             !address_read(words[i + 2], member->address, error)) ||
            (!is_dash(words[i + 3]) &&
             !priority_read(words[i + 3], &member->priority, error)))
            return false;
        ask->priority_given[ask->count] = !is_dash(words[i + 3]);
        for (uint32_t j = 0; j < ask->count; j++)
            if (ask->members[j].id == member->id)
                return refuse(error, "ERR a member is named twice");
        ask->count++;
    }
    return true;
}

bool members_read(const struct bytes *words, uint32_t count, struct members_ask *ask,
                  struct buffer *error)
{
    memset(ask, 0, sizeof *ask);
    if (command_word_is(words[0], "ADD")) {
        ask->verb = MEMBERS_ADD;
        return add_read(words, count, ask, error);
    }
    if (command_word_is(words[0], "CHANGE")) {
        ask->verb = MEMBERS_CHANGE;
        return change_read(words, count, ask, error);
    }
    if (command_word_is(words[0], "PROMOTE"))
        ask->verb = MEMBERS_PROMOTE;
    else if (command_word_is(words[0], "REMOVE"))
        ask->verb = MEMBERS_REMOVE;
    else
        return refuse(error, "ERR RAFT.MEMBER knows ADD, REMOVE, PROMOTE, CHANGE and "
                             "LIST");
    if (count != 2)
        return refuse(error, "ERR wrong number of arguments for RAFT.MEMBER");
    ask->count = 1;
    ask->members[0].role = ask->verb == MEMBERS_PROMOTE ? RAFT_VOTER : RAFT_REMOVED;
    return id_read(words[1], &ask->members[0].id, error);
}

// ---- what they mean -------------------------------------------------------------

static enum members_verdict refuse_member(struct buffer *error, raft_id id,
                                          const char *why)
{
    resp_error_format(error, "ERR member %u %s", id, why);
    return MEMBERS_REFUSED;
}

static bool votes(enum raft_member_role role)
{
    return role == RAFT_VOTER || role == RAFT_STAYING;
}

// Whether a member with this role is, or by itself becomes, what was asked for.
static bool role_reached(enum raft_member_role role, enum raft_member_role asked)
{
    return role == asked || (votes(role) && votes(asked)) ||
           (asked == RAFT_JOINING && votes(role));
}

// A member that is asked to be added and is one.
static enum members_verdict known_resolve(const struct raft_member *member,
                                          const struct raft_member *asked,
                                          struct buffer *error)
{
    if (strcmp(member->address, asked->address) != 0) {
        resp_error_format(error,
                          "ERR member %u is at %s: remove it, or move it with "
                          "RAFT.MEMBER CHANGE",
                          member->id, member->address);
        return MEMBERS_REFUSED;
    }
    if (role_reached(member->role, asked->role))
        return MEMBERS_FULFILLED;
    if (member->role != RAFT_LEARNER)
        return refuse_member(error, member->id,
                             "is no learner: use RAFT.MEMBER CHANGE");
    return MEMBERS_TO_CHANGE;
}

static enum members_verdict one_resolve(const struct members_ask *ask, uint32_t number,
                                        const struct raft_configuration *configuration,
                                        struct raft_member *delta, struct buffer *error)
{
    const struct raft_member *asked = &ask->members[number];
    const struct raft_member *member = raft_member_find(configuration, asked->id);
    bool same;

    *delta = *asked;
    if (member == NULL) {
        if (asked->role == RAFT_REMOVED || ask->verb == MEMBERS_PROMOTE)
            return refuse_member(error, asked->id, "is not in the configuration");
        if (asked->address[0] == '\0')
            return refuse_member(error, asked->id, "needs an address");
        return MEMBERS_TO_CHANGE;
    }
    if (ask->verb == MEMBERS_ADD)
        return known_resolve(member, asked, error);
    if (asked->address[0] == '\0')
        memcpy(delta->address, member->address, sizeof delta->address);
    if (!ask->priority_given[number])
        delta->priority = member->priority;
    same = role_reached(member->role, asked->role) &&
           strcmp(delta->address, member->address) == 0 &&
           delta->priority == member->priority;
    return same ? MEMBERS_FULFILLED : MEMBERS_TO_CHANGE;
}

// Peers must be able to find the leader that was alone until now.
static enum members_verdict self_resolve(const struct raft_configuration *configuration,
                                         const struct raft_member *self,
                                         struct members_delta *delta,
                                         struct buffer *error)
{
    const struct raft_member *member = raft_member_find(configuration, self->id);
    struct raft_member *to = &delta->members[delta->count];

    if (member == NULL || member->address[0] != '\0')
        return MEMBERS_TO_CHANGE;
    if (self->address[0] == '\0')
        return refuse_member(error, self->id,
                             "leads and has no address for peers: restart it with "
                             "--peer-listen");
    for (uint32_t i = 0; i < delta->count; i++)
        if (delta->members[i].id == self->id)
            return MEMBERS_TO_CHANGE;
    *to = *member;
    memcpy(to->address, self->address, sizeof to->address);
    delta->count++;
    return MEMBERS_TO_CHANGE;
}

// ---- what the core would refuse without a word ------------------------------------

// The role that a member has once the change is done; RAFT_REMOVED: none.
static enum raft_member_role role_after(const struct raft_configuration *configuration,
                                        const struct members_delta *delta, raft_id id)
{
    const struct raft_member *member = raft_member_find(configuration, id);

    for (uint32_t i = 0; i < delta->count; i++)
        if (delta->members[i].id == id)
            return delta->members[i].role;
    return member == NULL ? RAFT_REMOVED : member->role;
}

static bool voters_possible(const struct raft_configuration *configuration,
                            const struct members_delta *delta, struct buffer *error)
{
    uint32_t voters = 0;
    uint32_t moved = 0;
    raft_id demoted = 0;

    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        enum raft_member_role after = role_after(configuration, delta, member->id);

        voters += votes(after);
        moved += votes(after) != votes(member->role);
        if (votes(member->role) && !votes(after) && after != RAFT_REMOVED)
            demoted = member->id;
    }
    for (uint32_t i = 0; i < delta->count; i++) {
        bool is_new = raft_member_find(configuration, delta->members[i].id) == NULL;

        voters += is_new && votes(delta->members[i].role);
        moved += is_new && votes(delta->members[i].role);
    }
    if (voters == 0)
        return refuse(error, "ERR a cluster needs a voter");
    if (demoted != 0 && moved > 1) {
        refuse_member(error, demoted, "becomes a learner in a change of its own");
        return false;
    }
    return true;
}

static bool same_peer_address(const char *one, const char *other)
{
    size_t size = strcspn(one, "/");

    return size > 0 && size == strcspn(other, "/") && memcmp(one, other, size) == 0;
}

// Two members at one place would take each other's calls.
static bool addresses_possible(const struct raft_configuration *configuration,
                               const struct members_delta *delta, struct buffer *error)
{
    for (uint32_t i = 0; i < delta->count; i++) {
        const struct raft_member *moved = &delta->members[i];

        for (uint32_t j = 0; j < configuration->count; j++) {
            const struct raft_member *other = &configuration->members[j];

            if (moved->role == RAFT_REMOVED || other->id == moved->id ||
                role_after(configuration, delta, other->id) == RAFT_REMOVED ||
                !same_peer_address(moved->address, other->address))
                continue;
            resp_error_format(error, "ERR %s is the address of member %u",
                              moved->address, other->id);
            return false;
        }
    }
    return true;
}

enum members_verdict members_resolve(const struct members_ask *ask,
                                     const struct raft_configuration *configuration,
                                     const struct raft_member *self,
                                     struct members_delta *delta, struct buffer *error)
{
    uint32_t members = configuration->count;

    delta->count = 0;
    for (uint32_t i = 0; i < ask->count; i++) {
        struct raft_member *to = &delta->members[delta->count];
        enum members_verdict verdict = one_resolve(ask, i, configuration, to, error);

        if (verdict == MEMBERS_REFUSED)
            return MEMBERS_REFUSED;
        delta->count += verdict == MEMBERS_TO_CHANGE;
        members += raft_member_find(configuration, ask->members[i].id) == NULL;
    }
    if (members > RAFT_MEMBERS_MAX) {
        resp_error_format(error, "ERR a cluster has at most %d members",
                          RAFT_MEMBERS_MAX);
        return MEMBERS_REFUSED;
    }
    if (delta->count == 0)
        return MEMBERS_FULFILLED;
    if (!voters_possible(configuration, delta, error) ||
        !addresses_possible(configuration, delta, error))
        return MEMBERS_REFUSED;
    return self_resolve(configuration, self, delta, error);
}
