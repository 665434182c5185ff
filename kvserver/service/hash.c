// hash.c: a 64-bit hash of bytes; see hash.h.
#include "kvserver/service/hash.h"

#include <string.h>

static uint64_t read_number(const unsigned char *b)
{
    return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 |
           (uint64_t)b[3] << 32 | (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 |
           (uint64_t)b[6] << 8 | (uint64_t)b[7];
}

uint64_t hash_number(uint64_t number)
{
    uint64_t h = number;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

uint64_t hash_bytes(uint64_t seed, struct bytes bytes)
{
    const unsigned char *at = bytes.data;
    uint64_t h = seed ^ (bytes.size * 0x9e3779b97f4a7c15u);
    size_t left = bytes.size;
    for (; left >= 8; left -= 8, at += 8) {
        h = (h ^ read_number(at)) * 0xd6e8feb86659fd93u;
        h ^= h >> 29;
    }
    unsigned char tail[8] = {0};
    if (left > 0)
        memcpy(tail, at, left);
    return hash_number(h ^ read_number(tail));
}
