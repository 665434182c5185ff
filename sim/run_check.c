#include "sim/run_check.h"

#include "sim/json.h"

#include <stdlib.h>

void run_check_release(struct run_check *check)
{
    free(check->events);
    *check = (struct run_check){0};
}

static struct run_check_event event_of(const struct world *world,
                                       const struct heap_event *event)
{
    return (struct run_check_event){event->time_us,
                                    (world->trace.hash & 0xffffffff00000000u) |
                                        (uint64_t)event->kind << 24 | event->node};
}

static bool record(void *context, struct world *world, const struct heap_event *event)
{
    struct run_check *check = context;

    if (check->count == check->capacity) {
        check->capacity = check->capacity == 0 ? 1 << 16 : 2 * check->capacity;
        check->events =
            realloc(check->events, check->capacity * sizeof(*check->events));
        if (check->events == NULL)
            abort();
    }
    check->events[check->count++] = event_of(world, event);
    return true;
}

static bool compare(void *context, struct world *world, const struct heap_event *event)
{
    struct run_check *check = context;
    struct run_check_event now = event_of(world, event);
    const struct run_check_event *then;

    if (check->compared++ < check->count) {
        then = &check->events[check->compared - 1];
        if (then->time_us == now.time_us && then->mark == now.mark)
            return true;
    }
    check->differs = true;
    check->other = now;
    return false;
}

struct world_watch run_check_recorder(struct run_check *check)
{
    return (struct world_watch){.context = check, .seen = record};
}

struct world_watch run_check_comparer(struct run_check *check)
{
    return (struct world_watch){.context = check, .seen = compare};
}

static void show_event(struct buffer *out, const char *key,
                       const struct run_check_event *event)
{
    static const char *const kinds[] = {
        [0] = "none",
        [WORLD_TICK] = "tick",
        [WORLD_DELIVER] = "delivery",
        [WORLD_SYNCED] = "sync",
        [WORLD_CLOCK] = "expiry",
        [WORLD_REQUEST] = "request",
        [WORLD_CRASH] = "crash",
        [WORLD_REPLY] = "reply",
        [WORLD_CLIENT] = "client",
        [WORLD_FAULT] = "fault",
        [WORLD_UNDO] = "healing",
    };
    uint64_t kind = event->mark >> 24 & 0xff;

    json_key(out, key);
    json_open(out);
    json_string(out, "event",
                kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[kind] : "other");
    json_number(out, "node", event->mark & 0xffffff);
    json_number(out, "time_us", event->time_us);
    json_hex(out, "hash", event->mark & 0xffffffff00000000u);
    json_close(out);
}

static void show(const struct run_check *check, struct buffer *out)
{
    static const struct run_check_event nothing = {0};

    json_bool(out, "deterministic", !check->differs);
    if (!check->differs)
        return;
    json_key(out, "difference");
    json_open(out);
    json_number(out, "event", check->compared);
    show_event(out, "first",
               check->compared <= check->count ? &check->events[check->compared - 1]
                                               : &nothing);
    show_event(out, "second", &check->other);
    json_close(out);
}

// The second run, against the record of the first.
static void run_again(const struct run_options *options, struct run_check *check,
                      const struct run_result *first)
{
    struct run_options silent = *options;
    struct run_result second;
    struct world *world;

    silent.trace = silent.history = NULL;
    world = run_open(&silent, &second);
    if (world != NULL) {
        world->watch = run_check_comparer(check);
        run_finish(world, &silent, &second);
        world_free(world);
    }
    if (check->differs)
        return;
    // It may also have ended too soon, or have come to another verdict.
    check->differs = check->compared != check->count ||
                     second.trace_hash != first->trace_hash ||
                     second.verdict != first->verdict;
    check->compared += check->differs;
}

bool run_check_execute(const struct run_options *options, struct run_result *result,
                       struct buffer *out)
{
    struct run_check check = {0};
    struct world *world = run_open(options, result);
    bool same;

    if (world == NULL) {
        json_string(out, "error", result->error);
        return false;
    }
    world->watch = run_check_recorder(&check);
    run_finish(world, options, result);
    run_report_write(result, out);
    run_report_violations(world, out);
    json_string(out, "linearizable", linearize_verdict_text(result->verdict));
    if (options->history != NULL)
        history_write(&world->history, options->history);
    world_free(world);
    run_again(options, &check, result);
    show(&check, out);
    same = !check.differs;
    run_check_release(&check);
    return same && run_report_ok(result);
}
