// tool.h: the commands of raftsim; each stands in a file of its own.
//
// Here alone the simulator meets the machine: files, processes, the terminal, and real
// time, for reports. A command takes the arguments behind its name, ended by NULL, and
// returns the exit code: 0 all is well; 1 a violation, a failed claim or an unknown
// verdict; TOOL_USAGE something was asked for that cannot be done.
#ifndef SIM_TOOL_TOOL_H
#define SIM_TOOL_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "kvserver/service/buffer.h"

enum { TOOL_USAGE = 2 };

int tool_run(char **arguments);
int tool_replay(char **arguments);
int tool_shrink(char **arguments);
int tool_repl(char **arguments);
int tool_script(char **arguments);
int tool_linearize(char **arguments);
int tool_history(char **arguments);
int tool_sweep(char **arguments);
int tool_experiment(char **arguments);
int tool_explore(char **arguments);

// ---- for the commands -----------------------------------------------------------

// One line on stderr, with the program's name before it; returns TOOL_USAGE.
int tool_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Opens a file to write; NULL as the name gives NULL as the file. False, and a line on
// stderr, where it cannot be written.
bool tool_create(const char *name, FILE **file);

// Prints a report as one line.
void tool_print(const struct buffer *out);

// Real time since some moment, in ms.
uint64_t tool_now_ms(void);

#endif
