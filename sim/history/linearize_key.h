// linearize_key.h: the operations of a group of keys, made ready for the search.
//
// Private to sim/linearize.c. A group is one key, or keys that transactions join. What
// says nothing is left out: operations that failed, reads without an answer, and
// unanswered writes of what nobody reads.
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
    CLASS_BLIND,  // always possible, and makes the same value of every other
    CLASS_EFFECT, // all else
};

// What is done to one key.
struct linearize_act {
    int64_t by;
    int64_t result;    // or HISTORY_UNTOLD
    uint32_t at;       // the key's place in its group
    uint32_t state;    // that it reads or writes, a cell
    uint32_t expected; // by a cas, a cell
    uint32_t text;     // appended
    uint8_t kind;
};

struct linearize_operation {
    struct linearize_act act; // of what is no transaction
    int64_t found;            // by a transaction's deletes, or HISTORY_UNTOLD
    uint32_t first_act;
    uint32_t act_count; // 0: no transaction
    uint32_t number;    // in the history
    uint32_t call_order;
    uint32_t return_order;
    uint32_t slot;
    uint32_t twin; // the previous pending operation that is equal, or LINEARIZE_NONE
    uint8_t class;
    bool pending;
};

// What of a group is looked at.
struct linearize_part {
    uint32_t end_order;      // nothing that happens later
    const uint32_t *numbers; // these operations, ascending
    const bool *freed;       // of them: may have happened at any time, or never
    bool hushed;             // of all answers, only the values that were read count
    uint32_t count;
};

struct linearize_key {
    const struct history *history;
    struct cells cells;
    // Of all keys. A group is named by one of its keys; operation numbers are sorted by
    // group, then in order of their calls.
    uint32_t *group_of_key;
    uint32_t *place_of_key;
    uint32_t *width_of_group;
    uint32_t *numbers;
    uint32_t *first_of_group;
    // Of the group that was loaded last, in order of their calls.
    struct linearize_operation *operations;
    uint32_t count;
    struct linearize_act *acts; // of transactions
    uint32_t act_count;
    uint32_t act_capacity;
    uint32_t *returns; // operations in order of their returns
    uint32_t return_count;
    uint32_t *reads_left; // by state: reads that have not returned
    uint32_t state_count; // that reads_left has
    uint32_t width;       // how many keys it has
    bool plain;           // one key, nothing but reads and blind writes
};

void linearize_key_init(struct linearize_key *part, const struct history *history);
void linearize_key_release(struct linearize_key *part);

// Which groups there are, into an array that has room for all texts of the history.
uint32_t linearize_key_list(const struct linearize_key *part, uint32_t *groups);

// How many keys there are.
uint32_t linearize_key_count(const struct linearize_key *part);

// How many operations a group has.
uint32_t linearize_key_size(const struct linearize_key *part, uint32_t group);

const uint32_t *linearize_key_numbers(const struct linearize_key *part, uint32_t group);

// `what` NULL: all of it. Has to be done before each try of a search.
void linearize_key_load(struct linearize_key *part, uint32_t group,
                        const struct linearize_part *what);

// The acts of an operation: one, or a transaction's.
const struct linearize_act *
linearize_key_acts(const struct linearize_key *part,
                   const struct linearize_operation *operation, uint32_t *count);

// How many reads of a state have not returned; the search counts it down.
uint32_t *linearize_key_reads_left(struct linearize_key *part, uint32_t state);

// How many operations are open at most.
uint32_t linearize_key_most_open(const struct linearize_key *part);

// Memory that is there, or the process ends.
void *linearize_key_grown(void *memory, size_t size);

#endif
