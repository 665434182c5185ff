// syncer.h: makes files durable off the event loop, on libuv's threads.
//
// With `skip`, nothing is synced and every start is reported as done by the next
// syncer_report(): for tests that are not about durability.
#ifndef RPC_SYNCER_H
#define RPC_SYNCER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct syncer {
    uv_loop_t *loop;
    bool skip;
    void *context;
    void (*synced)(void *context, uint64_t token, int status); // on the loop

    uint32_t underway;
    uint64_t *skipped; // tokens
    uint32_t skipped_count;
    uint32_t skipped_capacity;
};

void syncer_release(struct syncer *syncer);

// disk_posix.h's start_sync; `context` is a struct syncer.
int syncer_start(void *context, int file, int directory, uint64_t token);

// Reports what was skipped; false where there was nothing.
bool syncer_report(struct syncer *syncer);

#endif
