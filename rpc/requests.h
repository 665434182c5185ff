// requests.h: who waits for which entry, and for which read, of a driver.
//
// A write is named by its index and term (host.h): it is done when an entry of that
// term is applied at that index, and has failed when it is one of another term. A
// restored snapshot passes over indices: what stood there cannot be told.
// Invariant: the writes are in the order of their indices.
#ifndef RPC_REQUESTS_H
#define RPC_REQUESTS_H

#include "rpc/driver.h"

struct requests {
    struct driver_request *first; // writes
    struct driver_request *last;
    struct driver_request *reads; // the newest first
    uint64_t read_id;             // of the newest
};

void requests_add_write(struct requests *requests, struct driver_request *request);
// Gives it the id to ask with.
void requests_add_read(struct requests *requests, struct driver_request *request);

void requests_applied(struct requests *requests, raft_index index, raft_term term);
void requests_restored(struct requests *requests, raft_index index);
void requests_read_ready(struct requests *requests, uint64_t id,
                         enum raft_status status);

// Not answered any more.
void requests_forget(struct requests *requests, struct driver_request *request);
// Nobody can tell any more.
void requests_end(struct requests *requests);

// Answers a request that is in no list.
void requests_refuse(struct driver_request *request, enum raft_status status);

#endif
