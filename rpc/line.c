// line.c: see line.h.
#include "rpc/line.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BYTES = 64 * 1024,
    READ_BYTES_MIN = 4 * 1024, // less room than this makes the buffer grow
};

void line_init(struct line *line, size_t bytes_max)
{
    memset(line, 0, sizeof *line);
    line->bytes_max = bytes_max;
}

void line_release(struct line *line)
{
    free(line->data);
    memset(line, 0, sizeof *line);
}

static void grow(struct line *line)
{
    size_t capacity = line->capacity == 0 ? FIRST_BYTES : line->capacity * 2;
    size_t most = line->bytes_max + 1 + READ_BYTES_MIN;
    if (capacity > most && most > line->capacity && most >= FIRST_BYTES) {
        capacity = most;
    }
    line->data = realloc(line->data, capacity);
    if (line->data == NULL) {
        fprintf(stderr, "rpc: out of memory for a line\n");
        abort();
    }
    line->capacity = capacity;
}

char *line_room(struct line *line, size_t *room)
{
    if (line->begin > 0) {
        memmove(line->data, line->data + line->begin, line->end - line->begin);
        line->end -= line->begin;
        line->scanned -= line->begin;
        line->begin = 0;
    }
    if (line->capacity - line->end < READ_BYTES_MIN) {
        grow(line);
    }
    *room = line->capacity - line->end;
    return line->data + line->end;
}

void line_filled(struct line *line, size_t size)
{
    assert(size <= line->capacity - line->end);
    line->end += size;
}

// The rest of what was read belongs to a line that nobody wants.
static void drop_all(struct line *line)
{
    line->begin = 0;
    line->end = 0;
    line->scanned = 0;
}

static enum line_status unfinished(struct line *line)
{
    if (line->skipping) {
        drop_all(line);
        return LINE_NONE;
    }
    line->scanned = line->end;
    if (line->end - line->begin <= line->bytes_max) {
        return LINE_NONE;
    }
    line->skipping = true;
    drop_all(line);
    return LINE_TOO_LONG;
}

enum line_status line_next(struct line *line, const char **text, size_t *size)
{
    for (;;) {
        size_t left = line->end - line->scanned;
        char *newline =
            left > 0 ? memchr(line->data + line->scanned, '\n', left) : NULL;
        if (newline == NULL) {
            return unfinished(line);
        }
        *text = line->data + line->begin;
        *size = (size_t)(newline - *text);
        line->begin += *size + 1;
        line->scanned = line->begin;
        if (line->skipping) {
            line->skipping = false;
            continue;
        }
        return *size <= line->bytes_max ? LINE_READY : LINE_TOO_LONG;
    }
}
