// Many seeds: handed to workers, summed up, stopped early where that is asked for.
#include "sim/tool/tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/json.h"
#include "sim/language/options.h"
#include "sim/run.h"
#include "sim/tool/sweep_summary.h"
#include "sim/tool/workers.h"

enum {
    FLAGS_MAX = 64,
    SEED_SECONDS = 60,
    PROGRESS_MS = 250,
};

// What a sweep does where it is not told otherwise: as flags of `raftsim run`.
static char default_faults[] = "--faults=all";
static char default_duration[] = "--duration=20s";

struct sweep {
    struct options_run options; // of each run, but for the seed
    char *flags[FLAGS_MAX + 4]; // those that the options were read from
    uint32_t flag_count;
    uint64_t first, last;
    uint64_t jobs;
    uint64_t stop_after;   // failures; 0: never
    uint64_t seconds;      // 0: as long as it takes
    uint64_t seed_seconds; // that one seed may take
    const char *out_name;
    FILE *out;
    char command[1000]; // that runs a seed again

    struct sweep_summary summary;
    uint64_t start_ms;
    uint64_t told_ms;
    bool terminal;
    bool timed_out;
};

// ---- reading what is asked for --------------------------------------------------

// "7", "1..1000".
static bool read_seeds(const char *text, uint64_t *first, uint64_t *last)
{
    const char *dots = strstr(text, "..");
    char low[24];
    size_t size = dots == NULL ? strlen(text) : (size_t)(dots - text);

    if (size >= sizeof(low))
        return false;
    memcpy(low, text, size);
    low[size] = '\0';
    return options_number(low, 0, UINT64_MAX - 1, first) &&
           options_number(dots == NULL ? low : dots + 2, *first, UINT64_MAX - 1, last);
}

// One flag that is the sweep's own: NULL where it is well, "" where it is not one, else
// what is expected.
static const char *read_flag(struct sweep *sweep, const char *flag, const char *value)
{
    if (strcmp(flag, "--seeds") == 0)
        return read_seeds(value, &sweep->first, &sweep->last)
                   ? NULL
                   : "two numbers, as in 1..1000";
    if (strcmp(flag, "--jobs") == 0)
        return options_number(value, 1, 256, &sweep->jobs) ? NULL
                                                           : "a number from 1 to 256";
    if (strcmp(flag, "--stop-after") == 0)
        return options_number(value, 1, UINT64_MAX, &sweep->stop_after)
                   ? NULL
                   : "a number of failures";
    if (strcmp(flag, "--seconds") == 0)
        return options_number(value, 1, 10000000, &sweep->seconds)
                   ? NULL
                   : "a number of seconds";
    if (strcmp(flag, "--seed-seconds") == 0)
        return options_number(value, 1, 100000, &sweep->seed_seconds)
                   ? NULL
                   : "a number of seconds";
    if (strcmp(flag, "--out") == 0) {
        sweep->out_name = value;
        return *value != '\0' ? NULL : "a file's name";
    }
    return "";
}

static bool names(const char *argument, const char *flag)
{
    size_t size = strlen(flag);

    return strncmp(argument, flag, size) == 0 &&
           (argument[size] == '=' || argument[size] == '\0');
}

// Takes the sweep's own flags, and leaves the others, in order, in sweep->flags.
static int read_own(struct sweep *sweep, char **arguments)
{
    for (char **at = arguments; *at != NULL; at++) {
        size_t length = strcspn(at[0], "=");
        const char *value = at[0][length] == '=' ? at[0] + length + 1 : at[1];
        char flag[16];
        const char *expected;

        snprintf(flag, sizeof(flag), "%.*s", (int)(length < 100 ? length : 100), at[0]);
        expected = read_flag(sweep, flag, value != NULL ? value : "");
        if (expected != NULL && *expected == '\0') {
            if (sweep->flag_count == FLAGS_MAX)
                return tool_complain("that is too many flags");
            sweep->flags[sweep->flag_count++] = at[0];
            continue;
        }
        if (expected != NULL)
            return tool_complain("%s must be %s, not \"%s\"", flag, expected,
                                 value != NULL ? value : "");
        at += at[0][length] != '=';
    }
    return 0;
}

static bool is_given(const struct sweep *sweep, const char *flag)
{
    for (uint32_t i = 0; i < sweep->flag_count; i++)
        if (names(sweep->flags[i], flag))
            return true;
    return false;
}

static int read_sweep(struct sweep *sweep, char **arguments)
{
    static const char *const not_here[] = {"--seed", "--trace", "--history"};
    char error[300];
    size_t used;
    int status = read_own(sweep, arguments);

    if (status != 0)
        return status;
    for (size_t i = 0; i < sizeof(not_here) / sizeof(not_here[0]); i++)
        if (is_given(sweep, not_here[i]))
            return tool_complain("%s is for one run, not for a sweep%s", not_here[i],
                                 i == 0 ? ": say --seeds A..B" : "");
    if (!is_given(sweep, "--faults"))
        sweep->flags[sweep->flag_count++] = default_faults;
    if (!is_given(sweep, "--duration"))
        sweep->flags[sweep->flag_count++] = default_duration;
    if (!options_read_run(&sweep->options, sweep->flags, error, sizeof(error)))
        return tool_complain("%s", error);
    used = (size_t)snprintf(sweep->command, sizeof(sweep->command), "raftsim run");
    for (uint32_t i = 0; i < sweep->flag_count && used < sizeof(sweep->command); i++)
        used += (size_t)snprintf(sweep->command + used, sizeof(sweep->command) - used,
                                 " %s", sweep->flags[i]);
    return 0;
}

// ---- the work -------------------------------------------------------------------

// In a worker: the run's numbers, then its report as a line of JSON.
static void work(void *context, uint64_t seed, struct buffer *out)
{
    const struct sweep *sweep = context;
    struct run_options options = sweep->options.run;
    struct run_result result;
    struct buffer line = {0};
    uint64_t start_ms = tool_now_ms();
    bool ok;

    options.seed = seed;
    json_open(&line);
    ok = run_execute(&options, &result, &line);
    json_number(&line, "wall_ms", tool_now_ms() - start_ms);
    json_bool(&line, "ok", ok);
    json_close(&line);
    buffer_append(out, &result, sizeof(result));
    buffer_append(out, line.data, line.size);
    buffer_free(&line);
}

// A seed without a report of its own.
static void write_death(const struct workers_result *result, FILE *file)
{
    char fact[SWEEP_FACT_SIZE];
    struct buffer line = {0};

    json_open(&line);
    json_number(&line, "seed", result->number);
    json_open_array(&line, "violations");
    json_open(&line);
    json_string(&line, "property", sweep_summary_judge(result, fact, sizeof(fact)));
    json_string(&line, "text", fact);
    json_close(&line);
    json_close_array(&line);
    json_bool(&line, "ok", false);
    json_close(&line);
    fprintf(file, "%.*s\n", (int)line.size, line.data);
    buffer_free(&line);
}

static bool take(void *context, const struct workers_result *result)
{
    struct sweep *sweep = context;
    const struct sweep_rule *rule = sweep_summary_add(&sweep->summary, result);
    size_t head = sizeof(struct run_result);

    if (rule != NULL)
        fprintf(stderr, "%sseed %" PRIu64 ": %s: %s\n",
                sweep->terminal ? "\r\33[K" : "", rule->seed, rule->name, rule->fact);
    if (sweep->out != NULL && result->end == WORKERS_DONE)
        fprintf(sweep->out, "%.*s\n", (int)(result->size - head),
                (const char *)result->data + head);
    else if (sweep->out != NULL)
        write_death(result, sweep->out);
    return sweep->stop_after == 0 || sweep->summary.failures < sweep->stop_after;
}

static void tell_progress(struct sweep *sweep, uint64_t spent_ms)
{
    uint64_t done = sweep->summary.seeds;
    uint64_t all = sweep->last - sweep->first + 1;
    double rate = spent_ms == 0 ? 0 : (double)done * 1000 / (double)spent_ms;
    double left = rate > 0 ? (double)(all - done) / rate : 0;

    if (sweep->seconds > 0 && left > (double)sweep->seconds - (double)spent_ms / 1000)
        left = (double)sweep->seconds - (double)spent_ms / 1000;
    fprintf(stderr,
            "\r\33[K%" PRIu64 " of %" PRIu64 " seeds, %.1f a second, %" PRIu64
            " failures, %.0f min %02.0f s left",
            done, all, rate, sweep->summary.failures, (double)((uint64_t)left / 60),
            (double)((uint64_t)left % 60));
    fflush(stderr);
}

static bool watch(void *context)
{
    struct sweep *sweep = context;
    uint64_t spent_ms = tool_now_ms() - sweep->start_ms;

    if (sweep->terminal && spent_ms - sweep->told_ms >= PROGRESS_MS) {
        sweep->told_ms = spent_ms;
        tell_progress(sweep, spent_ms);
    }
    sweep->timed_out = sweep->seconds > 0 && spent_ms >= sweep->seconds * 1000;
    return !sweep->timed_out;
}

static const char *why_it_ended(const struct sweep *sweep, bool interrupted)
{
    if (sweep->stop_after > 0 && sweep->summary.failures >= sweep->stop_after)
        return "failures";
    if (sweep->summary.seeds == sweep->last - sweep->first + 1)
        return "done";
    return interrupted ? "asked" : "seconds";
}

static void report(const struct sweep *sweep, bool interrupted, struct buffer *out)
{
    uint64_t spent_ms = tool_now_ms() - sweep->start_ms;

    json_open(out);
    json_number(out, "first", sweep->first);
    json_number(out, "last", sweep->first + sweep->summary.seeds - 1);
    sweep_summary_write(&sweep->summary, sweep->command, out);
    json_string(out, "ended", why_it_ended(sweep, interrupted));
    json_number(out, "wall_ms", spent_ms);
    json_bool(out, "ok", sweep->summary.failures == 0);
    json_close(out);
}

int tool_sweep(char **arguments)
{
    static struct sweep sweep = {
        .first = 1, .last = 1000, .seed_seconds = SEED_SECONDS};
    struct workers workers = {
        .context = &sweep, .work = work, .take = take, .watch = watch};
    struct buffer out = {0};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    bool interrupted;
    int status;

    sweep.jobs = cores >= 1 && cores <= 256 ? (uint64_t)cores : 1;
    status = read_sweep(&sweep, arguments);
    if (status != 0 || !tool_create(sweep.out_name, &sweep.out))
        return TOOL_USAGE;
    sweep.start_ms = tool_now_ms();
    sweep.terminal = isatty(STDERR_FILENO) != 0;
    workers.first = sweep.first;
    workers.last = sweep.last;
    workers.jobs = (uint32_t)sweep.jobs;
    workers.limit_ms = sweep.seed_seconds * 1000;
    workers_run(&workers, &interrupted);
    if (sweep.terminal)
        fputs("\r\33[K", stderr);
    if (sweep.out != NULL)
        fclose(sweep.out);
    report(&sweep, interrupted, &out);
    tool_print(&out);
    buffer_free(&out);
    return sweep.summary.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
