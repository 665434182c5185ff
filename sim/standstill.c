#include "sim/standstill.h"

#include "raft/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 400, WORDS_BYTES = 100 };

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

// Ends with these words, and what the last step was given.
static _Noreturn void end(const char *words, const struct raft *raft,
                          const struct raft_event *event,
                          const struct raft_output *output)
{
    char line[LINE_BYTES]; // "[   160] n1 tick: -> candidate | ..."
    unsigned node = 0;
    int begin = 0;

    raft_trace_step(line, sizeof(line), raft, event, output);
    sscanf(line, "[%*u] n%u %n", &node, &begin);
    fprintf(stderr, "%s, the last of node %u: %.*s\n", words, node,
            (int)strcspn(line + begin, ":|"), line + begin);
    exit(STANDSTILL_EXIT);
}

void standstill_end(uint64_t now_us, const struct raft *raft,
                    const struct raft_event *event, const struct raft_output *output)
{
    char words[WORDS_BYTES];

    snprintf(words, sizeof(words), "time stands still: %d steps at %" PRIu64 " ms",
             (int)STANDSTILL_STEPS_MAX, now_us / 1000);
    end(words, raft, event, output);
}

void standstill_flood(uint64_t now_us, const struct raft *raft,
                      const struct raft_event *event, const struct raft_output *output)
{
    char words[WORDS_BYTES];

    snprintf(words, sizeof(words),
             "messages without an end: %d under way at %" PRIu64 " ms",
             (int)STANDSTILL_UNDER_WAY_MAX, now_us / 1000);
    end(words, raft, event, output);
}
