// proposals.h: the writes that one turn of the loop gathers, encoded back to back, so
// that they can be handed to the log in one step.
#ifndef KVSERVER_PROPOSALS_H
#define KVSERVER_PROPOSALS_H

#include "kvserver/request.h"

struct proposals {
    struct buffer bytes;
    uint32_t count;
    uint32_t capacity;
    size_t *offsets;           // where each begins in `bytes`
    struct request **requests; // NULL: nobody waits (any more)
    struct raft_command *commands;
};

void proposals_release(struct proposals *proposals);
void proposals_clear(struct proposals *proposals);

// Call before a command's bytes are added to `bytes`. The request may be NULL.
void proposals_begin(struct proposals *proposals, struct request *request);
void proposals_forget(struct proposals *proposals, const struct request *request);

// Drops the first `count`, whose commands were taken.
void proposals_drop(struct proposals *proposals, uint32_t count);

// Fills in `commands`, which are valid until `bytes` changes.
void proposals_seal(struct proposals *proposals);

#endif
