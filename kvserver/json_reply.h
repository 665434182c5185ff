// json_reply.h: from a RESP reply to the result, or the error, of a JSON-RPC method.
#ifndef KVSERVER_JSON_REPLY_H
#define KVSERVER_JSON_REPLY_H

#include "kvserver/engine/engine.h"
#include "kvserver/json_call.h"
#include "rpc/jsonrpc.h"

enum json_reply_code {
    JSON_REPLY_REFUSED = JSONRPC_APPLICATION_ERROR, // the command failed; not done
    JSON_REPLY_MOVED = -32001,                      // ask the member that it names
    JSON_REPLY_CLUSTERDOWN = -32002,                // nobody leads; not done
    JSON_REPLY_TIMEOUT = -32003,                    // the outcome is unknown
    JSON_REPLY_TRYAGAIN = -32004,                   // the leader changed; not done
    JSON_REPLY_SESSION = -32005,                    // unknown session, or sequence
};

// Adds one line.
void json_reply_add(struct frame *frame, const struct jsonrpc_id *id,
                    enum json_shape shape, struct bytes reply);

#endif
