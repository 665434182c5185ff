#include "kvserver/resp_parser.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void resp_parser_init(struct resp_parser *parser, uint32_t bulk_bytes_max,
                      uint64_t request_bytes_max)
{
    memset(parser, 0, sizeof *parser);
    parser->bulk_bytes_max = bulk_bytes_max;
    parser->request_bytes_max = request_bytes_max;
    parser->words_left = -1;
    parser->word_size = -1;
}

void resp_parser_release(struct resp_parser *parser)
{
    free(parser->words);
    buffer_free(&parser->text);
}

static enum resp_result bad(struct resp_parser *parser, const char *problem)
{
    snprintf(parser->error, sizeof parser->error, "Protocol error: %s", problem);
    return RESP_BAD;
}

static void begin(struct resp_parser *parser)
{
    enum { KEPT = 64 }; // words that an idle connection may hold on to

    parser->at = 0;
    parser->count = 0;
    parser->words_left = -1;
    parser->word_size = -1;
    if (parser->capacity > KEPT) {
        free(parser->words);
        parser->words = NULL;
        parser->capacity = 0;
    }
}

// Notes a word that begins `offset` bytes into the request, or into `text`.
static void word_add(struct resp_parser *parser, size_t offset, size_t size)
{
    if (parser->count == parser->capacity) {
        parser->capacity = parser->capacity == 0 ? 8 : parser->capacity * 2;
        parser->words =
            realloc(parser->words, parser->capacity * sizeof *parser->words);
        if (parser->words == NULL)
            abort();
    }
    parser->words[parser->count++] =
        (struct bytes){.data = (const void *)(uintptr_t)offset, .size = size};
}

static enum resp_result done(struct resp_parser *parser, const char *base, size_t *used)
{
    for (uint32_t i = 0; i < parser->count; i++)
        parser->words[i].data = base + (uintptr_t)parser->words[i].data;
    *used = parser->at;
    return RESP_REQUEST;
}

// ---- arrays ---------------------------------------------------------------------

// The number from `text` to `end`, spelled in the one way that there is for it.
static bool number_read(const char *text, const char *end, int64_t *value)
{
    bool negative = text < end && *text == '-';
    uint64_t sum = 0;

    text += negative;
    if (text == end || end - text > 18 ||
        (*text == '0' && (end - text > 1 || negative)))
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        sum = sum * 10 + (uint64_t)(*text - '0');
    }
    *value = negative ? -(int64_t)sum : (int64_t)sum;
    return true;
}

// Finds the number of a line such as "*3\r\n" or "$5\r\n" at parser->at and steps over
// it. *found is false where the line is not complete; `*ok` whether it is a number.
static bool head_read(struct resp_parser *parser, const char *data, size_t size,
                      int64_t *value, bool *ok)
{
    const char *line = data + parser->at;
    const char *end = memchr(line, '\r', size - parser->at);

    // The byte behind '\r' is waited for, but, as in Redis, not looked at.
    if (end == NULL || end + 1 >= data + size)
        return false;
    *ok = number_read(line + 1, end, value);
    parser->at = (size_t)(end + 2 - data);
    return true;
}

static enum resp_result array_begin(struct resp_parser *parser, const char *data,
                                    size_t size)
{
    int64_t count;
    bool ok;

    if (!head_read(parser, data, size, &count, &ok))
        return size - parser->at > RESP_LINE_MAX ? bad(parser, "too big mbulk count "
                                                               "string")
                                                 : RESP_MORE;
    if (!ok || count > INT_MAX)
        return bad(parser, "invalid multibulk length");
    parser->words_left = count > 0 ? count : 0;
    return RESP_REQUEST;
}

static enum resp_result bulk_begin(struct resp_parser *parser, const char *data,
                                   size_t size)
{
    char problem[32];
    char first = data[parser->at];
    bool ok;

    if (first != '$') {
        // A stray byte must not end the line of the reply.
        if (first == '\r' || first == '\n')
            first = ' ';
        snprintf(problem, sizeof problem, "expected '$', got '%c'", first);
        return bad(parser, problem);
    }
    if (!head_read(parser, data, size, &parser->word_size, &ok))
        return size - parser->at > RESP_LINE_MAX ? bad(parser, "too big bulk count "
                                                               "string")
                                                 : RESP_MORE;
    if (!ok || parser->word_size < 0 || parser->word_size > parser->bulk_bytes_max)
        return bad(parser, "invalid bulk length");
    if (parser->at + (uint64_t)parser->word_size > parser->request_bytes_max ||
        parser->count == RESP_WORDS_MAX)
        return bad(parser, "too big request");
    return RESP_REQUEST;
}

static enum resp_result array_read(struct resp_parser *parser, const char *data,
                                   size_t size, size_t *used)
{
    if (parser->words_left < 0) {
        enum resp_result result = array_begin(parser, data, size);

        if (result != RESP_REQUEST)
            return result;
    }
    while (parser->words_left > 0) {
        if (parser->word_size < 0) {
            enum resp_result result;

            if (parser->at == size)
                return RESP_MORE;
            result = bulk_begin(parser, data, size);
            if (result != RESP_REQUEST) {
                parser->word_size = -1;
                return result;
            }
        }
        if (size - parser->at < (size_t)parser->word_size + 2)
            return RESP_MORE;
        word_add(parser, parser->at, (size_t)parser->word_size);
        parser->at += (size_t)parser->word_size + 2;
        parser->word_size = -1;
        parser->words_left--;
    }
    return done(parser, data, used);
}

// ---- inline lines ---------------------------------------------------------------

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// What stands behind a backslash within double quotes; returns where it ends.
static const char *escape_read(struct buffer *text, const char *at, const char *end)
{
    static const char names[] = "nrtba", values[] = "\n\r\t\b\a";
    const char *name;
    char byte;

    if (*at == 'x' && end - at > 2 && hex(at[1]) >= 0 && hex(at[2]) >= 0) {
        byte = (char)(hex(at[1]) * 16 + hex(at[2]));
        buffer_append(text, &byte, 1);
        return at + 3;
    }
    name = memchr(names, *at, sizeof names - 1);
    byte = name != NULL ? values[name - names] : *at;
    buffer_append(text, &byte, 1);
    return at + 1;
}

// A quoted part from behind its opening quote to behind its closing one, which must be
// followed by a blank or the end. NULL where it is not.
static const char *quoted_read(struct buffer *text, const char *at, const char *end)
{
    char quote = at[-1];

    while (at < end && *at != quote) {
        bool escaped = *at == '\\' && at + 1 < end;

        if (escaped && quote == '"') {
            at = escape_read(text, at + 1, end);
        } else {
            at += escaped && at[1] == '\''; // the only escape within single quotes
            buffer_append(text, at++, 1);
        }
    }
    if (at == end || (at + 1 < end && !strchr(" \t\r\n\v\f", at[1])))
        return NULL;
    return at + 1;
}

static bool words_split(struct resp_parser *parser, const char *at, const char *end)
{
    buffer_clear(&parser->text);
    for (;;) {
        size_t start = parser->text.size;

        while (at < end && strchr(" \t\r\n\v\f", *at) != NULL)
            at++;
        if (at == end)
            return true;
        while (at < end && strchr(" \t\r\n\v\f", *at) == NULL) {
            if (*at == '"' || *at == '\'') {
                at = quoted_read(&parser->text, at + 1, end);
                if (at == NULL)
                    return false;
                break;
            }
            buffer_append(&parser->text, at++, 1);
        }
        word_add(parser, start, parser->text.size - start);
    }
}

static enum resp_result inline_read(struct resp_parser *parser, const char *data,
                                    size_t size, size_t *used)
{
    const char *end = memchr(data, '\n', size);
    size_t length;

    // A line with a NUL never ends: Redis looks for the line's end with strchr().
    if (end == NULL || memchr(data, '\0', (size_t)(end - data)) != NULL)
        return size > RESP_LINE_MAX ? bad(parser, "too big inline request") : RESP_MORE;
    length = (size_t)(end - data);
    parser->at = length + 1;
    if (length > 0 && data[length - 1] == '\r')
        length--;
    if (!words_split(parser, data, data + length))
        return bad(parser, "unbalanced quotes in request");
    return done(parser, parser->text.data != NULL ? parser->text.data : "", used);
}

enum resp_result resp_parser_next(struct resp_parser *parser, const char *data,
                                  size_t size, size_t *used)
{
    enum resp_result result;

    if (size == 0)
        return RESP_MORE;
    if (parser->at == 0)
        begin(parser);
    if (data[0] == '*')
        result = array_read(parser, data, size, used);
    else
        result = inline_read(parser, data, size, used);
    if (result == RESP_REQUEST)
        parser->at = 0;
    return result;
}
