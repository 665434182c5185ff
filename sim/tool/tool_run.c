// One seeded run, with its report.
#include "sim/tool/tool.h"

#include <stdlib.h>
#include <string.h>

#include "sim/json.h"
#include "sim/language/options.h"
#include "sim/run.h"
#include "sim/run_check.h"

// A trace's first line tells the run's flags, so that it can be replayed.
static void write_head(FILE *trace, char **arguments)
{
    fputs("# raftsim run", trace);
    for (char **at = arguments; *at != NULL; at++) {
        bool one = strchr(*at, '=') != NULL;
        bool names_file = strncmp(*at, "--trace", 7) == 0 ||
                          strncmp(*at, "--history", 9) == 0 ||
                          strncmp(*at, "--ndjson", 8) == 0;

        if (!names_file)
            fprintf(trace, one ? " %s" : " %s %s", at[0], at[1]);
        at += !one;
    }
    fputc('\n', trace);
}

// Takes "--check" out of the arguments; whether it stood there.
static bool take_check(char **arguments)
{
    char **kept = arguments;
    bool found = false;

    for (char **at = arguments; *at != NULL; at++) {
        if (strcmp(*at, "--check") == 0)
            found = true;
        else
            *kept++ = *at;
    }
    *kept = NULL;
    return found;
}

int tool_run(char **arguments)
{
    struct options_run options;
    struct run_result result;
    struct buffer out = {0};
    uint64_t start_ms = tool_now_ms();
    char error[300];
    bool check = take_check(arguments), ok;

    if (!options_read_run(&options, arguments, error, sizeof(error)))
        return tool_complain("%s", error);
    if (!tool_create(options.trace, &options.run.trace) ||
        !tool_create(options.ndjson, &options.run.ndjson) ||
        !tool_create(options.history, &options.run.history))
        return TOOL_USAGE;
    options.run.explain = stderr;
    if (options.run.trace != NULL)
        write_head(options.run.trace, arguments);
    json_open(&out);
    ok = check ? run_check_execute(&options.run, &result, &out)
               : run_execute(&options.run, &result, &out);
    json_number(&out, "wall_ms", tool_now_ms() - start_ms);
    json_bool(&out, "ok", ok);
    json_close(&out);
    tool_print(&out);
    if (options.run.trace != NULL)
        fclose(options.run.trace);
    if (options.run.ndjson != NULL)
        fclose(options.run.ndjson);
    if (options.run.history != NULL)
        fclose(options.run.history);
    buffer_free(&out);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
