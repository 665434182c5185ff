// quorum.h: majorities (section 5.2), of one configuration or of both halves of a
// joint one (section 6): whatever is agreed must be agreed by each of them.
#ifndef RAFT_QUORUM_H
#define RAFT_QUORUM_H

#include "raft/raft.h"

// The largest value that a quorum has reached: values[i] belongs to members[i].
// Learners do not count. 0 where there is no voter.
uint64_t quorum_value(const struct raft_configuration *configuration,
                      const uint64_t values[RAFT_MEMBERS_MAX]);

#endif
