// options.h: reading what people write: durations, counts, percentages, flags.
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/run.h"

// "250us", "150ms", "2s", "1m", "1h", in microseconds; false where it is none.
bool options_duration(const char *text, uint64_t *us);

// A decimal number in [low, high]; false where it is none.
bool options_number(const char *text, uint64_t low, uint64_t high, uint64_t *number);

// "12.5%" or "12.5" of a hundred, in millionths; false where it is none or beyond 100.
bool options_percent(const char *text, uint32_t *ppm);

// "none" or "json": how messages pass; false where it is neither, or where this program
// has no codec.
bool options_wire(const char *text, const struct wire_codec **codec);

// "real" or "perfect"; false where it is neither.
bool options_disk(const char *text, bool *perfect);

// What `raftsim run` was asked for.
struct options_run {
    struct run_options run;
    const char *trace;   // a file's name, or NULL
    const char *history; // a file's name, or NULL
    const char *ndjson;  // a file's name, or NULL
};

// Reads the flags of `raftsim run`, up to a NULL; false, with one clear line, where one
// is wrong.
bool options_read_run(struct options_run *options, char **arguments, char *error,
                      size_t size);

#endif
