// membership.h: which configuration is in use, and how it changes (section 6;
// dissertation 4).
//
// A node uses the newest configuration in its log, whether that is committed or not,
// and goes back to the one before where that entry is truncated. One change is under
// way at a time, and none before the leader has committed an entry of its own term:
// otherwise two leaders could use configurations whose majorities do not meet (Ongaro's
// note of 2015). A leader that is in neither majority steps down once that is
// committed.
#ifndef RAFT_MEMBERSHIP_H
#define RAFT_MEMBERSHIP_H

#include "raft/raft.h"

// Begins with the configuration that was in use at the log's base.
void membership_start(struct raft *raft, const struct raft_configuration *configuration,
                      raft_index configuration_index);

// A configuration entry was added to the log. Its data can be decoded.
void membership_entry_added(struct raft *raft, const struct raft_entry *entry);

// The log ends before `index` now.
void membership_entries_dropped(struct raft *raft, raft_index index);

// The configuration in use at `index` of the log, and where it stands.
raft_index membership_at(const struct raft *raft, raft_index index,
                         struct raft_configuration *configuration);

// The log's base is about to move to `index`.
void membership_compact(struct raft *raft, raft_index index);

// As leader: asks for a change.
enum raft_status membership_change(struct raft *raft, const struct raft_member *members,
                                   uint32_t count, struct raft_output *output);

// As leader: leaves a joint configuration that is committed, and makes voters of those
// who are joining and have caught up; like any change, behind an entry of its own term.
void membership_advance(struct raft *raft, struct raft_output *output);

// As leader: steps down in the step in which the entry that removed it is committed.
void membership_step_down(struct raft *raft, struct raft_output *output);

// Whether this node counts in a majority of the newest configuration, the old or the
// new.
bool membership_counts(const struct raft *raft);

// Whether this node may stand for election: it counts; or it did, and the configuration
// that drops it may yet need it to be committed (dissertation 4.2.2).
bool membership_may_campaign(const struct raft *raft);

// Whether this node is the only one that counts.
bool membership_is_sole_voter(const struct raft *raft);

// The largest value of a member that a quorum has reached, where `value_of` tells a
// member's.
uint64_t membership_quorum(const struct raft *raft,
                           uint64_t (*value_of)(const struct raft *raft,
                                                uint32_t member));

#endif
