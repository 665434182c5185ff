// linearize_key.h: the operations of one key, made ready for the search.
//
// Private to sim/linearize.c. What says nothing is left out: operations that failed,
// reads without an answer, and unanswered writes of what nobody reads.
#ifndef SIM_LINEARIZE_KEY_H
#define SIM_LINEARIZE_KEY_H

#include "sim/history/cell.h"
#include "sim/history/history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINEARIZE_NONE UINT32_MAX // no operation, no slot

enum linearize_class {
    CLASS_PURE,   // changes nothing: read, refused cas, delete of nothing
    CLASS_BLIND,  // always possible, and makes the same state of every other
    CLASS_EFFECT, // all else
};

struct linearize_operation {
    uint32_t number; // in the history
    uint32_t call_order;
    uint32_t return_order;
    uint32_t state;    // that it reads or writes
    uint32_t expected; // by a cas
    uint32_t text;     // appended
    int64_t by;
    int64_t result;
    uint32_t slot;
    uint32_t twin; // the previous pending operation that is equal, or LINEARIZE_NONE
    uint8_t kind;
    uint8_t class;
    bool pending;
};

struct linearize_key {
    const struct history *history;
    struct cells cells;
    // Of all keys: operation numbers grouped by key, in order of their calls.
    uint32_t *numbers;
    uint32_t *first_of_key;
    // Of the key that was loaded last, in order of their calls.
    struct linearize_operation *operations;
    uint32_t count;
    uint32_t *returns; // operations in order of their returns
    uint32_t return_count;
    uint32_t *reads_left; // by state: reads that have not returned
    uint32_t state_count; // that reads_left has
    bool plain;           // nothing but reads and blind writes
};

void linearize_key_init(struct linearize_key *part, const struct history *history);
void linearize_key_release(struct linearize_key *part);

// Which keys there are, into an array that has room for all texts of the history.
uint32_t linearize_key_list(const struct linearize_key *part, uint32_t *keys);

void linearize_key_load(struct linearize_key *part, uint32_t key);

// How many reads of a state have not returned; the search counts it down.
uint32_t *linearize_key_reads_left(struct linearize_key *part, uint32_t state);

// How many operations are open at most.
uint32_t linearize_key_most_open(const struct linearize_key *part);

// Memory that is there, or the process ends.
void *linearize_key_grown(void *memory, size_t size);

#endif
