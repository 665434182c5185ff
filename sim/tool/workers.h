// workers.h: numbered work, done by child processes, whose results are taken in order.
//
// Numbers are handed out as workers become free; results are taken one by one from the
// first number on, whoever made them and whenever, so that what is made of them does
// not depend on how many workers there are. A worker that dies, or does not come back
// in time, is a result too: the number that it had is named, and another worker goes on
// with the rest. What must not be lost may be said on stderr: it comes with the result.
#ifndef SIM_TOOL_WORKERS_H
#define SIM_TOOL_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "kvserver/service/buffer.h"

enum { WORKERS_WAIT_FACTOR = 30 };

enum workers_end {
    WORKERS_DONE = 0,
    WORKERS_CRASHED, // killed by a signal, or gone with an exit code
    WORKERS_ENDLESS, // killed: more than limit_ms
};

struct workers_result {
    uint64_t number;
    enum workers_end end;
    int status;       // of a crash, as waitpid() tells it
    const void *data; // what work() wrote; borrowed
    size_t size;
    const char *said; // the first line on stderr since it began; borrowed, may be empty
};

struct workers {
    uint32_t jobs; // children at a time
    uint64_t first, last;
    // Of the processor for one number, and WORKERS_WAIT_FACTOR times as much in real
    // time for a child that only waits; 0: none.
    uint64_t limit_ms;
    void *context;

    // In a child: does number N and writes its result.
    void (*work)(void *context, uint64_t number, struct buffer *out);

    // In the parent, in order of numbers; false: no more are wanted.
    bool (*take)(void *context, const struct workers_result *result);

    // In the parent, some times a second; false: nothing new shall begin, and what is
    // under way is the last.
    bool (*watch)(void *context);
};

// Returns the number of results that were taken. SIGINT and SIGTERM let what is under
// way come to its end, a second one ends it; `interrupted` says so.
uint64_t workers_run(const struct workers *workers, bool *interrupted);

#endif
