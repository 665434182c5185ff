// frame.h: bytes that grow until they are sent, and are then shared.
//
// A message is encoded once into a frame, and the frame is queued for each of its
// receivers. Rules: frame_new() gives one reference; frame_hold() adds one and
// frame_release() drops one; the last frees. Only a frame with a single reference may
// grow, so what is shared never changes. One thread only: the count is not atomic.
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct frame {
    uint32_t references;
    size_t size;
    size_t capacity;
    char *data;
};

// Running out of memory ends the process with a message.
struct frame *frame_new(size_t capacity);
struct frame *frame_hold(struct frame *frame);
void frame_release(struct frame *frame); // NULL is allowed
void frame_grow(struct frame *frame, size_t room);

// Makes room for `size` more bytes and returns where they go. The caller writes them
// and then adds what it wrote to frame->size.
static inline char *frame_room(struct frame *frame, size_t size)
{
    assert(frame->references == 1);
    if (frame->capacity - frame->size < size) {
        frame_grow(frame, size);
    }
    return frame->data + frame->size;
}

static inline void frame_append(struct frame *frame, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(frame_room(frame, size), data, size);
        frame->size += size;
    }
}

static inline void frame_append_text(struct frame *frame, const char *text)
{
    frame_append(frame, text, strlen(text));
}

#endif
