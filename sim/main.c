// main.c: the command line of raftsim: run, repl, script, linearize.
//
// Here alone stands real time (for the report's wall_ms) and the terminal.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "raft/version.h"
#include "sim/json.h"
#include "sim/options.h"
#include "sim/run.h"
#include "sim/script.h"

enum { EXIT_USAGE = 2 };

static uint64_t real_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int complain(const char *text)
{
    fprintf(stderr, "raftsim: %s\n", text);
    return EXIT_USAGE;
}

static bool open_file(const char *name, FILE **file)
{
    *file = NULL;
    if (name == NULL)
        return true;
    *file = fopen(name, "w");
    if (*file == NULL)
        fprintf(stderr, "raftsim: cannot write %s: %s\n", name, strerror(errno));
    return *file != NULL;
}

static int command_run(char **arguments)
{
    struct options_run options;
    struct buffer out = {0};
    uint64_t start_ms = real_ms();
    char error[300];
    bool ok;

    if (!options_read_run(&options, arguments, error, sizeof(error)))
        return complain(error);
    if (!open_file(options.trace, &options.run.trace) ||
        !open_file(options.history, &options.run.history))
        return EXIT_USAGE;
    json_open(&out);
    ok = run_execute(&options.run, &out);
    json_number(&out, "wall_ms", real_ms() - start_ms);
    json_bool(&out, "ok", ok);
    json_close(&out);
    printf("%.*s\n", (int)out.size, out.data);
    if (options.run.trace != NULL)
        fclose(options.run.trace);
    if (options.run.history != NULL)
        fclose(options.run.history);
    buffer_free(&out);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void report_linearize(const struct history *history,
                             const struct linearize_result *result, struct buffer *out)
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
        json_open_array(out, "window");
        for (uint32_t i = 0; i < result->window_count; i++)
            buffer_format(out, "%s%u", i > 0 ? "," : "", (unsigned)result->window[i]);
        json_close_array(out);
    }
    json_close(out);
}

static int command_linearize(const char *name)
{
    struct history history = {0};
    struct linearize_limits limits;
    struct linearize_result result;
    struct buffer out = {0};
    FILE *file = fopen(name, "r");
    char error[200];
    bool read;

    if (file == NULL) {
        fprintf(stderr, "raftsim: cannot read %s: %s\n", name, strerror(errno));
        return EXIT_USAGE;
    }
    read = history_read(&history, file, error, sizeof(error));
    if (read && ferror(file)) { // such as a directory
        snprintf(error, sizeof(error), "cannot be read");
        read = false;
    }
    fclose(file);
    if (!read) {
        fprintf(stderr, "raftsim: %s: %s\n", name, error);
        history_release(&history);
        return EXIT_USAGE;
    }
    linearize_limits_default(&limits);
    linearize_history(&history, &limits, &result);
    report_linearize(&history, &result, &out);
    printf("%.*s\n", (int)out.size, out.data);
    buffer_free(&out);
    history_release(&history);
    return result.verdict == LINEARIZE_YES ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const char help_text[] =
    "raftsim: a Raft cluster on a virtual clock, with every kind of fault.\n"
    "\n"
    "  raftsim run [FLAGS]      a seeded run; ends in one line of JSON\n"
    "    --seed N               the run's name: the same seed, the same run (1)\n"
    "    --nodes K              1 to 15 (5)\n"
    "    --duration D           virtual time under load: 500ms, 60s, 5m, 1h (60s)\n"
    "    --faults LIST          all, none, or partition,oneway,loss,duplicate,delay,\n"
    "                           crash,pause,disk,clock,members,transfer,snapshot\n"
    "                           (none)\n"
    "    --spares K             nodes that may be added (4 with members, else 0)\n"
    "    --lease P, --drift P   reads by leases that allow for clocks P percent "
    "apart,\n"
    "                           and clocks that are (drawn, so that it goes well)\n"
    "    --clients C            clients that work all the time (5)\n"
    "    --keys K               keys that they share (6)\n"
    "    --trace FILE           one line for each step of each node\n"
    "    --history FILE         what the clients saw\n"
    "  raftsim repl             commands, one a line; answers, one line of JSON each\n"
    "  raftsim script FILE...   runs scenario files; stops at the first failed claim\n"
    "  raftsim linearize FILE   checks a history\n"
    "  raftsim --help, --version\n"
    "\n"
    "Exit code 0: all is well; 1: a violation, a failed claim or an unknown verdict;\n"
    "2: something was asked for that cannot be done. docs/simulator.md tells more.\n";

static int command_script(int count, char **names)
{
    for (int i = 0; i < count; i++)
        switch (script_run(names[i], stdout, stderr)) {
        case SCRIPT_HELD:
            break;
        case SCRIPT_FAILED:
            return EXIT_FAILURE;
        case SCRIPT_UNREADABLE:
            return EXIT_USAGE;
        }
    return EXIT_SUCCESS;
}

// Whether help is asked for: first of all, or for one command.
static bool asks_help(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "help") == 0)
        return true;
    for (int i = 1; i < count && i < 3; i++)
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
            return true;
    return false;
}

int main(int count, char **arguments)
{
    const char *command = count > 1 ? arguments[1] : "";
    char error[200];

    if (asks_help(count, arguments)) {
        fputs(help_text, stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "--version") == 0) {
        puts("raftsim " RAFT_VERSION);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "run") == 0)
        return command_run(arguments + 2);
    if (strcmp(command, "script") == 0 && count > 2)
        return command_script(count - 2, arguments + 2);
    if (strcmp(command, "linearize") == 0 && count == 3)
        return command_linearize(arguments[2]);
    if (strcmp(command, "repl") == 0 && count == 2) {
        script_converse(stdin, stdout, isatty(STDIN_FILENO) != 0);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "script") == 0 || strcmp(command, "linearize") == 0)
        return complain("a file's name is missing, or one too many (see --help)");
    snprintf(error, sizeof(error),
             *command == '\0' ? "say what to do (see --help)%s"
                              : "cannot do \"%.100s\" (see --help)",
             command);
    return complain(error);
}
