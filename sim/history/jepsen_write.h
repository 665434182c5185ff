// jepsen_write.h: the way to Jepsen's forms; see jepsen.h.
//
// A client whose operation stays pending goes on as another process, with a number that
// no client has.
#ifndef SIM_JEPSEN_WRITE_H
#define SIM_JEPSEN_WRITE_H

#include "sim/history/jepsen.h"

#include <stdio.h>

// False, with a reason, where the history has what the form cannot say.
bool jepsen_write(const struct history *history, enum jepsen_form form, FILE *file,
                  char *error, size_t error_size);

#endif
