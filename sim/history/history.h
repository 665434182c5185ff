// history.h: what clients saw: every operation they called, and how it ended.
//
// The text form has one operation a line, in order of the calls:
//
//     {"client":1,"kind":"write","key":"x","value":"7","call":10,"return":12}
//     {"client":2,"kind":"read","key":"x","call":11,"return":13,"result":"7"}
//     {"client":1,"kind":"txn","ops":[{"kind":"write","key":"x","value":"1"},
//      {"kind":"read","key":"y"}],"call":14,"outcome":"pending"}       (one line)
//
// with the fields that struct history_operation gives below. Optional "from" and "to"
// give the exact order of calls and returns among all events; without them times
// decide, and events of equal time count as concurrent. Bytes beyond ASCII are \u00XX.
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum history_kind {
    HISTORY_READ = 0, // result: the value, or HISTORY_ABSENT          "result"
    HISTORY_WRITE,    // argument: the value                           "value"
    HISTORY_CAS,      // argument: the new value, where `expected` is the present one
                 // (HISTORY_ABSENT: none); result 1, or 0: "value" "expected" "result"
    HISTORY_APPEND, // argument: what is added; result: the length   "value" "result"
    HISTORY_INCR,   // argument: by how much; result: the new number "by" "result"
    HISTORY_DELETE, // result: 1 where there was a value, else 0     "result"
    HISTORY_TXN,    // several of those above, in their order, at one moment; result:
                    // how many of its deletes found a value    "ops" "result"
    HISTORY_KIND_COUNT,
};

enum history_outcome {
    HISTORY_PENDING = 0, // no answer: may take effect at any later time, or never
    HISTORY_OK,          // it took effect between call and return
    HISTORY_FAILED,      // refused: known never to take effect
    HISTORY_OUTCOME_COUNT,
};

enum { HISTORY_ABSENT = 0 };       // the id of "no value"
#define HISTORY_NEVER UINT32_MAX   // the return order of what is pending
enum { HISTORY_PARTS_MAX = 1024 }; // of one transaction
// The result of an operation that is known to have succeeded but not with what answer.
#define HISTORY_UNTOLD INT64_MIN

struct history_operation {
    // Values are ids given by history_intern(); numbers are themselves.
    int64_t argument;
    int64_t result;
    uint64_t call_us;
    uint64_t return_us;
    uint32_t call_order; // among all calls and returns: what the checker goes by
    uint32_t return_order;
    uint32_t client;
    uint32_t key;      // an id
    uint32_t expected; // an id
    uint8_t kind;      // enum history_kind
    uint8_t outcome;   // enum history_outcome
    // A transaction has no key of its own, but parts; others have none.
    uint32_t first_part;
    uint32_t part_count;
};

// One operation of a transaction, with fields as above.
struct history_part {
    int64_t argument;
    int64_t result; // HISTORY_UNTOLD, unless history_tell() said it
    uint32_t key;
    uint32_t expected;
    uint8_t kind; // not HISTORY_TXN
};

struct history_text; // an interned string

// All zeroes is an empty history. Out of memory ends the process.
struct history {
    struct history_operation *operations;
    uint32_t count;
    uint32_t capacity;
    uint32_t order; // of the next call or return
    struct history_part *parts;
    uint32_t part_count;
    uint32_t part_capacity;
    // Interned keys and values; id 0 is no value.
    struct history_text *texts;
    uint32_t text_count;
    uint32_t text_capacity;
    uint32_t *buckets;
    uint32_t bucket_count;
    char *bytes;
    size_t bytes_size;
    size_t bytes_capacity;
};

void history_release(struct history *history);

// The id of a string, the same for equal strings, never 0.
uint32_t history_intern(struct history *history, const void *data, size_t size);

// The string of an id other than 0, not ended by a zero; borrowed until the next
// history_intern().
const char *history_text(const struct history *history, uint32_t id, size_t *size);

// An operation was called: `asked` gives client, kind, key, argument and expected. It
// is pending until it returns. Gives its number. Times never go back.
uint32_t history_call(struct history *history, const struct history_operation *asked,
                      uint64_t now_us);

// The same for a transaction of these parts; 1 to HISTORY_PARTS_MAX.
uint32_t history_call_txn(struct history *history, uint32_t client,
                          const struct history_part *parts, uint32_t count,
                          uint64_t now_us);

// An operation that is no transaction, as if it were a part of one.
struct history_part history_whole(const struct history_operation *operation);

// What a part of it answered, told before it returns as OK.
void history_tell(struct history *history, uint32_t operation, uint32_t part,
                  int64_t result);

// It has returned; `outcome` PENDING says that its client gave up on it for good.
void history_return(struct history *history, uint32_t operation,
                    enum history_outcome outcome, int64_t result, uint64_t now_us);

// One operation as a line of text without its end, for people and files.
void history_print(const struct history *history, uint32_t operation, FILE *file);
void history_write(const struct history *history, FILE *file);

// Adds to an empty history. False, with line number and reason in `error`, where a line
// is not an operation.
bool history_read(struct history *history, FILE *file, char *error, size_t error_size);

const char *history_kind_text(enum history_kind kind);

#endif
