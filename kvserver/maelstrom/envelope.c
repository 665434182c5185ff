// envelope.c: see envelope.h.
#include "kvserver/maelstrom/envelope.h"

#include "rpc/json.h"

#include <stdio.h>
#include <stdlib.h>

bool envelope_read(struct envelope *envelope, const char *line, size_t size)
{
    const struct json_limits limits = {ENVELOPE_LINE_BYTES_MAX, 1 << 16, 16};
    struct json_scan scan;
    uint64_t msg_id = 0;

    *envelope = (struct envelope){.tree = json_parse(line, size, &limits, &scan)};
    envelope->body = json_get(envelope->tree, "body");
    if (!json_read_string(json_get(envelope->tree, "src"), &envelope->src) ||
        !json_read_string(json_get(envelope->tree, "dest"), &envelope->dest) ||
        !json_read_string(json_get(envelope->body, "type"), &envelope->type)) {
        envelope_release(envelope);
        return false;
    }
    envelope->asks = json_read_u64(json_get(envelope->body, "msg_id"), &msg_id);
    envelope->msg_id = envelope->asks ? (int64_t)msg_id : -1;
    return true;
}

void envelope_release(struct envelope *envelope)
{
    cJSON_Delete(envelope->tree);
    envelope->tree = NULL;
}

void envelope_send(const char *src, const char *dest, cJSON *body)
{
    cJSON *line = cJSON_CreateObject();
    char *text;

    cJSON_AddStringToObject(line, "src", src);
    cJSON_AddStringToObject(line, "dest", dest);
    cJSON_AddItemToObject(line, "body", body);
    text = cJSON_PrintUnformatted(line);
    if (text == NULL)
        abort();
    puts(text);
    free(text);
    cJSON_Delete(line);
}

cJSON *envelope_body(const char *type, int64_t msg_id)
{
    cJSON *body = cJSON_CreateObject();

    cJSON_AddStringToObject(body, "type", type);
    if (msg_id >= 0)
        cJSON_AddNumberToObject(body, "in_reply_to", (double)msg_id);
    return body;
}

static const char *text_of(enum envelope_error code)
{
    switch (code) {
    case ENVELOPE_TIMEOUT:
        return "it is not known what became of it";
    case ENVELOPE_NOT_SUPPORTED:
        return "there is no such type of message here";
    case ENVELOPE_UNAVAILABLE:
        return "nobody leads, or not for long enough; nothing was done";
    case ENVELOPE_MALFORMED:
        return "a field is missing";
    case ENVELOPE_NO_KEY:
        return "there is no such key";
    case ENVELOPE_OTHER_VALUE:
        return "the key has another value";
    }
    return "an error";
}

cJSON *envelope_failure(enum envelope_error code, int64_t msg_id)
{
    cJSON *body = envelope_body("error", msg_id);

    cJSON_AddNumberToObject(body, "code", (double)code);
    cJSON_AddStringToObject(body, "text", text_of(code));
    return body;
}
