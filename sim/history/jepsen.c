#include "sim/history/jepsen.h"

#include "sim/history/jepsen_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// ---- reading the log --------------------------------------------------------------

enum { PROCESS, TYPE, F, VALUE, ERROR, COLUMNS };

static const char *skip_blanks(const char *at, const char *stop)
{
    while (at < stop && (*at == ' ' || *at == '\t' || *at == '\r')) {
        at++;
    }
    return at;
}

// Behind a word of the line and the blanks after it, or NULL.
static const char *skip_word(const char *at, const char *stop, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(stop - at) < size || memcmp(at, word, size) != 0) {
        return NULL;
    }
    const char *behind = skip_blanks(at + size, stop);
    return behind == at + size ? NULL : behind;
}

// Behind "INFO jepsen.util -", where the line begins so; NULL where it begins otherwise
// than with that or with a process.
static const char *skip_head(const char *at, const char *stop)
{
    static const char *const words[] = {"INFO", "jepsen.util", "-"};
    at = skip_blanks(at, stop);
    if (at == stop || *at != 'I') {
        return at;
    }
    for (int i = 0; i < 3 && at != NULL; i++) {
        at = skip_word(at, stop, words[i]);
    }
    return at;
}

// Reads the columns as the items of one vector.
static bool take_columns(struct edn *edn, char *room, const char *at, const char *stop)
{
    size_t size = (size_t)(stop - at);
    edn_release(edn);
    room[0] = '[';
    memcpy(room + 1, at, size);
    room[size + 1] = ']';
    edn_init(edn, room, size + 2);
    return edn_take(edn) && !edn_more(edn);
}

// Where the first three columns end.
static const char *three_columns(const char *at, const char *stop)
{
    for (int i = 0; i < 3; i++) {
        at = skip_blanks(at, stop);
        while (at < stop && *at != ' ' && *at != '\t' && *at != '\r') {
            at++;
        }
    }
    return at;
}

static bool take_line(struct jepsen_reader *reader, struct edn *edn, char *room,
                      const char *at, const char *stop)
{
    at = skip_head(at, stop);
    if (at == NULL) {
        reader->problem = "a line that is no operation's";
        return false;
    }
    if (at == stop) {
        return true;
    }
    bool whole = take_columns(edn, room, at, stop);
    // What went wrong may be told in any words.
    if (!whole && !take_columns(edn, room, at, three_columns(at, stop))) {
        reader->problem = edn->problem;
        return false;
    }
    const struct edn_node *columns[COLUMNS] = {NULL};
    uint32_t count = edn_items(edn, edn->nodes);
    for (uint32_t i = 0; i < count && i < COLUMNS; i++) {
        columns[i] = edn_item(edn, edn->nodes, i);
    }
    bool failed = columns[TYPE] != NULL && !edn_is(columns[TYPE], ":invoke") &&
                  !edn_is(columns[TYPE], ":ok");
    if (!failed && (!whole || count != VALUE + 1)) {
        reader->problem = "not a process, a type, an operation and a value";
        return false;
    }
    struct jepsen_event event = {.process = columns[PROCESS],
                                 .type = columns[TYPE],
                                 .f = columns[F],
                                 .value = columns[VALUE],
                                 .error = whole ? columns[ERROR] : columns[TYPE],
                                 .now_us = reader->last_us + 1};
    reader->edn = edn;
    return jepsen_read_event(reader, &event);
}

static bool read_log(struct jepsen_reader *reader, const char *text, size_t size,
                     uint64_t *line)
{
    struct edn edn = {0};
    const char *stop = text + size;
    char *room = malloc(size + 2);
    bool good = true;
    if (room == NULL) {
        abort();
    }
    for (*line = 0; good && text < stop;) {
        const char *end = memchr(text, '\n', (size_t)(stop - text));
        end = end == NULL ? stop : end;
        ++*line;
        good = take_line(reader, &edn, room, text, end);
        text = end < stop ? end + 1 : stop;
    }
    edn_release(&edn);
    free(room);
    return good;
}

// ---- reading EDN ------------------------------------------------------------------

static bool take_map(struct jepsen_reader *reader, struct edn *edn)
{
    if (!edn_take(edn)) {
        reader->problem = edn->problem;
        return false;
    }
    if (edn->nodes[0].kind != EDN_MAP) {
        reader->problem = "an event that is no map";
        return false;
    }
    const struct edn_node *time = edn_field(edn, 0, ":time");
    bool timed = time != NULL && time->kind == EDN_INTEGER && time->number >= 0;
    struct jepsen_event event = {.process = edn_field(edn, 0, ":process"),
                                 .type = edn_field(edn, 0, ":type"),
                                 .f = edn_field(edn, 0, ":f"),
                                 .value = edn_field(edn, 0, ":value"),
                                 .error = edn_field(edn, 0, ":error"),
                                 .now_us = timed ? (uint64_t)time->number / 1000
                                                 : reader->last_us + 1};
    if (event.error != NULL && event.error->kind == EDN_NIL) {
        event.error = NULL;
    }
    reader->edn = edn;
    return jepsen_read_event(reader, &event);
}

// Maps, one after another or in a vector or list.
static bool read_edn(struct jepsen_reader *reader, const char *text, size_t size,
                     uint64_t *line)
{
    struct edn edn;
    char close = '\0';
    bool good = true;
    edn_init(&edn, text, size);
    if (edn_more(&edn) && (*edn.at == '[' || *edn.at == '(')) {
        close = *edn.at++ == '[' ? ']' : ')';
    }
    bool more = edn_more(&edn);
    for (; good && more && *edn.at != close; more = edn_more(&edn)) {
        *line = edn.line;
        good = take_map(reader, &edn);
    }
    *line = good ? edn.line : *line;
    if (good && close != '\0') {
        edn.at += more;
        good = more && !edn_more(&edn);
        *line = edn.line;
        reader->problem = "a vector without its end, or something behind it";
    }
    edn_release(&edn);
    return good;
}

bool jepsen_read(struct history *history, enum jepsen_form form,
                 enum jepsen_failed failed, const char *text, size_t size, char *error,
                 size_t error_size)
{
    struct jepsen_reader reader = {.history = history};
    uint64_t line = 0;
    reader.failed_saw = failed == JEPSEN_FAILED_BY_FORM ? form == JEPSEN_LOG
                                                        : failed == JEPSEN_FAILED_SAW;
    bool good = form == JEPSEN_LOG ? read_log(&reader, text, size, &line)
                                   : read_edn(&reader, text, size, &line);
    if (!good) {
        snprintf(error, error_size, "line %" PRIu64 ": %s", line, reader.problem);
    }
    jepsen_read_release(&reader);
    return good;
}
