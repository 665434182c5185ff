// read_index.h: linearizable reads without a log entry (section 8; dissertation 6.4).
//
// A read sees at least what was committed when it was asked for. Its leader must show
// that it still leads: it starts a *round*, a numbered heartbeat, after the read
// arrived, and a quorum must echo that number in its term. Reads that arrive while a
// round is under way share the next one. Round numbers are never used twice in a term,
// so that a late answer cannot confirm a later read.
//
// A follower's rounds are questions to its leader (ReadIndex), each for all the reads
// that came before it; the leader treats one like a read of its own. A leader with a
// lease (6.4.1) needs no round: nobody who confirmed its last one votes for another
// before an election timeout is over, by a clock that is not too fast.
#ifndef RAFT_READ_INDEX_H
#define RAFT_READ_INDEX_H

#include "raft/raft.h"

// A new leader begins with no rounds.
void read_index_reset(struct raft *raft);

// Who leads has changed: the reads under way are refused.
void read_index_abandon(struct raft *raft);

enum raft_status read_index_ask(struct raft *raft, uint64_t id);

// Asks, as leader, who is there, and, as follower, for the next confirmation. Takes
// note of the rounds that are confirmed.
void read_index_advance(struct raft *raft, struct raft_output *output);

// As leader with leases: each heartbeat is a round, where none is under way.
void read_index_heartbeat(struct raft *raft);

// Whether this leader may answer without a round.
bool read_index_has_lease(const struct raft *raft);

// When a follower is to ask again; UINT64_MAX: never.
uint64_t read_index_deadline(const struct raft *raft);

// A follower asks; the leader has answered.
void read_index_receive(struct raft *raft, const struct raft_message *message);
void read_index_receive_reply(struct raft *raft, const struct raft_message *message);

// Gives out the reads that may be answered, and those that are refused.
void read_index_answer(struct raft *raft, struct raft_output *output);

#endif
