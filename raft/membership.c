#include "raft/membership.h"

#include <string.h>

#include "raft/quorum.h"
#include "raft/state.h"

const struct raft_member *
membership_find(const struct raft_configuration *configuration, raft_id id)
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        if (configuration->members[i].id == id)
            return &configuration->members[i];
    }
    return NULL;
}

const char *membership_problem(const struct raft_configuration *configuration)
{
    if (configuration->count == 0)
        return "the configuration has no members";
    if (configuration->count > RAFT_MEMBERS_MAX)
        return "the configuration has too many members";
    bool has_voter = false;
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        if (member->id == 0)
            return "a member's id is 0";
        if (membership_find(configuration, member->id) != member)
            return "two members have the same id";
        if (member->role < RAFT_VOTER || member->role > RAFT_LEARNER)
            return "a member has no known role";
        has_voter =
            has_voter || member->role == RAFT_VOTER || member->role == RAFT_STAYING;
    }
    return has_voter ? NULL : "the configuration has no voter";
}

void membership_use(struct raft *raft, const struct raft_configuration *configuration)
{
    raft->configuration = *configuration;
    for (uint32_t i = 0; i < configuration->count; i++) {
        memset(&raft->peers[i], 0, sizeof raft->peers[i]);
        raft->peers[i].id = configuration->members[i].id;
        progress_reset(&raft->peers[i], raft->log.last_index);
    }
}

bool membership_may_campaign(const struct raft *raft)
{
    const struct raft_member *self =
        membership_find(&raft->configuration, raft->config.id);
    return self != NULL && self->role != RAFT_LEARNER;
}

bool membership_is_sole_voter(const struct raft *raft)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];
        if (member->id != raft->config.id && member->role != RAFT_LEARNER)
            return false;
    }
    return membership_may_campaign(raft);
}

uint64_t membership_quorum(const struct raft *raft,
                           uint64_t (*value_of)(const struct raft *raft,
                                                uint32_t member))
{
    uint64_t values[RAFT_MEMBERS_MAX];
    for (uint32_t i = 0; i < raft->configuration.count; i++)
        values[i] = value_of(raft, i);
    return quorum_value(&raft->configuration, values);
}
