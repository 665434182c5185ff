// quorum.c before lab 6: all members vote, and most of them decide.
#include "raft/quorum.h"

uint64_t quorum_value(const struct raft_configuration *configuration,
                      const uint64_t values[RAFT_MEMBERS_MAX])
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        uint32_t above = 0, equal = 0;
        for (uint32_t k = 0; k < configuration->count; k++) {
            above += values[k] > values[i];
            equal += values[k] == values[i];
        }
        uint32_t majority = configuration->count / 2 + 1;
        if (above < majority && above + equal >= majority)
            return values[i];
    }
    return 0;
}
