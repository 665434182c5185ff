// trace.h: one line of text for one step, in the words that logs, golden tests, the
// simulator and the handouts share:
//
//     [   110] n2 < RequestVote n1 t2: term higher -> follower; log equal -> grant
#ifndef RAFT_TRACE_H
#define RAFT_TRACE_H

#include "raft/raft.h"

// Writes at most `size` bytes, always ends them with NUL, and returns the length that
// the whole line has (as snprintf does). `raft` is seen as it is after the step.
size_t raft_trace_step(char *text, size_t size, const struct raft *raft,
                       const struct raft_event *event,
                       const struct raft_output *output);

// A message alone: "AppendEntries n1>n2 t3 prev=4/2 +3 commit=4".
size_t raft_trace_message(char *text, size_t size, const struct raft_message *message);

// The name of a message type, as in the paper: "RequestVote".
const char *raft_trace_message_name(enum raft_message_type type);

#endif
