// pool.h: memory for what is under way: packets, requests, replies.
//
// Blocks come in sizes of powers of two, are recycled through one free list a size, and
// never move. A block is named by a handle, which an event can carry and a copy of the
// world would keep; blocks hold no pointers between runs of events.
#ifndef SIM_POOL_H
#define SIM_POOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    POOL_BLOCK_BITS_MIN = 7,  // 128 bytes
    POOL_BLOCK_BITS_MAX = 27, // 128 MiB: beyond any message
    POOL_CLASSES = POOL_BLOCK_BITS_MAX - POOL_BLOCK_BITS_MIN + 1,
};

struct pool_class {
    char **chunks;
    uint32_t chunk_count;
    uint32_t block_count; // ever handed out
    uint32_t free_first;  // 1 + the first free block; 0: none
};

// All zeroes is an empty pool. Running out of memory ends the process.
struct pool {
    struct pool_class classes[POOL_CLASSES];
    uint64_t in_use; // blocks
};

void pool_release(struct pool *pool);

// A block of at least `size` bytes; its handle is never 0.
uint64_t pool_take(struct pool *pool, size_t size);
void *pool_at(const struct pool *pool, uint64_t handle);
void pool_give(struct pool *pool, uint64_t handle);

#endif
