// hello.h: the first line of a connection between nodes, and its answer. Pure.
//
//     {"jsonrpc":"2.0","id":1,"method":"hello",
//      "params":{"cluster":"raftkv","node":1,"version":1}}
//     {"jsonrpc":"2.0","id":1,"result":{"cluster":"raftkv","node":2,"version":1}}
//
// It keeps apart what looks alike on a network: another cluster, another version, a
// client at the wrong port, a peer at an address that was another's. A person who types
// may add "checksums":false; lines without a checksum are then taken, too.
#ifndef RPC_HELLO_H
#define RPC_HELLO_H

#include <stdbool.h>

#include "raft/raft.h"
#include "rpc/frame.h"
#include "rpc/jsonrpc.h"

enum {
    HELLO_VERSION = 1,
    HELLO_CLUSTER_BYTES_MAX = 63,
    HELLO_LINE_BYTES_MAX = 4096,                    // of the request and of the answer
    HELLO_REFUSED = JSONRPC_APPLICATION_ERROR - 10, // -32010
};

struct hello {
    char cluster[HELLO_CLUSTER_BYTES_MAX + 1];
    raft_id node;
    bool unsummed; // the lines behind it may lack their checksum
};

void hello_add_request(struct frame *frame, const struct hello *self);

// Reads a caller's first line and adds the answer to `answer`: the result, or an error
// that says why not. False where the caller is refused; *problem is then set.
bool hello_take(const char *line, size_t size, const struct hello *self,
                struct frame *answer, struct hello *caller,
                struct jsonrpc_problem *problem);

// Reads the answer to our own hello, which must come from node `expected`.
bool hello_check(const char *line, size_t size, const struct hello *self,
                 raft_id expected, struct jsonrpc_problem *problem);

#endif
