#include "sim/history/jepsen_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char register_name[] = "register";

enum { CLIENTS_MAX = 1000000 };

enum stage {
    INVOKE,
    OK,
    FAIL,
    INFO,
};

struct writer {
    const struct history *history;
    FILE *file;
    enum jepsen_form form;
    uint32_t index; // of the next event
    uint64_t last_us;
    // A client whose operation stays pending goes on as another process: its number,
    // and so many more.
    uint32_t client_count;
    uint32_t *processes; // by client
    uint32_t *open;      // by client: 1 + the operation
    uint32_t *callers;   // by operation: the process that called it
};

// ---- values -----------------------------------------------------------------------

static bool is_integer(const char *text, size_t size)
{
    char digits[24];
    char *end;
    if (size == 0 || size >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text, size);
    digits[size] = '\0';
    long long number = strtoll(digits, &end, 10);
    char again[24];
    snprintf(again, sizeof(again), "%lld", number);
    return strcmp(digits, again) == 0 && number != INT64_MIN;
}

static void write_text(struct writer *writer, uint32_t id)
{
    size_t size;
    if (id == HISTORY_ABSENT) {
        fputs("nil", writer->file);
        return;
    }
    const char *text = history_text(writer->history, id, &size);
    if (is_integer(text, size)) {
        fwrite(text, 1, size, writer->file);
        return;
    }
    fputc('"', writer->file);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\') {
            fprintf(writer->file, "\\%c", byte);
        } else {
            fprintf(writer->file, byte < 0x20 || byte >= 0x7f ? "\\u%04x" : "%c", byte);
        }
    }
    fputc('"', writer->file);
}

static void write_argument(struct writer *writer, const struct history_part *part)
{
    switch ((enum history_kind)part->kind) {
    case HISTORY_CAS:
        fputc('[', writer->file);
        write_text(writer, part->expected);
        fputc(' ', writer->file);
        write_text(writer, (uint32_t)part->argument);
        fputc(']', writer->file);
        break;
    case HISTORY_WRITE:
    case HISTORY_APPEND:
        write_text(writer, (uint32_t)part->argument);
        break;
    case HISTORY_INCR:
        fprintf(writer->file, "%" PRId64, part->argument);
        break;
    default:
        fputs("nil", writer->file);
        break;
    }
}

static void write_result(struct writer *writer, const struct history_part *part)
{
    bool told = part->result != HISTORY_UNTOLD;
    switch ((enum history_kind)part->kind) {
    case HISTORY_READ:
        if (told) {
            write_text(writer, (uint32_t)part->result);
        } else {
            fputs(":unknown", writer->file);
        }
        break;
    case HISTORY_CAS:
        fputs(!told ? ":unknown" : part->result == 0 ? "false" : "true", writer->file);
        break;
    case HISTORY_DELETE:
        fputs(!told ? "nil" : part->result == 0 ? "false" : "true", writer->file);
        break;
    default:
        fprintf(writer->file, "%" PRId64, part->result);
        break;
    }
}

// key argument result, as far as there is each of them.
static void write_keyed(struct writer *writer, const struct history_part *part,
                        bool done, bool in_txn)
{
    bool asks = part->kind != HISTORY_READ && part->kind != HISTORY_DELETE;
    bool told = part->result != HISTORY_UNTOLD;
    write_text(writer, part->key);
    fputc(' ', writer->file);
    if (asks || !done) {
        write_argument(writer, part);
    }
    if (part->kind == HISTORY_CAS) {
        // Alone, :ok says that it was done; in a transaction only the flag does.
        told = in_txn || part->result != 1;
    }
    if (done && (!asks || (told && part->kind != HISTORY_WRITE))) {
        fputs(asks ? " " : "", writer->file);
        write_result(writer, part);
    }
}

static void write_txn(struct writer *writer, const struct history_operation *operation,
                      bool done)
{
    static const char *const names[] = {":r",      ":w",    ":cas",
                                        ":append", ":incr", ":delete"};
    for (uint32_t i = 0; i < operation->part_count; i++) {
        const struct history_part *part =
            &writer->history->parts[operation->first_part + i];
        fprintf(writer->file, "%s[%s ", i > 0 ? " " : "", names[part->kind]);
        write_keyed(writer, part, done, true);
        fputc(']', writer->file);
    }
    if (done && operation->result != HISTORY_UNTOLD) {
        fprintf(writer->file, " [:found %" PRId64 "]", operation->result);
    }
}

static void write_value(struct writer *writer,
                        const struct history_operation *operation, bool done)
{
    struct history_part whole = history_whole(operation);
    size_t size = 0;
    const char *key = "";
    if (operation->kind != HISTORY_TXN) {
        key = history_text(writer->history, operation->key, &size);
    }
    bool named = size == strlen(register_name) && memcmp(key, register_name, size) == 0;
    bool cas_told = whole.kind == HISTORY_CAS && done && whole.result == HISTORY_UNTOLD;
    if (named && whole.kind <= HISTORY_CAS && !cas_told) {
        if (done && whole.kind == HISTORY_READ) {
            write_result(writer, &whole);
        } else {
            write_argument(writer, &whole);
        }
        return;
    }
    fputc('[', writer->file);
    if (operation->kind == HISTORY_TXN) {
        write_txn(writer, operation, done);
    } else {
        write_keyed(writer, &whole, done, false);
    }
    fputc(']', writer->file);
}

// ---- events -----------------------------------------------------------------------

static bool is_untold_read(const struct history_operation *operation)
{
    return operation->kind == HISTORY_READ && operation->result == HISTORY_UNTOLD;
}

// Why a cas or another operation failed; the log's form of a cas that saw another value
// has no word for it. A read whose answer nobody knows says as much as one that failed,
// and no judge takes a word in the place of its answer for a value then.
static const char *reason(const struct writer *writer,
                          const struct history_operation *operation)
{
    if (operation->outcome == HISTORY_FAILED) {
        return ":refused";
    }
    if (operation->kind == HISTORY_READ) {
        return ":untold";
    }
    return writer->form == JEPSEN_EDN ? ":mismatch" : NULL;
}

static void write_event(struct writer *writer, uint32_t number, enum stage stage,
                        uint64_t now_us)
{
    const struct history_operation *operation = &writer->history->operations[number];
    static const char *const names[] = {":invoke", ":ok", ":fail", ":info"};
    const char *why = stage == FAIL ? reason(writer, operation) : NULL;
    bool log = writer->form == JEPSEN_LOG;
    FILE *file = writer->file;
    writer->last_us = now_us;
    fprintf(file, log ? "INFO  jepsen.util - " : "{:index %" PRIu32 ", ",
            writer->index++);
    if (!log) {
        fprintf(file, ":time %" PRIu64 ", :process ", now_us * 1000);
    }
    fprintf(file,
            log ? "%" PRIu32 "\t%s\t:%s\t" : "%" PRIu32 ", :type %s, :f :%s, :value ",
            writer->callers[number], names[stage],
            history_kind_text((enum history_kind)operation->kind));
    if (log && why != NULL && operation->kind == HISTORY_READ &&
        operation->outcome == HISTORY_FAILED) {
        fputs(":timed-out", file); // porcupine knows no other failed read
        why = NULL;
    } else {
        write_value(writer, operation, stage == OK);
    }
    if (why != NULL) {
        fprintf(file, log ? "\t%s" : ", :error %s", why);
    }
    fputs(log ? "\n" : "}\n", file);
}

// False where the client has an operation open that is going to return. Where it stays
// pending, another process goes on.
static bool write_call(struct writer *writer, uint32_t number)
{
    const struct history *history = writer->history;
    const struct history_operation *operation = &history->operations[number];
    uint32_t *open = &writer->open[operation->client];
    if (*open != 0) {
        if (history->operations[*open - 1].outcome != HISTORY_PENDING) {
            return false;
        }
        writer->processes[operation->client] += writer->client_count;
    }
    *open = number + 1;
    writer->callers[number] = writer->processes[operation->client];
    write_event(writer, number, INVOKE, operation->call_us);
    return true;
}

static void write_return(struct writer *writer, uint32_t number)
{
    const struct history_operation *operation = &writer->history->operations[number];
    bool failed = operation->outcome == HISTORY_FAILED ||
                  (operation->kind == HISTORY_CAS && operation->result == 0) ||
                  is_untold_read(operation);
    writer->open[operation->client] = 0;
    write_event(writer, number, failed ? FAIL : OK, operation->return_us);
}

static uint32_t *zeroes(size_t count)
{
    uint32_t *memory = calloc(count + 1, sizeof(*memory));
    if (memory == NULL) {
        fprintf(stderr, "jepsen: out of memory\n");
        abort();
    }
    return memory;
}

// All calls and returns in their order: 2 * operation + 1, one more for a return.
static uint32_t *order_events(const struct history *history)
{
    uint32_t *events = zeroes(history->order);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_operation *operation = &history->operations[i];
        events[operation->call_order] = 2 * i + 1;
        if (operation->outcome != HISTORY_PENDING) {
            events[operation->return_order] = 2 * i + 2;
        }
    }
    return events;
}

static bool write_all(struct writer *writer, char *error, size_t error_size)
{
    const struct history *history = writer->history;
    uint32_t *events = order_events(history);
    bool good = true;
    for (uint32_t i = 0; i < history->order && good; i++) {
        if (events[i] != 0 && events[i] % 2 == 0) {
            write_return(writer, events[i] / 2 - 1);
        } else if (events[i] != 0 && !write_call(writer, events[i] / 2)) {
            const struct history_operation *at = &history->operations[events[i] / 2];
            snprintf(error, error_size,
                     "client %" PRIu32 " has two operations open at once", at->client);
            good = false;
        }
    }
    free(events);
    // What stays pending ends last: until then it may still happen.
    for (uint32_t i = 0; i < history->count && good; i++) {
        if (history->operations[i].outcome == HISTORY_PENDING) {
            write_event(writer, i, INFO, writer->last_us);
        }
    }
    return good;
}

bool jepsen_write(const struct history *history, enum jepsen_form form, FILE *file,
                  char *error, size_t error_size)
{
    struct writer writer = {.history = history, .form = form, .file = file};
    for (uint32_t i = 0; i < history->count; i++) {
        uint32_t client = history->operations[i].client;
        writer.client_count =
            client >= writer.client_count ? client + 1 : writer.client_count;
    }
    if (writer.client_count > CLIENTS_MAX) {
        snprintf(error, error_size, "a client's number is above a million");
        return false;
    }
    writer.callers = zeroes(history->count);
    writer.processes = zeroes(writer.client_count);
    writer.open = zeroes(writer.client_count);
    for (uint32_t i = 0; i < writer.client_count; i++) {
        writer.processes[i] = i;
    }
    bool good = write_all(&writer, error, error_size);
    free(writer.processes);
    free(writer.open);
    free(writer.callers);
    return good;
}
