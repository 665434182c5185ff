// A seed that fails, shrunk to a short scenario that a human reads and that replays.
//
// First a shorter run is looked for that fails in the same way: fewer nodes, fewer
// clients, other seeds. It is written down act by act, played in a world by hand, and
// cut down there; what takes the clock is cut down on the clock (shrink_clock.h). All
// of that runs in children, because a core with a bug may crash.
#include "sim/tool/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/json.h"
#include "sim/language/options.h"
#include "sim/language/script.h"
#include "sim/shrink/story.h"
#include "sim/tool/sandbox.h"
#include "sim/tool/shrink_clock.h"
#include "sim/tool/shrink_flags.h"
#include "sim/tool/shrink_hand.h"

enum {
    FLAGS_MAX = 64,
    SECONDS = 60,
    // Of the processor's time: for a run, and for a candidate.
    RUN_MS = 60000,
    TEST_MS = 1000,
    // In acts: what is not short after the first is tried on the clock, too.
    WORK_FIRST = 1500000,
    WORK_MAX = 8000000,
    COMMANDS_SHORT = 25,
};

// How the shortest schedule is told.
enum form { FORM_BY_HAND, FORM_ON_THE_CLOCK, FORM_FLAGS };

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

    enum form form;
    struct shrink_hand hand;
    struct shrink_clock clock;
    bool *holds; // the scenario; shared with the child that runs it
};

static uint32_t count_commands(const struct tool *tool)
{
    return tool->form == FORM_BY_HAND ? tape_commands(tool->hand.best)
                                      : timeline_commands(tool->clock.best);
}

// ---- the scenario ---------------------------------------------------------------

static void write_comment(struct buffer *out, struct buffer *line)
{
    buffer_append(line, "", 1);
    story_comment(out, line->data);
    buffer_clear(line);
}

static void write_head(const struct tool *tool, struct buffer *out)
{
    const struct failure *wanted = &tool->hand.wanted;
    const struct run_options *run =
        tool->form == FORM_BY_HAND ? &tool->hand.run : &tool->clock.run;
    char name[100];
    struct buffer line = {0};

    sandbox_name(wanted, name, sizeof(name));
    buffer_format(&line, "Broken: %s. %s", name,
                  wanted->kind == FAILURE_RULE ? story_rule(wanted->property)
                                               : wanted->text);
    write_comment(out, &line);
    buffer_append_text(&line, "Found by: raftsim run");
    for (uint32_t i = 0; i < tool->flag_count; i++)
        buffer_format(&line, " %s", tool->flags[i]);
    write_comment(out, &line);
    buffer_format(
        &line,
        "Shrunk from %" PRIu32 " %s of seed %" PRIu64 " with %" PRIu32
        " nodes to %" PRIu32 " %s. It holds where the rule is broken, "
        "and only there.",
        tool->form == FORM_BY_HAND ? tool->hand.recorded->count : tool->clock.lines,
        tool->form == FORM_BY_HAND ? "acts" : "faults", run->seed, run->nodes,
        count_commands(tool), count_commands(tool) == 1 ? "command" : "commands");
    write_comment(out, &line);
    buffer_free(&line);
}

static bool write_scenario(struct tool *tool)
{
    struct buffer text = {0};
    FILE *file;
    bool written;

    write_head(tool, &text);
    if (tool->form == FORM_BY_HAND)
        shrink_hand_tell(&tool->hand, &text);
    else
        shrink_clock_tell(&tool->clock, &text);
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
    *tool->holds = script_run(tool->out, nowhere, nowhere) == SCRIPT_HELD;
}

// Whether the file does what it says.
static bool replays(struct tool *tool)
{
    struct failure failure;

    sandbox_run(run_script, tool, tool->run_ms, &failure);
    if (tool->hand.wanted.kind == FAILURE_RULE)
        return failure.kind == FAILURE_NONE && *tool->holds;
    return sandbox_same(&failure, &tool->hand.wanted);
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

static void write_failure(const struct tool *tool, struct buffer *out)
{
    char name[100];

    sandbox_name(&tool->hand.wanted, name, sizeof(name));
    json_number(out, "seed", tool->options.run.seed);
    json_string(out, "rule", name);
    json_string(out, "text", tool->hand.wanted.text);
}

static void report(struct tool *tool, bool replayed)
{
    const struct shrink *by_hand = &tool->hand.shared->shrink;
    const struct timeline_shrink *on_clock = &tool->clock.shared->shrink;
    bool hand = tool->form == FORM_BY_HAND;
    struct buffer out = {0};

    json_open(&out);
    write_failure(tool, &out);
    json_string(&out, "form", hand ? "by hand" : "on the clock");
    json_number(&out, "commands", count_commands(tool));
    json_number(&out, "nodes",
                hand ? tool->hand.best->config.node_count
                     : tool->clock.best->config.node_count);
    if (hand)
        json_number(&out, "acts", tool->hand.recorded->count);
    else
        json_number(&out, "faults", tool->clock.lines);
    json_number(&out, "from_seed", hand ? tool->hand.run.seed : tool->clock.run.seed);
    json_number(&out, "tests", by_hand->tests + on_clock->tests);
    json_bool(&out, "finished", hand ? by_hand->phase == SHRINK_OVER : on_clock->over);
    json_string(&out, "scenario", tool->out);
    json_bool(&out, "replays", replayed);
    json_number(&out, "wall_ms", tool_now_ms() - tool->start_ms);
    json_close(&out);
    tool_print(&out);
    buffer_free(&out);
}

// ---- what comes out as flags ----------------------------------------------------

static bool still_fails(void *context, const struct run_options *options)
{
    struct tool *tool = context;

    return tool_now_ms() < tool->hand.end_ms && shrink_hand_fails(&tool->hand, options);
}

// What fails neither by hand nor on the clock is told as a run with smaller flags.
static int report_flags(struct tool *tool)
{
    struct run_options smaller = tool->options.run;
    struct buffer out = {0}, command = {0};
    uint32_t runs = shrink_flags_reduce(&smaller, still_fails, tool);

    buffer_append_text(&command, "raftsim run");
    for (uint32_t i = 0; i < tool->flag_count; i++)
        buffer_format(&command, " %s", tool->flags[i]);
    shrink_flags_write(&smaller, &tool->options.run, &command);
    json_open(&out);
    write_failure(tool, &out);
    json_number(&out, "tests", runs);
    json_bytes(&out, "command", command.data, command.size);
    json_number(&out, "wall_ms", tool_now_ms() - tool->start_ms);
    json_close(&out);
    tool_print(&out);
    buffer_free(&out);
    buffer_free(&command);
    return EXIT_SUCCESS;
}

// ---- the search -----------------------------------------------------------------

// Whether it is something that happens, and not something that does not.
static bool can_happen_by_hand(const struct failure *failure)
{
    return failure->kind != FAILURE_RULE ||
           (failure->property != PROPERTY_LIVENESS &&
            failure->property != PROPERTY_REST && failure->property != PROPERTY_LEASE);
}

// By hand a clock stands still while others go on, which breaks what leases promise
// without any bug.
static bool is_sound(const struct shrink_hand *hand)
{
    const struct world_config *config = &hand->best->config;
    bool reads = hand->wanted.kind == FAILURE_RULE &&
                 (hand->wanted.property == PROPERTY_READ_INDEX ||
                  hand->wanted.property == PROPERTY_LINEARIZABILITY);

    return !reads || config->lease_drift_percent == 0 ||
           config->clock_drift_percent > config->lease_drift_percent;
}

static bool is_short(const struct shrink_hand *hand)
{
    return hand->by_hand && tape_commands(hand->best) <= COMMANDS_SHORT;
}

// First by hand; what is not short then, on the clock; and what that has made of it by
// hand again, since a short run on the clock is short by hand, too.
static void search(struct tool *tool)
{
    struct shrink_hand *hand = &tool->hand;
    struct shrink_clock *clock = &tool->clock;
    bool happens = can_happen_by_hand(&hand->wanted);
    bool on_clock;

    tool->form = FORM_BY_HAND;
    if (happens)
        shrink_hand_reduce(hand, WORK_FIRST);
    hand->by_hand = hand->by_hand && is_sound(hand);
    if (is_short(hand))
        return;
    clock->wanted = &hand->wanted;
    on_clock = shrink_clock_reduce(clock, hand->timeline);
    if (on_clock && happens && shrink_clock_tape(clock, hand->other))
        shrink_hand_take(hand, WORK_MAX);
    hand->by_hand = hand->by_hand && is_sound(hand);
    if (hand->by_hand && !is_short(hand) && !on_clock)
        shrink_hand_go_on(hand, WORK_MAX);
    if (!on_clock && !hand->by_hand)
        tool->form = FORM_FLAGS;
    else if (!hand->by_hand ||
             (on_clock && tape_commands(hand->best) > COMMANDS_SHORT &&
              tape_commands(hand->best) > timeline_commands(clock->best)))
        tool->form = FORM_ON_THE_CLOCK;
}

static void begin(struct tool *tool)
{
    struct shrink_hand *hand = &tool->hand;
    struct shrink_clock *clock = &tool->clock;

    hand->asked = clock->asked = tool->options.run;
    hand->end_ms = clock->end_ms = tool->start_ms + tool->seconds * 1000;
    hand->run_ms = clock->run_ms = tool->run_ms;
    hand->test_ms = clock->test_ms = tool->test_ms;
    shrink_hand_init(hand);
    shrink_clock_init(clock);
    tool->holds = sandbox_memory(sizeof(*tool->holds));
    if (tool->holds == NULL)
        abort();
}

int tool_shrink(char **arguments)
{
    struct tool *tool = calloc(1, sizeof(*tool));
    bool replayed;

    if (tool == NULL)
        abort();
    tool->start_ms = tool_now_ms();
    if (!read_arguments(tool, arguments))
        return TOOL_USAGE;
    begin(tool);
    if (!shrink_hand_first(&tool->hand))
        return tool_complain("that run breaks no rule");
    search(tool);
    if (tool->form == FORM_FLAGS)
        return report_flags(tool);
    if (!write_scenario(tool))
        return TOOL_USAGE;
    replayed = replays(tool);
    report(tool, replayed);
    return replayed ? EXIT_SUCCESS : EXIT_FAILURE;
}
