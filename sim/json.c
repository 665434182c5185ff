#include "sim/json.h"

#include <inttypes.h>
#include <string.h>

// A comma, where something stands before in the same object or array.
static void separate(struct buffer *out)
{
    char last = out->size == 0 ? '\0' : out->data[out->size - 1];

    if (last != '\0' && last != '{' && last != '[' && last != ':' && last != '\n')
        buffer_append_text(out, ",");
}

static void quote(struct buffer *out, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    size_t plain = 0;

    buffer_append_text(out, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char c = bytes[i];

        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
            continue;
        buffer_append(out, bytes + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\')
            buffer_format(out, "\\%c", c);
        else if (c == '\n')
            buffer_append_text(out, "\\n");
        else if (c == '\r')
            buffer_append_text(out, "\\r");
        else
            buffer_format(out, "\\u%04x", c);
    }
    if (size > plain)
        buffer_append(out, bytes + plain, size - plain);
    buffer_append_text(out, "\"");
}

void json_open(struct buffer *out)
{
    separate(out);
    buffer_append_text(out, "{");
}

void json_close(struct buffer *out)
{
    buffer_append_text(out, "}");
}

void json_key(struct buffer *out, const char *key)
{
    separate(out);
    quote(out, key, strlen(key));
    buffer_append_text(out, ":");
}

void json_open_array(struct buffer *out, const char *key)
{
    json_key(out, key);
    buffer_append_text(out, "[");
}

void json_close_array(struct buffer *out)
{
    buffer_append_text(out, "]");
}

void json_number(struct buffer *out, const char *key, uint64_t value)
{
    json_key(out, key);
    buffer_format(out, "%" PRIu64, value);
}

void json_bool(struct buffer *out, const char *key, bool value)
{
    json_key(out, key);
    buffer_append_text(out, value ? "true" : "false");
}

void json_hex(struct buffer *out, const char *key, uint64_t value)
{
    json_key(out, key);
    buffer_format(out, "\"%016" PRIx64 "\"", value);
}

void json_string(struct buffer *out, const char *key, const char *value)
{
    json_bytes(out, key, value, strlen(value));
}

void json_bytes(struct buffer *out, const char *key, const void *data, size_t size)
{
    json_key(out, key);
    quote(out, data, size);
}

void json_item(struct buffer *out, const void *data, size_t size)
{
    separate(out);
    quote(out, data, size);
}
