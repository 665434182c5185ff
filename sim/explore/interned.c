#include "sim/explore/interned.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (memory == NULL)
        abort();
    return memory;
}

void interned_init(struct interned *interned, uint32_t hash_count)
{
    memset(interned, 0, sizeof(*interned));
    interned->hash_count = hash_count;
}

void interned_release(struct interned *interned)
{
    free(interned->hashes);
    free(interned->ends);
    free(interned->slots);
    buffer_free(&interned->bytes);
}

static size_t start_of(const struct interned *interned, uint32_t number)
{
    return number == 0 ? 0 : interned->ends[number - 1];
}

static bool is_equal(const struct interned *interned, uint32_t number,
                     const struct canon *form)
{
    size_t start = start_of(interned, number);

    return interned->ends[number] - start == form->size &&
           memcmp(interned->bytes.data + start, form->bytes, form->size) == 0;
}

uint32_t interned_find(const struct interned *interned, const struct canon *form)
{
    uint32_t mask = interned->slot_count - 1;

    if (interned->slot_count == 0)
        return INTERNED_NONE;
    for (uint32_t at = (uint32_t)canon_hash(form) & mask;; at = (at + 1) & mask) {
        uint32_t slot = interned->slots[at];

        if (slot == 0)
            return INTERNED_NONE;
        if (is_equal(interned, slot - 1, form))
            return slot - 1;
    }
}

static void place(struct interned *interned, uint32_t number)
{
    uint32_t mask = interned->slot_count - 1;
    uint32_t at = (uint32_t)interned_hashes(interned, number)[0] & mask;

    while (interned->slots[at] != 0)
        at = (at + 1) & mask;
    interned->slots[at] = number + 1;
}

static void grow(struct interned *interned)
{
    uint32_t capacity = interned->capacity == 0 ? 64 : 2 * interned->capacity;
    size_t hashes = (size_t)capacity * interned->hash_count;

    interned->hashes = resize(interned->hashes, hashes * sizeof(uint64_t));
    interned->ends = resize(interned->ends, capacity * sizeof(uint64_t));
    interned->capacity = capacity;
    interned->slot_count = 2 * capacity;
    interned->slots =
        resize(interned->slots, interned->slot_count * sizeof(*interned->slots));
    memset(interned->slots, 0, interned->slot_count * sizeof(*interned->slots));
    for (uint32_t i = 0; i < interned->count; i++)
        place(interned, i);
}

uint32_t interned_add(struct interned *interned, const struct canon *form)
{
    uint32_t number = interned->count;

    if (interned->count == interned->capacity)
        grow(interned);
    buffer_append(&interned->bytes, form->bytes, form->size);
    interned->ends[number] = interned->bytes.size;
    interned_hashes(interned, number)[0] = canon_hash(form);
    interned->count++;
    place(interned, number);
    return number;
}

void interned_read(const struct interned *interned, uint32_t number, struct canon *form)
{
    size_t start = start_of(interned, number);

    canon_read(form, interned->bytes.data + start,
               (uint32_t)(interned->ends[number] - start));
}

uint64_t interned_bytes(const struct interned *interned)
{
    return interned->bytes.capacity +
           (uint64_t)interned->capacity *
               (interned->hash_count * sizeof(uint64_t) + sizeof(uint64_t)) +
           (uint64_t)interned->slot_count * sizeof(*interned->slots);
}
