// incoming.h: a connection that was accepted, on which this node only receives.
//
// Rules: the first line is a hello, said in time; every later line is a message whose
// `from` is the node of that hello. A caller that is no peer gets one line that says
// why, and is closed. A line that is refused is answered with its error and counted.
#ifndef RPC_INCOMING_H
#define RPC_INCOMING_H

#include "rpc/hello.h"
#include "rpc/raft_codec.h"
#include "rpc/transport.h"

#include <uv.h>

struct incoming {
    const struct incoming_owner *owner;
    struct incoming *next; // the owner's list
    raft_id node;          // 0 before the hello
    bool unsummed;         // as the hello said
    bool closing;
    // The rest belongs to incoming.c.
    uv_tcp_t tcp;
    uv_timer_t timer;
    uint32_t handles_open;
    struct line *line;
};

struct incoming_owner {
    const struct transport_config *config;
    const struct hello *self;
    struct raft_codec_arena *arena;
    void *context;
    // Whether a node of this cluster may come in.
    bool (*admits)(void *context, raft_id node);
    void (*greeted)(void *context, struct incoming *incoming);
    void (*refused)(void *context, const char *why);
    void (*received)(void *context, const struct raft_message *message, size_t bytes);
    void (*undecodable)(void *context, raft_id node, const char *why);
    // All its handles are closed; it is freed when this returns.
    void (*closed)(void *context, struct incoming *incoming);
};

// Accepts the connection that waits at `listener`. Ends in owner->closed() in any case.
struct incoming *incoming_accept(uv_stream_t *listener,
                                 const struct incoming_owner *owner);
void incoming_close(struct incoming *incoming);

#endif
