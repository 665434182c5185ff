// trace.h: what happened, as one hash and, where asked for, as lines of text.
//
// The hash covers every event, every output of every step (messages with the contents
// of their entries, writes, entries to apply, decisions) and every injected fault. Two
// runs are the same run exactly where their hashes are. A line looks as in
// raft/trace.h; faults begin with "--".
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdio.h>

#include "raft/raft.h"
#include "sim/heap.h"

struct trace {
    uint64_t hash;
    FILE *file;    // NULL: none; the owner closes it
    FILE *diagram; // the same as JSON, with messages under way (sim/diagram.h)
};

void trace_event(struct trace *trace, const struct heap_event *event);

void trace_step(struct trace *trace, const struct raft *raft,
                const struct raft_view *view, const struct raft_event *event,
                const struct raft_output *output);

// An entry was applied, and the state's hash is this now.
void trace_apply(struct trace *trace, raft_id id, raft_index index, uint64_t state);

// Something done to the world, in words.
void trace_note(struct trace *trace, uint64_t now_us, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Why it was done, for the reader alone: the C library words its errors as it likes.
void trace_reason(const struct trace *trace, const char *words);

#endif
