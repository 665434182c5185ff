#include "raft/quorum.h"

#include "raft/configuration.h"

// BEGIN SOLUTION lab6: section 6, CAND-2, LEAD-4
// The value that a majority of those who count has reached; UINT64_MAX of no one.
static uint64_t majority_value(const struct raft_configuration *configuration,
                               const uint64_t values[RAFT_MEMBERS_MAX], uint32_t roles)
{
    uint64_t sorted[RAFT_MEMBERS_MAX]; // descending
    uint32_t count = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        if ((roles >> configuration->members[i].role & 1) == 0)
            continue;
        uint32_t at = count++;
        for (; at > 0 && sorted[at - 1] < values[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = values[i];
    }
    return count == 0 ? UINT64_MAX : sorted[count / 2];
}
// END SOLUTION

uint64_t quorum_value(const struct raft_configuration *configuration,
                      const uint64_t values[RAFT_MEMBERS_MAX])
{
    // BEGIN SOLUTION lab6: section 6, CAND-2, LEAD-4
    uint64_t in_new = majority_value(configuration, values, CONFIGURATION_NEW_VOTERS);
    uint64_t in_old = majority_value(configuration, values, CONFIGURATION_OLD_VOTERS);
    if (in_new == UINT64_MAX) // nobody votes, so nothing is agreed
        return 0;
    return in_new < in_old ? in_new : in_old;
    // END SOLUTION
}
