#include "sim/explore/visited.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    LENGTH_MIN = 1024,
    TAIL = 512, // slots behind the last place
};

static uint64_t place_of(const struct visited *visited, uint64_t name)
{
    return (uint64_t)((unsigned __int128)name * visited->length >> 64);
}

void visited_init(struct visited *visited)
{
    visited->count = 0;
    visited->length = LENGTH_MIN;
    visited->slots = calloc(LENGTH_MIN + TAIL, sizeof(*visited->slots));
    if (visited->slots == NULL)
        abort();
}

void visited_release(struct visited *visited)
{
    free(visited->slots);
}

// All names to the end of the longer table, in order, and then each to its place: a
// place never lies beyond where its name waits.
static void grow(struct visited *visited)
{
    uint64_t old = visited->length + TAIL;
    uint64_t length = visited->length + visited->length / 4;
    uint64_t end = length + TAIL;
    uint64_t *slots = realloc(visited->slots, end * sizeof(*slots));
    uint64_t from = end;
    uint64_t to = 0;

    if (slots == NULL)
        abort();
    while (old-- > 0)
        if (slots[old] != 0)
            slots[--from] = slots[old];
    visited->slots = slots;
    visited->length = length;
    for (; from < end; from++) {
        uint64_t name = slots[from];
        uint64_t place = place_of(visited, name);

        assert(place <= from && to <= from);
        for (; to < place; to++)
            slots[to] = 0;
        slots[to++] = name;
    }
    memset(&slots[to], 0, (end - to) * sizeof(*slots));
}

bool visited_add(struct visited *visited, uint64_t name)
{
    uint64_t at, end;

    name += name == 0;
    if (visited->count >= visited->length / 32 * 25)
        grow(visited);
    at = place_of(visited, name);
    while (visited->slots[at] != 0 && visited->slots[at] < name)
        at++;
    if (visited->slots[at] == name)
        return false;
    for (end = at; visited->slots[end] != 0; end++)
        assert(end + 1 < visited->length + TAIL);
    memmove(&visited->slots[at + 1], &visited->slots[at],
            (end - at) * sizeof(*visited->slots));
    visited->slots[at] = name;
    visited->count++;
    return true;
}

void visited_expect(const struct visited *visited, uint64_t name)
{
    __builtin_prefetch(&visited->slots[place_of(visited, name)]);
}

uint64_t visited_bytes(const struct visited *visited)
{
    return (visited->length + TAIL) * sizeof(*visited->slots);
}
