#include "sim/history/linearize_near.h"

#include <string.h>

static bool is_near(const struct linearize_search *search,
                    const struct linearize_operation *operation)
{
    uint32_t count;
    const struct linearize_act *act =
        linearize_key_acts(&search->key, operation, &count);
    for (; count > 0; count--, act++) {
        if (search->near_keys[act->at]) {
            return true;
        }
    }
    return false;
}

static void mark_near(struct linearize_search *search,
                      const struct linearize_operation *operation)
{
    uint32_t count;
    const struct linearize_act *act =
        linearize_key_acts(&search->key, operation, &count);
    for (; count > 0; count--, act++) {
        search->near_keys[act->at] = true;
    }
}

// Adds what is near to `near`; true where a transaction made other keys near.
static bool grow_near(struct linearize_search *search, const uint64_t *set)
{
    bool grown = false;
    for (uint32_t w = 0; w < search->slots.words; w++) {
        uint64_t left = set[w] & ~search->near[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            const struct linearize_operation *operation =
                &search->key.operations[search->slot_holders[slot]];
            if (!is_near(search, operation)) {
                continue;
            }
            search->near[w] |= left & -left;
            if (operation->act_count > 0) {
                mark_near(search, operation);
                grown = true;
            }
        }
    }
    return grown;
}

void linearize_near_find(struct linearize_search *search,
                         const struct linearize_operation *returning)
{
    uint32_t words = search->slots.words;
    if (search->key.width == 1) {
        memcpy(search->near, search->slots.open, words * sizeof(uint64_t));
        return;
    }
    memset(search->near, 0, words * sizeof(uint64_t));
    memset(search->near_keys, 0, search->key.width * sizeof(bool));
    mark_near(search, returning);
    while (grow_near(search, search->wide)) {
    }
    grow_near(search, search->slots.open);
}
