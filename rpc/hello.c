// hello.c: see hello.h.
#include "rpc/hello.h"

#include "rpc/json.h"

#include <string.h>

static const struct json_limits hello_limits = {HELLO_LINE_BYTES_MAX, 32, 4};

static void add_self(struct frame *frame, const struct hello *self)
{
    frame_append_text(frame, "{\"cluster\":");
    json_add_text(frame, self->cluster, strlen(self->cluster));
    frame_append_text(frame, ",\"node\":");
    json_add_u64(frame, self->node);
    frame_append_text(frame, ",\"version\":");
    json_add_u64(frame, HELLO_VERSION);
    frame_append_text(frame, "}");
}

void hello_add_request(struct frame *frame, const struct hello *self)
{
    const struct jsonrpc_id id = {JSONRPC_ID_NUMBER, 1, NULL};
    jsonrpc_begin_request(frame, &id, "hello");
    add_self(frame, self);
    jsonrpc_end(frame);
}

static bool refuse(struct jsonrpc_problem *problem, int code, const char *text)
{
    *problem = (struct jsonrpc_problem){(enum jsonrpc_code)code, text};
    return false;
}

// The three members, maybe the fourth, no others, each of its type.
static bool read_hello(const cJSON *object, struct hello *hello, uint64_t *version)
{
    const cJSON *checksums = json_get(object, "checksums");
    const char *cluster;
    uint64_t node;
    bool summed = true;
    if (checksums != NULL && !json_read_bool(checksums, &summed)) {
        return false;
    }
    if (!cJSON_IsObject(object) ||
        cJSON_GetArraySize(object) != 3 + (checksums != NULL) ||
        !json_read_string(json_get(object, "cluster"), &cluster) ||
        !json_read_u64(json_get(object, "node"), &node) ||
        !json_read_u64(json_get(object, "version"), version)) {
        return false;
    }
    size_t length = strlen(cluster);
    if (length > HELLO_CLUSTER_BYTES_MAX || node == 0 || node > UINT32_MAX) {
        return false;
    }
    memcpy(hello->cluster, cluster, length + 1);
    hello->node = (raft_id)node;
    hello->unsummed = !summed;
    return true;
}

static bool judge(const cJSON *object, const struct hello *self, struct hello *other,
                  struct jsonrpc_problem *problem)
{
    uint64_t version;
    if (!read_hello(object, other, &version)) {
        return refuse(problem, JSONRPC_INVALID_PARAMS,
                      "hello is {cluster, node, version}, and maybe checksums");
    }
    if (version != HELLO_VERSION) {
        return refuse(problem, HELLO_REFUSED, "another version of the protocol");
    }
    if (strcmp(other->cluster, self->cluster) != 0) {
        return refuse(problem, HELLO_REFUSED, "another cluster");
    }
    if (other->node == self->node) {
        return refuse(problem, HELLO_REFUSED, "the same node number as this node's");
    }
    return true;
}

static bool take_call(const struct jsonrpc_message *call, const struct hello *self,
                      struct hello *caller, struct jsonrpc_problem *problem)
{
    bool calls = call->kind == JSONRPC_REQUEST || call->kind == JSONRPC_NOTIFICATION;
    if (!calls || strcmp(call->method, "hello") != 0) {
        return refuse(problem, HELLO_REFUSED,
                      "this port is for nodes, and their first line is a hello");
    }
    return judge(call->params, self, caller, problem);
}

bool hello_take(const char *line, size_t size, const struct hello *self,
                struct frame *answer, struct hello *caller,
                struct jsonrpc_problem *problem)
{
    struct jsonrpc_message call;
    bool good = jsonrpc_parse(line, size, &hello_limits, &call, problem) &&
                take_call(&call, self, caller, problem);
    if (!good) {
        jsonrpc_add_error(answer, &call.id, (int)problem->code, problem->text);
    } else if (call.kind == JSONRPC_REQUEST) {
        jsonrpc_begin_result(answer, &call.id);
        add_self(answer, self);
        jsonrpc_end(answer);
    }
    jsonrpc_release(&call);
    return good;
}

bool hello_check(const char *line, size_t size, const struct hello *self,
                 raft_id expected, struct jsonrpc_problem *problem)
{
    struct jsonrpc_message message;
    struct hello other;
    bool good = jsonrpc_parse(line, size, &hello_limits, &message, problem);
    if (good && message.kind == JSONRPC_ERROR) {
        good = refuse(problem, HELLO_REFUSED, "it refuses this node's hello");
    } else if (good && message.kind != JSONRPC_RESULT) {
        good = refuse(problem, JSONRPC_INVALID_REQUEST, "not an answer to a hello");
    } else if (good) {
        good = judge(message.result, self, &other, problem);
        if (good && other.node != expected) {
            good = refuse(problem, HELLO_REFUSED, "another node answers there");
        }
    }
    jsonrpc_release(&message);
    return good;
}
