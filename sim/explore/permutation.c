#include "sim/explore/permutation.h"

#include <string.h>

// The next one in the order of words; false behind the last.
static bool next(uint8_t *names, uint32_t count)
{
    uint32_t at = count - 1;
    uint32_t to = count;

    while (at >= 1 && names[at] > names[at + 1])
        at--;
    if (at == 0)
        return false;
    while (names[to] < names[at])
        to--;
    uint8_t name = names[at];
    names[at] = names[to];
    names[to] = name;
    for (uint32_t low = at + 1, high = count; low < high; low++, high--) {
        name = names[low];
        names[low] = names[high];
        names[high] = name;
    }
    return true;
}

static bool keeps_members(const uint8_t *names, uint32_t member_count)
{
    for (uint32_t id = 1; id <= member_count; id++)
        if (names[id] > member_count)
            return false;
    return true;
}

void permutation_list(struct permutations *permutations, uint32_t node_count,
                      uint32_t member_count, bool symmetry)
{
    uint8_t names[16];

    assert(node_count >= 1 && node_count <= PERMUTATION_NODES_MAX);
    for (uint32_t id = 0; id < 16; id++)
        names[id] = (uint8_t)id;
    permutations->count = 0;
    do {
        if (keeps_members(names, member_count))
            memcpy(permutations->names[permutations->count++], names, sizeof(names));
    } while (symmetry && next(names, node_count));
}
