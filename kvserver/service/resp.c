// resp.c: RESP2 replies; see resp.h.
#include "kvserver/service/resp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kvserver/service/number.h"

static void line_end(struct buffer *out)
{
    buffer_append(out, "\r\n", 2);
}

static void head(struct buffer *out, char type, int64_t value)
{
    char text[NUMBER_TEXT_MAX + 3];
    text[0] = type;
    size_t size = 1 + number_write(text + 1, value);
    text[size] = '\r';
    text[size + 1] = '\n';
    buffer_append(out, text, size + 2);
}

void resp_simple(struct buffer *out, const char *text)
{
    buffer_append(out, "+", 1);
    buffer_append_text(out, text);
    line_end(out);
}

// An error is one line whatever a client put into the words that it quotes.
static void one_line(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\r' || text[i] == '\n')
            text[i] = ' ';
}

void resp_error(struct buffer *out, const char *text)
{
    buffer_append(out, "-", 1);
    size_t start = out->size;
    buffer_append_text(out, text);
    one_line(out->data + start, out->size - start);
    line_end(out);
}

void resp_error_format(struct buffer *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    resp_error(out, text);
}

void resp_integer(struct buffer *out, int64_t value)
{
    head(out, ':', value);
}

void resp_bulk(struct buffer *out, struct bytes text)
{
    head(out, '$', (int64_t)text.size);
    buffer_append(out, text.data, text.size);
    line_end(out);
}

void resp_bulk_text(struct buffer *out, const char *text)
{
    resp_bulk(out, (struct bytes){text, strlen(text)});
}

void resp_null(struct buffer *out)
{
    buffer_append_text(out, "$-1\r\n");
}

void resp_array(struct buffer *out, uint64_t count)
{
    head(out, '*', (int64_t)count);
}

void resp_null_array(struct buffer *out)
{
    buffer_append_text(out, "*-1\r\n");
}

// ---- reading --------------------------------------------------------------------

// The text of the line after its type byte. As resp_item_read.
static int read_line(const char *data, size_t size, struct bytes *line)
{
    const char *end = size == 0 ? NULL : memchr(data, '\r', size);
    if (end == NULL || (size_t)(end - data) + 1 == size)
        return 0;
    if (end[1] != '\n')
        return -1;
    *line = (struct bytes){data + 1, (size_t)(end - data) - 1};
    return 1;
}

static int read_bulk(const char *data, size_t size, struct resp_item *item)
{
    if (item->integer == -1) {
        item->type = RESP_NULL;
        return 1;
    }
    if (item->integer < 0)
        return -1;
    uint64_t length = (uint64_t)item->integer;
    if (size - item->size < 2 || size - item->size - 2 < length)
        return 0;
    item->text = (struct bytes){data + item->size, length};
    item->size += length + 2;
    return memcmp(data + item->size - 2, "\r\n", 2) == 0 ? 1 : -1;
}

int resp_item_read(const void *data, size_t size, struct resp_item *item)
{
    *item = (struct resp_item){0};
    const char *bytes = data;
    if (size == 0)
        return 0;
    if (memchr("+-:$*", bytes[0], 5) == NULL)
        return -1;
    struct bytes line;
    int status = read_line(bytes, size, &line);
    if (status != 1)
        return status;
    item->type = (enum resp_type)bytes[0];
    item->size = line.size + 3;
    if (item->type == RESP_SIMPLE || item->type == RESP_ERROR) {
        item->text = line;
        return 1;
    }
    if (!number_parse(line, &item->integer))
        return -1;
    if (item->type == RESP_BULK)
        return read_bulk(bytes, size, item);
    if (item->type == RESP_ARRAY && item->integer < 0) {
        item->type = RESP_NULL;
        return item->integer == -1 ? 1 : -1;
    }
    return 1;
}

int64_t resp_reply_size(const void *data, size_t size)
{
    size_t at = 0;
    uint64_t missing = 1;
    while (missing > 0) {
        struct resp_item item;
        int status = resp_item_read((const char *)data + at, size - at, &item);
        if (status != 1)
            return status;
        at += item.size;
        missing--;
        if (item.type == RESP_ARRAY && (uint64_t)item.integer > INT64_MAX - missing)
            return -1;
        if (item.type == RESP_ARRAY)
            missing += (uint64_t)item.integer;
    }
    return (int64_t)at;
}
