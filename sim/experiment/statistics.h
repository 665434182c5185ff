// statistics.h: numbers of many trials: their order, their mean.
//
// Whole numbers only, so that every compiler says the same.
#ifndef SIM_EXPERIMENT_STATISTICS_H
#define SIM_EXPERIMENT_STATISTICS_H

#include <stdint.h>

// All zeroes: none yet. Running out of memory ends the process.
struct statistics {
    uint64_t *values;
    uint32_t count;
    uint32_t capacity;
};

void statistics_release(struct statistics *statistics);
void statistics_add(struct statistics *statistics, uint64_t value);
void statistics_sort(struct statistics *statistics);

// Of sorted numbers, of which there is at least one: the smallest that so many of a
// hundred do not exceed. 50: the median; 100: the largest.
uint64_t statistics_percentile(const struct statistics *statistics, uint32_t percent);

// Rounded down; there is at least one.
uint64_t statistics_mean(const struct statistics *statistics);

#endif
