// json.h: strict JSON on top of cJSON, and a writer that needs no tree.
//
// Reading. cJSON alone is too kind for a wire: it rounds numbers, stops at NUL, takes
// raw control characters, "01" and bytes that are not UTF-8. So json_scan() walks the
// text first, without recursion, and bounds its length, nesting and number of values;
// only what it lets pass is given to cJSON, which judges the structure.
//
// Numbers are whole, from -(2^53 - 1) to 2^53 - 1, without fraction or exponent: these
// are the ones that every JSON reader keeps exact, and a double too. Strings hold no
// NUL, so a C string is the whole of it.
#ifndef RPC_JSON_H
#define RPC_JSON_H

#include "rpc/frame.h"

#include <cJSON.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_WHOLE_MAX 9007199254740991ull // 2^53 - 1

// ---- reading --------------------------------------------------------------------

struct json_limits {
    size_t bytes_max;   // of the whole text
    size_t values_max;  // members, elements and containers: bounds the tree's memory
    uint32_t depth_max; // arrays and objects within each other
};

enum json_verdict {
    JSON_GOOD = 0,
    JSON_LONG,    // more than bytes_max
    JSON_BROKEN,  // not JSON, or not UTF-8, or a NUL in a string
    JSON_DEEP,    // more than depth_max
    JSON_CROWDED, // more than values_max
    JSON_INEXACT, // JSON, but a number in it is not whole or is beyond 2^53 - 1
};

struct json_scan {
    enum json_verdict verdict;
    size_t offset;  // of the first byte at fault
    uint32_t depth; // there: 0 outside of everything
};

struct json_scan json_scan(const char *text, size_t size,
                           const struct json_limits *limits);

// Scans and parses one value with nothing but whitespace behind it. The caller frees
// the tree with cJSON_Delete(). A text whose only fault is JSON_INEXACT is parsed too
// (the verdict says so), for whoever needs to know what it was about. NULL otherwise.
cJSON *json_parse(const char *text, size_t size, const struct json_limits *limits,
                  struct json_scan *scan);

// Each is true, and has set *value, only where the item has exactly that type. `item`
// may be NULL. Strings are borrowed from the tree.
bool json_read_u64(const cJSON *item, uint64_t *value);
bool json_read_i64(const cJSON *item, int64_t *value);
bool json_read_bool(const cJSON *item, bool *value);
bool json_read_string(const cJSON *item, const char **value);

// A member by its exact name, or NULL.
const cJSON *json_get(const cJSON *object, const char *name);

// How many of the eight bytes at `at` are plain, up to the first that is not: all eight
// are looked at together. A borrow marks none but bytes behind the first.
static inline uint32_t json_plain_of_8(const char *at)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    word = le64toh(word);
    uint64_t quote = word ^ ones * '"';
    uint64_t slash = word ^ ones * '\\';
    uint64_t marks = (word - ones * 0x20) | (quote - ones) | (slash - ones) | word;
    marks &= ones * 0x80;
    return marks == 0 ? 8 : (uint32_t)__builtin_ctzll(marks) / 8;
}

// How many bytes from `at` on are plain: ASCII that stands for itself in a JSON string:
// neither control, quote nor backslash.
size_t json_plain_run(const char *at, const char *end);

// Valid UTF-8 without NUL that escaping makes at most twice as long: what travels as a
// string. Everything else travels as base64.
bool json_is_text(const void *data, size_t size);

// ---- writing --------------------------------------------------------------------

void json_add_u64(struct frame *frame, uint64_t value);
void json_add_i64(struct frame *frame, int64_t value);
void json_add_bool(struct frame *frame, bool value);

// A string in quotes. The bytes must be valid UTF-8 (asserted by the caller's choice of
// json_is_text(), not here).
void json_add_text(struct frame *frame, const void *data, size_t size);
void json_add_base64(struct frame *frame, const void *data, size_t size);

// "name":"text", or "name_base64":"..." where the bytes are not text.
void json_add_bytes(struct frame *frame, const char *name, const void *data,
                    size_t size);

#endif
