#include "sim/history/frontier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grown(void *memory, size_t size)
{
    void *result = realloc(memory, size);
    if (result == NULL) {
        fprintf(stderr, "frontier: out of memory\n");
        abort();
    }
    return result;
}

void frontier_init(struct frontier *frontier, uint32_t words, uint32_t limit)
{
    *frontier = (struct frontier){.words = words, .limit = limit};
}

void frontier_release(struct frontier *frontier)
{
    free(frontier->configs);
    free(frontier->bits);
    free(frontier->heads);
    *frontier = (struct frontier){0};
}

void frontier_clear(struct frontier *frontier)
{
    // Bucket by bucket: a layer is small, the table may have been large once.
    for (uint32_t i = 0; i < frontier->count; i++) {
        frontier->heads[frontier->configs[i].hash & (frontier->head_count - 1)] = 0;
    }
    frontier->count = 0;
}

uint64_t *frontier_bits(const struct frontier *frontier, uint32_t index)
{
    return frontier->bits + (size_t)index * frontier->words * 2;
}

// What must be equal for two configurations to be compared at all.
static uint32_t group_hash(const struct frontier_slots *slots,
                           const struct frontier_config *config, const uint64_t *bits)
{
    uint64_t hash = config->state * 2u + config->owing;
    for (uint32_t w = 0; w < slots->words; w++) {
        uint64_t same = bits[w] & slots->effect[w] & ~slots->pending[w];
        hash = (hash ^ same) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(hash >> 32);
}

static bool dominates(const struct frontier_slots *slots, const uint64_t *better,
                      const uint64_t *worse)
{
    uint32_t words = slots->words;
    for (uint32_t w = 0; w < words; w++) {
        uint64_t pure = slots->pure[w];
        uint64_t pending = slots->pending[w];
        uint64_t absorbable = better[words + w];
        uint64_t against = (worse[w] & ~better[w] & pure) |
                           (better[w] & ~worse[w] & pending) |
                           (worse[words + w] & ~absorbable) |
                           ((better[w] ^ worse[w]) & ~pure & ~pending & ~absorbable);
        if (against != 0) {
            return false;
        }
    }
    return true;
}

static void grow(struct frontier *frontier)
{
    frontier->capacity = frontier->capacity == 0 ? 16 : frontier->capacity * 2;
    frontier->configs =
        grown(frontier->configs, frontier->capacity * sizeof(*frontier->configs));
    frontier->bits = grown(frontier->bits, (size_t)frontier->capacity *
                                               frontier->words * 2 * sizeof(uint64_t));
    frontier->head_count = frontier->capacity * 2;
    size_t size = frontier->head_count * sizeof(uint32_t);
    frontier->heads = grown(frontier->heads, size);
    memset(frontier->heads, 0, size);
    for (uint32_t i = 0; i < frontier->count; i++) {
        struct frontier_config *config = &frontier->configs[i];
        uint32_t *head = &frontier->heads[config->hash & (frontier->head_count - 1)];
        config->next = *head;
        *head = i + 1;
    }
}

static void append(struct frontier *frontier, const struct frontier_config *config,
                   const uint64_t *bits, uint32_t hash)
{
    if (frontier->count == frontier->limit) {
        frontier->truncated = true;
        return;
    }
    if (frontier->count == frontier->capacity) {
        grow(frontier);
    }
    uint32_t index = frontier->count++;
    uint32_t *head = &frontier->heads[hash & (frontier->head_count - 1)];
    frontier->configs[index] = *config;
    frontier->configs[index].hash = hash;
    frontier->configs[index].next = *head;
    *head = index + 1;
    memcpy(frontier_bits(frontier, index), bits,
           frontier->words * 2 * sizeof(uint64_t));
}

uint32_t frontier_add(struct frontier *frontier, const struct frontier_slots *slots,
                      const struct frontier_config *config, const uint64_t *bits,
                      uint32_t fresh)
{
    uint32_t hash = group_hash(slots, config, bits);
    uint32_t compared = 0;
    uint32_t at = 0;
    if (frontier->head_count > 0) {
        at = frontier->heads[hash & (frontier->head_count - 1)];
    }
    while (at != 0) {
        struct frontier_config *known = &frontier->configs[at - 1];
        if (known->hash == hash && known->state == config->state &&
            known->owing == config->owing) {
            uint64_t *known_bits = frontier_bits(frontier, at - 1);
            compared++;
            if (dominates(slots, known_bits, bits)) {
                return compared;
            }
            if (at - 1 >= fresh && dominates(slots, bits, known_bits)) {
                memcpy(known_bits, bits, frontier->words * 2 * sizeof(uint64_t));
                known->writer = config->writer;
                return compared;
            }
        }
        at = known->next;
    }
    append(frontier, config, bits, hash);
    return compared;
}
