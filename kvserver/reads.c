#include "kvserver/reads.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void reads_init(struct reads *reads)
{
    memset(reads, 0, sizeof *reads);
}

void reads_release(struct reads *reads)
{
    free(reads->gathering.requests);
    for (int i = 0; i < READS_UNDERWAY_MAX; i++)
        free(reads->underway[i].requests);
}

void reads_add(struct reads *reads, struct request *request)
{
    struct read_batch *batch = &reads->gathering;

    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity == 0 ? 64 : batch->capacity * 2;
        batch->requests =
            realloc(batch->requests, batch->capacity * sizeof *batch->requests);
        if (batch->requests == NULL)
            abort();
    }
    request->batch = batch;
    request->batch_place = batch->count;
    batch->requests[batch->count++] = request;
}

// The two exchange their content; only the requests must learn where they are now.
static void move(struct read_batch *from, struct read_batch *to)
{
    struct read_batch spare = *to;

    *to = *from;
    *from = spare;
    from->count = 0;
    from->id = 0;
    for (uint32_t i = 0; i < to->count; i++)
        if (to->requests[i] != NULL)
            to->requests[i]->batch = to;
}

static struct read_batch *unused(struct reads *reads)
{
    for (int i = 0; i < READS_UNDERWAY_MAX; i++)
        if (reads->underway[i].id == 0)
            return &reads->underway[i];
    return NULL;
}

bool reads_can_start(const struct reads *reads)
{
    return reads->gathering.count > 0 && unused((struct reads *)reads) != NULL;
}

uint64_t reads_start(struct reads *reads)
{
    struct read_batch *batch = unused(reads);

    if (batch == NULL || reads->gathering.count == 0)
        return 0;
    move(&reads->gathering, batch);
    batch->id = ++reads->id_last;
    return batch->id;
}

void reads_put_back(struct reads *reads, uint64_t id)
{
    struct read_batch *batch = reads_find(reads, id);

    assert(batch != NULL && reads->gathering.count == 0);
    move(batch, &reads->gathering);
    reads->gathering.id = 0;
}

struct read_batch *reads_find(struct reads *reads, uint64_t id)
{
    for (int i = 0; i < READS_UNDERWAY_MAX; i++)
        if (id != 0 && reads->underway[i].id == id)
            return &reads->underway[i];
    return NULL;
}

struct request *reads_take(struct read_batch *batch)
{
    while (batch->count > 0) {
        // From the front, so that replies go out in the order of arrival.
        struct request *request = batch->requests[batch->taken++];

        if (batch->taken == batch->count) {
            batch->count = 0;
            batch->taken = 0;
            batch->id = 0;
        }
        if (request != NULL) {
            request->batch = NULL;
            return request;
        }
    }
    return NULL;
}

struct request *reads_next_for_leader(struct reads *reads)
{
    struct read_batch *batch = &reads->gathering;
    bool left = false;

    for (uint32_t i = 0; i < batch->count; i++) {
        struct request *request = batch->requests[i];

        if (request != NULL && !request->follower) {
            batch->requests[i] = NULL;
            request->batch = NULL;
            return request;
        }
        left = left || request != NULL;
    }
    batch->count = left ? batch->count : 0;
    return NULL;
}

void reads_forget(struct request *request)
{
    if (request->batch != NULL) {
        request->batch->requests[request->batch_place] = NULL;
        request->batch = NULL;
    }
}
