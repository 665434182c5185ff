// checker_log.h: the checker's picture of the logs: what was written, what is durable.
//
// Log Matching is checked as entries come: for each index and term there is one chain.
#ifndef SIM_CHECKER_LOG_H
#define SIM_CHECKER_LOG_H

#include "sim/checker/checker_state.h"

// Adds an entry to a picture of a log; false where no correct log could take it.
bool checker_log_add(struct checker *checker, raft_id id, struct marks *log,
                     struct electorate_list *members, const struct raft_entry *entry);

// What a step gives out to persist.
void checker_log_write(struct checker *checker, raft_id id,
                       const struct checker_step *step);

// Entries from `last` + 1 on are no more, on disk neither.
void checker_log_cut(struct shadow *shadow, raft_index last);

// All writes up to this number are durable.
void checker_log_persisted(struct checker *checker, raft_id id, uint64_t number);

#endif
