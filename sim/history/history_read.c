#include "sim/history/history_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct reader {
    struct history *history;
    const char *at;      // in the line, which ends with a zero
    const char *problem; // NULL: none yet
    char *text;          // the last string
    size_t text_size;
    bool textual;               // the last result is a string or null
    struct history_part *parts; // of the transaction of this line
    uint32_t part_count;
    bool unordered; // an operation came without its order
};

static bool fail(struct reader *reader, const char *problem)
{
    if (reader->problem == NULL) {
        reader->problem = problem;
    }
    return false;
}

static void skip_space(struct reader *reader)
{
    while (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r' ||
           *reader->at == '\n') {
        reader->at++;
    }
}

static bool take(struct reader *reader, char wanted)
{
    skip_space(reader);
    if (*reader->at != wanted) {
        return false;
    }
    reader->at++;
    return true;
}

// The byte of a \u00XX whose digits begin at `text`, or -1.
static int hex_byte(const char *text)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value < 256 ? value : -1;
}

static bool take_escape(struct reader *reader, char *byte)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    char name = *++reader->at;
    const char *known = name == '\0' ? NULL : strchr(names, name);
    if (known != NULL) {
        *byte = bytes[known - names];
        reader->at++;
        return true;
    }
    int value = name == 'u' ? hex_byte(reader->at + 1) : -1;
    if (value < 0) {
        return fail(reader, "an unknown escape in a string");
    }
    *byte = (char)value;
    reader->at += 5;
    return true;
}

// Takes a string into reader->text, which is as long as the line.
static bool take_string(struct reader *reader)
{
    if (!take(reader, '"')) {
        return fail(reader, "a string is missing");
    }
    reader->text_size = 0;
    while (*reader->at != '"') {
        char byte = *reader->at;
        if (byte == '\0') {
            return fail(reader, "a string without its end");
        }
        if (byte != '\\') {
            reader->at++;
        } else if (!take_escape(reader, &byte)) {
            return false;
        }
        reader->text[reader->text_size++] = byte;
    }
    reader->at++;
    return true;
}

// A string or null.
static bool take_id(struct reader *reader, uint32_t *id)
{
    skip_space(reader);
    if (strncmp(reader->at, "null", 4) == 0) {
        reader->at += 4;
        *id = HISTORY_ABSENT;
        return true;
    }
    if (!take_string(reader)) {
        return false;
    }
    *id = history_intern(reader->history, reader->text, reader->text_size);
    return true;
}

static bool take_number(struct reader *reader, int64_t low, uint64_t high,
                        uint64_t *number)
{
    bool negative = take(reader, '-');
    if (*reader->at < '0' || *reader->at > '9') {
        return fail(reader, "a number is missing");
    }
    uint64_t value = 0;
    for (; *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        uint64_t digit = (uint64_t)(*reader->at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return fail(reader, "a number out of range");
        }
        value = value * 10 + digit;
    }
    uint64_t most = negative ? (low < 0 ? (uint64_t)0 - (uint64_t)low : 0) : high;
    if (value > most) {
        return fail(reader, "a number out of range");
    }
    *number = negative ? (uint64_t)0 - value : value;
    return true;
}

static bool take_u32(struct reader *reader, uint32_t *number)
{
    uint64_t value;
    if (!take_number(reader, 0, UINT32_MAX - 1, &value)) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

static bool take_i64(struct reader *reader, int64_t *number)
{
    uint64_t value;
    if (!take_number(reader, -INT64_MAX, INT64_MAX, &value)) {
        return false;
    }
    *number = (int64_t)value;
    return true;
}

static bool text_is(const struct reader *reader, const char *word)
{
    return reader->text_size == strlen(word) &&
           memcmp(reader->text, word, reader->text_size) == 0;
}

static bool take_kind(struct reader *reader, struct history_operation *operation)
{
    if (!take_string(reader)) {
        return false;
    }
    for (int kind = 0; kind < HISTORY_KIND_COUNT; kind++) {
        if (text_is(reader, history_kind_text((enum history_kind)kind))) {
            operation->kind = (uint8_t)kind;
            return true;
        }
    }
    return fail(reader, "an unknown kind");
}

static bool take_outcome(struct reader *reader, struct history_operation *operation)
{
    if (!take_string(reader)) {
        return false;
    }
    if (text_is(reader, "ok")) {
        operation->outcome = HISTORY_OK;
    } else if (text_is(reader, "failed")) {
        operation->outcome = HISTORY_FAILED;
    } else if (text_is(reader, "pending")) {
        operation->outcome = HISTORY_PENDING;
    } else {
        return fail(reader, "an unknown outcome");
    }
    return true;
}

static bool take_value(struct reader *reader, int64_t *value)
{
    uint32_t id;
    if (!take_id(reader, &id)) {
        return false;
    }
    *value = id;
    return true;
}

// A read's result is a value, all others' a number.
static bool take_result(struct reader *reader, int64_t *result)
{
    skip_space(reader);
    reader->textual = *reader->at == '"' || *reader->at == 'n';
    if (reader->textual) {
        return take_value(reader, result);
    }
    return take_i64(reader, result);
}

enum field {
    FIELD_CLIENT,
    FIELD_KIND,
    FIELD_KEY,
    FIELD_VALUE,
    FIELD_EXPECTED,
    FIELD_BY,
    FIELD_CALL,
    FIELD_RETURN,
    FIELD_OUTCOME,
    FIELD_RESULT,
    FIELD_FROM,
    FIELD_TO,
    FIELD_OPS,
    FIELD_COUNT,
};

static const char *const fields[FIELD_COUNT] = {
    "client", "kind",    "key",    "value", "expected", "by",  "call",
    "return", "outcome", "result", "from",  "to",       "ops",
};

// Takes a field's name with its colon.
static bool take_name(struct reader *reader, uint32_t *seen, enum field *name)
{
    if (!take_string(reader)) {
        return false;
    }
    int field = 0;
    while (field < FIELD_COUNT && !text_is(reader, fields[field])) {
        field++;
    }
    if (field == FIELD_COUNT || *seen & 1u << field) {
        return fail(reader, "an unknown or repeated field");
    }
    *seen |= 1u << field;
    *name = (enum field)field;
    return take(reader, ':') || fail(reader, "a colon is missing");
}

// All but FIELD_OPS.
static bool take_field(struct reader *reader, struct history_operation *operation,
                       enum field field)
{
    switch (field) {
    case FIELD_CLIENT:
        return take_u32(reader, &operation->client);
    case FIELD_KIND:
        return take_kind(reader, operation);
    case FIELD_KEY:
        return take_id(reader, &operation->key);
    case FIELD_VALUE:
        return take_value(reader, &operation->argument);
    case FIELD_EXPECTED:
        return take_id(reader, &operation->expected);
    case FIELD_BY:
        return take_i64(reader, &operation->argument);
    case FIELD_CALL:
        return take_number(reader, 0, UINT64_MAX, &operation->call_us);
    case FIELD_RETURN:
        return take_number(reader, 0, UINT64_MAX, &operation->return_us);
    case FIELD_OUTCOME:
        return take_outcome(reader, operation);
    case FIELD_RESULT:
        return take_result(reader, &operation->result);
    case FIELD_FROM:
        return take_u32(reader, &operation->call_order);
    default:
        return take_u32(reader, &operation->return_order);
    }
}

static bool has(uint32_t seen, enum field field)
{
    return seen & 1u << field;
}

// Whether the fields that an operation has in common with a part fit the kind.
static bool fits_kind(struct reader *reader, const struct history_operation *operation,
                      uint32_t seen)
{
    enum history_kind kind = (enum history_kind)operation->kind;
    bool valued =
        kind == HISTORY_WRITE || kind == HISTORY_CAS || kind == HISTORY_APPEND;
    if (valued != has(seen, FIELD_VALUE) || (valued && operation->argument == 0) ||
        (kind == HISTORY_CAS) != has(seen, FIELD_EXPECTED) ||
        (kind == HISTORY_INCR) != has(seen, FIELD_BY) ||
        (kind == HISTORY_TXN) != has(seen, FIELD_OPS)) {
        return fail(reader, "the arguments do not fit the kind");
    }
    if (has(seen, FIELD_RESULT) && kind == HISTORY_WRITE) {
        return fail(reader, "a result where there is none");
    }
    if (has(seen, FIELD_RESULT) && reader->textual != (kind == HISTORY_READ)) {
        return fail(reader, "a result that does not fit the kind");
    }
    return true;
}

static bool fits(struct reader *reader, struct history_operation *operation,
                 uint32_t seen)
{
    bool txn = operation->kind == HISTORY_TXN;
    if (!has(seen, FIELD_KIND) || !has(seen, FIELD_CALL) ||
        txn != (operation->key == 0)) {
        return fail(reader, "kind, key or call is missing");
    }
    if (!fits_kind(reader, operation, seen)) {
        return false;
    }
    bool pending = operation->outcome == HISTORY_PENDING;
    if (pending == has(seen, FIELD_RETURN) || (pending && has(seen, FIELD_TO)) ||
        operation->return_us < operation->call_us) {
        return fail(reader, "the return does not fit the outcome");
    }
    bool told = has(seen, FIELD_RESULT);
    for (uint32_t i = 0; txn && i < reader->part_count; i++) {
        told |= reader->parts[i].result != HISTORY_UNTOLD;
    }
    if (told && operation->outcome != HISTORY_OK) {
        return fail(reader, "a result where there is none");
    }
    bool ordered = has(seen, FIELD_FROM) && (pending || has(seen, FIELD_TO));
    if (ordered && operation->return_order <= operation->call_order) {
        return fail(reader, "an operation that returns before its call");
    }
    reader->unordered |= !ordered;
    return true;
}

static bool keep_part(struct reader *reader, const struct history_operation *operation)
{
    if (reader->part_count == HISTORY_PARTS_MAX) {
        return fail(reader, "a transaction of too many operations");
    }
    if (reader->parts == NULL) {
        reader->parts = malloc(HISTORY_PARTS_MAX * sizeof(*reader->parts));
    }
    if (reader->parts == NULL) {
        return fail(reader, "out of memory");
    }
    reader->parts[reader->part_count++] = history_whole(operation);
    return true;
}

static bool take_part(struct reader *reader)
{
    struct history_operation part = {.result = HISTORY_UNTOLD};
    const uint32_t allowed = 1u << FIELD_KIND | 1u << FIELD_KEY | 1u << FIELD_VALUE |
                             1u << FIELD_EXPECTED | 1u << FIELD_BY | 1u << FIELD_RESULT;
    uint32_t seen = 0;
    enum field field;
    if (!take(reader, '{')) {
        return fail(reader, "not an object");
    }
    do {
        if (!take_name(reader, &seen, &field)) {
            return false;
        }
        if (seen & ~allowed) {
            return fail(reader, "a field that no part of a transaction has");
        }
        if (!take_field(reader, &part, field)) {
            return false;
        }
    } while (take(reader, ','));
    if (!take(reader, '}')) {
        return fail(reader, "the object does not end");
    }
    if (!has(seen, FIELD_KIND) || part.key == 0 || part.kind == HISTORY_TXN) {
        return fail(reader, "kind or key is missing, or a transaction in another");
    }
    return fits_kind(reader, &part, seen) && keep_part(reader, &part);
}

static bool take_parts(struct reader *reader)
{
    bool textual = reader->textual; // of the whole, which may have come before
    if (!take(reader, '[')) {
        return fail(reader, "not an array");
    }
    do {
        if (!take_part(reader)) {
            return false;
        }
    } while (take(reader, ','));
    reader->textual = textual;
    return take(reader, ']') || fail(reader, "the array does not end");
}

static bool take_operation(struct reader *reader, struct history_operation *operation)
{
    *operation = (struct history_operation){.outcome = HISTORY_OK,
                                            .result = HISTORY_UNTOLD,
                                            .return_us = UINT64_MAX,
                                            .return_order = HISTORY_NEVER};
    uint32_t seen = 0;
    enum field field;
    reader->part_count = 0;
    if (!take(reader, '{')) {
        return fail(reader, "not an object");
    }
    do {
        if (!take_name(reader, &seen, &field) ||
            !(field == FIELD_OPS ? take_parts(reader)
                                 : take_field(reader, operation, field))) {
            return false;
        }
    } while (take(reader, ','));
    if (!take(reader, '}')) {
        return fail(reader, "the object does not end");
    }
    skip_space(reader);
    if (*reader->at != '\0') {
        return fail(reader, "something after the object");
    }
    return fits(reader, operation, seen);
}

// Adds what was read, as it was read.
static void keep(struct reader *reader, struct history_operation *operation)
{
    struct history *history = reader->history;
    uint32_t index;
    if (operation->kind == HISTORY_TXN) {
        index = history_call_txn(history, operation->client, reader->parts,
                                 reader->part_count, operation->call_us);
        operation->first_part = history->operations[index].first_part;
        operation->part_count = reader->part_count;
        for (uint32_t i = 0; i < reader->part_count; i++) {
            history_tell(history, index, i, reader->parts[i].result);
        }
    } else {
        index = history_call(history, operation, operation->call_us);
    }
    history->operations[index] = *operation;
}

// ---- the order of events --------------------------------------------------------

struct moment {
    uint64_t at;
    uint32_t operation;
    bool returns;
};

static int compare_moments(const void *left_pointer, const void *right_pointer)
{
    const struct moment *left = left_pointer;
    const struct moment *right = right_pointer;
    if (left->at != right->at) {
        return left->at < right->at ? -1 : 1;
    }
    // What happens at the same time is concurrent: all calls before all returns.
    if (left->returns != right->returns) {
        return left->returns ? 1 : -1;
    }
    return left->operation < right->operation ? -1 : left->operation > right->operation;
}

static int compare_calls(const void *left_pointer, const void *right_pointer)
{
    const struct history_operation *left = left_pointer;
    const struct history_operation *right = right_pointer;
    return left->call_order < right->call_order ? -1
                                                : left->call_order > right->call_order;
}

// Numbers all calls and returns anew, by the order that the file gave or by time.
static bool put_in_order(struct history *history, bool by_time)
{
    struct history_operation *operations = history->operations;
    struct moment *moments = malloc((size_t)history->count * 2 * sizeof(*moments) + 1);
    if (moments == NULL) {
        return false;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_operation *at = &operations[i];
        uint64_t call = by_time ? at->call_us : at->call_order;
        moments[count++] = (struct moment){call, i, false};
        if (at->outcome != HISTORY_PENDING) {
            uint64_t end = by_time ? at->return_us : at->return_order;
            moments[count++] = (struct moment){end, i, true};
        }
    }
    qsort(moments, count, sizeof(*moments), compare_moments);
    for (uint32_t i = 0; i < count; i++) {
        struct history_operation *at = &operations[moments[i].operation];
        *(moments[i].returns ? &at->return_order : &at->call_order) = i;
    }
    free(moments);
    history->order = count;
    if (history->count > 0) {
        qsort(operations, history->count, sizeof(*operations), compare_calls);
    }
    return true;
}

static bool take_line(struct reader *reader, char *line, size_t size)
{
    if (strlen(line) != size) {
        return fail(reader, "a zero byte");
    }
    reader->at = line;
    skip_space(reader);
    if (*reader->at == '\0') {
        return true;
    }
    struct history_operation operation;
    char *text = realloc(reader->text, size + 1);
    if (text == NULL) {
        return fail(reader, "out of memory");
    }
    reader->text = text;
    if (!take_operation(reader, &operation)) {
        return false;
    }
    keep(reader, &operation);
    return true;
}

bool history_read_lines(struct history *history, FILE *file, char *error,
                        size_t error_size)
{
    struct reader reader = {.history = history};
    char *line = NULL;
    size_t capacity = 0;
    uint64_t number = 0;
    ssize_t size;
    bool good = true;
    while (good && (size = getline(&line, &capacity, file)) >= 0) {
        number++;
        good = take_line(&reader, line, (size_t)size);
    }
    free(line);
    free(reader.text);
    free(reader.parts);
    if (good && !put_in_order(history, reader.unordered)) {
        good = fail(&reader, "out of memory");
    }
    if (!good) {
        snprintf(error, error_size, "line %" PRIu64 ": %s", number, reader.problem);
    }
    return good;
}
