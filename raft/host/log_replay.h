// log_replay.h: what the records of a log make, one after another.
//
// Knows no files: it is told where each record stands, and remembers for each entry of
// the final log where to read it, as runs of records. An entry that replaces others
// ends runs, so there are never more than one for each conflict.
//
// The log begins with entry 1, or anew behind a snapshot's record. Where its first
// segments were removed it begins with the first entry that is seen, or with one that
// replaces that: all before it is in a snapshot, though nothing here tells its term.
#ifndef RAFT_HOST_LOG_REPLAY_H
#define RAFT_HOST_LOG_REPLAY_H

#include "raft/host/log_format.h"
#include "raft/host/segment_table.h"

struct log_position {
    uint64_t number; // of the segment
    uint64_t offset;
};

// Entries first..last of the final log, which stand one behind the other from there on,
// maybe with hard states between them, maybe over several segments.
struct log_run {
    raft_index first;
    raft_index last;
    struct log_position at;
};

struct log_replay {
    struct raft_hard_state hard_state;
    raft_index first_index; // last_index + 1: there are no entries
    raft_index last_index;
    struct segment_table table;

    bool begins;               // where the log begins is known,
    struct log_position begin; // by this record,
    bool begin_term_known;     // and this is the term of the entry before
    raft_term begin_term;

    raft_index asked_index; // set by the caller: the term of which entry to remember
    raft_term asked_term;   // while there is one

    struct log_run *runs; // malloc
    uint32_t run_count;
    uint32_t run_capacity;
};

// With `whole`, the log begins with entry 1.
void log_replay_init(struct log_replay *replay, bool whole, raft_index asked_index);
void log_replay_release(struct log_replay *replay);

// The records that follow stand in this segment, the one behind the last.
void log_replay_segment(struct log_replay *replay, uint64_t number);

// NULL, or why no correct writer can have written this record here.
const char *log_replay_record(struct log_replay *replay, const struct log_position *at,
                              const struct log_record *record, const uint8_t *payload);

#endif
