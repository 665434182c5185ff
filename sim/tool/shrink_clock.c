#include "sim/tool/shrink_clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/shrink/record.h"
#include "sim/shrink/timeline_play.h"
#include "sim/shrink/timeline_record.h"
#include "sim/tool/tool.h"

enum {
    SEEK_EVENTS = 3000000, // spent on looking for a shorter run
    SEEK_RUNS = 320,
    WORK_EVENTS = 12000000, // spent on cutting it down
    EVENTS_MORE = 200000,   // a candidate may take so many more than the best
    DURATION_US_MIN = 250000,
};

static void *allocate(size_t size)
{
    void *memory = sandbox_memory(size);

    if (memory == NULL)
        abort();
    return memory;
}

void shrink_clock_init(struct shrink_clock *clock)
{
    clock->shared = allocate(sizeof(*clock->shared));
    clock->best = allocate(sizeof(*clock->best));
    clock->candidate = allocate(sizeof(*clock->candidate));
}

static bool enough(const struct shrink_clock *clock)
{
    return tool_now_ms() >= clock->end_ms;
}

static bool is_wanted(const struct shrink_clock *clock,
                      const struct violation *violation)
{
    return clock->wanted->kind == FAILURE_RULE &&
           violation->property == clock->wanted->property;
}

// ---- playing --------------------------------------------------------------------

static bool play(struct shrink_clock *clock, const struct timeline *timeline,
                 struct buffer *story, struct violation *violation)
{
    struct shrink_clock_shared *shared = clock->shared;
    struct timeline_play_options options = {.story = story};

    if (clock->events > 0)
        options.events_max = 2 * clock->events + EVENTS_MORE;
    options.tape = shared->tape;
    return timeline_play(timeline, &options, &shared->played, violation,
                         &shared->events);
}

static void play_candidate(void *context)
{
    struct shrink_clock *clock = context;
    struct violation violation;

    if (play(clock, clock->candidate, NULL, &violation))
        sandbox_violated(&violation);
}

// Whether the candidate fails in the same way; what was played is left behind.
static bool candidate_fails(struct shrink_clock *clock)
{
    struct failure failure;

    sandbox_run(play_candidate, clock, clock->run_ms, &failure);
    return sandbox_same(&failure, clock->wanted) && !clock->shared->played.full;
}

// Takes the candidate where it fails, from the run with these flags.
static void take(struct shrink_clock *clock, const struct run_options *run)
{
    uint32_t lines = clock->candidate->count;

    if (clock->candidate->full || !candidate_fails(clock))
        return;
    if (!clock->fails)
        clock->events = clock->shared->events;
    clock->fails = true;
    timeline_copy(clock->best, &clock->shared->played);
    clock->run = *run;
    clock->lines = lines;
}

// ---- shorter runs ---------------------------------------------------------------

// Smaller and shorter, with a seed of its own for each few.
static struct run_options make_variant(const struct shrink_clock *clock,
                                       uint32_t number)
{
    struct run_options options = clock->asked;
    uint32_t nodes = 2 + number % 3;
    uint32_t clients = number / 3 % 3;

    if (nodes < options.nodes && nodes < 4)
        options.nodes = nodes;
    if (clients > 0)
        options.clients = clients;
    options.duration_us >>= number / 9 % 4;
    if (options.duration_us < DURATION_US_MIN)
        options.duration_us = DURATION_US_MIN;
    options.seed += number / 9;
    return options;
}

struct taping {
    struct timeline_record record; // first: it is the watch's context, too
    struct shrink_clock_shared *shared;
};

static void told(void *context, struct world *world, const struct deed *deed)
{
    timeline_record_told(context, world, deed);
}

static bool seen(void *context, struct world *world, const struct heap_event *event)
{
    struct taping *taping = context;

    timeline_record_seen(&taping->record, world, event);
    taping->shared->events = world->event_count;
    return true;
}

static bool run(struct shrink_clock *clock, const struct run_options *options,
                struct violation *violation)
{
    struct taping *taping = calloc(1, sizeof(*taping));
    struct run_result result = {.violated = false};
    struct world *world = run_open(options, &result);

    if (taping == NULL || world == NULL)
        abort();
    taping->shared = clock->shared;
    timeline_record_begin(&taping->record, world, &clock->shared->trial);
    world->watch = (struct world_watch){taping, seen, told};
    run_finish(world, options, &result);
    if (result.violated)
        *violation = result.violation;
    world_free(world);
    free(taping);
    return result.violated;
}

// Whether the run on trial has less to read; as long as nothing fails, any run may.
static bool is_shorter(const struct shrink_clock *clock)
{
    return !clock->fails ||
           timeline_cost(&clock->shared->trial) < timeline_cost(clock->best);
}

// Goes through the variants until one fails in the same way with less to read.
static void seek(void *context)
{
    struct shrink_clock *clock = context;
    struct shrink_clock_shared *shared = clock->shared;
    struct violation violation = {.property = PROPERTY_COUNT};

    shared->found = false;
    for (; shared->variant < SEEK_RUNS; shared->variant++) {
        struct run_options options = make_variant(clock, shared->variant);

        if (shared->events_spent >= SEEK_EVENTS || enough(clock))
            break;
        sandbox_limit(clock->run_ms);
        if (run(clock, &options, &violation) && !shared->trial.full &&
            is_wanted(clock, &violation) && is_shorter(clock)) {
            shared->found = true;
            return;
        }
        shared->events_spent += shared->events;
    }
    shared->over = true;
}

static void seek_shorter(struct shrink_clock *clock)
{
    struct shrink_clock_shared *shared = clock->shared;

    shared->over = false;
    while (!shared->over) {
        struct failure failure;

        sandbox_run(seek, clock, clock->run_ms, &failure);
        if (shared->found ||
            (failure.kind != FAILURE_NONE && sandbox_same(&failure, clock->wanted) &&
             is_shorter(clock))) {
            struct run_options run = make_variant(clock, shared->variant);

            timeline_copy(clock->candidate, &shared->trial);
            take(clock, &run);
        }
        shared->events_spent += shared->events;
        shared->variant++;
    }
}

// ---- cutting down ---------------------------------------------------------------

// Goes on until a candidate fails in the same way, or none is left.
static void search(void *context)
{
    struct shrink_clock *clock = context;
    struct shrink_clock_shared *shared = clock->shared;
    struct timeline_shrink *shrink = &shared->shrink;
    struct violation violation;

    shared->found = false;
    while (!enough(clock) && timeline_shrink_next(shrink)) {
        sandbox_limit(clock->test_ms);
        if (play(clock, shrink->candidate, NULL, &violation) &&
            is_wanted(clock, &violation) && !shared->played.full &&
            timeline_shrink_is_better(shrink, &shared->played)) {
            shared->found = true;
            return;
        }
        timeline_shrink_take(shrink, NULL, shared->events);
    }
    shared->over = true;
}

bool shrink_clock_reduce(struct shrink_clock *clock, const struct timeline *recorded)
{
    struct shrink_clock_shared *shared = clock->shared;

    timeline_copy(clock->candidate, recorded);
    take(clock, &clock->asked);
    seek_shorter(clock);
    if (!clock->fails)
        return false;
    timeline_shrink_begin(&shared->shrink, clock->best, clock->candidate, WORK_EVENTS);
    shared->over = false;
    while (!shared->over) {
        struct failure failure;
        bool same;

        sandbox_run(search, clock, clock->test_ms, &failure);
        same = failure.kind != FAILURE_NONE && sandbox_same(&failure, clock->wanted);
        if (shared->found || same)
            timeline_shrink_take(&shared->shrink, &shared->played, shared->events);
        else if (failure.kind != FAILURE_NONE)
            timeline_shrink_take(&shared->shrink, NULL, shared->events);
    }
    return true;
}

// ---- what comes of it -----------------------------------------------------------

bool shrink_clock_tape(struct shrink_clock *clock, struct tape *tape)
{
    bool fails;

    timeline_copy(clock->candidate, clock->best);
    clock->shared->tape = tape;
    fails = candidate_fails(clock);
    clock->shared->tape = NULL;
    return fails && !tape->full;
}

static void tell(void *context)
{
    struct shrink_clock *clock = context;
    struct shrink_clock_shared *shared = clock->shared;
    struct buffer story = {0};
    struct violation violation;

    violation.text[0] = '\0';
    play(clock, clock->best, &story, &violation);
    snprintf(shared->text, sizeof(shared->text), "%s", violation.text);
    if (story.size >= SHRINK_CLOCK_STORY_BYTES)
        abort();
    memcpy(shared->story, story.data, story.size);
    shared->story_size = (uint32_t)story.size;
}

void shrink_clock_tell(struct shrink_clock *clock, struct buffer *out)
{
    struct shrink_clock_shared *shared = clock->shared;
    struct failure failure;

    shared->story_size = 0;
    sandbox_run(tell, clock, clock->run_ms, &failure);
    if (clock->wanted->kind == FAILURE_RULE) {
        buffer_append(out, shared->story, shared->story_size);
        buffer_format(out, "expect violation \"%s\" # %s\n",
                      checker_property_text(clock->wanted->property), shared->text);
        return;
    }
    // The last line ends the process, so that it is not told by itself.
    timeline_cluster(clock->best, out);
    buffer_append_text(out, "\n");
    for (uint32_t i = 0; i < clock->best->count; i++) {
        timeline_write(clock->best, &clock->best->lines[i], out);
        buffer_append_text(out, "\n");
    }
    if (!timeline_ends_itself(clock->best)) {
        buffer_append_text(out, "at ");
        timeline_duration(clock->best->end_us, out);
        buffer_append_text(out, "\n");
    }
}
