// linearize_explain.h: a history that has no order, told to people.
//
// What the operations of the window were, when, on one line of time each, and what the
// one that could not return would have found.
#ifndef SIM_LINEARIZE_EXPLAIN_H
#define SIM_LINEARIZE_EXPLAIN_H

#include "kvserver/service/buffer.h"
#include "sim/linearize.h"

#include <stdio.h>

// The result's verdict is NO.
void linearize_explain(const struct history *history,
                       const struct linearize_result *result, FILE *file);

// The same as fields of an open JSON object: "window" has the operations in full, each
// with its number; "stuck" and "makers" are numbers.
void linearize_explain_json(const struct history *history,
                            const struct linearize_result *result, struct buffer *out);

// One operation in words, such as: read x -> "7".
void linearize_explain_operation(const struct history *history, uint32_t operation,
                                 FILE *file);

#endif
