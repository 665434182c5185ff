// membership.h: who belongs to the cluster (section 6; dissertation 4).
//
// This version has one configuration, that of the first start.
#ifndef RAFT_MEMBERSHIP_H
#define RAFT_MEMBERSHIP_H

#include "raft/raft.h"

// Member `id`, or NULL.
const struct raft_member *
membership_find(const struct raft_configuration *configuration, raft_id id);

// NULL where it can be used, else one phrase that says why not.
const char *membership_problem(const struct raft_configuration *configuration);

// Uses a configuration from now on: makes room for what is known of each member.
void membership_use(struct raft *raft, const struct raft_configuration *configuration);

// Whether this node counts in a majority, and so may stand for election.
bool membership_may_campaign(const struct raft *raft);

// Whether this node is the only one that counts.
bool membership_is_sole_voter(const struct raft *raft);

// The largest value of a member that a quorum has reached, where `value_of` tells a
// member's.
uint64_t membership_quorum(const struct raft *raft,
                           uint64_t (*value_of)(const struct raft *raft,
                                                uint32_t member));

#endif
