#include "kvserver/proposals.h"

#include <assert.h>
#include <stdlib.h>

enum { BYTES_KEPT = 4 << 20 }; // of the buffer, when a turn is over

void proposals_release(struct proposals *proposals)
{
    buffer_free(&proposals->bytes);
    free(proposals->offsets);
    free(proposals->requests);
    free(proposals->commands);
}

void proposals_clear(struct proposals *proposals)
{
    proposals->count = 0;
    if (proposals->bytes.capacity > BYTES_KEPT)
        buffer_free(&proposals->bytes);
    else
        buffer_clear(&proposals->bytes);
}

static void *resized(void *memory, size_t count, size_t size)
{
    memory = realloc(memory, count * size);
    if (memory == NULL)
        abort();
    return memory;
}

void proposals_begin(struct proposals *proposals, struct request *request)
{
    uint32_t count = proposals->count++;

    if (count == proposals->capacity) {
        uint32_t capacity = count == 0 ? 256 : count * 2;

        proposals->offsets =
            resized(proposals->offsets, capacity, sizeof *proposals->offsets);
        proposals->requests =
            resized(proposals->requests, capacity, sizeof(struct request *));
        proposals->commands =
            resized(proposals->commands, capacity, sizeof *proposals->commands);
        proposals->capacity = capacity;
    }
    proposals->offsets[count] = proposals->bytes.size;
    proposals->requests[count] = request;
    if (request != NULL) {
        request->index = 0;
        request->batch_place = count;
    }
}

void proposals_forget(struct proposals *proposals, const struct request *request)
{
    assert(proposals->requests[request->batch_place] == request);
    proposals->requests[request->batch_place] = NULL;
}

void proposals_drop(struct proposals *proposals, uint32_t count)
{
    size_t bytes;

    assert(count < proposals->count);
    bytes = proposals->offsets[count];
    for (uint32_t i = count; i < proposals->count; i++) {
        proposals->offsets[i - count] = proposals->offsets[i] - bytes;
        proposals->requests[i - count] = proposals->requests[i];
        if (proposals->requests[i] != NULL)
            proposals->requests[i]->batch_place = i - count;
    }
    proposals->count -= count;
    buffer_consume(&proposals->bytes, bytes);
}

void proposals_seal(struct proposals *proposals)
{
    for (uint32_t i = 0; i < proposals->count; i++) {
        size_t end = i + 1 < proposals->count ? proposals->offsets[i + 1]
                                              : proposals->bytes.size;

        proposals->commands[i].data = proposals->bytes.data + proposals->offsets[i];
        proposals->commands[i].size = (uint32_t)(end - proposals->offsets[i]);
    }
}
