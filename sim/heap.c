#include "sim/heap.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARITY = 4, CAPACITY_FIRST = 64 };

// The key stands beside the slot's number, so that sifting stays within one array.
struct heap_node {
    uint64_t time_us;
    uint64_t sequence;
    uint32_t slot;
};

struct heap_slot {
    struct heap_event event;
    uint32_t generation; // of its handles: one more each time it is filled
    uint32_t position;   // in nodes, or, while free, 1 + the next free slot
    bool used;
};

static void *grown(void *memory, size_t size)
{
    void *result = realloc(memory, size);
    if (result == NULL) {
        fprintf(stderr, "heap: out of memory\n");
        abort();
    }
    return result;
}

void heap_release(struct heap *heap)
{
    free(heap->nodes);
    free(heap->slots);
    *heap = (struct heap){0};
}

void heap_clear(struct heap *heap)
{
    while (heap->count > 0) {
        heap_pop(heap, NULL);
    }
}

void heap_copy(struct heap *to, const struct heap *from)
{
    assert(to->capacity == 0);
    *to = *from;
    if (from->capacity == 0) {
        return;
    }
    to->nodes = grown(NULL, from->capacity * sizeof(*to->nodes));
    to->slots = grown(NULL, from->capacity * sizeof(*to->slots));
    memcpy(to->nodes, from->nodes, from->count * sizeof(*to->nodes));
    memcpy(to->slots, from->slots, from->slot_count * sizeof(*to->slots));
}

// Which of two events comes first cannot be predicted, that they come at the same time
// can: it is rare. So the compiler can choose without a branch.
static bool before(const struct heap_node *left, const struct heap_node *right)
{
    if (__builtin_expect(left->time_us == right->time_us, 0)) {
        return left->sequence < right->sequence;
    }
    return left->time_us < right->time_us;
}

static void put(struct heap *heap, uint32_t position, struct heap_node node)
{
    heap->nodes[position] = node;
    heap->slots[node.slot].position = position;
}

static void sift_up(struct heap *heap, uint32_t position, struct heap_node node)
{
    while (position > 0) {
        uint32_t parent = (position - 1) / ARITY;
        if (!before(&node, &heap->nodes[parent])) {
            break;
        }
        put(heap, position, heap->nodes[parent]);
        position = parent;
    }
    put(heap, position, node);
}

static uint32_t earlier(const struct heap *heap, uint32_t left, uint32_t right)
{
    return before(&heap->nodes[right], &heap->nodes[left]) ? right : left;
}

// The earliest of the nodes below one; `first` is the first of them, and is there.
static uint32_t earliest_below(const struct heap *heap, uint32_t first)
{
    if (first + ARITY <= heap->count) {
        return earlier(heap, earlier(heap, first, first + 1),
                       earlier(heap, first + 2, first + 3));
    }
    uint32_t least = first;
    for (uint32_t i = first + 1; i < heap->count; i++) {
        least = earlier(heap, least, i);
    }
    return least;
}

// The node comes from the bottom and mostly belongs there: the gap is moved down
// without looking at it, and then it goes up as far as it must, but not above `top`.
static void sift_down(struct heap *heap, uint32_t top, struct heap_node node)
{
    uint32_t position = top;
    for (uint32_t first = position * ARITY + 1; first < heap->count;
         first = position * ARITY + 1) {
        uint32_t least = earliest_below(heap, first);
        put(heap, position, heap->nodes[least]);
        position = least;
    }
    while (position > top) {
        uint32_t parent = (position - 1) / ARITY;
        if (!before(&node, &heap->nodes[parent])) {
            break;
        }
        put(heap, position, heap->nodes[parent]);
        position = parent;
    }
    put(heap, position, node);
}

static uint32_t take_slot(struct heap *heap)
{
    if (heap->free_first != 0) {
        uint32_t slot = heap->free_first - 1;
        heap->free_first = heap->slots[slot].position;
        return slot;
    }
    if (heap->slot_count == heap->capacity) {
        assert(heap->capacity < (UINT32_MAX - 1) / ARITY / 2);
        heap->capacity = heap->capacity == 0 ? CAPACITY_FIRST : heap->capacity * 2;
        heap->nodes = grown(heap->nodes, heap->capacity * sizeof(*heap->nodes));
        heap->slots = grown(heap->slots, heap->capacity * sizeof(*heap->slots));
    }
    heap->slots[heap->slot_count].generation = 0;
    return heap->slot_count++;
}

uint64_t heap_push(struct heap *heap, const struct heap_event *event)
{
    uint32_t index = take_slot(heap);
    struct heap_slot *slot = &heap->slots[index];
    slot->event = *event;
    slot->generation += slot->generation == UINT32_MAX ? 2 : 1; // never 0
    slot->used = true;
    heap->count++;
    struct heap_node node = {event->time_us, heap->sequence++, index};
    sift_up(heap, heap->count - 1, node);
    return (uint64_t)slot->generation << 32 | index;
}

// Takes out the node at a position; the last one fills the gap.
static void remove_at(struct heap *heap, uint32_t position)
{
    uint32_t index = heap->nodes[position].slot;
    heap->slots[index].used = false;
    heap->slots[index].position = heap->free_first;
    heap->free_first = index + 1;
    heap->count--;
    if (position == heap->count) {
        return;
    }
    struct heap_node last = heap->nodes[heap->count];
    if (position > 0 && before(&last, &heap->nodes[(position - 1) / ARITY])) {
        sift_up(heap, position, last);
    } else {
        sift_down(heap, position, last);
    }
}

const struct heap_event *heap_peek(const struct heap *heap)
{
    return heap->count == 0 ? NULL : &heap->slots[heap->nodes[0].slot].event;
}

bool heap_pop(struct heap *heap, struct heap_event *event)
{
    if (heap->count == 0) {
        return false;
    }
    if (event != NULL) {
        *event = heap->slots[heap->nodes[0].slot].event;
    }
    remove_at(heap, 0);
    return true;
}

bool heap_cancel(struct heap *heap, uint64_t handle)
{
    uint32_t index = (uint32_t)handle;
    if (index >= heap->slot_count) {
        return false;
    }
    const struct heap_slot *slot = &heap->slots[index];
    if (!slot->used || slot->generation != handle >> 32) {
        return false;
    }
    remove_at(heap, slot->position);
    return true;
}

void heap_each(const struct heap *heap,
               void (*visit)(void *argument, const struct heap_event *event),
               void *argument)
{
    for (uint32_t i = 0; i < heap->slot_count; i++) {
        if (heap->slots[i].used) {
            visit(argument, &heap->slots[i].event);
        }
    }
}
