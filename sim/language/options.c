#include "sim/language/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool options_number(const char *text, uint64_t low, uint64_t high, uint64_t *number)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(unsigned char)*text - '0';

        if (*text < '0' || *text > '9' || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return value >= low && value <= high;
}

// Splits "150ms" into its number (digits and at most one point, with so many places
// behind it) and what stands behind it.
static bool split_number(const char *text, int places, uint64_t *number,
                         const char **rest)
{
    uint64_t value = 0;
    int decimals = -1;
    bool any = false;

    for (; (*text >= '0' && *text <= '9') || (*text == '.' && decimals < 0); text++) {
        if (*text == '.') {
            decimals = 0;
            continue;
        }
        if (decimals == places || value > UINT64_MAX / 1000000)
            return false;
        decimals += decimals >= 0;
        value = value * 10 + (uint64_t)(*text - '0');
        any = true;
    }
    for (; decimals < places; decimals++) {
        if (decimals < 0)
            decimals = 0;
        value *= 10;
    }
    *number = value;
    *rest = text;
    return any;
}

bool options_duration(const char *text, uint64_t *us)
{
    static const struct {
        const char *unit;
        uint64_t us;
    } units[] = {
        {"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000u}};
    uint64_t thousandths;
    const char *rest;

    if (!split_number(text, 3, &thousandths, &rest))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(rest, units[i].unit) != 0)
            continue;
        if (thousandths > (UINT64_MAX >> 8) / units[i].us)
            return false;
        *us = thousandths * units[i].us / 1000;
        return true;
    }
    return false;
}

bool options_percent(const char *text, uint32_t *ppm)
{
    uint64_t number; // with four places behind the point: in millionths of all
    const char *rest;

    if (!split_number(text, 4, &number, &rest) || number > 1000000)
        return false;
    *ppm = (uint32_t)number;
    return *rest == '\0' || strcmp(rest, "%") == 0;
}

// A whole percentage.
static bool read_percent(const char *value, uint64_t high, uint32_t *percent)
{
    uint64_t number;

    if (!options_number(value, 0, high, &number))
        return false;
    *percent = (uint32_t)number;
    return true;
}

static bool read_count(const char *value, uint64_t high, uint32_t *count)
{
    uint64_t number;

    if (!options_number(value, 1, high, &number))
        return false;
    *count = (uint32_t)number;
    return true;
}

bool options_wire(const char *text, const struct wire_codec **codec)
{
    *codec = strcmp(text, "json") == 0 ? wire_offered() : NULL;
    return *codec != NULL || strcmp(text, "none") == 0;
}

bool options_disk(const char *text, bool *perfect)
{
    *perfect = strcmp(text, "perfect") == 0;
    return *perfect || strcmp(text, "real") == 0;
}

// A flag that names a file.
static bool read_file(struct options_run *options, const char *flag, const char *value)
{
    const char **name = NULL;

    if (strcmp(flag, "--ndjson") == 0)
        name = &options->ndjson;
    if (strcmp(flag, "--trace") == 0)
        name = &options->trace;
    if (strcmp(flag, "--history") == 0)
        name = &options->history;
    if (name != NULL)
        *name = value;
    return name != NULL;
}

// One flag with its value; NULL where all is well, else what is expected instead.
static const char *read_flag(struct options_run *options, const char *flag,
                             const char *value)
{
    struct run_options *run = &options->run;

    if (strcmp(flag, "--seed") == 0)
        return options_number(value, 0, UINT64_MAX, &run->seed) ? NULL : "a number";
    if (strcmp(flag, "--nodes") == 0)
        return read_count(value, RAFT_MEMBERS_MAX, &run->nodes)
                   ? NULL
                   : "a number from 1 to 15";
    if (strcmp(flag, "--spares") == 0)
        return read_percent(value, RAFT_MEMBERS_MAX - 1, &run->spares)
                   ? NULL
                   : "a number from 0 to 14";
    if (strcmp(flag, "--lease") == 0)
        return read_percent(value, 50, &run->lease) ? NULL
                                                    : "a percentage from 0 to 50";
    if (strcmp(flag, "--drift") == 0)
        return read_percent(value, 90, &run->drift) ? NULL
                                                    : "a percentage from 0 to 90";
    if (strcmp(flag, "--clients") == 0)
        return read_count(value, 1000, &run->clients) ? NULL
                                                      : "a number from 1 to 1000";
    if (strcmp(flag, "--keys") == 0)
        return read_count(value, 100000, &run->keys) ? NULL
                                                     : "a number from 1 to 100000";
    if (strcmp(flag, "--duration") == 0)
        return options_duration(value, &run->duration_us) && run->duration_us > 0
                   ? NULL
                   : "a duration above zero, such as 500ms, 60s or 5m";
    if (strcmp(flag, "--faults") == 0)
        return faults_parse(value, &run->faults)
                   ? NULL
                   : "all, none or a list of partition,oneway,partial,flap,swizzle,"
                     "loss,duplicate,delay,reorder,link,crash,inside,pause,slow,disk,"
                     "damage,clock,members,transfer,snapshot,settings,corrupt";
    if (strcmp(flag, "--end") == 0) {
        run->end = strcmp(value, "core") == 0 ? RUN_END_CORE : RUN_END_REST;
        return run->end == RUN_END_CORE || strcmp(value, "rest") == 0 ? NULL
                                                                      : "core or rest";
    }
    if (strcmp(flag, "--mix") == 0) {
        run->fixed_mix = strcmp(value, "fixed") == 0;
        return run->fixed_mix || strcmp(value, "swarm") == 0 ? NULL : "swarm or fixed";
    }
    if (strcmp(flag, "--judge-steps") == 0)
        return options_number(value, 1, UINT64_MAX, &run->judge_steps_max)
                   ? NULL
                   : "a number above zero";
    if (strcmp(flag, "--checkers") == 0) {
        run->unchecked = strcmp(value, "off") == 0;
        run->own = strcmp(value, "own") == 0;
        return run->unchecked || run->own || strcmp(value, "on") == 0
                   ? NULL
                   : "on, off or own";
    }
    if (strcmp(flag, "--disk") == 0)
        return options_disk(value, &run->perfect_disks) ? NULL : "real or perfect";
    if (strcmp(flag, "--retries") == 0) {
        run->no_retries = strcmp(value, "off") == 0;
        return run->no_retries || strcmp(value, "on") == 0 ? NULL : "on or off";
    }
    if (strcmp(flag, "--wire") == 0)
        return options_wire(value, &run->wire) ? NULL
                                               : "none, or json where it is known";
    return read_file(options, flag, value) ? NULL : "";
}

// "--seed 7" takes two arguments, "--seed=7" one.
static bool read_argument(struct options_run *options, char **at, char *error,
                          size_t size)
{
    size_t length = strcspn(at[0], "=");
    const char *value = at[0][length] == '=' ? at[0] + length + 1 : at[1];
    char flag[16]; // longer than any that is known
    const char *expected;

    snprintf(flag, sizeof(flag), "%.*s", (int)(length < 100 ? length : 100), at[0]);
    expected = read_flag(options, flag, value != NULL ? value : "");
    if (expected != NULL && *expected == '\0')
        snprintf(error, size, "unknown flag %s (see raftsim --help)", at[0]);
    else if (value == NULL)
        snprintf(error, size, "%s needs a value", flag);
    else if (expected != NULL)
        snprintf(error, size, "%s must be %s, not \"%s\"", flag, expected, value);
    else
        return true;
    return false;
}

bool options_read_run(struct options_run *options, char **arguments, char *error,
                      size_t size)
{
    run_options_default(&options->run);
    options->trace = options->history = options->ndjson = NULL;
    for (char **at = arguments; *at != NULL; at++) {
        if (!read_argument(options, at, error, size))
            return false;
        at += strchr(*at, '=') == NULL;
    }
    return true;
}
