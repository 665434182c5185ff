#include "sim/history/jepsen_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char register_name[] = "register";

struct jepsen_process {
    uint32_t number;
    uint32_t operation; // that is open
    bool used;
    bool open;
    bool crashed;
};

static bool fail(struct jepsen_reader *reader, const char *problem)
{
    reader->problem = problem;
    return false;
}

static void *grown(void *memory, size_t size)
{
    void *result = realloc(memory, size);
    if (result == NULL) {
        fprintf(stderr, "jepsen: out of memory\n");
        abort();
    }
    return result;
}

void jepsen_read_release(struct jepsen_reader *reader)
{
    free(reader->processes);
    free(reader->written);
    *reader = (struct jepsen_reader){0};
}

// ---- processes --------------------------------------------------------------------

static struct jepsen_process *bucket_of(struct jepsen_process *processes,
                                        uint32_t capacity, uint32_t number)
{
    uint32_t at = (number * 0x9e3779b9u >> 5) & (capacity - 1);
    while (processes[at].used && processes[at].number != number) {
        at = (at + 1) & (capacity - 1);
    }
    return &processes[at];
}

static void grow_processes(struct jepsen_reader *reader)
{
    uint32_t capacity =
        reader->process_capacity == 0 ? 64 : reader->process_capacity * 2;
    struct jepsen_process *processes = grown(NULL, capacity * sizeof(*processes));
    memset(processes, 0, capacity * sizeof(*processes));
    for (uint32_t i = 0; i < reader->process_capacity; i++) {
        if (reader->processes[i].used) {
            *bucket_of(processes, capacity, reader->processes[i].number) =
                reader->processes[i];
        }
    }
    free(reader->processes);
    reader->processes = processes;
    reader->process_capacity = capacity;
}

static struct jepsen_process *process_of(struct jepsen_reader *reader, uint32_t number)
{
    if (reader->process_count * 2 >= reader->process_capacity) {
        grow_processes(reader);
    }
    struct jepsen_process *process =
        bucket_of(reader->processes, reader->process_capacity, number);
    reader->process_count += !process->used;
    process->used = true;
    process->number = number;
    return process;
}

// ---- values -----------------------------------------------------------------------

// The id of a scalar. 7 and "7" would be one text: a history has one of the two.
static bool take_text(struct jepsen_reader *reader, const struct edn_node *node,
                      uint32_t *id)
{
    char digits[24];
    const char *text = node->text;
    size_t size = node->size;
    if (node->kind == EDN_NIL) {
        *id = HISTORY_ABSENT;
        return true;
    }
    if (node->kind == EDN_INTEGER) {
        size = (size_t)snprintf(digits, sizeof(digits), "%" PRId64, node->number);
        text = digits;
    } else if (node->kind != EDN_STRING && node->kind != EDN_KEYWORD) {
        return fail(reader, "a value that is no integer, string or nil");
    }
    *id = history_intern(reader->history, text, size);
    if (*id >= reader->written_capacity) {
        uint32_t capacity = (*id + 1) * 2;
        reader->written = grown(reader->written, capacity);
        memset(reader->written + reader->written_capacity, 0,
               capacity - reader->written_capacity);
        reader->written_capacity = capacity;
    }
    uint8_t *written = &reader->written[*id];
    if (*written != 0 && *written != (uint8_t)node->kind) {
        return fail(reader, "a value that is written in two ways, such as 7 and \"7\"");
    }
    *written = (uint8_t)node->kind;
    return true;
}

static bool take_value(struct jepsen_reader *reader, const struct edn_node *node,
                       int64_t *value)
{
    uint32_t id;
    if (!take_text(reader, node, &id)) {
        return false;
    }
    *value = id;
    return true;
}

static bool is_untold(const struct edn_node *node)
{
    return node->kind == EDN_KEYWORD && edn_is(node, ":unknown");
}

// Items of a vector of `least` to `most`; false where it is none.
static bool take_items(struct jepsen_reader *reader, const struct edn_node *node,
                       uint32_t least, uint32_t most, const struct edn_node **items,
                       uint32_t *count)
{
    if (node == NULL || node->kind != EDN_VECTOR) {
        return fail(reader, "a value that is no vector");
    }
    *count = edn_items(reader->edn, node);
    if (*count < least || *count > most) {
        return fail(reader, "a vector of another length than expected");
    }
    for (uint32_t i = 0; i < *count; i++) {
        items[i] = edn_item(reader->edn, node, i);
    }
    return true;
}

static bool take_flag(struct jepsen_reader *reader, const struct edn_node *node,
                      int64_t *flag)
{
    if (node->kind == EDN_OTHER && (edn_is(node, "true") || edn_is(node, "false"))) {
        *flag = edn_is(node, "true");
        return true;
    }
    return fail(reader, "neither true nor false");
}

static bool take_integer(struct jepsen_reader *reader, const struct edn_node *node,
                         int64_t *number)
{
    *number = node->number;
    return node->kind == EDN_INTEGER ||
           fail(reader, "no integer where one is expected");
}

// ---- one operation on one key -----------------------------------------------------

// An argument, and behind it in a completion what came of it.
static bool take_cas(struct jepsen_reader *reader, const struct edn_node *node,
                     struct history_part *part)
{
    const struct edn_node *items[2];
    uint32_t count;
    return take_items(reader, node, 2, 2, items, &count) &&
           take_text(reader, items[0], &part->expected) &&
           take_value(reader, items[1], &part->argument) &&
           (part->argument != HISTORY_ABSENT || fail(reader, "a cas to nil"));
}

static bool take_argument(struct jepsen_reader *reader, const struct edn_node *node,
                          struct history_part *part)
{
    switch ((enum history_kind)part->kind) {
    case HISTORY_WRITE:
    case HISTORY_APPEND:
        return take_value(reader, node, &part->argument) &&
               (part->argument != HISTORY_ABSENT || fail(reader, "a write of nil"));
    case HISTORY_CAS:
        return take_cas(reader, node, part);
    case HISTORY_INCR:
        return take_integer(reader, node, &part->argument);
    default:
        return true; // asks for nothing but its key
    }
}

static bool take_result(struct jepsen_reader *reader, const struct edn_node *node,
                        struct history_part *part)
{
    switch ((enum history_kind)part->kind) {
    case HISTORY_READ:
        return is_untold(node) || take_value(reader, node, &part->result);
    case HISTORY_CAS:
        return is_untold(node) || take_flag(reader, node, &part->result);
    case HISTORY_DELETE:
        return node->kind == EDN_NIL || take_flag(reader, node, &part->result);
    case HISTORY_APPEND:
    case HISTORY_INCR:
        return take_integer(reader, node, &part->result);
    default:
        return fail(reader, "a result where there is none");
    }
}

// [key argument result]: reads and deletes have one of the last two, a result is told
// by completions alone.
static bool take_keyed(struct jepsen_reader *reader, const struct edn_node **items,
                       uint32_t count, bool done, struct history_part *part)
{
    bool asks = part->kind != HISTORY_READ && part->kind != HISTORY_DELETE;
    part->result = HISTORY_UNTOLD;
    if (count > (asks && done ? 3 : 2)) {
        return fail(reader, "a vector of another length than expected");
    }
    if (!take_text(reader, items[0], &part->key) ||
        (part->key == HISTORY_ABSENT && !fail(reader, "a key that is nil"))) {
        return false;
    }
    if (asks) {
        return take_argument(reader, items[1], part) &&
               (count < 3 || take_result(reader, items[2], part));
    }
    return !done || take_result(reader, items[1], part);
}

// A value as it stands in an event: with its key, or of the one register.
static bool take_single(struct jepsen_reader *reader, const struct edn_node *value,
                        bool done, struct history_part *part)
{
    const struct edn_node *items[3];
    uint32_t count = 0;
    bool vector = value != NULL && value->kind == EDN_VECTOR;
    bool plain = !vector;
    if (vector && !take_items(reader, value, 2, 3, items, &count)) {
        return false;
    }
    if (part->kind == HISTORY_CAS && vector && count == 2) {
        plain = items[1]->kind != EDN_VECTOR;
    }
    if (!plain) {
        return take_keyed(reader, items, count, done, part);
    }
    if ((value == NULL && (done || part->kind != HISTORY_READ)) ||
        part->kind > HISTORY_CAS) {
        return fail(reader, "a value without its key");
    }
    part->key = history_intern(reader->history, register_name, strlen(register_name));
    part->result = HISTORY_UNTOLD;
    if (part->kind == HISTORY_READ) {
        return !done || take_result(reader, value, part);
    }
    return take_argument(reader, value, part);
}

// ---- transactions -----------------------------------------------------------------

static bool take_micro(struct jepsen_reader *reader, const struct edn_node *node,
                       bool done, struct history_part *part)
{
    static const char *const names[] = {":r",      ":w",    ":cas",
                                        ":append", ":incr", ":delete"};
    const struct edn_node *items[4];
    uint32_t count, kind = 0;
    if (!take_items(reader, node, 3, 4, items, &count)) {
        return false;
    }
    while (kind < HISTORY_TXN &&
           (items[0]->kind != EDN_KEYWORD || !edn_is(items[0], names[kind]))) {
        kind++;
    }
    if (kind == HISTORY_TXN) {
        return fail(reader, "an unknown operation in a transaction");
    }
    *part = (struct history_part){.kind = (uint8_t)kind};
    return take_keyed(reader, items + 1, count - 1, done, part);
}

// [[:r key nil] [:w key value]...], in a completion perhaps with [:found number].
static bool take_txn(struct jepsen_reader *reader, const struct edn_node *value,
                     bool done, struct history_part *parts, uint32_t *count,
                     int64_t *found)
{
    if (value == NULL || value->kind != EDN_VECTOR) {
        return fail(reader, "a value that is no vector");
    }
    uint32_t items = edn_items(reader->edn, value);
    const struct edn_node *item = value + 1;
    *found = HISTORY_UNTOLD;
    *count = 0;
    for (uint32_t i = 0; i < items; i++, item = &reader->edn->nodes[item->end]) {
        const struct edn_node *pair[2];
        uint32_t two;
        bool last = done && i > 0 && i + 1 == items && item->kind == EDN_VECTOR &&
                    edn_items(reader->edn, item) == 2;
        if (last) {
            return take_items(reader, item, 2, 2, pair, &two) &&
                   (edn_is(pair[0], ":found") ||
                    fail(reader, "an unknown operation in a transaction")) &&
                   take_integer(reader, pair[1], found);
        }
        if (*count == HISTORY_PARTS_MAX) {
            return fail(reader, "a transaction of too many operations");
        }
        if (!take_micro(reader, item, done, &parts[(*count)++])) {
            return false;
        }
    }
    return *count > 0 || fail(reader, "a transaction of nothing");
}

// ---- events -----------------------------------------------------------------------

static bool take_kind(struct jepsen_reader *reader, const struct edn_node *f,
                      enum history_kind *kind)
{
    for (int i = 0; i < HISTORY_KIND_COUNT; i++) {
        *kind = (enum history_kind)i;
        if (f != NULL && f->kind == EDN_KEYWORD && f->size > 1 &&
            strlen(history_kind_text(*kind)) == f->size - 1 &&
            memcmp(history_kind_text(*kind), f->text + 1, f->size - 1) == 0) {
            return true;
        }
    }
    return fail(reader, "an unknown :f");
}

static bool invoke(struct jepsen_reader *reader, struct jepsen_process *process,
                   const struct jepsen_event *event, enum history_kind kind)
{
    struct history_part parts[HISTORY_PARTS_MAX];
    uint32_t count;
    int64_t found;
    if (process->crashed || process->open) {
        return fail(reader, process->crashed
                                ? "a process that has crashed cannot go on"
                                : "a process that has an operation open already");
    }
    if (kind == HISTORY_TXN) {
        if (!take_txn(reader, event->value, false, parts, &count, &found)) {
            return false;
        }
        process->operation = history_call_txn(reader->history, process->number, parts,
                                              count, reader->last_us);
    } else {
        parts[0] = (struct history_part){.kind = (uint8_t)kind};
        if (!take_single(reader, event->value, false, &parts[0])) {
            return false;
        }
        struct history_operation asked = {.client = process->number,
                                          .kind = (uint8_t)kind,
                                          .key = parts[0].key,
                                          .argument = parts[0].argument,
                                          .expected = parts[0].expected};
        process->operation = history_call(reader->history, &asked, reader->last_us);
    }
    process->open = true;
    return true;
}

static bool same_part(const struct history_part *asked, const struct history_part *done)
{
    return asked->kind == done->kind && asked->key == done->key &&
           asked->argument == done->argument && asked->expected == done->expected;
}

static bool finish_single(struct jepsen_reader *reader,
                          const struct jepsen_process *process,
                          const struct jepsen_event *event)
{
    const struct history_operation *operation =
        &reader->history->operations[process->operation];
    struct history_part asked = history_whole(operation);
    struct history_part done = {.kind = operation->kind};
    if (!take_single(reader, event->value, true, &done)) {
        return false;
    }
    if (!same_part(&asked, &done)) {
        return fail(reader, "an answer to another operation than was invoked");
    }
    // A cas that is :ok was done, unless it says something else.
    bool silent =
        event->value->kind == EDN_VECTOR && edn_items(reader->edn, event->value) == 2;
    if (done.kind == HISTORY_CAS && silent) {
        done.result = 1;
    }
    history_return(reader->history, process->operation, HISTORY_OK, done.result,
                   reader->last_us);
    return true;
}

static bool finish_txn(struct jepsen_reader *reader,
                       const struct jepsen_process *process,
                       const struct jepsen_event *event)
{
    struct history_part parts[HISTORY_PARTS_MAX];
    const struct history_operation *operation =
        &reader->history->operations[process->operation];
    uint32_t count;
    int64_t found;
    if (!take_txn(reader, event->value, true, parts, &count, &found)) {
        return false;
    }
    bool same = count == operation->part_count;
    for (uint32_t i = 0; i < count && same; i++) {
        same = same_part(&reader->history->parts[operation->first_part + i], &parts[i]);
        history_tell(reader->history, process->operation, i, parts[i].result);
    }
    if (!same) {
        return fail(reader, "an answer to another operation than was invoked");
    }
    history_return(reader->history, process->operation, HISTORY_OK, found,
                   reader->last_us);
    return true;
}

static void finish_failed(struct jepsen_reader *reader,
                          const struct jepsen_process *process,
                          const struct jepsen_event *event, enum history_kind kind)
{
    // Without an error its value says what was asked; a word there says what went
    // wrong.
    bool asked = event->value != NULL && event->value->kind == EDN_VECTOR;
    bool saw = kind == HISTORY_CAS &&
               (event->error == NULL ? asked && reader->failed_saw
                                     : edn_is(event->error, ":mismatch"));
    bool untold =
        kind == HISTORY_READ && event->error != NULL && edn_is(event->error, ":untold");
    history_return(reader->history, process->operation,
                   saw || untold ? HISTORY_OK : HISTORY_FAILED,
                   saw ? 0 : HISTORY_UNTOLD, reader->last_us);
}

static bool complete(struct jepsen_reader *reader, struct jepsen_process *process,
                     const struct jepsen_event *event, enum history_kind kind)
{
    if (!process->open) {
        return fail(reader, "a completion of what was not invoked");
    }
    if (reader->history->operations[process->operation].kind != kind) {
        return fail(reader, "an answer to another operation than was invoked");
    }
    bool good = true;
    if (edn_is(event->type, ":fail")) {
        finish_failed(reader, process, event, kind);
    } else if (edn_is(event->type, ":info")) {
        process->crashed = true;
    } else if (kind == HISTORY_TXN) {
        good = finish_txn(reader, process, event);
    } else {
        good = finish_single(reader, process, event);
    }
    process->open = false;
    return good;
}

static bool is_type(const struct edn_node *type)
{
    static const char *const names[] = {":invoke", ":ok", ":fail", ":info"};
    for (int i = 0; type != NULL && i < 4; i++) {
        if (edn_is(type, names[i])) {
            return true;
        }
    }
    return false;
}

bool jepsen_read_event(struct jepsen_reader *reader, const struct jepsen_event *event)
{
    const struct edn_node *process = event->process;
    enum history_kind kind;
    if (process != NULL && process->kind == EDN_KEYWORD &&
        edn_is(process, ":nemesis")) {
        return true; // what it does is no client's operation
    }
    if (process == NULL || process->kind != EDN_INTEGER || process->number < 0 ||
        process->number >= UINT32_MAX) {
        return fail(reader, "a :process that is no number");
    }
    if (!is_type(event->type)) {
        return fail(reader, "an unknown :type");
    }
    if (!take_kind(reader, event->f, &kind)) {
        return false;
    }
    if (event->now_us > reader->last_us) {
        reader->last_us = event->now_us;
    }
    struct jepsen_process *known = process_of(reader, (uint32_t)process->number);
    if (edn_is(event->type, ":invoke")) {
        return invoke(reader, known, event, kind);
    }
    return complete(reader, known, event, kind);
}
