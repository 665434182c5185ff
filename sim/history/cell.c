#include "sim/history/cell.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 20 }; // of an int64 with its sign

struct cell_value {
    uint64_t hash;
    uint64_t length;
    uint32_t text;          // the history's id of it, or HISTORY_ABSENT: not known
    char small[DIGITS_MAX]; // the bytes, where they are so few
};

struct cell_text {
    uint64_t hash;
    uint64_t power; // BASE to the length
    uint32_t cell;  // 0: not asked for yet
};

static const uint64_t PRIME = (UINT64_C(1) << 61) - 1;
static const uint64_t BASE = UINT64_C(0x0f3c9a1e5d7b2468);

static void *grown(void *memory, size_t size)
{
    void *result = realloc(memory, size);
    if (result == NULL) {
        fprintf(stderr, "cell: out of memory\n");
        abort();
    }
    return result;
}

void cell_init(struct cells *cells, const struct history *history)
{
    *cells = (struct cells){.history = history};
    size_t size = ((size_t)history->text_count + 1) * sizeof(*cells->texts);
    cells->texts = grown(NULL, size);
    memset(cells->texts, 0, size);
}

void cell_release(struct cells *cells)
{
    free(cells->values);
    free(cells->buckets);
    free(cells->texts);
    *cells = (struct cells){0};
}

// ---- hashes: the bytes as digits of a number to the base BASE, modulo 2^61 - 1 --

static uint64_t reduced(uint64_t value)
{
    value = (value & PRIME) + (value >> 61);
    return value >= PRIME ? value - PRIME : value;
}

// Without 128-bit numbers, which not every target has: in halves of 30 and 31 bits.
static uint64_t product(uint64_t left, uint64_t right)
{
    uint64_t left_high = left >> 31;
    uint64_t left_low = left & 0x7fffffffu;
    uint64_t right_high = right >> 31;
    uint64_t right_low = right & 0x7fffffffu;
    uint64_t middle = left_low * right_high + left_high * right_low;
    uint64_t sum = left_high * right_high * 2 + (middle >> 30) +
                   ((middle & 0x3fffffffu) << 31) + left_low * right_low;
    return reduced(sum);
}

static uint64_t hash_bytes(const char *bytes, size_t size, uint64_t *power)
{
    uint64_t hash = 0;
    *power = 1;
    for (size_t i = 0; i < size; i++) {
        hash = reduced(product(hash, BASE) + (unsigned char)bytes[i] + 1);
        *power = product(*power, BASE);
    }
    return hash;
}

// ---- interning ------------------------------------------------------------------

static uint32_t bucket_of(const struct cells *cells, const struct cell_value *value)
{
    uint64_t mixed = (value->hash ^ value->length) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32) & (cells->bucket_count - 1);
}

static void grow_buckets(struct cells *cells)
{
    cells->bucket_count = cells->bucket_count == 0 ? 64 : cells->bucket_count * 2;
    size_t size = cells->bucket_count * sizeof(uint32_t);
    cells->buckets = grown(cells->buckets, size);
    memset(cells->buckets, 0, size);
    for (uint32_t i = 0; i < cells->count; i++) {
        uint32_t at = bucket_of(cells, &cells->values[i]);
        while (cells->buckets[at] != 0) {
            at = (at + 1) & (cells->bucket_count - 1);
        }
        cells->buckets[at] = i + 1;
    }
}

static uint32_t intern(struct cells *cells, const struct cell_value *value)
{
    if (cells->count * 2 >= cells->bucket_count) {
        grow_buckets(cells);
    }
    uint32_t at = bucket_of(cells, value);
    while (cells->buckets[at] != 0) {
        const struct cell_value *known = &cells->values[cells->buckets[at] - 1];
        if (known->hash == value->hash && known->length == value->length) {
            return cells->buckets[at];
        }
        at = (at + 1) & (cells->bucket_count - 1);
    }
    if (cells->count == cells->capacity) {
        cells->capacity = cells->capacity * 2 + 64;
        cells->values =
            grown(cells->values, cells->capacity * sizeof(struct cell_value));
    }
    cells->values[cells->count] = *value;
    cells->buckets[at] = ++cells->count;
    return cells->count;
}

// ---- the values -----------------------------------------------------------------

uint32_t cell_of_text(struct cells *cells, uint32_t text)
{
    if (text == HISTORY_ABSENT) {
        return CELL_ABSENT;
    }
    struct cell_text *known = &cells->texts[text];
    if (known->cell == 0) {
        size_t size;
        const char *bytes = history_text(cells->history, text, &size);
        known->hash = hash_bytes(bytes, size, &known->power);
        struct cell_value value = {.hash = known->hash, .length = size};
        if (size > 0 && size <= DIGITS_MAX) {
            memcpy(value.small, bytes, size);
        }
        known->cell = intern(cells, &value);
        cells->values[known->cell - 1].text = text;
    }
    return known->cell;
}

const char *cell_text(const struct cells *cells, uint32_t cell, size_t *size)
{
    assert(cells->values[cell - 1].text != HISTORY_ABSENT);
    return history_text(cells->history, cells->values[cell - 1].text, size);
}

uint64_t cell_length(const struct cells *cells, uint32_t cell)
{
    return cell == CELL_ABSENT ? 0 : cells->values[cell - 1].length;
}

uint32_t cell_append(struct cells *cells, uint32_t cell, uint32_t text)
{
    uint32_t added = cell_of_text(cells, text);
    if (cell == CELL_ABSENT) {
        return added;
    }
    const struct cell_text *known = &cells->texts[text];
    const struct cell_value *left = &cells->values[cell - 1];
    const struct cell_value *right = &cells->values[added - 1];
    struct cell_value value = {
        .hash = reduced(product(left->hash, known->power) + known->hash),
        .length = left->length + right->length};
    if (value.length <= DIGITS_MAX) {
        memcpy(value.small, left->small, left->length);
        memcpy(value.small + left->length, right->small, right->length);
    }
    return intern(cells, &value);
}

bool cell_begins(const struct cells *cells, uint32_t whole, uint32_t part)
{
    const struct cell_value *longer = &cells->values[whole - 1];
    const struct cell_value *shorter = &cells->values[part - 1];
    if (shorter->length >= longer->length) {
        return whole == part;
    }
    if (longer->text == HISTORY_ABSENT) {
        return true;
    }
    size_t size;
    uint64_t power;
    const char *bytes = history_text(cells->history, longer->text, &size);
    return hash_bytes(bytes, shorter->length, &power) == shorter->hash;
}

// Strict, as the store is: only what the number itself would be written as.
static bool parse(const struct cell_value *value, int64_t *number)
{
    if (value->length == 0 || value->length > DIGITS_MAX) {
        return false;
    }
    char text[DIGITS_MAX + 1] = {0};
    memcpy(text, value->small, value->length);
    bool negative = text[0] == '-';
    uint64_t magnitude = 0;
    for (const char *at = text + negative; *at != '\0'; at++) {
        uint64_t digit = (uint64_t)((unsigned char)*at - '0');
        if (digit > 9 || magnitude > ((uint64_t)INT64_MAX + negative - digit) / 10) {
            return false;
        }
        magnitude = magnitude * 10 + digit;
    }
    *number = (int64_t)(negative ? (uint64_t)0 - magnitude : magnitude);
    char again[DIGITS_MAX + 2];
    snprintf(again, sizeof(again), "%" PRId64, *number);
    return strlen(again) == value->length && memcmp(again, text, value->length) == 0;
}

bool cell_number(const struct cells *cells, uint32_t cell, int64_t *number)
{
    *number = 0;
    return cell == CELL_ABSENT || parse(&cells->values[cell - 1], number);
}

bool cell_incr(struct cells *cells, uint32_t cell, int64_t by, uint32_t *next,
               int64_t *number)
{
    int64_t present;
    if (!cell_number(cells, cell, &present)) {
        return false;
    }
    if (__builtin_add_overflow(present, by, number)) {
        return false;
    }
    char text[DIGITS_MAX + 2];
    size_t size = (size_t)snprintf(text, sizeof(text), "%" PRId64, *number);
    uint64_t power;
    struct cell_value value = {.hash = hash_bytes(text, size, &power), .length = size};
    memcpy(value.small, text, size);
    *next = intern(cells, &value);
    return true;
}
