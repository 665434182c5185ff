#include "kvserver/pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void pending_init(struct pending *pending)
{
    memset(pending, 0, sizeof *pending);
}

void pending_release(struct pending *pending)
{
    free(pending->ring);
}

static struct request **place(const struct pending *pending, raft_index index)
{
    return &pending->ring[index & (pending->capacity - 1)];
}

static void grow(struct pending *pending)
{
    struct request **old = pending->ring;
    uint32_t capacity = pending->capacity;

    pending->capacity = capacity == 0 ? 1024 : capacity * 2;
    pending->ring = calloc(pending->capacity, sizeof(struct request *));
    if (pending->ring == NULL)
        abort();
    for (raft_index i = pending->first; capacity > 0 && i < pending->end; i++)
        *place(pending, i) = old[i & (capacity - 1)];
    free(old);
}

struct request *pending_add(struct pending *pending, struct request *request)
{
    raft_index index = request->index;
    struct request *loser;

    assert(index > 0);
    if (pending->first == pending->end)
        pending->first = pending->end = index;
    // After a change of leaders, indices may begin again below what still waits.
    while (pending->capacity == 0 ||
           (index >= pending->first && index - pending->first >= pending->capacity) ||
           (index < pending->first && pending->end - index > pending->capacity))
        grow(pending);
    if (index < pending->first)
        pending->first = index;
    if (index >= pending->end)
        pending->end = index + 1;
    loser = *place(pending, index);
    *place(pending, index) = request;
    return loser;
}

struct request *pending_take(struct pending *pending, raft_index index)
{
    struct request *request;

    if (index < pending->first || index >= pending->end)
        return NULL;
    request = *place(pending, index);
    *place(pending, index) = NULL;
    if (index == pending->first)
        pending->first++;
    return request;
}

struct request *pending_skip(struct pending *pending, raft_index index)
{
    while (pending->first < pending->end && pending->first <= index) {
        struct request *request = pending_take(pending, pending->first);

        if (request != NULL)
            return request;
    }
    return NULL;
}

void pending_forget(struct pending *pending, const struct request *request)
{
    struct request **at;

    if (request->index < pending->first || request->index >= pending->end)
        return;
    at = place(pending, request->index);
    if (*at == request)
        *at = NULL;
}
