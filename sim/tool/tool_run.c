// One seeded run, with its report.
#include "sim/tool/tool.h"

#include <stdlib.h>

#include "sim/json.h"
#include "sim/language/options.h"
#include "sim/run.h"

int tool_run(char **arguments)
{
    struct options_run options;
    struct run_result result;
    struct buffer out = {0};
    uint64_t start_ms = tool_now_ms();
    char error[300];
    bool ok;

    if (!options_read_run(&options, arguments, error, sizeof(error)))
        return tool_complain("%s", error);
    if (!tool_create(options.trace, &options.run.trace) ||
        !tool_create(options.history, &options.run.history))
        return TOOL_USAGE;
    json_open(&out);
    ok = run_execute(&options.run, &result, &out);
    json_number(&out, "wall_ms", tool_now_ms() - start_ms);
    json_bool(&out, "ok", ok);
    json_close(&out);
    tool_print(&out);
    if (options.run.trace != NULL)
        fclose(options.run.trace);
    if (options.run.history != NULL)
        fclose(options.run.history);
    buffer_free(&out);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
