// cell.h: the values that a key of the store may hold, as small numbers.
//
// Equal values have equal ids, so that a checker compares and hashes ids alone. A long
// value is known by its length and a hash that can be computed from its parts, so that
// appending to it costs the same however long it is. Two different values of one length
// meet with a chance of about 2^-61.
#ifndef SIM_CELL_H
#define SIM_CELL_H

#include "sim/history/history.h"

#include <stdbool.h>
#include <stdint.h>

enum { CELL_ABSENT = 0 };

struct cell_value;
struct cell_text;

struct cells {
    const struct history *history;
    struct cell_value *values; // by id - 1
    uint32_t count;
    uint32_t capacity;
    uint32_t *buckets;
    uint32_t bucket_count;
    struct cell_text *texts; // by the history's id
};

void cell_init(struct cells *cells, const struct history *history);
void cell_release(struct cells *cells);

// The id of a string of the history (or of HISTORY_ABSENT).
uint32_t cell_of_text(struct cells *cells, uint32_t text);

// The string that a value was made from; it has to be one of the history.
const char *cell_text(const struct cells *cells, uint32_t cell, size_t *size);

uint64_t cell_length(const struct cells *cells, uint32_t cell);
uint32_t cell_append(struct cells *cells, uint32_t cell, uint32_t text);

// Whether a value begins with another, neither of them absent. True also where the
// longer one is no string of the history, so that its beginning is not known.
bool cell_begins(const struct cells *cells, uint32_t whole, uint32_t part);

// As a decimal number (absent: 0); false where it is none.
bool cell_number(const struct cells *cells, uint32_t cell, int64_t *number);

// Adds to a decimal number (absent: 0). False where it is none, or leaves int64.
bool cell_incr(struct cells *cells, uint32_t cell, int64_t by, uint32_t *next,
               int64_t *number);

#endif
