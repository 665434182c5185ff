// segment_table.h: which segments the log has, and how high each one's entries reach.
//
// It is what tells when a segment may go: once all that was ever written in it, also
// what later records replaced, is at or below an index that nobody needs any more.
// Bounded plain data: where there are more segments than spans, neighbours share one,
// and go together. Invariant: spans are in order, without a gap, and none is empty.
#ifndef RAFT_HOST_SEGMENT_TABLE_H
#define RAFT_HOST_SEGMENT_TABLE_H

#include "raft/raft.h"

enum { SEGMENT_SPANS_MAX = 128 };

struct segment_span {
    uint64_t first; // numbers of segments
    uint64_t last;
    raft_index highest_index; // in a record of theirs; 0: none
};

struct segment_table {
    uint32_t count;
    struct segment_span spans[SEGMENT_SPANS_MAX];
};

// The segment behind all others, or the first of a table without any.
void segment_table_add(struct segment_table *table, uint64_t number);

// A record with this index stands in the last segment.
void segment_table_note(struct segment_table *table, raft_index index);

// The number of the first segment where nothing above `index` stands in it, and others
// follow; else 0. None goes for index 0, not even one that has no entries at all: a log
// without a snapshot begins with its first segment.
uint64_t segment_table_removable(const struct segment_table *table, raft_index index);

// The first, or the last, is no more.
void segment_table_remove_first(struct segment_table *table);
void segment_table_remove_last(struct segment_table *table);

#endif
