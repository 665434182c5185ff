// raft_codec_encode.c: see raft_codec.h. Writes text straight into the frame.
#include "rpc/raft_codec.h"

#include "rpc/json.h"
#include "rpc/raft_codec_fields.h"

#include <string.h>

#define LITERAL(frame, text) frame_append(frame, text, sizeof(text) - 1)

static bool add_entry(struct frame *frame, const struct raft_entry *entry)
{
    assert(entry->type < RAFT_ENTRY_TYPE_COUNT);
    if (entry->term > JSON_WHOLE_MAX) {
        return false;
    }
    LITERAL(frame, "{\"term\":");
    json_add_u64(frame, entry->term);
    LITERAL(frame, ",\"type\":\"");
    frame_append_text(frame, raft_codec_entry_words[entry->type]);
    LITERAL(frame, "\"");
    if (entry->size > 0) {
        LITERAL(frame, ",");
        json_add_bytes(frame, "data", entry->data, entry->size);
    }
    LITERAL(frame, "}");
    return true;
}

static bool add_entries(struct frame *frame, const struct raft_append_entries *append)
{
    LITERAL(frame, "\"entries\":[");
    for (uint32_t i = 0; i < append->count; i++) {
        assert(append->entries[i].index == append->prev_log_index + 1 + i);
        if (i > 0) {
            LITERAL(frame, ",");
        }
        if (!add_entry(frame, &append->entries[i])) {
            return false;
        }
    }
    LITERAL(frame, "]");
    return append->prev_log_index + append->count <= JSON_WHOLE_MAX;
}

static void add_hex(struct frame *frame, uint64_t value)
{
    char digits[16];
    for (int i = 15; i >= 0; i--) {
        digits[i] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    LITERAL(frame, "\"");
    frame_append(frame, digits, sizeof digits);
    LITERAL(frame, "\"");
}

static void add_name(struct frame *frame, const char *name)
{
    LITERAL(frame, "\"");
    frame_append_text(frame, name);
    LITERAL(frame, "\":");
}

static bool add_number(struct frame *frame, const char *name, uint64_t value)
{
    add_name(frame, name);
    json_add_u64(frame, value);
    return value <= JSON_WHOLE_MAX;
}

static bool add_field(struct frame *frame, const struct raft_codec_field *field,
                      const struct raft_message *message)
{
    const void *at = (const char *)message + field->offset;
    switch (field->kind) {
    case RAFT_CODEC_U64:
        return add_number(frame, field->name, *(const uint64_t *)at);
    case RAFT_CODEC_ID:
        return add_number(frame, field->name, *(const raft_id *)at);
    case RAFT_CODEC_BOOL:
        add_name(frame, field->name);
        json_add_bool(frame, *(const bool *)at);
        return true;
    case RAFT_CODEC_HEX:
        add_name(frame, field->name);
        add_hex(frame, *(const uint64_t *)at);
        return true;
    case RAFT_CODEC_ENTRIES:
        return add_entries(frame, &message->append_entries);
    case RAFT_CODEC_CHUNK:
        json_add_bytes(frame, field->name, message->install_snapshot.data,
                       message->install_snapshot.size);
        return true;
    }
    return false;
}

static void add_sum(struct frame *frame, size_t start)
{
    char *end = frame_room(frame, RAFT_CODEC_SUM_BYTES);
    raft_codec_sum(frame->data + start, frame->size - start, end);
    frame->size += RAFT_CODEC_SUM_BYTES;
    LITERAL(frame, "\n");
}

bool raft_codec_encode(struct frame *frame, const struct raft_message *message)
{
    const struct raft_codec_method *method = raft_codec_method_of(message);
    assert(method != NULL && message->from != 0);
    size_t start = frame->size;
    bool good = true;
    LITERAL(frame, "{\"jsonrpc\":\"2.0\",\"method\":\"");
    frame_append_text(frame, method->name);
    LITERAL(frame, "\",\"params\":{");
    for (uint32_t i = 0; i < method->count && good; i++) {
        if (i > 0) {
            LITERAL(frame, ",");
        }
        good = add_field(frame, &method->fields[i], message);
    }
    add_sum(frame, start);
    if (!good) {
        frame->size = start;
    }
    return good;
}
