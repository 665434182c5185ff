#include "sim/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BITS = 16 }; // chunks are at least 64 KiB

void pool_release(struct pool *pool)
{
    for (uint32_t c = 0; c < POOL_CLASSES; c++) {
        for (uint32_t i = 0; i < pool->classes[c].chunk_count; i++)
            free(pool->classes[c].chunks[i]);
        free(pool->classes[c].chunks);
    }
    memset(pool, 0, sizeof(*pool));
}

// The number of blocks in one chunk, as a power of two.
static uint32_t chunk_shift(uint32_t class)
{
    uint32_t block_bits = class + POOL_BLOCK_BITS_MIN;

    return block_bits < CHUNK_BITS ? CHUNK_BITS - block_bits : 0;
}

static void *block_at(const struct pool_class *class, uint32_t number, uint32_t block)
{
    uint32_t shift = chunk_shift(number);
    uint32_t within = block & ((1u << shift) - 1);

    return class->chunks[block >> shift] +
           ((size_t)within << (number + POOL_BLOCK_BITS_MIN));
}

static void add_chunk(struct pool_class *class, uint32_t number)
{
    size_t size = (size_t)1 << (chunk_shift(number) + number + POOL_BLOCK_BITS_MIN);

    class->chunks =
        realloc(class->chunks, (class->chunk_count + 1) * sizeof(*class->chunks));
    if (class->chunks == NULL)
        abort();
    class->chunks[class->chunk_count] = malloc(size);
    if (class->chunks[class->chunk_count++] == NULL)
        abort();
}

uint64_t pool_take(struct pool *pool, size_t size)
{
    uint32_t number = 0;
    uint32_t block;
    struct pool_class *class;

    if (size > (size_t)1 << POOL_BLOCK_BITS_MIN)
        number = 64 - (uint32_t)__builtin_clzll(size - 1) - POOL_BLOCK_BITS_MIN;
    assert(number < POOL_CLASSES);
    class = &pool->classes[number];
    pool->in_use++;
    if (class->free_first != 0) {
        block = class->free_first - 1;
        memcpy(&class->free_first, block_at(class, number, block), sizeof(uint32_t));
    } else {
        block = class->block_count++;
        if (block >> chunk_shift(number) == class->chunk_count)
            add_chunk(class, number);
    }
    return (uint64_t)(number + 1) << 32 | block;
}

void *pool_at(const struct pool *pool, uint64_t handle)
{
    uint32_t number = (uint32_t)(handle >> 32) - 1;

    assert(number < POOL_CLASSES);
    return block_at(&pool->classes[number], number, (uint32_t)handle);
}

void pool_give(struct pool *pool, uint64_t handle)
{
    uint32_t number = (uint32_t)(handle >> 32) - 1;
    struct pool_class *class = &pool->classes[number];

    assert(pool->in_use > 0);
    memcpy(pool_at(pool, handle), &class->free_first, sizeof(uint32_t));
    class->free_first = (uint32_t)handle + 1;
    pool->in_use--;
}
