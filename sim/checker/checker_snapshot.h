// checker_snapshot.h: snapshots: each stands for a prefix of the one committed log.
#ifndef SIM_CHECKER_SNAPSHOT_H
#define SIM_CHECKER_SNAPSHOT_H

#include "sim/checker/checker_state.h"

// A node starts with a log that begins behind this index.
void checker_snapshot_base(struct checker *checker, raft_id id, raft_index index,
                           raft_term term);

// A received snapshot takes the place of the log; false where it cannot.
bool checker_snapshot_replace(struct checker *checker, raft_id id,
                              const struct raft_snapshot_meta *meta);

// The host tells of a snapshot that has arrived; after that step.
void checker_snapshot_received(struct checker *checker, raft_id id,
                               const struct checker_step *step);

// Where log and snapshot of this node meet, after a step.
void checker_snapshot_view(struct checker *checker, raft_id id,
                           const struct raft_view *view);

#endif
