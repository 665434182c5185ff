// frame.c: see frame.h.
#include "rpc/frame.h"

#include <stdio.h>
#include <stdlib.h>

static void *or_die(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "rpc: out of memory for a frame\n");
        abort();
    }
    return memory;
}

struct frame *frame_new(size_t capacity)
{
    struct frame *frame = or_die(malloc(sizeof *frame));
    frame->references = 1;
    frame->size = 0;
    frame->capacity = capacity > 0 ? capacity : 1;
    frame->data = or_die(malloc(frame->capacity));
    return frame;
}

struct frame *frame_hold(struct frame *frame)
{
    assert(frame->references > 0 && frame->references < UINT32_MAX);
    frame->references++;
    return frame;
}

void frame_release(struct frame *frame)
{
    if (frame == NULL) {
        return;
    }
    assert(frame->references > 0);
    if (--frame->references == 0) {
        free(frame->data);
        free(frame);
    }
}

void frame_grow(struct frame *frame, size_t room)
{
    assert(frame->references == 1);
    assert(room <= SIZE_MAX / 4 && frame->size <= SIZE_MAX / 4);
    size_t capacity = frame->capacity;
    while (capacity - frame->size < room) {
        capacity *= 2;
    }
    frame->data = or_die(realloc(frame->data, capacity));
    frame->capacity = capacity;
}
