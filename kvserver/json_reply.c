#include "kvserver/json_reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "kvserver/service/resp.h"
#include "rpc/utf8.h"

enum { DEPTH_MAX = 8 }; // arrays within each other; no command gives more

// ---- errors ---------------------------------------------------------------------

static bool begins(struct bytes text, const char *word)
{
    return text.size >= strlen(word) && memcmp(text.data, word, strlen(word)) == 0;
}

static int error_code(struct bytes text)
{
    static const struct {
        const char *word;
        int code;
    } codes[] = {{"MOVED ", JSON_REPLY_MOVED},
                 {"CLUSTERDOWN ", JSON_REPLY_CLUSTERDOWN},
                 {"TIMEOUT ", JSON_REPLY_TIMEOUT},
                 {"TRYAGAIN ", JSON_REPLY_TRYAGAIN},
                 {"SESSION ", JSON_REPLY_SESSION}};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (begins(text, codes[i].word))
            return codes[i].code;
    return JSON_REPLY_REFUSED;
}

static void error_add(struct frame *frame, const struct jsonrpc_id *id,
                      struct bytes text)
{
    char message[512];
    size_t size = text.size < sizeof message - 1 ? text.size : sizeof message - 1;

    memcpy(message, text.data, size);
    message[size] = '\0';
    // An error may quote what a client sent, which need not be text.
    for (size_t i = 0; !utf8_valid(message, size) && i < size; i++)
        if ((unsigned char)message[i] >= 0x80)
            message[i] = '?';
    jsonrpc_add_error(frame, id, error_code(text), message);
}

// ---- values ---------------------------------------------------------------------

static void integer_add(struct frame *frame, int64_t value)
{
    char text[24];

    if (value <= (int64_t)JSON_WHOLE_MAX && value >= -(int64_t)JSON_WHOLE_MAX) {
        json_add_i64(frame, value);
        return;
    }
    // Beyond what every reader of JSON keeps exact, a number travels as text.
    snprintf(text, sizeof text, "%lld", (long long)value);
    json_add_text(frame, text, strlen(text));
}

static void scalar_add(struct frame *frame, const struct resp_item *item)
{
    switch (item->type) {
    case RESP_INTEGER:
        integer_add(frame, item->integer);
        break;
    case RESP_NULL:
    case RESP_ARRAY:
        frame_append_text(frame, "null");
        break;
    case RESP_ERROR:
    case RESP_SIMPLE:
    case RESP_BULK:
        if (json_is_text(item->text.data, item->text.size)) {
            json_add_text(frame, item->text.data, item->text.size);
        } else {
            frame_append_text(frame, "{\"base64\":");
            json_add_base64(frame, item->text.data, item->text.size);
            frame_append_text(frame, "}");
        }
        break;
    }
}

// A whole reply, arrays with their elements, without recursion.
static void value_add(struct frame *frame, struct bytes reply)
{
    uint64_t left[DEPTH_MAX]; // elements to come, of each array that is open
    const char *at = reply.data, *end = at + reply.size;
    struct resp_item item;
    int depth = 0;

    do {
        int status = resp_item_read(at, (size_t)(end - at), &item);

        assert(status == 1); // the service wrote it
        (void)status;
        at += item.size;
        if (item.type == RESP_ARRAY) {
            assert(depth < DEPTH_MAX);
            frame_append_text(frame, "[");
            left[depth++] = (uint64_t)item.integer + 1;
        } else {
            scalar_add(frame, &item);
        }
        while (depth > 0 && --left[depth - 1] == 0) {
            frame_append_text(frame, "]");
            depth--;
        }
        if (depth > 0 && !(item.type == RESP_ARRAY && item.integer > 0))
            frame_append_text(frame, ",");
    } while (depth > 0);
}

void json_reply_add(struct frame *frame, const struct jsonrpc_id *id,
                    enum json_shape shape, struct bytes reply)
{
    static const char *const names[] = {[JSON_SHAPE_VALUE] = "value",
                                        [JSON_SHAPE_DELETED] = "deleted",
                                        [JSON_SHAPE_LENGTH] = "length",
                                        [JSON_SHAPE_REPLY] = "reply",
                                        [JSON_SHAPE_SESSION] = "session"};
    struct resp_item item;
    int status = resp_item_read(reply.data, reply.size, &item);

    assert(status == 1);
    (void)status;
    if (item.type == RESP_ERROR) {
        error_add(frame, id, item.text);
        return;
    }
    jsonrpc_begin_result(frame, id);
    frame_append_text(frame, "{");
    if (shape == JSON_SHAPE_OK || shape == JSON_SHAPE_ADMIN) {
        frame_append_text(frame, "\"ok\":");
        json_add_bool(frame, item.type != RESP_NULL);
    } else if (shape == JSON_SHAPE_VALUE && item.type == RESP_BULK) {
        json_add_bytes(frame, "value", item.text.data, item.text.size);
    } else {
        json_add_text(frame, names[shape], strlen(names[shape]));
        frame_append_text(frame, ":");
        value_add(frame, reply);
    }
    frame_append_text(frame, "}");
    jsonrpc_end(frame);
}
