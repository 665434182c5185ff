// pending.h: which request waits for which log entry: a ring over the log's indices.
//
// A write that was proposed at (index, term) has succeeded when an entry of that term
// is applied there, and has failed for good when another term's is (host.h).
#ifndef KVSERVER_PENDING_H
#define KVSERVER_PENDING_H

#include "kvserver/request.h"

struct pending {
    raft_index first; // every waiting index lies in [first, end)
    raft_index end;
    uint32_t capacity; // a power of two
    struct request **ring;
};

void pending_init(struct pending *pending);
void pending_release(struct pending *pending);

// Returns the request that waited for the same index in an earlier term, or NULL. This
// node lost its entry, but that is not yet the end of it: until the index is committed,
// a node that still holds the entry may come to lead and commit it (Figure 8).
struct request *pending_add(struct pending *pending, struct request *request);

// Takes out who waits for this index, or NULL. Indices are asked for in order.
struct request *pending_take(struct pending *pending, raft_index index);

// Takes out someone who waits for this index or one before it, or NULL: those entries
// will not be seen here.
struct request *pending_skip(struct pending *pending, raft_index index);

void pending_forget(struct pending *pending, const struct request *request);

#endif
