#include "sim/tool/shrink_flags.h"

#include <inttypes.h>

enum { DURATION_US_MIN = 500000 };

struct attempts {
    struct run_options *options;
    bool (*fails)(void *context, const struct run_options *options);
    void *context;
    uint32_t runs;
};

static bool attempt(struct attempts *attempts, const struct run_options *smaller)
{
    attempts->runs++;
    if (!attempts->fails(attempts->context, smaller))
        return false;
    *attempts->options = *smaller;
    return true;
}

static void reduce_faults(struct attempts *attempts)
{
    for (uint32_t kind = 0; kind < FAULT_COUNT; kind++) {
        struct run_options smaller = *attempts->options;

        smaller.faults &= ~(1u << kind);
        if (smaller.faults != attempts->options->faults)
            attempt(attempts, &smaller);
    }
}

static void reduce_duration(struct attempts *attempts)
{
    struct run_options smaller = *attempts->options;

    do
        smaller.duration_us /= 2;
    while (smaller.duration_us >= DURATION_US_MIN && attempt(attempts, &smaller));
}

static void reduce_clients(struct attempts *attempts)
{
    static const uint32_t counts[] = {1, 2, 3};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct run_options smaller = *attempts->options;

        smaller.clients = counts[i];
        if (smaller.clients < attempts->options->clients && attempt(attempts, &smaller))
            return;
    }
}

static void reduce_nodes(struct attempts *attempts)
{
    for (uint32_t nodes = 1; nodes < attempts->options->nodes; nodes++) {
        struct run_options smaller = *attempts->options;

        smaller.nodes = nodes;
        if (attempt(attempts, &smaller))
            return;
    }
}

uint32_t shrink_flags_reduce(struct run_options *options,
                             bool (*fails)(void *context,
                                           const struct run_options *options),
                             void *context)
{
    struct attempts attempts = {options, fails, context, 0};

    // The length first: all that follows then costs less.
    reduce_duration(&attempts);
    reduce_nodes(&attempts);
    reduce_clients(&attempts);
    reduce_faults(&attempts);
    reduce_duration(&attempts);
    return attempts.runs;
}

void shrink_flags_write(const struct run_options *options,
                        const struct run_options *from, struct buffer *out)
{
    const char *before = " --faults ";

    if (options->nodes != from->nodes)
        buffer_format(out, " --nodes %" PRIu32, options->nodes);
    if (options->clients != from->clients)
        buffer_format(out, " --clients %" PRIu32, options->clients);
    if (options->duration_us != from->duration_us)
        buffer_format(out, " --duration %" PRIu64 "us", options->duration_us);
    if (options->faults == from->faults)
        return;
    if (options->faults == 0)
        buffer_append_text(out, " --faults none");
    for (uint32_t kind = 0; kind < FAULT_COUNT; kind++)
        if ((options->faults >> kind & 1) != 0) {
            buffer_format(out, "%s%s", before, faults_text((enum fault)kind));
            before = ",";
        }
}
