// heap.h: the events that are yet to come, the earliest first.
//
// Ordered by (time, order of insertion), so that a run is the same wherever it runs.
// push, pop and cancel take O(log n). Events are kept by value and hold no pointer.
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_event {
    uint64_t time_us;
    uint32_t kind; // the world's
    uint32_t node;
    uint64_t arguments[3];
};

struct heap_node;
struct heap_slot;

// All zeroes is an empty heap.
struct heap {
    struct heap_node *nodes; // 4-ary heap of keys, each naming its slot
    struct heap_slot *slots; // the events; they do not move
    uint32_t count;
    uint32_t slot_count; // slots in use or on the free list
    uint32_t capacity;   // of both arrays
    uint32_t free_first; // 1 + the first free slot; 0: none
    uint64_t sequence;   // of the next event
};

void heap_release(struct heap *heap);
void heap_clear(struct heap *heap); // drops all events, keeps the memory

// Makes `to`, which is empty, an equal of `from`; handles hold for both.
void heap_copy(struct heap *to, const struct heap *from);

// Returns a handle for heap_cancel(); never 0.
uint64_t heap_push(struct heap *heap, const struct heap_event *event);

// The earliest event, borrowed until the next call; NULL where there is none.
const struct heap_event *heap_peek(const struct heap *heap);

// Takes the earliest event out; false where there is none.
bool heap_pop(struct heap *heap, struct heap_event *event);

// Takes an event out; false where it was popped or cancelled before.
bool heap_cancel(struct heap *heap, uint64_t handle);

// Visits all events in no particular (but always the same) order.
void heap_each(const struct heap *heap,
               void (*visit)(void *argument, const struct heap_event *event),
               void *argument);

#endif
