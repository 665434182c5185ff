// membership.c before lab 6: the members of the first start, for ever.
#include "raft/membership.h"

#include <string.h>

#include "raft/configuration.h"
#include "raft/quorum.h"
#include "raft/state.h"

void membership_start(struct raft *raft, const struct raft_configuration *configuration,
                      raft_index configuration_index)
{
    raft->base_configuration = *configuration;
    raft->base_configuration_index = configuration_index;
    raft->configuration = *configuration;
    raft->configuration_index = configuration_index;
    raft->preferred = true;
    for (uint32_t i = 0; i < configuration->count; i++) {
        if (raft->peers[i].id == configuration->members[i].id)
            continue;
        memset(&raft->peers[i], 0, sizeof raft->peers[i]);
        raft->peers[i].id = configuration->members[i].id;
        progress_reset(&raft->peers[i], raft->log.last_index, raft->now_ms);
    }
}

void membership_entry_added(struct raft *raft, const struct raft_entry *entry)
{
    (void)raft;
    (void)entry;
}

void membership_entries_dropped(struct raft *raft, raft_index index)
{
    (void)raft;
    (void)index;
}

raft_index membership_at(const struct raft *raft, raft_index index,
                         struct raft_configuration *configuration)
{
    (void)index;
    *configuration = raft->configuration;
    return raft->configuration_index;
}

void membership_compact(struct raft *raft, raft_index index)
{
    (void)raft;
    (void)index;
}

enum raft_status membership_change(struct raft *raft, const struct raft_member *members,
                                   uint32_t count, struct raft_output *output)
{
    (void)members;
    (void)count;
    (void)output;
    return raft->role == RAFT_LEADER ? RAFT_INVALID : RAFT_NOT_LEADER;
}

void membership_advance(struct raft *raft, struct raft_output *output)
{
    (void)raft;
    (void)output;
}

void membership_step_down(struct raft *raft, struct raft_output *output)
{
    (void)raft;
    (void)output;
}

bool membership_counts(const struct raft *raft)
{
    return configuration_find(&raft->configuration, raft->config.id) != NULL;
}

bool membership_may_campaign(const struct raft *raft)
{
    return membership_counts(raft);
}

bool membership_is_sole_voter(const struct raft *raft)
{
    return raft->configuration.count == 1 && membership_counts(raft);
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
