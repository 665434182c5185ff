// Histories: the verdict on one from a file, and the way from one form to another.
#include "sim/tool/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/history/form.h"
#include "sim/history/linearize_explain.h"
#include "sim/json.h"
#include "sim/linearize.h"

struct asked {
    const char *file;
    enum form form;
    enum form to;
    enum jepsen_failed failed;
    uint64_t steps; // 0: the default
};

static bool read_flag(struct asked *asked, const char *flag, const char *value)
{
    char *end;

    if (strcmp(flag, "--format") == 0 || strcmp(flag, "--to") == 0) {
        enum form form = form_named(value);

        *(flag[2] == 't' ? &asked->to : &asked->form) = form;
        return form != FORM_GUESSED;
    }
    if (strcmp(flag, "--failed-cas") == 0) {
        asked->failed = strcmp(value, "saw") == 0     ? JEPSEN_FAILED_SAW
                        : strcmp(value, "never") == 0 ? JEPSEN_FAILED_NEVER
                                                      : JEPSEN_FAILED_BY_FORM;
        return asked->failed != JEPSEN_FAILED_BY_FORM;
    }
    if (strcmp(flag, "--steps") == 0) {
        asked->steps = strtoull(value, &end, 10);
        return *end == '\0' && asked->steps > 0;
    }
    return false;
}

static bool read_arguments(struct asked *asked, char **arguments)
{
    *asked = (struct asked){0};
    for (; *arguments != NULL; arguments++) {
        if (strncmp(*arguments, "--", 2) == 0) {
            if (arguments[1] == NULL || !read_flag(asked, arguments[0], arguments[1])) {
                tool_complain("\"%s\" is none of its flags, or has no such value (see "
                              "--help)",
                              *arguments);
                return false;
            }
            arguments++;
        } else if (asked->file == NULL) {
            asked->file = *arguments;
        } else {
            asked->file = NULL;
            break;
        }
    }
    if (asked->file == NULL)
        tool_complain("a file's name is missing, or one too many (see --help)");
    return asked->file != NULL;
}

// All of a file; "-" is the input.
static bool read_all(const char *name, struct buffer *text)
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    char piece[1 << 16];
    size_t size;
    bool read;

    if (file == NULL) {
        tool_complain("cannot read %s: %s", name, strerror(errno));
        return false;
    }
    while ((size = fread(piece, 1, sizeof(piece), file)) > 0)
        buffer_append(text, piece, size);
    read = !ferror(file); // such as a directory
    if (!read)
        tool_complain("%s: cannot be read", name);
    if (file != stdin)
        fclose(file);
    return read;
}

static bool read_history(const struct asked *asked, struct history *history)
{
    struct buffer text = {0};
    char error[200];
    bool read = read_all(asked->file, &text);

    if (read && !form_read(history, asked->form, asked->failed,
                           text.size > 0 ? (const char *)text.data : "", text.size,
                           error, sizeof(error))) {
        tool_complain("%s: %s", asked->file, error);
        read = false;
    }
    buffer_free(&text);
    return read;
}

static void report(const struct history *history, const struct linearize_result *result,
                   struct buffer *out)
{
    json_open(out);
    json_string(out, "linearizable", linearize_verdict_text(result->verdict));
    json_number(out, "operations", history->count);
    json_number(out, "keys", result->keys);
    json_number(out, "groups", result->groups);
    json_number(out, "steps", result->steps);
    if (result->verdict != LINEARIZE_YES) {
        size_t size;
        const char *key = history_text(history, result->key, &size);

        json_bytes(out, "key", key, size);
        json_number(out, "ordered", result->ordered);
    }
    if (result->verdict == LINEARIZE_UNKNOWN)
        json_number(out, "undecided", result->unknown);
    if (result->verdict == LINEARIZE_NO)
        linearize_explain_json(history, result, out);
    json_close(out);
}

int tool_linearize(char **arguments)
{
    struct asked asked;
    struct history history = {0};
    struct linearize_limits limits;
    struct linearize_result result = {.verdict = LINEARIZE_UNKNOWN};
    struct buffer out = {0};

    if (!read_arguments(&asked, arguments))
        return TOOL_USAGE;
    if (!read_history(&asked, &history)) {
        history_release(&history);
        return TOOL_USAGE;
    }
    linearize_limits_default(&limits);
    if (asked.steps > 0)
        limits.steps_max = asked.steps;
    linearize_history(&history, &limits, &result);
    report(&history, &result, &out);
    if (result.verdict == LINEARIZE_NO)
        linearize_explain(&history, &result, stderr);
    tool_print(&out);
    buffer_free(&out);
    history_release(&history);
    return result.verdict == LINEARIZE_YES ? EXIT_SUCCESS : EXIT_FAILURE;
}

int tool_history(char **arguments)
{
    struct asked asked;
    struct history history = {0};
    char error[200];
    int code = TOOL_USAGE;

    if (!read_arguments(&asked, arguments))
        return TOOL_USAGE;
    if (asked.to == FORM_GUESSED)
        return tool_complain("say which form: --to json, jepsen or edn");
    if (read_history(&asked, &history)) {
        if (form_write(&history, asked.to, stdout, error, sizeof(error)))
            code = EXIT_SUCCESS;
        else
            tool_complain("%s: %s", asked.file, error);
    }
    history_release(&history);
    return code;
}
