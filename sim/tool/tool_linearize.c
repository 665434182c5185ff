// A history from a file, and the verdict on it.
#include "sim/tool/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/history/linearize_explain.h"
#include "sim/json.h"
#include "sim/linearize.h"

static void report(const struct history *history, const struct linearize_result *result,
                   struct buffer *out)
{
    json_open(out);
    json_string(out, "linearizable", linearize_verdict_text(result->verdict));
    json_number(out, "operations", history->count);
    json_number(out, "keys", result->keys);
    json_number(out, "steps", result->steps);
    if (result->verdict != LINEARIZE_YES) {
        size_t size;
        const char *key = history_text(history, result->key, &size);

        json_bytes(out, "key", key, size);
        json_number(out, "ordered", result->ordered);
    }
    if (result->verdict == LINEARIZE_NO)
        linearize_explain_json(history, result, out);
    json_close(out);
}

static bool read_file(struct history *history, const char *name)
{
    FILE *file = fopen(name, "r");
    char error[200];
    bool read;

    if (file == NULL) {
        tool_complain("cannot read %s: %s", name, strerror(errno));
        return false;
    }
    read = history_read(history, file, error, sizeof(error));
    if (read && ferror(file)) { // such as a directory
        snprintf(error, sizeof(error), "cannot be read");
        read = false;
    }
    fclose(file);
    if (!read)
        tool_complain("%s: %s", name, error);
    return read;
}

int tool_linearize(char **arguments)
{
    struct history history = {0};
    struct linearize_limits limits;
    struct linearize_result result;
    struct buffer out = {0};

    if (arguments[0] == NULL || arguments[1] != NULL)
        return tool_complain("a file's name is missing, or one too many (see --help)");
    if (!read_file(&history, arguments[0])) {
        history_release(&history);
        return TOOL_USAGE;
    }
    linearize_limits_default(&limits);
    linearize_history(&history, &limits, &result);
    report(&history, &result, &out);
    if (result.verdict == LINEARIZE_NO)
        linearize_explain(&history, &result, stderr);
    tool_print(&out);
    buffer_free(&out);
    history_release(&history);
    return result.verdict == LINEARIZE_YES ? EXIT_SUCCESS : EXIT_FAILURE;
}
