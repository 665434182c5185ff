#include "sim/experiment/statistics.h"

#include <assert.h>
#include <stdlib.h>

void statistics_release(struct statistics *statistics)
{
    free(statistics->values);
    *statistics = (struct statistics){0};
}

void statistics_add(struct statistics *statistics, uint64_t value)
{
    if (statistics->count == statistics->capacity) {
        statistics->capacity =
            statistics->capacity == 0 ? 256 : 2 * statistics->capacity;
        statistics->values = realloc(
            statistics->values, statistics->capacity * sizeof(*statistics->values));
        if (statistics->values == NULL)
            abort();
    }
    statistics->values[statistics->count++] = value;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

void statistics_sort(struct statistics *statistics)
{
    if (statistics->count > 0)
        qsort(statistics->values, statistics->count, sizeof(*statistics->values),
              compare);
}

uint64_t statistics_percentile(const struct statistics *statistics, uint32_t percent)
{
    uint64_t rank = ((uint64_t)statistics->count * percent + 99) / 100;

    assert(statistics->count > 0 && percent <= 100);
    return statistics->values[rank == 0 ? 0 : rank - 1];
}

uint64_t statistics_mean(const struct statistics *statistics)
{
    uint64_t sum = 0;

    assert(statistics->count > 0);
    for (uint32_t i = 0; i < statistics->count; i++)
        sum += statistics->values[i];
    return sum / statistics->count;
}
