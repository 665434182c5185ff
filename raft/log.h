// log.h: the log of Figure 2, in bounded memory.
//
// A ring of slots (term, type, size, place) and a ring of bytes. An entry's bytes are
// never split: one that would pass the end of the ring starts at its beginning.
// Terms never decrease from one index to the next. Of the entry before the first one,
// the *base*, index and term are remembered: a snapshot holds it and all before (7).
// Offsets are relative to the struct, so that a copy of the whole memory is a copy of
// the log.
#ifndef RAFT_LOG_H
#define RAFT_LOG_H

#include "raft/raft.h"

struct log_slot {
    raft_term term;
    uint64_t at; // position in the endless stream of bytes; modulo capacity in the ring
    uint32_t size;
    uint32_t type;
};

struct log {
    raft_index base_index; // of the entry before the first; 0: nothing was dropped
    raft_term base_term;
    raft_index last_index;
    uint64_t bytes_tail; // where the next entry's bytes may begin
    uint64_t slot_count; // capacities: powers of two
    uint64_t byte_count;
    uint64_t slots_offset; // from this struct
    uint64_t bytes_offset;
};

// The capacities that a configuration asks for, rounded up.
uint64_t log_slot_count(const struct raft_config *config);
uint64_t log_byte_count(const struct raft_config *config);

// An empty log behind a snapshot, with its rings at these offsets from `log`.
void log_init(struct log *log, const struct raft_config *config, uint64_t slots_offset,
              uint64_t bytes_offset);

raft_index log_first_index(const struct log *log);
raft_term log_last_term(const struct log *log);
uint64_t log_bytes_used(const struct log *log);

// The bytes that the entries behind `index` take.
uint64_t log_bytes_after(const struct log *log, raft_index index);

// The newest configuration among the entries up to `index`; 0 where there is none.
raft_index log_find_configuration(const struct log *log, raft_index index);

// The term at `index`; false where the log does not know it (compacted or beyond).
bool log_term(const struct log *log, raft_index index, raft_term *term);

// Whether the log holds an entry at `index` with this term (AE-2's question). True for
// index 0 of a log without a base, and for the base.
bool log_matches(const struct log *log, raft_index index, raft_term term);

// The last entry up to `index` whose term is not above `term`; the base where there is
// none, and where the log ends before `index`, the search begins at its end.
raft_index log_find_conflict(const struct log *log, raft_index index, raft_term term);

// Whether all of these commands fit, one behind the other.
bool log_has_room(const struct log *log, const struct raft_command *commands,
                  uint32_t count);

// Adds an entry behind the last; its bytes are copied. False where it does not fit.
bool log_append(struct log *log, raft_term term, enum raft_entry_type type,
                const void *data, uint32_t size);

// Drops the entry at `index` and all that follow.
void log_truncate(struct log *log, raft_index index);

// Drops the entries up to `index`, which becomes the base.
void log_compact(struct log *log, raft_index index);

// Drops everything: the log begins anew behind this base.
void log_restart(struct log *log, raft_index index, raft_term term);

// The entry at an index that the log holds; data borrowed until the log changes.
void log_entry(const struct log *log, raft_index index, struct raft_entry *entry);

#endif
