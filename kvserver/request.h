// request.h: one command of one client, from its arrival to its reply.
//
// A connection owns its requests, as a queue in the order in which they came, and
// replies in that order. While a request waits for the cluster the node knows it too:
// in the list of all that wait, oldest first, and as a pending write or a member of a
// batch of reads. node_forget() takes it out of all these.
#ifndef KVSERVER_REQUEST_H
#define KVSERVER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"
#include "raft/raft.h"
#include "rpc/jsonrpc.h"

enum request_kind {
    REQUEST_WRITE, // answered when its log entry is applied
    REQUEST_READ,  // answered from the applied state once that is confirmed
    REQUEST_LOCAL, // answered by this node alone, when its turn comes
    REQUEST_ADMIN, // answered when the members, or the leader, have changed
};

struct connection;
struct json_method;
struct read_batch;

struct request {
    enum request_kind kind;
    bool done;      // the reply is complete
    bool confirmed; // a read: the state may answer
    bool verbatim;  // the reply is in the client's own language already
    bool waiting;   // known to the node
    bool tried;     // a change of members: leadership was handed over for it
    bool follower;  // a read: a follower may ask its leader for the confirmation
    struct connection *connection;
    struct request *next; // in the connection's queue

    // While the node knows it.
    struct request *older;
    struct request *younger;
    uint64_t asked_ms;
    raft_index index; // a write's place in the log; 0: not proposed yet
    raft_term term;
    struct read_batch *batch;
    uint32_t batch_place; // there, or among the turn's proposals
    uint32_t word_count;  // of `words` below

    struct buffer reply; // where it could not go out at once

    // What a later turn needs: copies that lie behind the struct.
    struct jsonrpc_id json_id; // its text lies in json_text
    struct buffer json_text;
    const struct json_method *json_method;
    struct bytes *words;
    size_t room; // bytes behind the struct
};

#endif
