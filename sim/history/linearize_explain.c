#include "sim/history/linearize_explain.h"

#include "sim/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 60 };

// ---- words ------------------------------------------------------------------------

static void print_bytes(const char *text, size_t size, FILE *file)
{
    for (size_t i = 0; i < size && i < TEXT_BYTES_MAX; i++) {
        unsigned char byte = (unsigned char)text[i];
        fprintf(file, byte < 0x20 || byte >= 0x7f ? "\\x%02x" : "%c", byte);
    }
    if (size > TEXT_BYTES_MAX) {
        fprintf(file, "...(%zu bytes)", size);
    }
}

static void print_key(const struct history *history, uint32_t key, FILE *file)
{
    size_t size;
    const char *text = history_text(history, key, &size);
    print_bytes(text, size, file);
}

static void print_value(const struct history *history, uint32_t value, FILE *file)
{
    if (value == HISTORY_ABSENT) {
        fputs("nothing", file);
        return;
    }
    fputc('"', file);
    print_key(history, value, file);
    fputc('"', file);
}

static void print_argument(const struct history *history,
                           const struct history_part *part, FILE *file)
{
    switch ((enum history_kind)part->kind) {
    case HISTORY_CAS:
        fputc(' ', file);
        print_value(history, part->expected, file);
        fputs(" to ", file);
        print_value(history, (uint32_t)part->argument, file);
        break;
    case HISTORY_WRITE:
    case HISTORY_APPEND:
        fputc(' ', file);
        print_value(history, (uint32_t)part->argument, file);
        break;
    case HISTORY_INCR:
        fprintf(file, " by %" PRId64, part->argument);
        break;
    default:
        break;
    }
}

static void print_result(const struct history *history, const struct history_part *part,
                         FILE *file)
{
    if (part->result == HISTORY_UNTOLD) {
        return;
    }
    fputs(" -> ", file);
    switch ((enum history_kind)part->kind) {
    case HISTORY_READ:
        print_value(history, (uint32_t)part->result, file);
        break;
    case HISTORY_CAS:
        fputs(part->result == 1 ? "done" : "not so", file);
        break;
    case HISTORY_DELETE:
        fputs(part->result == 1 ? "found" : "nothing there", file);
        break;
    case HISTORY_APPEND:
        fprintf(file, "%" PRId64 " bytes", part->result);
        break;
    default:
        fprintf(file, "%" PRId64, part->result);
        break;
    }
}

static void print_part(const struct history *history, const struct history_part *part,
                       FILE *file)
{
    fprintf(file, "%s ", history_kind_text((enum history_kind)part->kind));
    print_key(history, part->key, file);
    print_argument(history, part, file);
    print_result(history, part, file);
}

void linearize_explain_operation(const struct history *history, uint32_t operation,
                                 FILE *file)
{
    const struct history_operation *at = &history->operations[operation];
    if (at->kind != HISTORY_TXN) {
        struct history_part whole = history_whole(at);
        print_part(history, &whole, file);
    }
    for (uint32_t i = 0; i < at->part_count; i++) {
        fputs(i == 0 ? "at once: " : ", ", file);
        print_part(history, &history->parts[at->first_part + i], file);
    }
    if (at->kind == HISTORY_TXN && at->result != HISTORY_UNTOLD) {
        fprintf(file, " -> %" PRId64 " found", at->result);
    }
    if (at->outcome == HISTORY_PENDING) {
        fputs(" (no answer)", file);
    }
}

// ---- when -------------------------------------------------------------------------

// How many calls and returns of the window come before an event.
static uint32_t rank_of(const struct history *history,
                        const struct linearize_result *result, uint32_t order)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < result->window_count; i++) {
        const struct history_operation *at = &history->operations[result->window[i]];
        rank += at->call_order < order;
        rank += at->return_order < order;
    }
    return rank;
}

// The operation as a stretch of time: from its call to its return, each event of the
// window in a column of its own.
static void print_stretch(const struct history *history,
                          const struct linearize_result *result,
                          const struct history_operation *at, FILE *file)
{
    uint32_t from = rank_of(history, result, at->call_order);
    bool ends = at->return_order != HISTORY_NEVER;
    uint32_t to =
        ends ? rank_of(history, result, at->return_order) : result->window_count * 2;
    fprintf(file, "         %*s|", (int)from * 3, "");
    for (uint32_t i = from * 3 + 1; i < to * 3; i++) {
        fputc('-', file);
    }
    fprintf(file, "%c\n", ends ? '|' : '>');
}

static void print_line(const struct history *history,
                       const struct linearize_result *result, uint32_t number,
                       FILE *file)
{
    const struct history_operation *at = &history->operations[number];
    fprintf(file, "  #%-5" PRIu32 " client %-3" PRIu32 " %10" PRIu64 " us to ", number,
            at->client, at->call_us);
    if (at->return_order == HISTORY_NEVER) {
        fprintf(file, "%13s", "?");
    } else {
        fprintf(file, "%10" PRIu64 " us", at->return_us);
    }
    fputs("  ", file);
    linearize_explain_operation(history, number, file);
    fputc('\n', file);
    print_stretch(history, result, at, file);
}

// ---- why --------------------------------------------------------------------------

static bool in_window(const struct linearize_result *result, uint32_t number)
{
    for (uint32_t i = 0; i < result->window_count; i++) {
        if (result->window[i] == number) {
            return true;
        }
    }
    return false;
}

static void print_makers(const struct linearize_result *result, FILE *file)
{
    bool others = false;
    const char *before = "";
    fprintf(file, "Whatever the order, just before #%" PRIu32 " stands what ",
            result->stuck);
    for (uint32_t i = 0; i < result->maker_count; i++) {
        uint32_t maker = result->makers[i];
        if (maker == UINT32_MAX) {
            fprintf(file, "%swas there at the start", before);
        } else if (in_window(result, maker)) {
            fprintf(file, "%s#%" PRIu32 " left", before, maker);
        } else {
            others = true;
            continue;
        }
        before = ", or what ";
    }
    if (others) {
        fprintf(file, "%sone of the others left", before);
    }
    fputs(".\n", file);
}

void linearize_explain(const struct history *history,
                       const struct linearize_result *result, FILE *file)
{
    assert(result->verdict == LINEARIZE_NO);
    fprintf(file, "No order explains %s:\n",
            result->window_size == 1 ? "this operation" : "these operations");
    for (uint32_t i = 0; i < result->window_count; i++) {
        print_line(history, result, result->window[i], file);
    }
    if (result->window_size > result->window_count) {
        fprintf(file, "  and %" PRIu32 " more\n",
                result->window_size - result->window_count);
    }
    if (result->window_size > 1) {
        print_makers(result, file);
        fputs("After none of that can there be: ", file);
    } else {
        fputs("Nothing that was called before it returned can lead to: ", file);
    }
    linearize_explain_operation(history, result->stuck, file);
    fprintf(
        file,
        ".\nThis holds although every other operation that was called before #%" PRIu32
        " returned is\nleft free: it may have happened at any time, or never, "
        "whatever it answered.\n",
        result->stuck);
}

// ---- JSON -------------------------------------------------------------------------

static void add_operation(const struct history *history, uint32_t number,
                          struct buffer *out)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) {
        abort();
    }
    history_print(history, number, file);
    fclose(file);
    // The number goes in front of its other fields.
    buffer_format(out, "{\"number\":%" PRIu32 ",", number);
    buffer_append(out, text + 1, size - 1);
    free(text);
}

void linearize_explain_json(const struct history *history,
                            const struct linearize_result *result, struct buffer *out)
{
    json_number(out, "window_size", result->window_size);
    json_open_array(out, "window");
    for (uint32_t i = 0; i < result->window_count; i++) {
        buffer_format(out, "%s", i > 0 ? "," : "");
        add_operation(history, result->window[i], out);
    }
    json_close_array(out);
    json_number(out, "stuck", result->stuck);
    json_open_array(out, "makers");
    for (uint32_t i = 0; i < result->maker_count; i++) {
        buffer_format(out, "%s", i > 0 ? "," : "");
        if (result->makers[i] == UINT32_MAX) {
            buffer_format(out, "null");
        } else {
            buffer_format(out, "%" PRIu32, result->makers[i]);
        }
    }
    json_close_array(out);
}
