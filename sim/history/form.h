// form.h: a history from a text in any of the forms, and to any of them.
//
//     json     history.h: one operation a line
//     jepsen   jepsen.h: one event a line of Jepsen's log
//     edn      jepsen.h: one event a map
#ifndef SIM_FORM_H
#define SIM_FORM_H

#include "sim/history/jepsen.h"

#include <stdio.h>

enum form {
    FORM_GUESSED = 0, // by how the text begins
    FORM_JSON,
    FORM_JEPSEN,
    FORM_EDN,
};

// FORM_GUESSED where the name is none of a form.
enum form form_named(const char *name);

// How it begins: a line of the log, a map or a vector, or else JSON.
enum form form_guessed(const char *text, size_t size);

// Adds to an empty history; false with line number and reason.
bool form_read(struct history *history, enum form form, enum jepsen_failed failed,
               const char *text, size_t size, char *error, size_t error_size);

// False with a reason where the form cannot say what the history has.
bool form_write(const struct history *history, enum form form, FILE *file, char *error,
                size_t error_size);

#endif
