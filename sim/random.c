#include "sim/random.h"

#include <assert.h>

// One step of splitmix64 (Steele, Lea, Flood 2014): turns any number into a good seed.
static uint64_t splitmix(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t mixed = *state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

void random_seed(struct random *random, uint64_t seed, uint64_t stream)
{
    // Both are mixed before they meet, so that (1, 2) and (2, 1) have nothing in
    // common.
    uint64_t mixed = seed;
    uint64_t state = splitmix(&mixed) + stream;
    state = splitmix(&state);
    for (int i = 0; i < 4; i++) {
        random->state[i] = splitmix(&state);
    }
}

static uint64_t rotate(uint64_t value, int bits)
{
    return (value << bits) | (value >> (64 - bits));
}

// xoshiro256** (Blackman, Vigna 2018).
uint64_t random_u64(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    assert(limit > 0);
    // Draws from the incomplete last stretch of 2^64 would favour small numbers.
    for (;;) {
        uint64_t drawn = random_u64(random);
        uint64_t rest = drawn % limit;
        if (drawn - rest <= UINT64_MAX - (limit - 1)) {
            return rest;
        }
    }
}

uint64_t random_between(struct random *random, uint64_t low, uint64_t high)
{
    assert(low <= high);
    if (high - low == UINT64_MAX) {
        return random_u64(random);
    }
    return low + random_below(random, high - low + 1);
}

bool random_chance(struct random *random, uint32_t ppm)
{
    uint64_t drawn = random_u64(random) >> 32;
    return (drawn * RANDOM_CERTAIN_PPM) >> 32 < ppm;
}

// log2 of mantissa / 2^31, which is in [1, 2), in units of 2^-16: squaring doubles the
// logarithm, and each time it passes 1 the next binary digit is a one.
static uint64_t log2_fraction(uint64_t mantissa)
{
    uint64_t result = 0;
    for (int bit = 15; bit >= 0; bit--) {
        mantissa = (mantissa * mantissa) >> 31;
        if (mantissa >> 32) {
            result |= UINT64_C(1) << bit;
            mantissa >>= 1;
        }
    }
    return result;
}

uint64_t random_delay(struct random *random, uint64_t mean)
{
    assert(mean <= UINT32_MAX);
    // -ln(u) for a uniform u = drawn / 2^64 = 2^-zeros * mantissa / 2^32.
    uint64_t drawn = random_u64(random) | 1;
    int zeros = __builtin_clzll(drawn);
    uint64_t mantissa = (drawn << zeros) >> 32;
    uint64_t log2_units = ((uint64_t)zeros + 1) * 65536 - log2_fraction(mantissa);
    uint64_t ln_units = (log2_units * 45426) >> 16; // times ln 2
    return (ln_units * mean) >> 16;
}
