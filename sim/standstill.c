#include "sim/standstill.h"

#include "raft/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 400 };

bool standstill_step(struct standstill *standstill, uint64_t now_us)
{
    uint64_t now_ms = now_us / 1000;

    if (now_ms != standstill->time_ms)
        *standstill = (struct standstill){.time_ms = now_ms};
    return ++standstill->steps <= STANDSTILL_STEPS_MAX;
}

void standstill_reset(struct standstill *standstill)
{
    standstill->steps = 0;
}

void standstill_end(uint64_t now_us, const struct raft *raft,
                    const struct raft_event *event, const struct raft_output *output)
{
    char line[LINE_BYTES]; // "[   160] n1 tick: -> candidate | ..."
    unsigned node = 0;
    int begin = 0;

    raft_trace_step(line, sizeof(line), raft, event, output);
    sscanf(line, "[%*u] n%u %n", &node, &begin);
    fprintf(stderr,
            "time stands still: %d steps at %" PRIu64
            " ms, the last of node %u: %.*s\n",
            (int)STANDSTILL_STEPS_MAX, now_us / 1000, node,
            (int)strcspn(line + begin, ":|"), line + begin);
    exit(STANDSTILL_EXIT);
}
