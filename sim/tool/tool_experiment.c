// Experiments: the table, the summary and the plot of one go into a directory.
#include "sim/tool/tool.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/experiment/experiment.h"
#include "sim/json.h"
#include "sim/language/options.h"

enum { NO_MATPLOTLIB = 3 }; // the plotter's exit code

static const char plotter_name[] = "docs/experiments/plot.py";

struct asked {
    const struct experiment *experiment;
    uint64_t trials; // 0: the experiment's own
    uint64_t seed;
    const char *directory;
    bool plot;
};

static void tell(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "%s\n", line);
}

static int list_experiments(void)
{
    const struct experiment *experiment;

    for (uint32_t i = 0; (experiment = experiment_at(i)) != NULL; i++)
        printf("%-18s %s\n", experiment->name, experiment->about);
    return EXIT_SUCCESS;
}

// False, with a line on stderr, where a flag is wrong.
static bool read_flags(struct asked *asked, char **at)
{
    for (; *at != NULL; at += 2) {
        const char *value = at[1];

        if (value == NULL) {
            tool_complain("%s needs a value, or is no flag (see --help)", at[0]);
            return false;
        }
        if (strcmp(at[0], "--trials") == 0) {
            if (!options_number(value, 1, asked->experiment->trials_max,
                                &asked->trials)) {
                tool_complain("--trials must be a number from 1 to %u",
                              (unsigned)asked->experiment->trials_max);
                return false;
            }
        } else if (strcmp(at[0], "--seed") == 0) {
            if (!options_number(value, 0, UINT64_MAX, &asked->seed)) {
                tool_complain("--seed must be a number, not \"%s\"", value);
                return false;
            }
        } else if (strcmp(at[0], "--plot") == 0) {
            asked->plot = strcmp(value, "yes") == 0;
            if (!asked->plot && strcmp(value, "no") != 0) {
                tool_complain("--plot must be yes or no, not \"%s\"", value);
                return false;
            }
        } else if (strcmp(at[0], "--out") == 0) {
            asked->directory = value;
        } else {
            tool_complain("unknown flag %s (see --help)", at[0]);
            return false;
        }
    }
    return true;
}

// ---- files ----------------------------------------------------------------------

static bool write_file(const char *name, const struct buffer *content)
{
    FILE *file;
    bool written;

    if (!tool_create(name, &file))
        return false;
    written = fwrite(content->data, 1, content->size, file) == content->size;
    written = fclose(file) == 0 && written;
    if (!written)
        tool_complain("cannot write %s: %s", name, strerror(errno));
    return written;
}

// ---- the plot -------------------------------------------------------------------

// The plotter of the sources: those of the working directory, or those that this
// program was built from.
static bool find_plotter(char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t length;

    snprintf(path, size, "%s", plotter_name);
    if (access(path, R_OK) == 0)
        return true;
    length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length <= 0)
        return false;
    self[length] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(self, '/');

        if (slash != NULL)
            *slash = '\0';
    }
    return snprintf(path, size, "%s/%s", self, plotter_name) < (int)size &&
           access(path, R_OK) == 0;
}

// Debian's own Python first, which has Debian's matplotlib.
static int run_plotter(char *plotter, char *csv, char *json, char *png)
{
    char *arguments[] = {"python3", plotter, csv, json, png, NULL};
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        execv("/usr/bin/python3", arguments);
        execvp("python3", arguments);
        _exit(NO_MATPLOTLIB);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

// Whether there is a plot now; where not, and that is no error, says why.
static bool plot(char *csv, char *json, char *png, bool *failed)
{
    char plotter[PATH_MAX];
    int code;

    *failed = false;
    if (!find_plotter(plotter, sizeof(plotter))) {
        tool_complain("no plot: %s is not here", plotter_name);
        return false;
    }
    code = run_plotter(plotter, csv, json, png);
    if (code == 0)
        return true;
    if (code == NO_MATPLOTLIB)
        tool_complain("no plot: Python's matplotlib is not here (python3-matplotlib)");
    else
        tool_complain("no plot: %s failed", plotter);
    *failed = code != NO_MATPLOTLIB;
    return false;
}

// ---- one experiment -------------------------------------------------------------

static void write_summary(const struct experiment *experiment,
                          const struct experiment_run *run, struct buffer *out)
{
    json_open(out);
    json_string(out, "experiment", experiment->name);
    json_number(out, "seed", run->seed);
    json_number(out, "trials", run->trials);
    json_open_array(out, "results");
    buffer_append(out, run->json.data, run->json.size);
    json_close_array(out);
}

static int report(const struct asked *asked, const struct experiment_run *run)
{
    char csv[PATH_MAX], json[PATH_MAX], png[PATH_MAX];
    const char *name = asked->experiment->name;
    struct buffer summary = {0};
    bool written, plotted, failed = false;

    snprintf(csv, sizeof(csv), "%.3000s/%s.csv", asked->directory, name);
    snprintf(json, sizeof(json), "%.3000s/%s.json", asked->directory, name);
    snprintf(png, sizeof(png), "%.3000s/%s.png", asked->directory, name);
    write_summary(asked->experiment, run, &summary);
    buffer_append_text(&summary, "}\n");
    written = write_file(csv, &run->csv) && write_file(json, &summary);
    plotted = written && asked->plot && plot(csv, json, png, &failed);
    if (written) {
        summary.size -= 2; // once more, with the files' names
        json_string(&summary, "csv", csv);
        json_string(&summary, "json", json);
        if (plotted)
            json_string(&summary, "plot", png);
        json_bool(&summary, "ok", !failed);
        json_close(&summary);
        tool_print(&summary);
    }
    buffer_free(&summary);
    return !written ? TOOL_USAGE : failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int tool_experiment(char **arguments)
{
    struct asked asked = {.seed = 1, .directory = ".", .plot = true};
    struct experiment_run run = {.tell = tell};
    int code;

    if (arguments[0] == NULL)
        return list_experiments();
    asked.experiment = experiment_find(arguments[0]);
    if (asked.experiment == NULL)
        return tool_complain(
            "there is no experiment \"%.100s\" (see raftsim experiment)", arguments[0]);
    if (!read_flags(&asked, arguments + 1))
        return TOOL_USAGE;
    if (mkdir(asked.directory, 0777) != 0 && errno != EEXIST)
        return tool_complain("cannot make %s: %s", asked.directory, strerror(errno));
    run.seed = asked.seed;
    run.trials = (uint32_t)(asked.trials > 0 ? asked.trials : asked.experiment->trials);
    asked.experiment->run(&run);
    code = report(&asked, &run);
    buffer_free(&run.csv);
    buffer_free(&run.json);
    return code;
}
