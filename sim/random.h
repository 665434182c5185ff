// random.h: the simulator's randomness: xoshiro256** seeded through splitmix64.
//
// A run has one seed; each subsystem (network, disk 1, clients...) draws from a stream
// of its own, so that one more draw in one does not reshuffle the others. Integers
// only: every compiler gives the same numbers. Never make two draws in one argument
// list.
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

enum { RANDOM_CERTAIN_PPM = 1000000 };

// Plain data: a copy goes on with the same numbers.
struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed, uint64_t stream);

uint64_t random_u64(struct random *random);

// A number in [0, limit), each equally likely. The limit is not 0.
uint64_t random_below(struct random *random, uint64_t limit);

// A number in [low, high], both included.
uint64_t random_between(struct random *random, uint64_t low, uint64_t high);

// True with a probability of `ppm` in a million. Always draws once, so that turning a
// fault off does not shift the draws that follow.
bool random_chance(struct random *random, uint32_t ppm);

// An exponentially distributed delay with about this mean: most are short, some long.
// Never beyond 45 times the mean; 0 where the mean is 0. The mean is below 2^32.
uint64_t random_delay(struct random *random, uint64_t mean);

#endif
