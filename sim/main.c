// main.c: the command line of raftsim: run, repl, script, linearize.
//
// Here alone stands real time (for the report's wall_ms) and the terminal.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/json.h"
#include "sim/options.h"
#include "sim/run.h"

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

static int command_run(int count, char **arguments)
{
    struct options_run options;
    struct buffer out = {0};
    uint64_t start_ms = real_ms();
    char error[300];
    bool ok;

    if (!options_read_run(&options, count, arguments, error, sizeof(error)))
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

int main(int count, char **arguments)
{
    const char *command = count > 1 ? arguments[1] : "--help";

    if (strcmp(command, "run") == 0)
        return command_run(count - 2, arguments + 2);
    return complain("unknown command (see raftsim --help)");
}
