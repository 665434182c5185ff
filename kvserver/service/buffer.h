// buffer.h: bytes that grow at their end.
#ifndef KVSERVER_SERVICE_BUFFER_H
#define KVSERVER_SERVICE_BUFFER_H

#include <stddef.h>
#include <string.h>

// All zeroes is an empty buffer. Running out of memory ends the process with a message:
// a replica that lost part of a reply or of its state must not go on.
struct buffer {
    char *data;
    size_t size;
    size_t capacity;
};

// Makes room for so many bytes more behind the end.
void buffer_grow(struct buffer *buffer, size_t size);

static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0)
        return;
    if (size > buffer->capacity - buffer->size)
        buffer_grow(buffer, size);
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_consume(struct buffer *buffer, size_t size); // drops bytes from the front

// Keeps the memory.
static inline void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

void buffer_free(struct buffer *buffer);

#endif
