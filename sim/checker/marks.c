#include "sim/checker/marks.h"

#include "sim/fold.h"

#include <stdlib.h>
#include <string.h>

enum { RAISE_MIN = 128 };

void marks_release(struct marks *marks)
{
    free(marks->at);
    memset(marks, 0, sizeof(*marks));
}

void marks_make_room(struct marks *marks)
{
    marks->capacity = marks->capacity == 0 ? 256 : marks->capacity * 2;
    marks->at = realloc(marks->at, marks->capacity * sizeof(*marks->at));
    if (marks->at == NULL)
        abort();
}

void marks_cut(struct marks *marks, raft_index last)
{
    assert(last <= marks->last);
    marks->last = last;
    if (marks->base > last)
        marks->base = last;
}

void marks_restart(struct marks *marks, raft_index base)
{
    marks->base = marks->last = base;
}

void marks_raise(struct marks *marks, raft_index index)
{
    raft_index gone = index - marks->base;
    raft_index kept = marks->last - index;

    assert(index <= marks->last);
    if (index <= marks->base || gone < RAISE_MIN || gone < kept)
        return; // so that each mark is moved once at the most
    memmove(marks->at, &marks->at[gone], kept * sizeof(*marks->at));
    marks->base = index;
}

struct mark marks_follow(struct mark before, const struct raft_entry *entry)
{
    uint64_t chain = fold_u64(before.chain, entry->term);

    chain = fold_u64(chain, (uint64_t)entry->type);
    chain = fold_bytes(chain, entry->data, entry->size);
    return (struct mark){entry->term, chain};
}

void marks_map_release(struct mark_map *map)
{
    free(map->slots);
    memset(map, 0, sizeof(*map));
}

static struct mark_map_slot *map_find(const struct mark_map *map, uint64_t first,
                                      uint64_t second)
{
    uint64_t at = fold_u64(fold_u64(0, first), second) & (map->capacity - 1);

    while (map->slots[at].second != 0 &&
           (map->slots[at].first != first || map->slots[at].second != second))
        at = (at + 1) & (map->capacity - 1);
    return &map->slots[at];
}

static void map_grow(struct mark_map *map)
{
    struct mark_map old = *map;

    map->capacity = old.capacity == 0 ? 64 : old.capacity * 2;
    map->slots = calloc(map->capacity, sizeof(*map->slots));
    if (map->slots == NULL)
        abort();
    for (uint64_t i = 0; i < old.capacity; i++) {
        const struct mark_map_slot *slot = &old.slots[i];

        if (slot->second != 0)
            *map_find(map, slot->first, slot->second) = *slot;
    }
    free(old.slots);
}

// The slot of (first, second), with this value where it is a new one.
static struct mark_map_slot *map_slot(struct mark_map *map, uint64_t first,
                                      uint64_t second, uint64_t value)
{
    struct mark_map_slot *slot;

    assert(second != 0);
    if (2 * (map->count + 1) > map->capacity)
        map_grow(map);
    slot = map_find(map, first, second);
    if (slot->second == 0) {
        *slot = (struct mark_map_slot){first, second, value};
        map->count++;
    }
    return slot;
}

uint64_t marks_map_keep(struct mark_map *map, uint64_t first, uint64_t second,
                        uint64_t value)
{
    return map_slot(map, first, second, value)->value;
}

uint64_t marks_map_join(struct mark_map *map, uint64_t first, uint64_t second,
                        uint64_t bits)
{
    struct mark_map_slot *slot = map_slot(map, first, second, 0);

    slot->value |= bits;
    return slot->value;
}
