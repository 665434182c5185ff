// read_index.h: linearizable reads without a log entry (section 8; dissertation 6.4).
//
// A read sees at least what was committed when it was asked for. Its leader must show
// that it still leads: it starts a *round*, a numbered heartbeat, after the read
// arrived, and a quorum must echo that number in its term. Reads that arrive while a
// round is under way share the next one. Round numbers are never used twice in a term,
// so that a late answer cannot confirm a later read.
#ifndef RAFT_READ_INDEX_H
#define RAFT_READ_INDEX_H

#include "raft/raft.h"

// A new leader begins with no rounds.
void read_index_reset(struct raft *raft);

enum raft_status read_index_ask(struct raft *raft, uint64_t id);

// As leader: takes note of confirmed rounds, and starts the next one where reads wait.
void read_index_advance(struct raft *raft);

// Gives out the reads that may be answered; all as refused, where this is no leader.
void read_index_answer(struct raft *raft, struct raft_output *output);

#endif
