// buffer.h: bytes that grow at their end.
#ifndef KVSERVER_SERVICE_BUFFER_H
#define KVSERVER_SERVICE_BUFFER_H

#include <stddef.h>

// All zeroes is an empty buffer. Running out of memory ends the process with a message:
// a replica that lost part of a reply or of its state must not go on.
struct buffer {
    char *data;
    size_t size;
    size_t capacity;
};

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_consume(struct buffer *buffer, size_t size); // drops bytes from the front
void buffer_clear(struct buffer *buffer);                // keeps the memory
void buffer_free(struct buffer *buffer);

#endif
