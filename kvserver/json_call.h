// json_call.h: from the parameters of a JSON-RPC method to the words of a command.
//
// A parameter of bytes comes as `name`, a string, or as `name_base64`. Methods are
// strict: a parameter that is missing, of another type, or not known is refused.
#ifndef KVSERVER_JSON_CALL_H
#define KVSERVER_JSON_CALL_H

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"

enum {
    JSON_CALL_WORDS = 10,   // of any method but kv.command and raft.change
    JSON_CALL_CHANGES = 15, // in raft.change
    JSON_CALL_NUMBERS = 2 * JSON_CALL_CHANGES,
};

struct json_call {
    struct bytes *words;
    uint32_t count;
    uint64_t session; // 0: none
    uint64_t sequence;
    bool stale;    // a read: this node's own state will do
    bool follower; // a read: so will a follower's, confirmed by its leader

    const char *problem; // why it was refused; static

    const cJSON *params;
    uint32_t taken; // parameters that were understood
    struct bytes fixed[JSON_CALL_WORDS];
    char numbers[JSON_CALL_NUMBERS][24];
    uint32_t number_count;
    char *arena; // what was decoded from base64
    size_t arena_used;
    size_t arena_size;
};

// What the result of a method looks like: the RESP reply under this name.
enum json_shape {
    JSON_SHAPE_VALUE,
    JSON_SHAPE_OK,
    JSON_SHAPE_DELETED,
    JSON_SHAPE_LENGTH,
    JSON_SHAPE_REPLY,
    JSON_SHAPE_SESSION,
    JSON_SHAPE_STATUS, // no command: the node itself answers
    JSON_SHAPE_HASH,
    JSON_SHAPE_ADMIN, // a change of the cluster, as the words of RAFT.MEMBER and so on
};

struct json_method {
    const char *name;
    enum json_shape shape;
    bool (*read)(struct json_call *call); // false: call->problem says why
};

const struct json_method *json_call_method(const char *name);

// Words are borrowed from `params` and from the call until json_call_release().
// line_size bounds what any base64 in it decodes to.
bool json_call_read(struct json_call *call, const struct json_method *method,
                    const cJSON *params, size_t line_size);
void json_call_release(struct json_call *call);

#endif
