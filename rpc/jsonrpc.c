// jsonrpc.c: see jsonrpc.h.
#include "rpc/jsonrpc.h"

#include <string.h>

static bool refuse(struct jsonrpc_problem *problem, enum jsonrpc_code code,
                   const char *text)
{
    *problem = (struct jsonrpc_problem){code, text};
    return false;
}

static bool invalid(struct jsonrpc_problem *problem, const char *text)
{
    return refuse(problem, JSONRPC_INVALID_REQUEST, text);
}

// ---- reading --------------------------------------------------------------------

static bool refuse_scan(const struct json_scan *scan, struct jsonrpc_problem *problem)
{
    switch (scan->verdict) {
    case JSON_LONG:
        return invalid(problem, "the line is too long");
    case JSON_DEEP:
        return invalid(problem, "too deeply nested");
    case JSON_CROWDED:
        return invalid(problem, "too many values in one line");
    case JSON_INEXACT:
        if (scan->depth > 1) {
            return refuse(problem, JSONRPC_INVALID_PARAMS,
                          "a number is not whole or is beyond 2^53 - 1");
        }
        return invalid(problem, "a number is not whole or is beyond 2^53 - 1");
    default:
        return refuse(problem, JSONRPC_PARSE_ERROR,
                      "not one JSON value (RFC 8259, UTF-8, no NUL)");
    }
}

enum member {
    MEMBER_VERSION,
    MEMBER_ID,
    MEMBER_METHOD,
    MEMBER_PARAMS,
    MEMBER_RESULT,
    MEMBER_ERROR,
    MEMBER_COUNT,
};

static const char *const member_names[MEMBER_COUNT] = {
    "jsonrpc", "id", "method", "params", "result", "error",
};

// Sorts the members; false where one is unknown or stands twice.
static bool sort_members(const cJSON *tree, const cJSON *members[MEMBER_COUNT])
{
    bool good = true;
    for (const cJSON *item = tree->child; item != NULL; item = item->next) {
        int which = 0;
        while (which < MEMBER_COUNT && strcmp(item->string, member_names[which]) != 0) {
            which++;
        }
        if (which == MEMBER_COUNT || members[which] != NULL) {
            good = false;
            continue;
        }
        members[which] = item;
    }
    return good;
}

static bool read_id(const cJSON *item, struct jsonrpc_id *id)
{
    if (item == NULL) {
        id->kind = JSONRPC_ID_ABSENT;
    } else if (cJSON_IsNull(item)) {
        id->kind = JSONRPC_ID_NULL;
    } else if (json_read_i64(item, &id->number)) {
        id->kind = JSONRPC_ID_NUMBER;
    } else if (json_read_string(item, &id->text)) {
        id->kind = JSONRPC_ID_STRING;
    } else {
        id->kind = JSONRPC_ID_NULL;
        return false;
    }
    return true;
}

static bool read_call(const cJSON *members[MEMBER_COUNT],
                      struct jsonrpc_message *message, struct jsonrpc_problem *problem)
{
    if (members[MEMBER_RESULT] != NULL || members[MEMBER_ERROR] != NULL) {
        return invalid(problem, "a request has no result and no error");
    }
    if (!json_read_string(members[MEMBER_METHOD], &message->method)) {
        return invalid(problem, "method is not a string");
    }
    message->params = members[MEMBER_PARAMS];
    if (message->params != NULL && !cJSON_IsObject(message->params) &&
        !cJSON_IsArray(message->params)) {
        return invalid(problem, "params is neither an object nor an array");
    }
    bool absent = message->id.kind == JSONRPC_ID_ABSENT;
    message->kind = absent ? JSONRPC_NOTIFICATION : JSONRPC_REQUEST;
    return true;
}

static bool read_error(const cJSON *error, struct jsonrpc_message *message)
{
    if (!cJSON_IsObject(error)) {
        return false;
    }
    message->kind = JSONRPC_ERROR;
    return json_read_i64(json_get(error, "code"), &message->error_code) &&
           json_read_string(json_get(error, "message"), &message->error_message);
}

static bool read_answer(const cJSON *members[MEMBER_COUNT],
                        struct jsonrpc_message *message,
                        struct jsonrpc_problem *problem)
{
    message->result = members[MEMBER_RESULT];
    const cJSON *error = members[MEMBER_ERROR];
    if (members[MEMBER_PARAMS] != NULL ||
        (message->result == NULL) == (error == NULL)) {
        return invalid(problem, "neither a request nor an answer: no method");
    }
    if (message->id.kind == JSONRPC_ID_ABSENT) {
        return invalid(problem, "an answer without an id");
    }
    message->kind = JSONRPC_RESULT;
    if (error != NULL && !read_error(error, message)) {
        return invalid(problem, "error is not an object with a code and a message");
    }
    return true;
}

static bool read_tree(struct jsonrpc_message *message, const struct json_scan *scan,
                      struct jsonrpc_problem *problem)
{
    if (cJSON_IsArray(message->tree)) {
        return invalid(problem, "batches are not taken: send one request a line");
    }
    if (!cJSON_IsObject(message->tree)) {
        return invalid(problem, "a request is an object");
    }
    const cJSON *members[MEMBER_COUNT] = {NULL};
    bool known = sort_members(message->tree, members);
    bool id_good = read_id(members[MEMBER_ID], &message->id);
    const char *version;
    if (!json_read_string(members[MEMBER_VERSION], &version) ||
        strcmp(version, "2.0") != 0) {
        return invalid(problem, "jsonrpc is not \"2.0\"");
    }
    if (!known) {
        return invalid(problem, "an unknown or repeated member");
    }
    if (!id_good) {
        return invalid(problem, "id is not a string, a whole number or null");
    }
    if (scan->verdict != JSON_GOOD) {
        return refuse_scan(scan, problem);
    }
    return members[MEMBER_METHOD] != NULL ? read_call(members, message, problem)
                                          : read_answer(members, message, problem);
}

bool jsonrpc_parse(const char *line, size_t size, const struct json_limits *limits,
                   struct jsonrpc_message *message, struct jsonrpc_problem *problem)
{
    memset(message, 0, sizeof *message);
    message->id.kind = JSONRPC_ID_NULL;
    struct json_scan scan;
    message->tree = json_parse(line, size, limits, &scan);
    if (message->tree == NULL) {
        return refuse_scan(&scan, problem);
    }
    return read_tree(message, &scan, problem);
}

void jsonrpc_release(struct jsonrpc_message *message)
{
    cJSON_Delete(message->tree);
    memset(message, 0, sizeof *message);
}

// ---- writing --------------------------------------------------------------------

static void add_id(struct frame *frame, const struct jsonrpc_id *id)
{
    frame_append_text(frame, ",\"id\":");
    if (id->kind == JSONRPC_ID_NUMBER) {
        json_add_i64(frame, id->number);
    } else if (id->kind == JSONRPC_ID_STRING) {
        json_add_text(frame, id->text, strlen(id->text));
    } else {
        frame_append_text(frame, "null");
    }
}

void jsonrpc_begin_request(struct frame *frame, const struct jsonrpc_id *id,
                           const char *method)
{
    frame_append_text(frame, "{\"jsonrpc\":\"2.0\"");
    if (id->kind != JSONRPC_ID_ABSENT) {
        add_id(frame, id);
    }
    frame_append_text(frame, ",\"method\":");
    json_add_text(frame, method, strlen(method));
    frame_append_text(frame, ",\"params\":");
}

void jsonrpc_begin_result(struct frame *frame, const struct jsonrpc_id *id)
{
    frame_append_text(frame, "{\"jsonrpc\":\"2.0\"");
    add_id(frame, id);
    frame_append_text(frame, ",\"result\":");
}

void jsonrpc_end(struct frame *frame)
{
    frame_append(frame, "}\n", 2);
}

void jsonrpc_add_error(struct frame *frame, const struct jsonrpc_id *id, int code,
                       const char *text)
{
    frame_append_text(frame, "{\"jsonrpc\":\"2.0\"");
    add_id(frame, id);
    frame_append_text(frame, ",\"error\":{\"code\":");
    json_add_i64(frame, code);
    frame_append_text(frame, ",\"message\":");
    json_add_text(frame, text, strlen(text));
    frame_append(frame, "}", 1);
    jsonrpc_end(frame);
}
