// jsonrpc.h: JSON-RPC 2.0 in general: lines into requests and answers, and back.
//
// One message a line. A request has an id and is answered; a notification has none and
// is not. Members beyond those of the standard are refused, and so are batches (an
// array of requests): lines already pipeline. Ids are strings, whole numbers or null.
// What jsonrpc_parse() gives is borrowed from the message and lasts until
// jsonrpc_release().
#ifndef RPC_JSONRPC_H
#define RPC_JSONRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/frame.h"
#include "rpc/json.h"

enum jsonrpc_code {
    JSONRPC_PARSE_ERROR = -32700,
    JSONRPC_INVALID_REQUEST = -32600,
    JSONRPC_METHOD_NOT_FOUND = -32601,
    JSONRPC_INVALID_PARAMS = -32602,
    JSONRPC_INTERNAL_ERROR = -32603,
    // From here down to -32099 an application may define its own.
    JSONRPC_APPLICATION_ERROR = -32000,
};

enum jsonrpc_kind {
    JSONRPC_REQUEST = 1,
    JSONRPC_NOTIFICATION,
    JSONRPC_RESULT,
    JSONRPC_ERROR,
};

enum jsonrpc_id_kind {
    JSONRPC_ID_ABSENT = 0, // a notification
    JSONRPC_ID_NULL,       // also: could not be read
    JSONRPC_ID_NUMBER,
    JSONRPC_ID_STRING,
};

struct jsonrpc_id {
    enum jsonrpc_id_kind kind;
    int64_t number;
    const char *text;
};

struct jsonrpc_problem {
    enum jsonrpc_code code;
    const char *text; // static, one phrase
};

struct jsonrpc_message {
    enum jsonrpc_kind kind;
    struct jsonrpc_id id;
    const char *method;        // requests and notifications
    const cJSON *params;       // an object, an array, or NULL
    const cJSON *result;       // results
    int64_t error_code;        // errors
    const char *error_message; // errors
    cJSON *tree;               // owns all of the above
};

// False where the line is refused; *problem says why. Even then message->id is what
// the answer must carry, so far as it could be read. Release the message either way.
bool jsonrpc_parse(const char *line, size_t size, const struct json_limits *limits,
                   struct jsonrpc_message *message, struct jsonrpc_problem *problem);
void jsonrpc_release(struct jsonrpc_message *message);

// Each adds one part of a line:
//     jsonrpc_begin_request(frame, id, method); add the params' JSON;
//     jsonrpc_begin_result(frame, id);          add the result's JSON;
//     jsonrpc_end(frame).
// An absent id makes the request a notification.
void jsonrpc_begin_request(struct frame *frame, const struct jsonrpc_id *id,
                           const char *method);
void jsonrpc_begin_result(struct frame *frame, const struct jsonrpc_id *id);
void jsonrpc_end(struct frame *frame);

// A whole line. An absent id is written as null, as the standard asks where the id
// could not be told.
void jsonrpc_add_error(struct frame *frame, const struct jsonrpc_id *id, int code,
                       const char *text);

#endif
