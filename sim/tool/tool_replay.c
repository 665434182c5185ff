// A run once more: held against its recorded trace, stopped at an event, looked into.
//
// A trace begins with the line "# raftsim run FLAGS", which names the run. The replay
// is a run of its own: it goes through the same events because the flags say which, and
// each line that it would write is compared with the recorded one.
#include "sim/tool/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/json.h"
#include "sim/language/options.h"
#include "sim/language/script.h"
#include "sim/run.h"

enum { FLAGS_MAX = 64, LINE_BYTES_MAX = 8192 };

static const char head[] = "# raftsim run";

struct replay {
    char *flags[FLAGS_MAX + 1]; // of the run
    uint32_t flag_count;
    char *line; // the trace's first, cut into words
    FILE *recorded;
    uint64_t until; // 0: to the end
    bool print;

    char part[LINE_BYTES_MAX]; // a line of the replay that is not whole yet
    size_t part_size;
    uint64_t lines; // compared, the head included
    bool ended;     // the recorded trace has no more
    bool differs;   // at this line:
    char then[LINE_BYTES_MAX];
    char now[LINE_BYTES_MAX];
};

// ---- what is asked for ----------------------------------------------------------

static bool add_flag(struct replay *replay, char *flag)
{
    if (replay->flag_count == FLAGS_MAX) {
        tool_complain("more than %d flags", FLAGS_MAX);
        return false;
    }
    replay->flags[replay->flag_count++] = flag;
    return true;
}

// Opens a recorded trace, and takes the flags from its first line.
static bool open_trace(struct replay *replay, const char *name)
{
    size_t capacity = 0;

    if (replay->recorded != NULL) {
        tool_complain("one trace at a time, but \"%s\" stands there, too", name);
        return false;
    }
    replay->recorded = fopen(name, "r");
    if (replay->recorded == NULL) {
        tool_complain("cannot read %s: %s", name, strerror(errno));
        return false;
    }
    if (getline(&replay->line, &capacity, replay->recorded) < 0 ||
        strncmp(replay->line, head, strlen(head)) != 0) {
        tool_complain("%s does not begin with \"%s\": it is no trace", name, head);
        return false;
    }
    replay->lines = 1;
    for (char *word = strtok(replay->line + strlen(head), " \n"); word != NULL;
         word = strtok(NULL, " \n"))
        if (!add_flag(replay, word))
            return false;
    return true;
}

static bool read_arguments(struct replay *replay, char **arguments)
{
    for (char **at = arguments; *at != NULL; at++) {
        if (strcmp(*at, "--print") == 0) {
            replay->print = true;
        } else if (strcmp(*at, "--until") == 0) {
            at++;
            if (*at == NULL || !options_number(*at, 1, UINT64_MAX, &replay->until)) {
                tool_complain("--until must be the number of an event");
                return false;
            }
        } else if (**at != '-') {
            if (!open_trace(replay, *at))
                return false;
        } else {
            bool one = strchr(*at, '=') != NULL;

            if (!add_flag(replay, *at) ||
                (!one && at[1] != NULL && !add_flag(replay, *++at)))
                return false;
        }
    }
    return true;
}

// ---- comparing ------------------------------------------------------------------

static void compare_line(struct replay *replay, const char *line, size_t size)
{
    if (replay->ended || replay->differs)
        return;
    if (fgets(replay->then, sizeof(replay->then), replay->recorded) == NULL) {
        replay->ended = true;
        return;
    }
    replay->then[strcspn(replay->then, "\n")] = '\0';
    replay->lines++;
    if (strlen(replay->then) == size && memcmp(replay->then, line, size) == 0)
        return;
    replay->differs = true;
    snprintf(replay->now, sizeof(replay->now), "%.*s", (int)size, line);
}

// Takes what the run writes as its trace: whole lines, and what is left of one.
static ssize_t take_trace(void *context, const char *data, size_t size)
{
    struct replay *replay = context;

    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            compare_line(replay, replay->part, replay->part_size);
            replay->part_size = 0;
        } else if (replay->part_size < sizeof(replay->part) - 1) {
            replay->part[replay->part_size++] = data[i];
        }
    }
    return (ssize_t)size;
}

static bool watch_event(void *context, struct world *world,
                        const struct heap_event *event)
{
    struct replay *replay = context;

    (void)event;
    return !replay->differs && world->event_count != replay->until;
}

// ---- telling --------------------------------------------------------------------

static void report(const struct replay *replay, const struct world *world,
                   const struct run_result *result)
{
    struct buffer out = {0};

    json_open(&out);
    json_number(&out, "event", world->event_count);
    json_number(&out, "time_us", world->now_us);
    json_hex(&out, "trace_hash", world->trace.hash);
    if (replay->recorded != NULL) {
        json_bool(&out, "same", !replay->differs);
        json_number(&out, "lines", replay->lines);
    }
    if (replay->differs) {
        json_string(&out, "recorded", replay->then);
        json_string(&out, "now", replay->now);
    }
    run_report_violations(world, &out);
    if (!world->halted)
        json_string(&out, "linearizable", linearize_verdict_text(result->verdict));
    json_close(&out);
    tool_print(&out);
    buffer_free(&out);
}

// Hands the halted world to whoever sits there, or prints its state.
static void show(struct replay *replay, struct world *world)
{
    world->halted = false;
    world->watch = (struct world_watch){0};
    world->trace.file = NULL;
    if (replay->print)
        script_print_status(world, stdout);
    else
        script_converse(world, stdin, stdout, isatty(STDIN_FILENO) != 0);
}

static int replay_run(struct replay *replay, struct run_options *options)
{
    cookie_io_functions_t doors = {.write = take_trace};
    struct run_result result;
    struct world *world;
    bool stopped, ok;

    if (replay->recorded != NULL) {
        options->trace = fopencookie(replay, "w", doors);
        if (options->trace == NULL)
            return tool_complain("no memory");
        setvbuf(options->trace, NULL, _IOLBF, BUFSIZ);
    }
    world = run_open(options, &result);
    if (world == NULL)
        return tool_complain("%s", result.error);
    world->watch = (struct world_watch){.context = replay, .seen = watch_event};
    run_finish(world, options, &result);
    if (options->trace != NULL)
        fflush(options->trace);
    stopped = world->halted && !replay->differs;
    ok = !replay->differs && (stopped || run_report_ok(&result));
    report(replay, world, &result);
    if (replay->until > 0)
        show(replay, world); // which frees it
    else
        world_free(world);
    if (options->trace != NULL)
        fclose(options->trace);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int tool_replay(char **arguments)
{
    struct replay *replay = calloc(1, sizeof(*replay));
    struct options_run options;
    char error[300];
    int code = TOOL_USAGE;

    if (replay == NULL)
        abort();
    if (read_arguments(replay, arguments)) {
        if (!options_read_run(&options, replay->flags, error, sizeof(error)))
            tool_complain("%s", error);
        else
            code = replay_run(replay, &options.run);
    }
    if (replay->recorded != NULL)
        fclose(replay->recorded);
    free(replay->line);
    free(replay);
    return code;
}
