// quorum.c before lab 6: there is one majority, of the members that count.
#include "raft/quorum.h"

#include "raft/configuration.h"

uint64_t quorum_value(const struct raft_configuration *configuration,
                      const uint64_t values[RAFT_MEMBERS_MAX])
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        uint32_t above = 0, equal = 0, voters = 0;
        for (uint32_t k = 0; k < configuration->count; k++) {
            if (!configuration_counts(configuration->members[k].role))
                continue;
            voters++;
            above += values[k] > values[i];
            equal += values[k] == values[i];
        }
        uint32_t majority = voters / 2 + 1;
        if (above < majority && above + equal >= majority)
            return values[i];
    }
    return 0;
}
