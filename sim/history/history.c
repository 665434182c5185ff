#include "sim/history/history.h"

#include "sim/history/history_read.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct history_text {
    size_t offset; // in bytes
    size_t size;
    uint32_t hash;
};

static const char *const kind_texts[HISTORY_KIND_COUNT] = {
    [HISTORY_READ] = "read",     [HISTORY_WRITE] = "write", [HISTORY_CAS] = "cas",
    [HISTORY_APPEND] = "append", [HISTORY_INCR] = "incr",   [HISTORY_DELETE] = "delete",
    [HISTORY_TXN] = "txn",
};

static void *grown(void *memory, size_t size)
{
    void *result = realloc(memory, size);
    if (result == NULL) {
        fprintf(stderr, "history: out of memory\n");
        abort();
    }
    return result;
}

void history_release(struct history *history)
{
    free(history->operations);
    free(history->parts);
    free(history->texts);
    free(history->buckets);
    free(history->bytes);
    *history = (struct history){0};
}

const char *history_kind_text(enum history_kind kind)
{
    assert(kind < HISTORY_KIND_COUNT);
    return kind_texts[kind];
}

// ---- strings --------------------------------------------------------------------

static uint32_t hash_bytes(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t hash = 0x811c9dc5u;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 0x01000193u;
    }
    return hash;
}

// The bucket where a string stands, or the free one where it belongs.
static uint32_t *bucket_of(const struct history *history, const void *data, size_t size,
                           uint32_t hash)
{
    uint32_t mask = history->bucket_count - 1;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        uint32_t id = history->buckets[at];
        if (id == 0) {
            return &history->buckets[at];
        }
        const struct history_text *text = &history->texts[id - 1];
        if (text->hash == hash && text->size == size &&
            (size == 0 || memcmp(history->bytes + text->offset, data, size) == 0)) {
            return &history->buckets[at];
        }
    }
}

static void grow_buckets(struct history *history)
{
    uint32_t count = history->bucket_count == 0 ? 64 : history->bucket_count * 2;
    history->bucket_count = count;
    history->buckets = grown(history->buckets, count * sizeof(uint32_t));
    memset(history->buckets, 0, count * sizeof(uint32_t));
    for (uint32_t i = 0; i < history->text_count; i++) {
        uint32_t at = history->texts[i].hash & (count - 1);
        while (history->buckets[at] != 0) {
            at = (at + 1) & (count - 1);
        }
        history->buckets[at] = i + 1;
    }
}

static void keep_bytes(struct history *history, const void *data, size_t size)
{
    if (history->bytes_size + size > history->bytes_capacity) {
        history->bytes_capacity = (history->bytes_size + size) * 2 + 1024;
        history->bytes = grown(history->bytes, history->bytes_capacity);
    }
    if (size > 0) {
        memcpy(history->bytes + history->bytes_size, data, size);
    }
    history->bytes_size += size;
}

uint32_t history_intern(struct history *history, const void *data, size_t size)
{
    if (history->text_count * 2 >= history->bucket_count) {
        grow_buckets(history);
    }
    uint32_t hash = hash_bytes(data, size);
    uint32_t *bucket = bucket_of(history, data, size, hash);
    if (*bucket != 0) {
        return *bucket;
    }
    if (history->text_count == history->text_capacity) {
        history->text_capacity = history->text_capacity * 2 + 64;
        history->texts =
            grown(history->texts, history->text_capacity * sizeof(struct history_text));
    }
    history->texts[history->text_count] =
        (struct history_text){history->bytes_size, size, hash};
    keep_bytes(history, data, size);
    *bucket = ++history->text_count;
    return *bucket;
}

const char *history_text(const struct history *history, uint32_t id, size_t *size)
{
    assert(id > 0 && id <= history->text_count);
    const struct history_text *text = &history->texts[id - 1];
    *size = text->size;
    return history->bytes == NULL ? "" : history->bytes + text->offset;
}

// ---- recording ------------------------------------------------------------------

static uint32_t add(struct history *history, const struct history_operation *operation)
{
    assert(history->count < UINT32_MAX / 2 - 1);
    if (history->count == history->capacity) {
        history->capacity = history->capacity * 2 + 64;
        history->operations = grown(history->operations,
                                    history->capacity * sizeof(*history->operations));
    }
    history->operations[history->count] = *operation;
    return history->count++;
}

uint32_t history_call(struct history *history, const struct history_operation *asked,
                      uint64_t now_us)
{
    assert(asked->kind < HISTORY_KIND_COUNT);
    assert((asked->kind == HISTORY_TXN) == (asked->key == 0));
    struct history_operation operation = *asked;
    operation.result = HISTORY_UNTOLD;
    operation.outcome = HISTORY_PENDING;
    operation.call_us = now_us;
    operation.return_us = UINT64_MAX;
    operation.call_order = history->order++;
    operation.return_order = HISTORY_NEVER;
    return add(history, &operation);
}

uint32_t history_call_txn(struct history *history, uint32_t client,
                          const struct history_part *parts, uint32_t count,
                          uint64_t now_us)
{
    struct history_operation asked = {.client = client, .kind = HISTORY_TXN};
    assert(count > 0 && count <= HISTORY_PARTS_MAX);
    if (history->part_count + count > history->part_capacity) {
        history->part_capacity = (history->part_count + count) * 2;
        history->parts =
            grown(history->parts, history->part_capacity * sizeof(*history->parts));
    }
    asked.first_part = history->part_count;
    asked.part_count = count;
    for (uint32_t i = 0; i < count; i++) {
        assert(parts[i].kind < HISTORY_TXN && parts[i].key != 0);
        history->parts[history->part_count] = parts[i];
        history->parts[history->part_count++].result = HISTORY_UNTOLD;
    }
    return history_call(history, &asked, now_us);
}

void history_tell(struct history *history, uint32_t operation, uint32_t part,
                  int64_t result)
{
    assert(operation < history->count);
    const struct history_operation *at = &history->operations[operation];
    assert(part < at->part_count && at->outcome == HISTORY_PENDING);
    history->parts[at->first_part + part].result = result;
}

void history_return(struct history *history, uint32_t operation,
                    enum history_outcome outcome, int64_t result, uint64_t now_us)
{
    assert(operation < history->count && outcome < HISTORY_OUTCOME_COUNT);
    struct history_operation *at = &history->operations[operation];
    assert(at->outcome == HISTORY_PENDING && at->call_us <= now_us);
    if (outcome == HISTORY_PENDING) {
        return;
    }
    at->outcome = (uint8_t)outcome;
    at->result = outcome == HISTORY_OK ? result : HISTORY_UNTOLD;
    at->return_us = now_us;
    at->return_order = history->order++;
}

struct history_part history_whole(const struct history_operation *operation)
{
    return (struct history_part){.argument = operation->argument,
                                 .result = operation->result,
                                 .key = operation->key,
                                 .expected = operation->expected,
                                 .kind = operation->kind};
}

// ---- writing --------------------------------------------------------------------

static void print_text(const struct history *history, const char *field, uint32_t id,
                       FILE *file)
{
    if (id == HISTORY_ABSENT) {
        fprintf(file, ",\"%s\":null", field);
        return;
    }
    size_t size;
    const char *text = history_text(history, id, &size);
    fprintf(file, ",\"%s\":\"", field);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\') {
            fprintf(file, "\\%c", byte);
        } else if (byte < 0x20 || byte >= 0x7f) {
            fprintf(file, "\\u%04x", byte);
        } else {
            fputc(byte, file);
        }
    }
    fputc('"', file);
}

static void print_argument(const struct history *history,
                           const struct history_part *part, FILE *file)
{
    switch ((enum history_kind)part->kind) {
    case HISTORY_CAS:
        print_text(history, "expected", part->expected, file);
        print_text(history, "value", (uint32_t)part->argument, file);
        break;
    case HISTORY_WRITE:
    case HISTORY_APPEND:
        print_text(history, "value", (uint32_t)part->argument, file);
        break;
    case HISTORY_INCR:
        fprintf(file, ",\"by\":%" PRId64, part->argument);
        break;
    default:
        break;
    }
}

static void print_result(const struct history *history, enum history_kind kind,
                         int64_t result, FILE *file)
{
    if (result == HISTORY_UNTOLD) {
        return;
    }
    if (kind == HISTORY_READ) {
        print_text(history, "result", (uint32_t)result, file);
    } else {
        fprintf(file, ",\"result\":%" PRId64, result);
    }
}

static void print_parts(const struct history *history,
                        const struct history_operation *operation, FILE *file)
{
    fprintf(file, ",\"ops\":[");
    for (uint32_t i = 0; i < operation->part_count; i++) {
        const struct history_part *part = &history->parts[operation->first_part + i];
        fprintf(file, "%s{\"kind\":\"%s\"", i > 0 ? "," : "", kind_texts[part->kind]);
        print_text(history, "key", part->key, file);
        print_argument(history, part, file);
        if (operation->outcome == HISTORY_OK) {
            print_result(history, (enum history_kind)part->kind, part->result, file);
        }
        fputc('}', file);
    }
    fputc(']', file);
}

void history_print(const struct history *history, uint32_t operation, FILE *file)
{
    static const char *const outcomes[HISTORY_OUTCOME_COUNT] = {"pending", "ok",
                                                                "failed"};
    assert(operation < history->count);
    const struct history_operation *at = &history->operations[operation];
    fprintf(file, "{\"client\":%" PRIu32 ",\"kind\":\"%s\"", at->client,
            kind_texts[at->kind]);
    if (at->kind == HISTORY_TXN) {
        print_parts(history, at, file);
    } else {
        struct history_part whole = history_whole(at);
        print_text(history, "key", at->key, file);
        print_argument(history, &whole, file);
    }
    fprintf(file, ",\"call\":%" PRIu64, at->call_us);
    if (at->outcome != HISTORY_PENDING) {
        fprintf(file, ",\"return\":%" PRIu64, at->return_us);
    }
    if (at->outcome != HISTORY_OK) {
        fprintf(file, ",\"outcome\":\"%s\"", outcomes[at->outcome]);
    } else {
        print_result(history, (enum history_kind)at->kind, at->result, file);
    }
    fprintf(file, ",\"from\":%" PRIu32, at->call_order);
    if (at->outcome != HISTORY_PENDING) {
        fprintf(file, ",\"to\":%" PRIu32, at->return_order);
    }
    fputc('}', file);
}

void history_write(const struct history *history, FILE *file)
{
    for (uint32_t i = 0; i < history->count; i++) {
        history_print(history, i, file);
        fputc('\n', file);
    }
}

bool history_read(struct history *history, FILE *file, char *error, size_t error_size)
{
    assert(history->count == 0);
    return history_read_lines(history, file, error, error_size);
}
