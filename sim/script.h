// script.h: where commands come from: a scenario file, a prompt, a pipe.
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include <stdbool.h>
#include <stdio.h>

// Runs a scenario file; prints each command and its answer. False, with the line
// number, at the first command that fails.
bool script_run(const char *name, FILE *out, FILE *errors);

// A command a line in, exactly one JSON line out; with a prompt where `prompt` is set.
void script_converse(FILE *in, FILE *out, bool prompt);

#endif
