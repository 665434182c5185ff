// A seed that fails, shrunk to a short scenario that a human reads and that replays.
//
// First a shorter run is looked for that fails in the same way: fewer nodes, fewer
// clients, other seeds. It is written down act by act, played in a world by hand, and
// cut down there. All of that runs in children, because a core with a bug may crash.
#include "sim/tool/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/json.h"
#include "sim/language/options.h"
#include "sim/language/script.h"
#include "sim/run.h"
#include "sim/shrink/play.h"
#include "sim/shrink/record.h"
#include "sim/shrink/shrink.h"
#include "sim/shrink/simplify.h"
#include "sim/shrink/story.h"
#include "sim/tool/sandbox.h"
#include "sim/tool/shrink_flags.h"

enum {
    FLAGS_MAX = 64,
    SECONDS = 60,
    // Of the processor's time: for a run, and for a candidate of up to so many acts.
    RUN_MS = 60000,
    TEST_MS = 1000,
    TEST_ACTS = 10000,
    STORY_BYTES = 1 << 20,
    // A run that fails within so many events is short enough...
    SHORT_EVENTS = 400,
    // ...and so many events are spent on looking for one.
    SEEK_EVENTS = 2000000,
    SEEK_RUNS = 400,
    WORK_MAX = 8000000, // in acts
    LOG_ENTRIES_MAX = 65536,
};

// What children and parent share.
struct shared {
    struct tape trial;     // a run on the clock
    struct tape played;    // by hand
    uint64_t events;       // of the run under way
    uint64_t events_spent; // on looking for a shorter one
    uint32_t variant;      // of the run
    struct shrink shrink;
    bool found;     // what was run, or played, is better
    bool over;      // no candidates are left
    bool holds;     // the scenario
    char text[200]; // of the violation that the scenario tells
    uint32_t story_size;
    char story[STORY_BYTES];
};

struct tool {
    struct options_run options;
    char *flags[FLAGS_MAX + 1];
    uint32_t flag_count;
    const char *out;
    char out_name[64];
    uint64_t seconds;
    uint64_t start_ms;
    uint32_t run_ms;
    uint32_t test_ms;

    struct shared *shared;
    struct tape *recorded;  // the shortest run so far
    struct run_options run; // its flags
    uint64_t events;        // and events
    struct failure wanted;
    bool by_hand; // the recorded run fails there, too
    struct play_options play;
    const struct tape *tape; // to be played
};

static bool enough(const struct tool *tool)
{
    return tool_now_ms() - tool->start_ms >= tool->seconds * 1000;
}

// ---- runs on the clock ----------------------------------------------------------

struct taping {
    struct record record; // first: it is the watch's context, too
    struct shared *shared;
    uint64_t events_max;
};

static bool stop_late(void *context, struct world *world,
                      const struct heap_event *event)
{
    struct taping *taping = context;

    (void)event;
    taping->shared->events = world->event_count;
    return world->event_count < taping->events_max;
}

// One run up to so many events, written down; true where a rule was broken.
static bool run_taped(struct tool *tool, const struct run_options *options,
                      uint64_t events_max, struct violation *violation)
{
    struct taping *taping = calloc(1, sizeof(*taping));
    struct run_result result;
    struct world *world = run_open(options, &result);
    bool violated;

    if (taping == NULL || world == NULL)
        abort();
    taping->shared = tool->shared;
    taping->events_max = events_max;
    record_begin(&taping->record, world, &tool->shared->trial);
    world->watch.seen = stop_late;
    run_finish(world, options, &result);
    if (world->halted && !result.violated && tool->play.linearize)
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
    struct tool *tool = context;
    struct violation violation;

    if (run_taped(tool, &tool->run, UINT64_MAX, &violation))
        sandbox_violated(&violation);
}

// ---- by hand --------------------------------------------------------------------

static void play_once(void *context)
{
    struct tool *tool = context;
    struct violation violation;

    if (play_tape(tool->tape, &tool->play, &tool->shared->played, &violation))
        sandbox_violated(&violation);
}

// Plays a recorded run by hand; true where it fails in the same way. `tape` is used
// for it.
static bool play_by_hand(struct tool *tool, const struct tape *recorded,
                         struct tape *tape)
{
    struct failure failure;

    tape_copy(tape, recorded);
    tape->sync_manual = (1u << LINKS_NODES) - 2;
    if (tape->config.log_entries_max > LOG_ENTRIES_MAX)
        tape->config.log_entries_max = LOG_ENTRIES_MAX;
    tool->tape = tape;
    tool->play.exact = true;
    sandbox_run(play_once, tool, tool->run_ms, &failure);
    tool->play.exact = false;
    return sandbox_same(&failure, &tool->wanted) && !tool->shared->played.full;
}

// ---- shorter runs ---------------------------------------------------------------

// Runs like the first one, but smaller; then other seeds.
static struct run_options make_variant(const struct tool *tool, uint32_t number)
{
    struct run_options options = tool->options.run;
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
    struct tool *tool = context;
    struct shared *shared = tool->shared;
    struct violation violation;

    shared->found = false;
    for (; shared->variant < SEEK_RUNS; shared->variant++) {
        struct run_options options = make_variant(tool, shared->variant);
        bool violated;

        if (shared->events_spent >= SEEK_EVENTS || enough(tool))
            break;
        sandbox_limit(tool->run_ms);
        violated = run_taped(tool, &options, tool->events * 3 / 4, &violation);
        shared->events_spent += shared->events;
        if (violated && !shared->trial.full && tool->wanted.kind == FAILURE_RULE &&
            violation.property == tool->wanted.property) {
            shared->found = true;
            return;
        }
    }
    shared->over = true;
}

// The run that was found, if it fails by hand, too.
static void take_shorter(struct tool *tool, struct tape *best, struct tape *scratch)
{
    struct shared *shared = tool->shared;
    uint64_t events = shared->events;

    if (!play_by_hand(tool, &shared->trial, scratch))
        return;
    tape_copy(tool->recorded, &shared->trial);
    tape_copy(best, &shared->played);
    tool->run = make_variant(tool, shared->variant);
    tool->events = events;
    tool->by_hand = true;
}

static void seek_shorter(struct tool *tool, struct tape *best, struct tape *scratch)
{
    struct shared *shared = tool->shared;

    shared->over = false;
    while (!shared->over && (tool->events > SHORT_EVENTS || !tool->by_hand)) {
        struct failure failure;
        bool same;

        sandbox_run(seek, tool, tool->run_ms, &failure);
        same = failure.kind != FAILURE_NONE && sandbox_same(&failure, &tool->wanted) &&
               shared->events < tool->events;
        if (shared->found || same)
            take_shorter(tool, best, scratch);
        if (failure.kind != FAILURE_NONE)
            shared->events_spent += shared->events;
        shared->variant++;
    }
}

// ---- cutting down --------------------------------------------------------------

// Snapshots by command, if it fails with those, too.
static void say_snapshots(struct tool *tool, struct tape *best, struct tape *candidate)
{
    struct failure failure;

    tape_begin(candidate, &best->config, best);
    if (!simplify_say_snapshots(best, candidate))
        return;
    tool->tape = candidate;
    sandbox_run(play_once, tool, tool->run_ms, &failure);
    if (sandbox_same(&failure, &tool->wanted) && !tool->shared->played.full)
        tape_copy(best, &tool->shared->played);
}

// Goes on until a candidate fails in the same way, or none is left. The state lies in
// shared memory, in case a candidate ends the process.
static void search(void *context)
{
    struct tool *tool = context;
    struct shared *shared = tool->shared;
    struct shrink *shrink = &shared->shrink;
    struct violation violation;

    shared->found = false;
    while (!enough(tool) && shrink_next(shrink)) {
        sandbox_limit(tool->test_ms * (1 + shrink->candidate->count / TEST_ACTS));
        if (play_tape(shrink->candidate, &tool->play, &shared->played, &violation) &&
            tool->wanted.kind == FAILURE_RULE &&
            violation.property == tool->wanted.property && !shared->played.full &&
            shrink_is_better(shrink, &shared->played)) {
            shared->found = true;
            return;
        }
        shrink_take(shrink, NULL);
    }
    shared->over = true;
}

static void cut_down(struct tool *tool)
{
    struct shared *shared = tool->shared;

    shared->over = false;
    while (!shared->over) {
        struct failure failure;
        bool same;

        sandbox_run(search, tool, tool->test_ms, &failure);
        same = failure.kind != FAILURE_NONE && sandbox_same(&failure, &tool->wanted);
        if (shared->found || same)
            shrink_take(&shared->shrink, &shared->played);
        else if (failure.kind != FAILURE_NONE)
            shrink_take(&shared->shrink, NULL);
    }
}

// ---- the scenario ---------------------------------------------------------------

// The acts as commands with comments. The last one may end the process, so that it is
// not performed in the telling.
static void tell(void *context)
{
    struct tool *tool = context;
    struct shared *shared = tool->shared;
    struct tape *best = shared->shrink.best;
    bool crash = tool->wanted.kind != FAILURE_RULE;
    struct buffer story = {0};
    struct violation violation;

    tool->play.story = &story;
    best->count -= crash && best->count > 0;
    violation.text[0] = '\0';
    play_tape(best, &tool->play, &shared->played, &violation);
    snprintf(shared->text, sizeof(shared->text), "%s", violation.text);
    if (crash) {
        const struct act *last = &best->acts[best->count];

        if (last->elapsed_ms > 0)
            buffer_format(&story, "clock %u jump=%" PRIu32 "ms\n", last->node,
                          last->elapsed_ms);
        tape_line(best, &best->acts[best->count], &story);
        buffer_append_text(&story, "\n");
    }
    if (story.size >= STORY_BYTES)
        abort();
    memcpy(shared->story, story.data, story.size);
    shared->story_size = (uint32_t)story.size;
}

static void write_head(const struct tool *tool, struct buffer *out)
{
    char name[100];
    struct buffer line = {0};

    sandbox_name(&tool->wanted, name, sizeof(name));
    buffer_format(&line, "Broken: %s. %s", name,
                  tool->wanted.kind == FAILURE_RULE ? story_rule(tool->wanted.property)
                                                    : tool->wanted.text);
    buffer_append(&line, "", 1);
    story_comment(out, line.data);
    buffer_clear(&line);
    buffer_append_text(&line, "Found by: raftsim run");
    for (uint32_t i = 0; i < tool->flag_count; i++)
        buffer_format(&line, " %s", tool->flags[i]);
    buffer_append(&line, "", 1);
    story_comment(out, line.data);
    buffer_clear(&line);
    buffer_format(&line,
                  "Shrunk from %" PRIu32 " acts of seed %" PRIu64 " with %" PRIu32
                  " nodes to %" PRIu32 " commands. It holds where the rule is broken, "
                  "and only there.",
                  tool->recorded->count, tool->run.seed, tool->run.nodes,
                  tape_commands(tool->shared->shrink.best));
    buffer_append(&line, "", 1);
    story_comment(out, line.data);
    buffer_free(&line);
}

static bool write_scenario(struct tool *tool)
{
    struct shared *shared = tool->shared;
    struct buffer text = {0};
    struct failure failure;
    FILE *file;
    bool written;

    sandbox_run(tell, tool, tool->run_ms, &failure);
    write_head(tool, &text);
    buffer_append(&text, shared->story, shared->story_size);
    if (tool->wanted.kind == FAILURE_RULE)
        buffer_format(&text, "expect violation \"%s\" # %s\n",
                      checker_property_text(tool->wanted.property), shared->text);
    if (!tool_create(tool->out, &file))
        return false;
    written = fwrite(text.data, 1, text.size, file) == text.size;
    written &= fclose(file) == 0;
    buffer_free(&text);
    return written || tool_complain("cannot write %s", tool->out) == 0;
}

static void run_script(void *context)
{
    struct tool *tool = context;
    FILE *nowhere = fopen("/dev/null", "w");

    if (nowhere == NULL)
        abort();
    tool->shared->holds = script_run(tool->out, nowhere, nowhere) == SCRIPT_HELD;
}

// Whether the file does what it says.
static bool replays(struct tool *tool)
{
    struct failure failure;

    sandbox_run(run_script, tool, tool->run_ms, &failure);
    if (tool->wanted.kind == FAILURE_RULE)
        return failure.kind == FAILURE_NONE && tool->shared->holds;
    return sandbox_same(&failure, &tool->wanted);
}

// ---- the command ----------------------------------------------------------------

// Takes what is the shrinker's own out of the arguments.
static bool read_arguments(struct tool *tool, char **arguments)
{
    char error[300];
    uint64_t cpu_ms;

    tool->seconds = SECONDS;
    tool->run_ms = RUN_MS;
    tool->test_ms = TEST_MS;
    for (char **at = arguments; *at != NULL; at++) {
        if (strcmp(*at, "--out") == 0 && at[1] != NULL) {
            tool->out = *++at;
        } else if (strcmp(*at, "--seconds") == 0 && at[1] != NULL) {
            if (!options_number(*++at, 1, 86400, &tool->seconds)) {
                tool_complain("--seconds must be a number of seconds");
                return false;
            }
        } else if (strcmp(*at, "--cpu") == 0 && at[1] != NULL) {
            if (!options_number(*++at, 1, 3600000, &cpu_ms)) {
                tool_complain("--cpu must be a number of milliseconds");
                return false;
            }
            tool->test_ms = (uint32_t)cpu_ms;
            tool->run_ms = 4 * tool->test_ms;
        } else if (tool->flag_count == FLAGS_MAX) {
            tool_complain("more than %d flags", FLAGS_MAX);
            return false;
        } else {
            tool->flags[tool->flag_count++] = *at;
        }
    }
    if (!options_read_run(&tool->options, tool->flags, error, sizeof(error))) {
        tool_complain("%s", error);
        return false;
    }
    snprintf(tool->out_name, sizeof(tool->out_name), "shrunk-%" PRIu64 ".scenario",
             tool->options.run.seed);
    if (tool->out == NULL)
        tool->out = tool->out_name;
    return true;
}

static struct tape *new_tape(void)
{
    struct tape *tape = sandbox_memory(sizeof(*tape));

    if (tape == NULL)
        abort();
    return tape;
}

static void report(struct tool *tool, bool replayed)
{
    const struct shared *shared = tool->shared;
    struct buffer out = {0};
    char name[100];

    sandbox_name(&tool->wanted, name, sizeof(name));
    json_open(&out);
    json_number(&out, "seed", tool->options.run.seed);
    json_string(&out, "rule", name);
    json_string(&out, "text", tool->wanted.text);
    json_number(&out, "commands", tape_commands(shared->shrink.best));
    json_number(&out, "nodes", shared->shrink.best->config.node_count);
    json_number(&out, "acts", tool->recorded->count);
    json_number(&out, "from_seed", tool->run.seed);
    json_number(&out, "tests", shared->shrink.tests);
    json_bool(&out, "finished", shared->shrink.phase == SHRINK_OVER);
    json_string(&out, "scenario", tool->out);
    json_bool(&out, "replays", replayed);
    json_number(&out, "wall_ms", tool_now_ms() - tool->start_ms);
    json_close(&out);
    tool_print(&out);
    buffer_free(&out);
}

// ---- on the clock ---------------------------------------------------------------

static bool still_fails(void *context, const struct run_options *options)
{
    struct tool *tool = context;
    struct failure failure;

    if (enough(tool))
        return false;
    tool->run = *options;
    sandbox_run(run_first, tool, tool->run_ms, &failure);
    return sandbox_same(&failure, &tool->wanted);
}

// What does not fail by hand is told as a run with smaller flags.
static int report_flags(struct tool *tool)
{
    struct run_options smaller = tool->options.run;
    struct buffer out = {0}, command = {0};
    uint32_t runs = shrink_flags_reduce(&smaller, still_fails, tool);
    char name[100];

    buffer_append_text(&command, "raftsim run");
    for (uint32_t i = 0; i < tool->flag_count; i++)
        buffer_format(&command, " %s", tool->flags[i]);
    shrink_flags_write(&smaller, &tool->options.run, &command);
    sandbox_name(&tool->wanted, name, sizeof(name));
    json_open(&out);
    json_number(&out, "seed", tool->options.run.seed);
    json_string(&out, "rule", name);
    json_string(&out, "text", tool->wanted.text);
    json_number(&out, "tests", runs);
    json_bytes(&out, "command", command.data, command.size);
    json_number(&out, "wall_ms", tool_now_ms() - tool->start_ms);
    json_close(&out);
    tool_print(&out);
    buffer_free(&out);
    buffer_free(&command);
    return EXIT_SUCCESS;
}

// Whether it is something that happens, and not something that does not.
static bool can_happen_by_hand(const struct failure *failure)
{
    return failure->kind != FAILURE_RULE || (failure->property != PROPERTY_LIVENESS &&
                                             failure->property != PROPERTY_REST);
}

// The first run, whose failure is the one that is looked for.
static bool fail_first(struct tool *tool)
{
    tool->run = tool->options.run;
    sandbox_run(run_first, tool, tool->run_ms, &tool->wanted);
    if (tool->wanted.kind == FAILURE_NONE) {
        tool_complain("that run breaks no rule");
        return false;
    }
    tape_copy(tool->recorded, &tool->shared->trial);
    tool->events = tool->shared->events;
    tool->play.linearize = tool->wanted.kind == FAILURE_RULE &&
                           tool->wanted.property == PROPERTY_LINEARIZABILITY;
    return true;
}

int tool_shrink(char **arguments)
{
    struct tool *tool = calloc(1, sizeof(*tool));
    struct tape *best = new_tape(), *candidate = new_tape();
    bool replayed;

    if (tool == NULL)
        abort();
    tool->start_ms = tool_now_ms();
    tool->shared = sandbox_memory(sizeof(*tool->shared));
    tool->recorded = new_tape();
    if (tool->shared == NULL)
        abort();
    if (!read_arguments(tool, arguments) || !fail_first(tool))
        return TOOL_USAGE;
    if (!can_happen_by_hand(&tool->wanted))
        return report_flags(tool);
    tool->by_hand = play_by_hand(tool, tool->recorded, candidate);
    if (tool->by_hand)
        tape_copy(best, &tool->shared->played);
    seek_shorter(tool, best, candidate);
    if (!tool->by_hand)
        return report_flags(tool);
    say_snapshots(tool, best, candidate);
    shrink_begin(&tool->shared->shrink, best, candidate, WORK_MAX);
    cut_down(tool);
    if (!write_scenario(tool))
        return TOOL_USAGE;
    replayed = replays(tool);
    report(tool, replayed);
    return replayed ? EXIT_SUCCESS : EXIT_FAILURE;
}
