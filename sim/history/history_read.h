// history_read.h: the way back from a history's text form; private to
// sim/history/history.c.
//
// Reads the JSON of one flat object a line, strictly: what a field does not expect is
// an error with its line. Where a file gives no exact order, it is made from the times.
#ifndef SIM_HISTORY_READ_H
#define SIM_HISTORY_READ_H

#include "sim/history/history.h"

bool history_read_lines(struct history *history, FILE *file, char *error,
                        size_t error_size);

#endif
