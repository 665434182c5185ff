// buffer.c: bytes that grow at their end; see buffer.h.
#include "kvserver/service/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_grow(struct buffer *buffer, size_t size)
{
    if (size > SIZE_MAX / 2 - buffer->size) {
        fprintf(stderr, "raftlab: a buffer of more than half the address space\n");
        abort();
    }
    size_t capacity = buffer->capacity < 32 ? 32 : buffer->capacity;
    while (capacity < buffer->size + size)
        capacity *= 2;
    char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        fprintf(stderr, "raftlab: out of memory for a buffer of %zu bytes\n", capacity);
        abort();
    }
    buffer->data = data;
    buffer->capacity = capacity;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    assert(size >= 0);
    // One more for the NUL that vsnprintf insists on; it does not count.
    if ((size_t)size + 1 > buffer->capacity - buffer->size)
        buffer_grow(buffer, (size_t)size + 1);
    vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
    buffer->size += (size_t)size;
    va_end(again);
    va_end(arguments);
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->size -= size;
    if (buffer->size > 0 && size > 0)
        memmove(buffer->data, buffer->data + size, buffer->size);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
