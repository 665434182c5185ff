// script.h: where commands come from: a scenario file, a prompt, a pipe.
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include <stdbool.h>
#include <stdio.h>

struct world;

enum script_result {
    SCRIPT_HELD,       // every command was answered with ok
    SCRIPT_FAILED,     // one was not; `errors` has its line number
    SCRIPT_UNREADABLE, // `errors` says why
};

// Runs a scenario file up to its end or the first command that fails; prints each
// command and its answer.
enum script_result script_run(const char *name, FILE *out, FILE *errors);

// A command a line in, exactly one JSON line out; with a prompt where `prompt` is set.
// The conversation begins in this world, which is freed at its end; NULL: in none.
void script_converse(struct world *world, FILE *in, FILE *out, bool prompt);

// Prints what `status` answers in this world, and frees it.
void script_print_status(struct world *world, FILE *out);

#endif
