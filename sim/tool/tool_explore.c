// All interleavings within bounds: raftsim explore (sim/explore/, docs/exploring.md).
#include "sim/tool/tool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/explore/explore.h"
#include "sim/json.h"
#include "sim/language/options.h"

struct asked {
    struct explore_options options;
    uint64_t jobs;
    uint64_t seconds;
    const char *from;
    const char *out;
    struct buffer text; // of `from`
};

// ---- flags ----------------------------------------------------------------------

static bool read_number(const char *flag, const char *text, uint64_t low, uint64_t high,
                        uint64_t *number)
{
    if (text != NULL && options_number(text, low, high, number))
        return true;
    tool_complain("%s wants a number from %llu to %llu", flag, (unsigned long long)low,
                  (unsigned long long)high);
    return false;
}

// Bounds that may also be "any".
static bool read_bound(const char *flag, const char *text, uint32_t *bound)
{
    uint64_t number;

    if (text != NULL && strcmp(text, "any") == 0) {
        *bound = MOVES_ANY;
        return true;
    }
    if (!read_number(flag, text, 0, 100, &number))
        return false;
    *bound = (uint32_t)number;
    return true;
}

static uint32_t *bound_of(struct explore_options *options, const char *flag)
{
    static const struct {
        const char *flag;
        enum book_use use;
    } uses[] = {
        {"--entries", BOOK_ENTRY},        {"--crashes", BOOK_CRASH},
        {"--losses", BOOK_LOSS},          {"--duplicates", BOOK_DUPLICATE},
        {"--heartbeats", BOOK_HEARTBEAT}, {"--changes", BOOK_CHANGE},
        {"--timeouts", BOOK_TIMEOUT},
    };

    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
        if (strcmp(flag, uses[i].flag) == 0)
            return &options->bounds.used[uses[i].use];
    return NULL;
}

static bool read_switch(struct asked *asked, const char *flag)
{
    struct explore_options *options = &asked->options;

    if (strcmp(flag, "--no-symmetry") == 0)
        options->symmetry = false;
    else if (strcmp(flag, "--no-reduction") == 0)
        options->bounds.reduction = options->bounds.drop_stale = false;
    else if (strcmp(flag, "--pre-vote") == 0)
        options->cluster.pre_vote = true;
    else if (strcmp(flag, "--sync-by-hand") == 0)
        options->cluster.sync_by_hand = true;
    else if (strcmp(flag, "--outcomes") == 0)
        options->outcomes_only = true;
    else
        return false;
    return true;
}

static bool read_small(uint32_t *to, const char *flag, const char *text, uint64_t high)
{
    uint64_t number;

    if (!read_number(flag, text, 0, high, &number))
        return false;
    *to = (uint32_t)number;
    return true;
}

static bool read_value(struct asked *asked, const char *flag, const char *text)
{
    struct explore_options *options = &asked->options;
    uint32_t *bound = bound_of(options, flag);

    if (bound != NULL)
        return read_bound(flag, text, bound);
    if (strcmp(flag, "--nodes") == 0)
        return read_small(&options->cluster.member_count, flag, text, 5);
    if (strcmp(flag, "--spares") == 0)
        return read_small(&options->cluster.node_count, flag, text, 4);
    if (strcmp(flag, "--batch") == 0)
        return read_small(&options->cluster.batch, flag, text, PARCEL_ENTRIES_MAX);
    if (strcmp(flag, "--terms") == 0)
        return read_small(&options->bounds.terms, flag, text, BOOK_TERMS_MAX);
    if (strcmp(flag, "--depth") == 0)
        return read_small(&options->depth_max, flag, text, 1000000);
    if (strcmp(flag, "--states") == 0)
        return read_number(flag, text, 1, UINT64_MAX, &options->states_max);
    if (strcmp(flag, "--seconds") == 0)
        return read_number(flag, text, 1, 1000000, &asked->seconds);
    if (strcmp(flag, "--jobs") == 0)
        return read_number(flag, text, 1, 2, &asked->jobs);
    if (strcmp(flag, "--goal") == 0)
        return (text != NULL && explore_read_goal(options, text)) ||
               (tool_complain("a goal is leader [N], term T or committed INDEX"),
                false);
    if (strcmp(flag, "--from") == 0 || strcmp(flag, "--out") == 0) {
        *(strcmp(flag, "--from") == 0 ? &asked->from : &asked->out) = text;
        return text != NULL || (tool_complain("%s wants a file", flag), false);
    }
    tool_complain("unknown flag \"%.100s\" (see --help)", flag);
    return false;
}

static bool read_from(struct asked *asked)
{
    bool piped = asked->from != NULL && strcmp(asked->from, "-") == 0;
    FILE *file = asked->from == NULL ? NULL : piped ? stdin : fopen(asked->from, "r");
    char piece[4096];
    size_t size;

    if (asked->from == NULL)
        return true;
    if (file == NULL) {
        tool_complain("cannot read %s", asked->from);
        return false;
    }
    while ((size = fread(piece, 1, sizeof(piece), file)) > 0)
        buffer_append(&asked->text, piece, size);
    if (!piped)
        fclose(file);
    buffer_append(&asked->text, "", 1);
    asked->options.from = asked->text.data;
    return true;
}

static bool read_flags(struct asked *asked, char **arguments)
{
    const char *problem;

    memset(asked, 0, sizeof(*asked));
    explore_options_init(&asked->options);
    asked->options.cluster.node_count = 0; // spares, for now
    asked->jobs = 1;
    for (; *arguments != NULL; arguments++) {
        if (read_switch(asked, *arguments))
            continue;
        if (!read_value(asked, arguments[0], arguments[1]))
            return false;
        arguments++;
    }
    asked->options.cluster.node_count += asked->options.cluster.member_count;
    problem = explore_problem(&asked->options);
    if (problem != NULL) {
        tool_complain("%s", problem);
        return false;
    }
    return read_from(asked);
}

// ---- progress -------------------------------------------------------------------

struct progress_line {
    uint64_t start_ms;
    uint64_t end_ms; // 0: none
    uint64_t shown_ms;
    bool terminal;
};

static bool go_on(void *context, const struct bfs *search)
{
    struct progress_line *line = context;
    uint64_t now_ms = tool_now_ms();

    if (line->terminal && now_ms - line->shown_ms > 500) {
        uint64_t ms = now_ms - line->start_ms;

        fprintf(stderr, "\rdepth %u: %llu states, %llu a second, %llu MB  ",
                (unsigned)search->depth, (unsigned long long)bfs_states(search),
                (unsigned long long)(bfs_states(search) * 1000 / ms),
                (unsigned long long)(search->bytes_max >> 20));
        line->shown_ms = now_ms;
    }
    return line->end_ms == 0 || now_ms < line->end_ms;
}

// ---- a second thread ------------------------------------------------------------

// It does part 1 each time that part 0 is done by the first.
struct helper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void (*work)(void *argument, uint32_t part);
    void *argument;
    bool busy;
    bool ends;
};

static void *help(void *context)
{
    struct helper *helper = context;

    pthread_mutex_lock(&helper->lock);
    for (;;) {
        while (!helper->busy && !helper->ends)
            pthread_cond_wait(&helper->changed, &helper->lock);
        if (helper->ends)
            break;
        pthread_mutex_unlock(&helper->lock);
        helper->work(helper->argument, 1);
        pthread_mutex_lock(&helper->lock);
        helper->busy = false;
        pthread_cond_broadcast(&helper->changed);
    }
    pthread_mutex_unlock(&helper->lock);
    return NULL;
}

static void both(void *context, void (*work)(void *argument, uint32_t part),
                 void *argument)
{
    struct helper *helper = context;

    pthread_mutex_lock(&helper->lock);
    helper->work = work;
    helper->argument = argument;
    helper->busy = true;
    pthread_cond_broadcast(&helper->changed);
    pthread_mutex_unlock(&helper->lock);
    work(argument, 0);
    pthread_mutex_lock(&helper->lock);
    while (helper->busy)
        pthread_cond_wait(&helper->changed, &helper->lock);
    pthread_mutex_unlock(&helper->lock);
}

static bool start_helper(struct helper *helper, struct explore_options *options)
{
    memset(helper, 0, sizeof(*helper));
    pthread_mutex_init(&helper->lock, NULL);
    pthread_cond_init(&helper->changed, NULL);
    options->crew = (struct bfs_crew){helper, both, true};
    return pthread_create(&helper->thread, NULL, help, helper) == 0;
}

static void end_helper(struct helper *helper)
{
    pthread_mutex_lock(&helper->lock);
    helper->ends = true;
    pthread_cond_broadcast(&helper->changed);
    pthread_mutex_unlock(&helper->lock);
    pthread_join(helper->thread, NULL);
}

// ---- the answer -----------------------------------------------------------------

static void print_result(const struct asked *asked, const struct explore_result *result,
                         uint64_t ms)
{
    uint64_t cpu_ms = (uint64_t)clock() / (CLOCKS_PER_SEC / 1000); // of all threads
    struct buffer out = {0};

    json_open(&out);
    json_string(&out, "result", explore_end_text(result->end));
    json_bool(&out, "exhausted", result->end == BFS_EXHAUSTED);
    if (asked->options.goal_count > 0)
        json_number(&out, "goals_reached", result->stage);
    json_number(&out, "states", result->states);
    json_number(&out, "states_without_symmetry", result->orbits);
    json_number(&out, "transitions", result->transitions);
    json_number(&out, "depth", result->depth);
    json_number(&out, "widest_layer", result->layer_max);
    json_number(&out, "node_states", result->node_states);
    json_number(&out, "messages", result->messages);
    json_number(&out, "core_steps", result->moves);
    json_number(&out, "bytes", result->bytes_max);
    json_number(&out, "bytes_a_state",
                result->states == 0 ? 0 : result->bytes_max / result->states);
    json_bool(&out, "stale_replies_kept", result->stale_kept);
    json_number(&out, "wall_ms", ms);
    json_number(&out, "cpu_ms", cpu_ms);
    json_number(&out, "states_a_cpu_second",
                cpu_ms == 0 ? 0 : result->states * 1000 / cpu_ms);
    if (result->end == BFS_VIOLATION) {
        json_string(&out, "rule", checker_property_text(result->finding.broken));
        json_number(&out, "node", result->finding.node);
        json_number(&out, "commands", result->length);
    }
    json_bool(&out, "ok", result->end != BFS_VIOLATION);
    json_close(&out);
    tool_print(&out);
    buffer_free(&out);
}

// The scenario, with the command that found it and what to know of it.
static int write_out(const struct asked *asked, char **arguments,
                     const struct explore_result *result)
{
    FILE *file;

    if (result->end != BFS_VIOLATION)
        return EXIT_SUCCESS;
    if (!tool_create(asked->out, &file))
        return TOOL_USAGE;
    FILE *to = file == NULL ? stderr : file;
    fputs("# raftsim explore", to);
    for (; *arguments != NULL; arguments++)
        fprintf(to, " %s", *arguments);
    fprintf(to, "\n# breaks \"%s\" at node %u.\n",
            checker_property_text(result->finding.broken),
            (unsigned)result->finding.node);
    if (asked->options.outcomes_only)
        fputs(
            "# Judged by outcomes alone: a world may stop sooner, at a rule that was\n"
            "# to prevent this.\n",
            to);
    fwrite(result->scenario.data, 1, result->scenario.size, to);
    if (file != NULL)
        fclose(file);
    return EXIT_FAILURE;
}

int tool_explore(char **arguments)
{
    struct progress_line line = {.start_ms = tool_now_ms(),
                                 .terminal = isatty(STDERR_FILENO) != 0};
    struct explore_result result;
    struct helper helper;
    struct asked asked;
    int code;

    if (!read_flags(&asked, arguments))
        return TOOL_USAGE;
    line.end_ms = asked.seconds == 0 ? 0 : line.start_ms + asked.seconds * 1000;
    asked.options.go_on = go_on;
    asked.options.go_on_context = &line;
    if (asked.jobs == 2 && !start_helper(&helper, &asked.options))
        return tool_complain("a second thread cannot be started");
    explore_run(&asked.options, &result);
    if (asked.jobs == 2)
        end_helper(&helper);
    if (line.terminal)
        fputs("\r\033[K", stderr);
    buffer_free(&asked.text);
    if (result.failed)
        return tool_complain("%s: %s", asked.from, result.error);
    print_result(&asked, &result, tool_now_ms() - line.start_ms);
    code = write_out(&asked, arguments, &result);
    buffer_free(&result.scenario);
    return code;
}
