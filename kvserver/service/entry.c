// entry.c: a log entry's bytes; see entry.h.
#include "kvserver/service/entry.h"

#include <assert.h>
#include "kvserver/service/number.h"

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
    buffer_append(out, " *", 2);
    append_number(out, entry->count);
    for (uint32_t i = 0; i < entry->count; i++) {
        buffer_append(out, " ", 1);
        append_number(out, words[i].size);
        buffer_append(out, ":", 1);
        buffer_append(out, words[i].data, words[i].size);
    }
}

struct reader {
    const char *at;
    const char *end;
};

static bool read_byte(struct reader *reader, char expected)
{
    if (reader->at == reader->end || *reader->at != expected)
        return false;
    reader->at++;
    return true;
}

static bool read_number(struct reader *reader, uint64_t *value)
{
    const char *begin = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    struct bytes digits = {begin, (size_t)(reader->at - begin)};
    return number_parse_unsigned(digits, value);
}

static bool next_is_digit(const struct reader *reader)
{
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

// "@<time> [<session>.<sequence> ]*<count>"
static bool read_head(struct reader *reader, struct entry *entry)
{
    uint64_t count;
    if (!read_byte(reader, '@') || !read_number(reader, &entry->time_ms) ||
        entry->time_ms > INT64_MAX || !read_byte(reader, ' '))
        return false;
    if (next_is_digit(reader) &&
        (!read_number(reader, &entry->session) || !read_byte(reader, '.') ||
         !read_number(reader, &entry->sequence) || !read_byte(reader, ' ') ||
         entry->session == 0 || entry->sequence == 0))
        return false;
    if (!read_byte(reader, '*') || !read_number(reader, &count) || count > UINT32_MAX)
        return false;
    entry->count = (uint32_t)count;
    return count > 0 || entry->session == 0;
}

static bool read_word(struct reader *reader, struct buffer *words)
{
    uint64_t size;
    if (!read_byte(reader, ' ') || !read_number(reader, &size) ||
        !read_byte(reader, ':') || size > (uint64_t)(reader->end - reader->at))
        return false;
    struct bytes word = {reader->at, size};
    reader->at += size;
    buffer_append(words, &word, sizeof(word));
    return true;
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
    for (uint32_t i = 0; i < entry->count; i++)
        if (!read_word(&reader, words))
            return false;
    return reader.at == reader.end;
}
