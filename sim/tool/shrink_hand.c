#include "sim/tool/shrink_hand.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/shrink/record.h"
#include "sim/shrink/simplify.h"
#include "sim/shrink/timeline_record.h"
#include "sim/tool/tool.h"

enum {
    // Of the processor's time, a candidate of up to so many acts has test_ms.
    TEST_ACTS = 10000,
    // A run that fails within so many events is short enough...
    SHORT_EVENTS = 400,
    // ...and so many events are spent on looking for one.
    SEEK_EVENTS = 2000000,
    SEEK_RUNS = 400,
    LOG_ENTRIES_MAX = 65536,
    HALVINGS = 12,
    JUDGE_STEPS = 200000, // a verdict that takes more is none
};

static bool enough(const struct shrink_hand *hand)
{
    return tool_now_ms() >= hand->end_ms;
}

// ---- runs on the clock ----------------------------------------------------------

struct taping {
    struct record record;
    struct timeline_record timeline;
    void (*told)(void *context, struct world *world, const struct deed *deed);
    struct shrink_hand_shared *shared;
    uint64_t events_max;
};

static bool seen(void *context, struct world *world, const struct heap_event *event)
{
    struct taping *taping = context;

    timeline_record_seen(&taping->timeline, world, event);
    taping->shared->events = world->event_count;
    return world->event_count < taping->events_max;
}

static void told(void *context, struct world *world, const struct deed *deed)
{
    struct taping *taping = context;

    timeline_record_told(&taping->timeline, world, deed);
    taping->told(&taping->record, world, deed);
}

// One run up to so many events, written down; true where a rule was broken.
static bool run_taped(struct shrink_hand *hand, const struct run_options *options,
                      uint64_t events_max, struct violation *violation)
{
    struct taping *taping = calloc(1, sizeof(*taping));
    struct run_result result;
    struct world *world = run_open(options, &result);
    bool violated;

    if (taping == NULL || world == NULL)
        abort();
    taping->shared = hand->shared;
    taping->events_max = events_max;
    record_begin(&taping->record, world, &hand->shared->trial);
    taping->told = world->watch.told;
    timeline_record_begin(&taping->timeline, world, &hand->shared->timeline);
    world->watch = (struct world_watch){taping, seen, told};
    run_finish(world, options, &result);
    if (world->halted && !result.violated && hand->play.linearize)
        run_linearize(world); // it was cut off before its verdict
    violated = world_violated(world);
    if (violated)
        *violation = *checker_violation(world->checker, 0);
    world_free(world);
    free(taping);
    return violated;
}

static void run_first(void *context)
{
    struct shrink_hand *hand = context;
    struct violation violation;

    if (run_taped(hand, &hand->run, UINT64_MAX, &violation))
        sandbox_violated(&violation);
}

bool shrink_hand_first(struct shrink_hand *hand)
{
    hand->run = hand->asked;
    sandbox_run(run_first, hand, hand->run_ms, &hand->wanted);
    if (hand->wanted.kind == FAILURE_NONE)
        return false;
    tape_copy(hand->recorded, &hand->shared->trial);
    timeline_copy(hand->timeline, &hand->shared->timeline);
    hand->events = hand->shared->events;
    hand->play.linearize = hand->wanted.kind == FAILURE_RULE &&
                           hand->wanted.property == PROPERTY_LINEARIZABILITY;
    return true;
}

bool shrink_hand_fails(struct shrink_hand *hand, const struct run_options *options)
{
    struct failure failure;

    hand->run = *options;
    sandbox_run(run_first, hand, hand->run_ms, &failure);
    return sandbox_same(&failure, &hand->wanted);
}

// ---- by hand --------------------------------------------------------------------

static void play_once(void *context)
{
    struct shrink_hand *hand = context;
    struct violation violation;

    if (play_tape(hand->tape, &hand->play, &hand->shared->played, &violation))
        sandbox_violated(&violation);
}

// Plays a recorded run by hand; true where it fails in the same way. `tape` is used
// for it.
static bool play_by_hand(struct shrink_hand *hand, const struct tape *recorded,
                         struct tape *tape)
{
    struct failure failure;

    tape_copy(tape, recorded);
    tape->sync_manual = tape->config.perfect_disks ? 0 : (1u << LINKS_NODES) - 2;
    if (tape->config.log_entries_max > LOG_ENTRIES_MAX)
        tape->config.log_entries_max = LOG_ENTRIES_MAX;
    hand->tape = tape;
    hand->play.exact = true;
    sandbox_run(play_once, hand, hand->run_ms, &failure);
    hand->play.exact = false;
    return sandbox_same(&failure, &hand->wanted) && !hand->shared->played.full;
}

// ---- the same run, less of it ---------------------------------------------------

static void run_part(void *context)
{
    struct shrink_hand *hand = context;
    struct run_options options = hand->run;
    struct violation violation;

    options.judge_steps_max = JUDGE_STEPS;
    if (run_taped(hand, &options, hand->part, &violation))
        sandbox_violated(&violation);
}

// A history is judged at the end, but what is wrong with it may stand at its beginning:
// the shortest beginning of the run that is not linearizable either, within a few.
static void halve(struct shrink_hand *hand)
{
    uint64_t low = 0, high = hand->events;
    struct failure failure;

    hand->other->count = 0;
    for (uint32_t step = 0; step < HALVINGS && high - low > SHORT_EVENTS; step++) {
        hand->part = low + (high - low) / 2;
        sandbox_run(run_part, hand, hand->run_ms, &failure);
        if (!sandbox_same(&failure, &hand->wanted) || hand->shared->trial.full) {
            low = hand->part;
            continue;
        }
        high = hand->part;
        tape_copy(hand->other, &hand->shared->trial);
    }
    if (hand->other->count == 0 || !play_by_hand(hand, hand->other, hand->candidate))
        return;
    tape_copy(hand->recorded, hand->other);
    tape_copy(hand->best, &hand->shared->played);
    hand->events = high;
    hand->by_hand = true;
}

// ---- shorter runs ---------------------------------------------------------------

// Runs like the first one, but smaller; then other seeds.
static struct run_options make_variant(const struct shrink_hand *hand, uint32_t number)
{
    struct run_options options = hand->asked;
    uint32_t how = number % 6;

    if (options.nodes > 3 && how != 5)
        options.nodes = 3;
    if (how % 3 != 0)
        options.clients = how % 3;
    if (number >= 6)
        options.seed += number;
    return options;
}

// Goes through the variants until one fails in the same way, and sooner.
static void seek(void *context)
{
    struct shrink_hand *hand = context;
    struct shrink_hand_shared *shared = hand->shared;
    struct violation violation;

    shared->found = false;
    for (; shared->variant < SEEK_RUNS; shared->variant++) {
        struct run_options options = make_variant(hand, shared->variant);
        bool violated;

        if (shared->events_spent >= SEEK_EVENTS || enough(hand))
            break;
        options.judge_steps_max = JUDGE_STEPS;
        sandbox_limit(hand->run_ms);
        violated = run_taped(hand, &options, hand->events * 3 / 4, &violation);
        shared->events_spent += shared->events;
        if (violated && !shared->trial.full && hand->wanted.kind == FAILURE_RULE &&
            violation.property == hand->wanted.property) {
            shared->found = true;
            return;
        }
    }
    shared->over = true;
}

// The run that was found, if it fails by hand, too.
static void take_shorter(struct shrink_hand *hand, struct tape *best,
                         struct tape *scratch)
{
    struct shrink_hand_shared *shared = hand->shared;
    uint64_t events = shared->events;

    if (!play_by_hand(hand, &shared->trial, scratch))
        return;
    tape_copy(hand->recorded, &shared->trial);
    tape_copy(best, &shared->played);
    hand->run = make_variant(hand, shared->variant);
    hand->events = events;
    hand->by_hand = true;
}

static void seek_shorter(struct shrink_hand *hand, struct tape *best,
                         struct tape *scratch)
{
    struct shrink_hand_shared *shared = hand->shared;

    shared->over = false;
    while (!shared->over && (hand->events > SHORT_EVENTS || !hand->by_hand)) {
        struct failure failure;
        bool same;

        sandbox_run(seek, hand, hand->run_ms, &failure);
        same = failure.kind != FAILURE_NONE && sandbox_same(&failure, &hand->wanted) &&
               shared->events < hand->events;
        if (shared->found || same)
            take_shorter(hand, best, scratch);
        if (failure.kind != FAILURE_NONE)
            shared->events_spent += shared->events;
        shared->variant++;
    }
}

// ---- cutting down --------------------------------------------------------------

// Snapshots by command, if it fails with those, too.
static void say_snapshots(struct shrink_hand *hand, struct tape *best,
                          struct tape *candidate)
{
    struct failure failure;

    tape_begin(candidate, &best->config, best);
    if (!simplify_say_snapshots(best, candidate))
        return;
    hand->tape = candidate;
    sandbox_run(play_once, hand, hand->run_ms, &failure);
    if (sandbox_same(&failure, &hand->wanted) && !hand->shared->played.full)
        tape_copy(best, &hand->shared->played);
}

// Goes on until a candidate fails in the same way, or none is left. The state lies in
// shared memory, in case a candidate ends the process.
static void search(void *context)
{
    struct shrink_hand *hand = context;
    struct shrink_hand_shared *shared = hand->shared;
    struct shrink *shrink = &shared->shrink;
    struct violation violation;

    shared->found = false;
    while (!enough(hand) && shrink_next(shrink)) {
        sandbox_limit(hand->test_ms * (1 + shrink->candidate->count / TEST_ACTS));
        if (play_tape(shrink->candidate, &hand->play, &shared->played, &violation) &&
            hand->wanted.kind == FAILURE_RULE &&
            violation.property == hand->wanted.property && !shared->played.full &&
            shrink_is_better(shrink, &shared->played)) {
            shared->found = true;
            return;
        }
        shrink_take(shrink, NULL);
    }
    shared->over = true;
}

static void cut_down(struct shrink_hand *hand)
{
    struct shrink_hand_shared *shared = hand->shared;

    shared->over = false;
    while (!shared->over) {
        struct failure failure;
        bool same;

        sandbox_run(search, hand, hand->test_ms, &failure);
        same = failure.kind != FAILURE_NONE && sandbox_same(&failure, &hand->wanted);
        if (shared->found || same)
            shrink_take(&shared->shrink, &shared->played);
        else if (failure.kind != FAILURE_NONE)
            shrink_take(&shared->shrink, NULL);
    }
}

static void *allocate(size_t size)
{
    void *memory = sandbox_memory(size);

    if (memory == NULL)
        abort();
    return memory;
}

void shrink_hand_init(struct shrink_hand *hand)
{
    hand->shared = allocate(sizeof(*hand->shared));
    hand->timeline = allocate(sizeof(*hand->timeline));
    hand->recorded = allocate(sizeof(*hand->recorded));
    hand->best = allocate(sizeof(*hand->best));
    hand->other = allocate(sizeof(*hand->other));
    hand->candidate = allocate(sizeof(*hand->candidate));
}

void shrink_hand_go_on(struct shrink_hand *hand, uint64_t work_max)
{
    hand->shared->shrink.work_max = work_max;
    cut_down(hand);
}

bool shrink_hand_reduce(struct shrink_hand *hand, uint64_t work_max)
{
    hand->by_hand = play_by_hand(hand, hand->recorded, hand->candidate);
    if (hand->by_hand)
        tape_copy(hand->best, &hand->shared->played);
    seek_shorter(hand, hand->best, hand->candidate);
    if (hand->play.linearize && !enough(hand))
        halve(hand);
    if (!hand->by_hand)
        return false;
    say_snapshots(hand, hand->best, hand->candidate);
    shrink_begin(&hand->shared->shrink, hand->best, hand->candidate, work_max);
    cut_down(hand);
    return true;
}

bool shrink_hand_take(struct shrink_hand *hand, uint64_t work_max)
{
    struct shrink *shrink = &hand->shared->shrink;
    struct shrink before = *shrink;
    uint32_t acts = hand->other->count;

    if (!play_by_hand(hand, hand->other, hand->candidate))
        return false;
    tape_copy(hand->other, &hand->shared->played);
    say_snapshots(hand, hand->other, hand->candidate);
    shrink_begin(shrink, hand->other, hand->candidate, work_max);
    cut_down(hand);
    if (hand->by_hand && tape_cost(hand->best) <= tape_cost(hand->other)) {
        *shrink = before;
        return false;
    }
    hand->by_hand = true;
    hand->recorded->count = acts;
    tape_copy(hand->best, hand->other);
    shrink->best = hand->best;
    return true;
}

// ---- the story ------------------------------------------------------------------

// The acts as commands with comments. The last one may end the process, so that it is
// not performed in the telling.
static void tell(void *context)
{
    struct shrink_hand *hand = context;
    struct shrink_hand_shared *shared = hand->shared;
    struct tape *best = shared->shrink.best;
    bool crash = hand->wanted.kind != FAILURE_RULE;
    struct buffer story = {0};
    struct violation violation;

    hand->play.story = &story;
    best->count -= crash && best->count > 0;
    violation.text[0] = '\0';
    play_tape(best, &hand->play, &shared->played, &violation);
    snprintf(shared->text, sizeof(shared->text), "%s", violation.text);
    if (crash) {
        const struct act *last = &best->acts[best->count];

        if (last->elapsed_ms > 0)
            buffer_format(&story, "clock %u jump=%" PRIu32 "ms\n", last->node,
                          last->elapsed_ms);
        tape_line(best, &best->acts[best->count], &story);
        buffer_append_text(&story, "\n");
    }
    if (story.size >= SHRINK_HAND_STORY_BYTES)
        abort();
    memcpy(shared->story, story.data, story.size);
    shared->story_size = (uint32_t)story.size;
}

void shrink_hand_tell(struct shrink_hand *hand, struct buffer *out)
{
    const struct shrink_hand_shared *shared = hand->shared;
    struct failure failure;

    sandbox_run(tell, hand, hand->run_ms, &failure);
    buffer_append(out, shared->story, shared->story_size);
    if (hand->wanted.kind == FAILURE_RULE)
        buffer_format(out, "expect violation \"%s\" # %s\n",
                      checker_property_text(hand->wanted.property), shared->text);
}
