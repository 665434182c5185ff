#include "kvserver/json_front.h"

#include <string.h>

#include "kvserver/json_call.h"
#include "kvserver/json_reply.h"
#include "kvserver/server.h"
#include "kvserver/service/resp.h"
#include "kvserver/status.h"

enum {
    LINE_BYTES_EXTRA = 64 << 10, // beyond four times the largest value
    VALUES_MAX = 64 << 10,
    DEPTH_MAX = 8,
};

// ---- lines out ------------------------------------------------------------------

static void frame_give(struct buffer *output, struct frame *frame)
{
    buffer_append(output, frame->data, frame->size);
    frame_release(frame);
}

static void error_reply(struct connection *connection, const struct jsonrpc_id *id,
                        int code, const char *text)
{
    struct frame *frame = frame_new(256);

    jsonrpc_add_error(frame, id, code, text);
    frame_give(connection_reply(connection), frame);
}

// Refuses a call with a RESP error, as if the node had.
static void refuse(struct connection *connection, const struct jsonrpc_message *message,
                   const struct buffer *error)
{
    struct frame *frame;

    connection->server->counters.commands_failed++;
    if (message->kind == JSONRPC_NOTIFICATION)
        return;
    frame = frame_new(256);
    json_reply_add(frame, &message->id, JSON_SHAPE_REPLY,
                   (struct bytes){error->data, error->size});
    frame_give(connection_reply(connection), frame);
}

// ---- calls ----------------------------------------------------------------------

static struct request *request_add(struct connection *connection,
                                   enum request_kind kind,
                                   const struct json_method *method,
                                   const struct jsonrpc_message *message,
                                   const struct json_call *call)
{
    struct request *request =
        connection_request(connection, kind, call->words, call->count);

    request->json_method = method;
    request->json_id = message->id;
    if (message->kind == JSONRPC_NOTIFICATION)
        request->json_id.kind = JSONRPC_ID_ABSENT;
    if (message->id.kind == JSONRPC_ID_STRING) {
        buffer_append(&request->json_text, message->id.text,
                      strlen(message->id.text) + 1);
        request->json_id.text = request->json_text.data;
    }
    return request;
}

static void call_run(struct connection *connection, const struct json_method *method,
                     const struct jsonrpc_message *message,
                     const struct json_call *call)
{
    struct node *node = connection->server->node;
    struct buffer error = {0};
    enum service_kind kind = service_classify(call->words, call->count, &error);
    struct request *request;

    if (method->shape == JSON_SHAPE_STATUS || method->shape == JSON_SHAPE_HASH ||
        (kind == SERVICE_READ && call->stale && !node_leads(node))) {
        request_add(connection, REQUEST_LOCAL, method, message, call);
        connection_advance(connection);
    } else if (method->shape == JSON_SHAPE_ADMIN) {
        node_admin(node, request_add(connection, REQUEST_ADMIN, method, message, call));
    } else if (kind != SERVICE_WRITE && kind != SERVICE_READ) {
        refuse(connection, message, &error);
    } else if (!node_takes(node) && !(kind == SERVICE_READ && call->follower)) {
        node_redirect(node, &error);
        refuse(connection, message, &error);
    } else if (kind == SERVICE_WRITE) {
        node_write(node, request_add(connection, REQUEST_WRITE, method, message, call),
                   call->session, call->sequence, call->words, call->count);
    } else {
        request = request_add(connection, REQUEST_READ, method, message, call);
        request->follower = call->follower;
        node_read(node, request);
    }
    buffer_free(&error);
}

static void call_take(struct connection *connection,
                      const struct jsonrpc_message *message, size_t line_size)
{
    const struct json_method *method = json_call_method(message->method);
    struct json_call call;
    bool answered = message->kind != JSONRPC_NOTIFICATION;

    if (method == NULL) {
        if (answered)
            error_reply(connection, &message->id, JSONRPC_METHOD_NOT_FOUND,
                        "no such method");
        return;
    }
    if (json_call_read(&call, method, message->params, line_size))
        call_run(connection, method, message, &call);
    else if (answered)
        error_reply(connection, &message->id, JSONRPC_INVALID_PARAMS, call.problem);
    json_call_release(&call);
}

static void line_take(struct connection *connection, const char *line, size_t size)
{
    struct server *server = connection->server;
    struct json_limits limits = {
        .bytes_max = size, .values_max = VALUES_MAX, .depth_max = DEPTH_MAX};
    struct jsonrpc_message message;
    struct jsonrpc_problem problem;

    server->counters.commands++;
    connection->commands++;
    if (!jsonrpc_parse(line, size, &limits, &message, &problem)) {
        server->counters.protocol_errors++;
        error_reply(connection, &message.id, problem.code, problem.text);
    } else if (message.kind != JSONRPC_REQUEST &&
               message.kind != JSONRPC_NOTIFICATION) {
        server->counters.protocol_errors++;
        error_reply(connection, &message.id, JSONRPC_INVALID_REQUEST,
                    "a server takes requests");
    } else {
        call_take(connection, &message, size);
    }
    jsonrpc_release(&message);
}

// ---- lines in -------------------------------------------------------------------

static void too_long(struct connection *connection)
{
    struct jsonrpc_id none = {.kind = JSONRPC_ID_NULL};

    connection->server->counters.protocol_errors++;
    error_reply(connection, &none, JSONRPC_INVALID_REQUEST, "the line is too long");
    connection_end(connection);
}

static size_t front_read(struct connection *connection, const char *data, size_t size)
{
    size_t line_max =
        (size_t)connection->server->options->value_bytes_max * 4 + LINE_BYTES_EXTRA;
    size_t used = 0;

    while (!connection->ending && !connection->closed &&
           !connection_paused(connection)) {
        size_t searched = used == 0 ? connection->searched : 0;
        const char *line = data + used;
        const char *end = memchr(line + searched, '\n', size - used - searched);
        size_t length;

        connection->searched = 0;
        if ((end == NULL ? size - used : (size_t)(end - line)) > line_max) {
            too_long(connection);
            return used;
        }
        if (end == NULL) {
            connection->searched = size - used;
            return used;
        }
        length = (size_t)(end - line);
        used += length + 1;
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length > 0)
            line_take(connection, line, length);
    }
    return used;
}

// ---- replies --------------------------------------------------------------------

static void front_run(struct request *request, struct buffer *reply)
{
    struct node *node = request->connection->server->node;

    // What the node tells of itself is told in JSON at once, by front_deliver().
    if (request->json_method->shape == JSON_SHAPE_STATUS ||
        request->json_method->shape == JSON_SHAPE_HASH)
        return;
    if (node_service(node) == NULL)
        resp_error(reply, "LOADING a snapshot is being restored");
    else
        service_read(node_service(node), request->words, request->word_count,
                     node_wall_ms(node), reply);
}

struct members {
    struct frame *frame;
    bool first;
    const char *list; // the one whose items are being told, or NULL
};

static void member_name(struct members *members, const char *name)
{
    if (!members->first)
        frame_append_text(members->frame, ",");
    members->first = false;
    json_add_text(members->frame, name, strlen(name));
    frame_append_text(members->frame, ":");
}

static void member_text(void *context, const char *name, const char *value)
{
    member_name(context, name);
    json_add_text(((struct members *)context)->frame, value, strlen(value));
}

static void member_number(void *context, const char *name, uint64_t value)
{
    member_name(context, name);
    json_add_u64(((struct members *)context)->frame, value);
}

// Ends the list before and opens this one. A node without peers has an empty list of
// them, and so has one that waits for its first configuration.
static void list_begin(struct members *members, const char *list)
{
    static const char *const lists[] = {"peer", "member"};
    static const char *const names[] = {"peers", "members"};
    bool past = members->list == NULL;

    if (members->list != NULL)
        frame_append_text(members->frame, "]");
    members->first = false;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (list != NULL && strcmp(lists[i], list) == 0) {
            member_name(members, names[i]);
            frame_append_text(members->frame, "[");
            break;
        }
        if (past) {
            member_name(members, names[i]);
            frame_append_text(members->frame, "[]");
        }
        past = past || strcmp(lists[i], members->list) == 0;
    }
    members->list = list;
}

static void item_begin(void *context, const char *list, raft_id id)
{
    struct members *members = context;

    if (members->list == NULL || strcmp(members->list, list) != 0)
        list_begin(members, list);
    else
        frame_append_text(members->frame, ",");
    frame_append_text(members->frame, "{");
    members->first = true;
    member_number(members, "node", id);
}

static void item_end(void *context)
{
    frame_append_text(((struct members *)context)->frame, "}");
}

static void status_add(struct server *server, const struct json_method *method,
                       struct frame *frame)
{
    struct members members = {.frame = frame, .first = true};
    struct status_visitor visitor = {&members, member_text, member_number, item_begin,
                                     item_end};
    char hash[STATUS_HASH_SIZE];

    status_hash(server, hash);
    frame_append_text(frame, "{");
    if (method->shape == JSON_SHAPE_HASH) {
        member_text(&members, "hash", hash);
        member_number(&members, "applied_index", status_applied_index(server));
    } else {
        member_text(&members, "state_hash", hash);
        status_visit(server, &visitor);
        list_begin(&members, NULL);
    }
    frame_append_text(frame, "}");
}

static void front_deliver(struct request *request, struct buffer *output)
{
    const struct json_method *method = request->json_method;
    struct frame *frame;

    if (request->json_id.kind == JSONRPC_ID_ABSENT)
        return;
    frame = frame_new(256);
    if (method->shape == JSON_SHAPE_STATUS || method->shape == JSON_SHAPE_HASH) {
        jsonrpc_begin_result(frame, &request->json_id);
        status_add(request->connection->server, method, frame);
        jsonrpc_end(frame);
    } else {
        json_reply_add(frame, &request->json_id, method->shape,
                       (struct bytes){request->reply.data, request->reply.size});
    }
    frame_give(output, frame);
}

const struct front json_front = {
    .name = "json", .read = front_read, .run = front_run, .deliver = front_deliver};
