// entry.c: a log entry's bytes; see entry.h.
#include "kvserver/service/entry.h"

#include <assert.h>
#include <string.h>

#include "kvserver/service/number.h"
#include "kvserver/service/resp.h"

static void append_number(struct buffer *out, uint64_t value)
{
    char text[NUMBER_TEXT_MAX];
    buffer_append(out, text, number_write_unsigned(text, value));
}

void entry_encode(struct buffer *out, const struct entry *entry,
                  const struct bytes *words)
{
    assert(entry->time_ms <= INT64_MAX);
    assert(entry->session == 0 || (entry->sequence > 0 && entry->count > 0));
    buffer_append(out, "@", 1);
    append_number(out, entry->time_ms);
    if (entry->session != 0) {
        buffer_append(out, " ", 1);
        append_number(out, entry->session);
        buffer_append(out, ".", 1);
        append_number(out, entry->sequence);
    }
    buffer_append(out, "\r\n", 2);
    if (entry->count == 0)
        return;
    resp_array(out, entry->count);
    for (uint32_t i = 0; i < entry->count; i++)
        resp_bulk(out, words[i]);
}

struct reader {
    const char *at;
    const char *end;
};

// The digits up to `stop`, which is passed over.
static bool read_number(struct reader *reader, char stop, uint64_t *value)
{
    size_t left = (size_t)(reader->end - reader->at);
    size_t most = left < NUMBER_TEXT_MAX ? left : NUMBER_TEXT_MAX;
    const char *found = most == 0 ? NULL : memchr(reader->at, stop, most);
    if (found == NULL)
        return false;
    struct bytes digits = {reader->at, (size_t)(found - reader->at)};
    reader->at = found + 1;
    return number_parse_unsigned(digits, value);
}

static bool read_byte(struct reader *reader, char expected)
{
    if (reader->at == reader->end || *reader->at != expected)
        return false;
    reader->at++;
    return true;
}

static bool read_head(struct reader *reader, struct entry *entry)
{
    const char *line_end = memchr(reader->at, '\r', (size_t)(reader->end - reader->at));
    if (line_end == NULL || !read_byte(reader, '@'))
        return false;
    bool has_session = memchr(reader->at, ' ', (size_t)(line_end - reader->at)) != NULL;
    if (!read_number(reader, has_session ? ' ' : '\r', &entry->time_ms))
        return false;
    if (has_session && (!read_number(reader, '.', &entry->session) ||
                        !read_number(reader, '\r', &entry->sequence) ||
                        entry->session == 0 || entry->sequence == 0))
        return false;
    return read_byte(reader, '\n') && entry->time_ms <= INT64_MAX;
}

static bool read_word(struct reader *reader, struct buffer *words)
{
    uint64_t size;
    if (!read_byte(reader, '$') || !read_number(reader, '\r', &size) ||
        !read_byte(reader, '\n') || size > (uint64_t)(reader->end - reader->at))
        return false;
    struct bytes word = {reader->at, size};
    reader->at += size;
    buffer_append(words, &word, sizeof(word));
    return read_byte(reader, '\r') && read_byte(reader, '\n');
}

bool entry_decode(const void *data, size_t size, struct entry *entry,
                  struct buffer *words)
{
    *entry = (struct entry){0};
    buffer_clear(words);
    if (size == 0)
        return false;
    struct reader reader = {data, (const char *)data + size};
    if (!read_head(&reader, entry))
        return false;
    if (reader.at == reader.end)
        return entry->session == 0;
    uint64_t count;
    if (!read_byte(&reader, '*') || !read_number(&reader, '\r', &count) ||
        !read_byte(&reader, '\n') || count == 0 || count > UINT32_MAX)
        return false;
    entry->count = (uint32_t)count;
    for (uint32_t i = 0; i < entry->count; i++)
        if (!read_word(&reader, words))
            return false;
    return reader.at == reader.end;
}
