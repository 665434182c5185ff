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
    uint64_t hash = config->state * UINT64_C(2) + config->owing;
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

static void refill_buckets(struct frontier *frontier)
{
    memset(frontier->heads, 0, frontier->head_count * sizeof(uint32_t));
    for (uint32_t i = 0; i < frontier->count; i++) {
        struct frontier_config *config = &frontier->configs[i];
        uint32_t *head = &frontier->heads[config->hash & (frontier->head_count - 1)];
        config->next = *head;
        *head = i + 1;
    }
}

static void grow(struct frontier *frontier)
{
    frontier->capacity = frontier->capacity == 0 ? 16 : frontier->capacity * 2;
    frontier->configs =
        grown(frontier->configs, frontier->capacity * sizeof(*frontier->configs));
    frontier->bits = grown(frontier->bits, (size_t)frontier->capacity *
                                               frontier->words * 2 * sizeof(uint64_t));
    frontier->head_count = frontier->capacity * 2;
    frontier->heads = grown(frontier->heads, frontier->head_count * sizeof(uint32_t));
    refill_buckets(frontier);
}

static uint32_t pending_placed(const struct frontier *frontier,
                               const struct frontier_slots *slots, uint32_t index)
{
    const uint64_t *bits = frontier_bits(frontier, index);
    uint32_t count = 0;
    for (uint32_t w = 0; w < frontier->words; w++) {
        count += (uint32_t)__builtin_popcountll(bits[w] & slots->pending[w]);
    }
    return count;
}

// Sorts indices by a number each, equal ones in the order in which they stand.
static void sort_by(uint32_t *indices, uint32_t count, const uint32_t *numbers,
                    uint32_t most, uint32_t *scratch)
{
    size_t size = ((size_t)most + 2) * sizeof(uint32_t);
    uint32_t *first = grown(NULL, size);
    memset(first, 0, size);
    for (uint32_t i = 0; i < count; i++) {
        first[numbers[indices[i]] + 1]++;
    }
    for (uint32_t n = 0; n <= most; n++) {
        first[n + 1] += first[n];
    }
    for (uint32_t i = 0; i < count; i++) {
        scratch[first[numbers[indices[i]]]++] = indices[i];
    }
    memcpy(indices, scratch, count * sizeof(uint32_t));
    free(first);
}

// Replaces each one's number by how many of the same state stand before it.
static uint32_t rank_by_state(const struct frontier *frontier, const uint32_t *indices,
                              uint32_t *ranks)
{
    uint32_t mask = frontier->head_count - 1;
    uint32_t *table = grown(NULL, (size_t)frontier->head_count * 2 * sizeof(*table));
    uint32_t most = 0;
    memset(table, 0, (size_t)frontier->head_count * 2 * sizeof(*table));
    for (uint32_t i = 0; i < frontier->count; i++) {
        uint32_t state = frontier->configs[indices[i]].state;
        uint32_t at = state * 0x9e3779b9u >> 7 & mask;
        while (table[at * 2 + 1] != 0 && table[at * 2] != state) {
            at = (at + 1) & mask;
        }
        table[at * 2] = state;
        ranks[indices[i]] = table[at * 2 + 1]++;
        most = ranks[indices[i]] > most ? ranks[indices[i]] : most;
    }
    free(table);
    return most;
}

static void keep_only(struct frontier *frontier, const uint32_t *indices,
                      uint32_t count)
{
    uint32_t old = frontier->count;
    uint8_t *stays = grown(NULL, old);
    memset(stays, 0, old);
    for (uint32_t i = 0; i < count; i++) {
        stays[indices[i]] = 1;
    }
    frontier->count = 0;
    for (uint32_t i = 0; i < old; i++) {
        if (stays[i]) {
            frontier->configs[frontier->count] = frontier->configs[i];
            memmove(frontier_bits(frontier, frontier->count),
                    frontier_bits(frontier, i), frontier->words * 2 * sizeof(uint64_t));
            frontier->count++;
        }
    }
    free(stays);
    refill_buckets(frontier);
}

void frontier_prune(struct frontier *frontier, const struct frontier_slots *slots,
                    uint32_t count)
{
    if (frontier->count <= count) {
        return;
    }
    uint32_t all = frontier->count;
    uint32_t *memory = grown(NULL, (size_t)all * 3 * sizeof(*memory));
    uint32_t *indices = memory;
    uint32_t *numbers = memory + all;
    uint32_t *scratch = memory + (size_t)all * 2;
    for (uint32_t i = 0; i < all; i++) {
        indices[i] = i;
        numbers[i] = pending_placed(frontier, slots, i);
    }
    sort_by(indices, all, numbers, frontier->words * 64, scratch);
    uint32_t most = rank_by_state(frontier, indices, numbers);
    sort_by(indices, all, numbers, most, scratch);
    keep_only(frontier, indices, count);
    frontier->truncated = true;
    free(memory);
}

void frontier_rehash(struct frontier *frontier, const struct frontier_slots *slots)
{
    for (uint32_t i = 0; i < frontier->count; i++) {
        frontier->configs[i].hash =
            group_hash(slots, &frontier->configs[i], frontier_bits(frontier, i));
    }
    refill_buckets(frontier);
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
