#include "raft/configuration.h"

#include <string.h>

const struct raft_member *
configuration_find(const struct raft_configuration *configuration, raft_id id)
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        if (configuration->members[i].id == id)
            return &configuration->members[i];
    }
    return NULL;
}

bool configuration_counts_in_new(enum raft_member_role role)
{
    return (CONFIGURATION_NEW_VOTERS >> role & 1) != 0;
}

bool configuration_counts_in_old(enum raft_member_role role)
{
    return (CONFIGURATION_OLD_VOTERS >> role & 1) != 0;
}

bool configuration_counts(enum raft_member_role role)
{
    return configuration_counts_in_new(role) || configuration_counts_in_old(role);
}

bool configuration_is_joint(const struct raft_configuration *configuration)
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        if (configuration_counts_in_old(configuration->members[i].role))
            return true;
    }
    return false;
}

// ---- what can be used -----------------------------------------------------------

static bool address_is_printable(const char *address)
{
    for (uint32_t i = 0; i < RAFT_ADDRESS_BYTES; i++) {
        if (address[i] == '\0')
            return true;
        if (address[i] <= ' ' || address[i] > '~')
            return false;
    }
    return false;
}

static const char *member_problem(const struct raft_configuration *configuration,
                                  const struct raft_member *member)
{
    if (member->id == 0)
        return "a member's id is 0";
    if (configuration_find(configuration, member->id) != member)
        return "two members have the same id";
    if (member->role < RAFT_VOTER || member->role > RAFT_JOINING)
        return "a member has no known role";
    if (!address_is_printable(member->address))
        return "a member's address is too long, or has spaces or control characters";
    if (strcmp(member->address, "-") == 0)
        return "a member's address is \"-\", which stands for none";
    return NULL;
}

const char *configuration_problem(const struct raft_configuration *configuration)
{
    if (configuration->count > RAFT_MEMBERS_MAX)
        return "the configuration has too many members";
    bool has_new_voter = false;
    bool has_old_voter = false;
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        const char *problem = member_problem(configuration, member);
        if (problem != NULL)
            return problem;
        has_new_voter = has_new_voter || configuration_counts_in_new(member->role);
        has_old_voter = has_old_voter || configuration_counts_in_old(member->role);
    }
    if (configuration->count > 0 && !has_new_voter)
        return "the configuration has no voter";
    return NULL;
}

// ---- text -----------------------------------------------------------------------

static const char *const role_words[] = {
    [RAFT_REMOVED] = "removed", [RAFT_VOTER] = "voter",     [RAFT_LEAVING] = "leaving",
    [RAFT_STAYING] = "staying", [RAFT_LEARNER] = "learner", [RAFT_JOINING] = "joining",
};

const char *raft_configuration_role_text(enum raft_member_role role)
{
    return (unsigned)role <= RAFT_JOINING ? role_words[role] : "an unknown role";
}

static char *put_number(char *at, uint32_t value)
{
    char digits[10];
    uint32_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *put_text(char *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

uint32_t raft_configuration_encode(const struct raft_configuration *configuration,
                                   char *text)
{
    char *at = text;
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        at = put_number(at, member->id);
        *at++ = ' ';
        at = put_text(at, role_words[member->role]);
        *at++ = ' ';
        at = put_number(at, member->priority);
        *at++ = ' ';
        at = put_text(at, member->address[0] == '\0' ? "-" : member->address);
        *at++ = '\n';
    }
    return (uint32_t)(at - text);
}

struct reader {
    const char *at;
    const char *end;
};

// A word and the one byte that ends it. False where it is empty or too long, or where a
// NUL would hide the rest of it.
static bool take_word(struct reader *reader, char ending, char *word, size_t size)
{
    size_t length = 0;
    while (reader->at < reader->end && *reader->at != ending) {
        if (length + 1 == size || *reader->at == '\0')
            return false;
        word[length++] = *reader->at++;
    }
    if (reader->at == reader->end || length == 0)
        return false;
    reader->at++;
    word[length] = '\0';
    return true;
}

// Digits without leading zeros, as put_number() writes them.
static bool take_number(struct reader *reader, uint32_t *value)
{
    char word[11];
    if (!take_word(reader, ' ', word, sizeof word))
        return false;
    if (word[0] == '0' && word[1] != '\0')
        return false;
    uint64_t number = 0;
    for (const char *digit = word; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
        number = number * 10 + (uint64_t)(*digit - '0');
    }
    *value = (uint32_t)number;
    return number <= UINT32_MAX;
}

static bool take_role(struct reader *reader, enum raft_member_role *role)
{
    char word[16];
    if (!take_word(reader, ' ', word, sizeof word))
        return false;
    for (int i = RAFT_VOTER; i <= RAFT_JOINING; i++) {
        if (strcmp(word, role_words[i]) == 0) {
            *role = (enum raft_member_role)i;
            return true;
        }
    }
    return false;
}

bool raft_configuration_decode(const void *data, uint32_t size,
                               struct raft_configuration *configuration)
{
    struct reader reader = {.at = data};
    if (size == 0)
        return false;
    reader.end = reader.at + size;
    memset(configuration, 0, sizeof *configuration);
    while (reader.at < reader.end) {
        if (configuration->count == RAFT_MEMBERS_MAX)
            return false;
        struct raft_member *member = &configuration->members[configuration->count++];
        if (!take_number(&reader, &member->id) || !take_role(&reader, &member->role) ||
            !take_number(&reader, &member->priority) ||
            !take_word(&reader, '\n', member->address, sizeof member->address))
            return false;
        if (strcmp(member->address, "-") == 0)
            memset(member->address, 0, sizeof member->address);
    }
    return configuration_problem(configuration) == NULL;
}

// ---- changes --------------------------------------------------------------------

static struct raft_member *find(struct raft_configuration *configuration, raft_id id)
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        if (configuration->members[i].id == id)
            return &configuration->members[i];
    }
    return NULL;
}

static void remove_member(struct raft_configuration *configuration,
                          const struct raft_member *member)
{
    uint32_t at = (uint32_t)(member - configuration->members);
    configuration->count--;
    memmove(&configuration->members[at], &configuration->members[at + 1],
            (configuration->count - at) * sizeof *member);
    memset(&configuration->members[configuration->count], 0, sizeof *member);
}

static bool change_one(struct raft_configuration *target,
                       const struct raft_member *change)
{
    struct raft_member *member = find(target, change->id);
    if (change->role == RAFT_REMOVED) {
        if (member != NULL)
            remove_member(target, member);
        return member != NULL;
    }
    if (change->role != RAFT_VOTER && change->role != RAFT_LEARNER &&
        change->role != RAFT_JOINING)
        return false;
    if (member == NULL) {
        if (target->count == RAFT_MEMBERS_MAX)
            return false;
        member = &target->members[target->count++];
        memset(member, 0, sizeof *member);
        member->id = change->id;
    } else if (member->role == RAFT_VOTER && change->role == RAFT_JOINING) {
        return false; // it is one already
    }
    member->role = change->role;
    member->priority = change->priority;
    if (change->address[0] != '\0') // else it stays where it is
        memcpy(member->address, change->address, sizeof member->address);
    return true;
}

static bool is_voter(const struct raft_configuration *configuration, raft_id id)
{
    const struct raft_member *member = configuration_find(configuration, id);
    return member != NULL && configuration_counts_in_new(member->role);
}

static uint32_t voters_of_one_alone(const struct raft_configuration *one,
                                    const struct raft_configuration *other)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < one->count; i++) {
        raft_id id = one->members[i].id;
        count += is_voter(one, id) && !is_voter(other, id);
    }
    return count;
}

// Turns the target into the joint configuration that leads there from `now`.
static bool join(const struct raft_configuration *now,
                 struct raft_configuration *target)
{
    for (uint32_t i = 0; i < target->count; i++) {
        struct raft_member *member = &target->members[i];
        if (!is_voter(now, member->id))
            continue;
        if (member->role != RAFT_VOTER) // demoted: a change of its own
            return false;
        member->role = RAFT_STAYING;
    }
    for (uint32_t i = 0; i < now->count; i++) {
        const struct raft_member *member = &now->members[i];
        if (member->role != RAFT_VOTER || find(target, member->id) != NULL)
            continue;
        if (target->count == RAFT_MEMBERS_MAX)
            return false;
        target->members[target->count] = *member;
        target->members[target->count++].role = RAFT_LEAVING;
    }
    return true;
}

enum raft_status configuration_change(const struct raft_configuration *now,
                                      const struct raft_member *changes, uint32_t count,
                                      struct raft_configuration *next)
{
    assert(!configuration_is_joint(now));
    *next = *now;
    for (uint32_t i = 0; i < count; i++) {
        if (!change_one(next, &changes[i]))
            return RAFT_INVALID;
    }
    if (configuration_problem(next) != NULL || next->count == 0)
        return RAFT_INVALID;
    uint32_t moved = voters_of_one_alone(now, next) + voters_of_one_alone(next, now);
    if (moved > 1 && !join(now, next))
        return RAFT_INVALID;
    char texts[2][RAFT_CONFIGURATION_BYTES_MAX];
    uint32_t size = raft_configuration_encode(now, texts[0]);
    if (raft_configuration_encode(next, texts[1]) == size &&
        memcmp(texts[0], texts[1], size) == 0)
        return RAFT_INVALID; // nothing changes
    return RAFT_OK;
}

void configuration_leave(const struct raft_configuration *joint,
                         struct raft_configuration *next)
{
    memset(next, 0, sizeof *next);
    for (uint32_t i = 0; i < joint->count; i++) {
        const struct raft_member *member = &joint->members[i];
        if (member->role == RAFT_LEAVING)
            continue;
        next->members[next->count] = *member;
        if (member->role == RAFT_STAYING)
            next->members[next->count].role = RAFT_VOTER;
        next->count++;
    }
}
