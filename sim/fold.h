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

    hash = fold_u64(hash, size);
    for (; size >= 8; size -= 8, bytes += 8)
        hash = fold_u64(hash, fold_tail(bytes, 8));
    if (size > 0)
        hash = fold_u64(hash, fold_tail(bytes, size));
    return hash;
}

static inline uint64_t fold_text(uint64_t hash, const char *text)
{
    return fold_bytes(hash, text, strlen(text));
}

#endif
