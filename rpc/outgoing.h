// outgoing.h: this node's own connection to one peer, on which it only sends.
//
//     waiting -> resolving -> connecting -> greeting -> ready
//        ^____________|____________|___________|_________|    back-off
//
// Every attempt has its own socket and its own memory, which ends with the socket's
// close; so a late callback of an old attempt can do nothing to the next.
#ifndef RPC_OUTGOING_H
#define RPC_OUTGOING_H

#include "rpc/frame.h"
#include "rpc/hello.h"
#include "rpc/transport.h"

#include <uv.h>

struct outgoing;

struct outgoing_owner {
    const struct transport_config *config;
    const struct hello *self;
    void *context;
    void (*log)(void *context, const char *line);
    void (*closed)(void *context, struct outgoing *outgoing);
};

struct outgoing *outgoing_new(uv_loop_t *loop, const struct outgoing_owner *owner,
                              raft_id peer, struct transport_peer_counters *counters);

// Where the peer is. False where the name is too long.
bool outgoing_move(struct outgoing *outgoing, const char *host, uint16_t port);

// Queues the frame, or drops it where the queue is full.
void outgoing_push(struct outgoing *outgoing, struct frame *frame);
void outgoing_flush(struct outgoing *outgoing);

// Ends in owner->closed(), after which outgoing_free() is allowed.
void outgoing_close(struct outgoing *outgoing);
void outgoing_free(struct outgoing *outgoing);

#endif
