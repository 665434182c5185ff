// configuration.h: who belongs to the cluster, as data (section 6; dissertation 4).
//
// A change names members and the roles that they are to have. Where the voters of
// before and after differ by one, any majority of the one meets any majority of the
// other, and the new configuration is used as it is (dissertation 4.1). Where they
// differ by more, a joint configuration comes first, in which both majorities are
// needed; leaving it drops the old one.
#ifndef RAFT_CONFIGURATION_H
#define RAFT_CONFIGURATION_H

#include "raft/raft.h"

// The roles that count in the new majority and in the old, as bits.
enum {
    CONFIGURATION_NEW_VOTERS = 1u << RAFT_VOTER | 1u << RAFT_STAYING,
    CONFIGURATION_OLD_VOTERS = 1u << RAFT_LEAVING | 1u << RAFT_STAYING,
};

// Member `id`, or NULL.
const struct raft_member *
configuration_find(const struct raft_configuration *configuration, raft_id id);

// NULL where it can be used, else one phrase that says why not. Without any members it
// has no problem: it is that of a node that waits to be added.
const char *configuration_problem(const struct raft_configuration *configuration);

bool configuration_is_joint(const struct raft_configuration *configuration);

// Whether a member in this role counts in the new majority, the old, or in either.
bool configuration_counts_in_new(enum raft_member_role role);
bool configuration_counts_in_old(enum raft_member_role role);
bool configuration_counts(enum raft_member_role role);

// What `now`, which is not joint, becomes by these changes; joint where they move more
// than one voter. RAFT_INVALID where they make no sense or change nothing.
enum raft_status configuration_change(const struct raft_configuration *now,
                                      const struct raft_member *changes, uint32_t count,
                                      struct raft_configuration *next);

// What a joint configuration becomes once it is committed.
void configuration_leave(const struct raft_configuration *joint,
                         struct raft_configuration *next);

#endif
