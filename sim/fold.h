// fold.h: one 64-bit number for a sequence of values, for traces and checkers.
//
// The same on every machine, compiler and level of optimisation: no pointer and no
// padding is ever folded in, and bytes are read as little endian. Not for adversaries.
#ifndef SIM_FOLD_H
#define SIM_FOLD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t fold_u64(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

// Written out, so that compilers make one load of it.
static inline uint64_t fold_load(const uint8_t *bytes)
{
    return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
           (uint64_t)bytes[3] << 24 | (uint64_t)bytes[4] << 32 |
           (uint64_t)bytes[5] << 40 | (uint64_t)bytes[6] << 48 |
           (uint64_t)bytes[7] << 56;
}

static inline uint64_t fold_tail(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static inline uint64_t fold_bytes(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    size_t whole = size / 8 * 8;

    hash = fold_u64(hash, size);
    for (size_t at = 0; at < whole; at += 8)
        hash = fold_u64(hash, fold_load(bytes + at));
    if (size == whole)
        return hash;
    // The last eight bytes hold the rest at their end.
    if (whole > 0)
        return fold_u64(hash,
                        fold_load(bytes + size - 8) >> (8 * (8 - (size - whole))));
    return fold_u64(hash, fold_tail(bytes, size));
}

static inline uint64_t fold_text(uint64_t hash, const char *text)
{
    return fold_bytes(hash, text, strlen(text));
}

#endif
