// raft_codec_canonical.c: a message exactly as the encoder spells it, read in one pass
// without a tree.
//
// Invariant: what is accepted here, cJSON's way accepts with the same result; whatever
// looks unusual in any way is left to that way. Tests compare the two on random lines.
#include "rpc/raft_codec_fields.h"

#include "rpc/base64.h"
#include "rpc/json.h"
#include "rpc/utf8.h"

#include <string.h>

struct cursor {
    const char *at;
    const char *end;
    char *to; // in the arena's bytes
};

static bool take(struct cursor *c, const char *literal, size_t size)
{
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, literal, size) != 0) {
        return false;
    }
    c->at += size;
    return true;
}

#define TAKE(c, literal) take(c, literal, sizeof(literal) - 1)

static bool take_number(struct cursor *c, uint64_t *value)
{
    const char *start = c->at;
    uint64_t number = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - start < 16) {
        number = number * 10 + (uint64_t)(*c->at - '0');
        c->at++;
    }
    *value = number;
    return c->at > start && (*start != '0' || c->at - start == 1) &&
           number <= JSON_WHOLE_MAX;
}

// ---- strings --------------------------------------------------------------------

// Stands on the backslash. Only the short escapes; the rest is left to cJSON.
static bool take_escape(struct cursor *c)
{
    if (c->end - c->at < 2) {
        return false;
    }
    switch (c->at[1]) {
    case 'n':
        *c->to++ = '\n';
        break;
    case 'r':
        *c->to++ = '\r';
        break;
    case 't':
        *c->to++ = '\t';
        break;
    case '"':
    case '\\':
        *c->to++ = c->at[1];
        break;
    default:
        return false;
    }
    c->at += 2;
    return true;
}

// Copies up to the closing quote, which it takes. The arena has as much room left as
// the line has bytes, so eight may be copied where only the first few of them count.
static bool take_text(struct cursor *c)
{
    while (c->at < c->end) {
        if (c->end - c->at >= 8) {
            uint32_t count = json_plain_of_8(c->at);
            memcpy(c->to, c->at, 8);
            c->to += count;
            c->at += count;
            if (count == 8) {
                continue;
            }
        }
        unsigned char byte = (unsigned char)*c->at;
        if (byte == '"') {
            c->at++;
            return true;
        }
        if (byte == '\\') {
            if (!take_escape(c)) {
                return false;
            }
            continue;
        }
        uint32_t length = byte < 0x20 ? 0 : utf8_length(c->at, c->end);
        if (length == 0) {
            return false;
        }
        memcpy(c->to, c->at, length);
        c->to += length;
        c->at += length;
    }
    return false;
}

static bool take_base64(struct cursor *c)
{
    const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
    size_t size;
    if (quote == NULL || !base64_decode(c->at, (size_t)(quote - c->at), c->to, &size)) {
        return false;
    }
    c->to += size;
    c->at = quote + 1;
    return true;
}

// ---- entries --------------------------------------------------------------------

static bool take_type(struct cursor *c, enum raft_entry_type *type)
{
    if (TAKE(c, ",\"type\":\"command\"")) {
        *type = RAFT_ENTRY_COMMAND;
    } else if (TAKE(c, ",\"type\":\"noop\"")) {
        *type = RAFT_ENTRY_NOOP;
    } else if (TAKE(c, ",\"type\":\"configuration\"")) {
        *type = RAFT_ENTRY_CONFIGURATION;
    } else {
        return false;
    }
    return true;
}

static bool take_data(struct cursor *c, struct raft_entry *entry)
{
    char *start = c->to;
    if (TAKE(c, ",\"data\":\"")) {
        if (!take_text(c)) {
            return false;
        }
    } else if (TAKE(c, ",\"data_base64\":\"")) {
        if (!take_base64(c)) {
            return false;
        }
    }
    entry->size = (uint32_t)(c->to - start);
    entry->data = entry->size > 0 ? start : NULL;
    return true;
}

static bool take_entry(struct cursor *c, struct raft_entry *entry)
{
    return TAKE(c, "{\"term\":") && take_number(c, &entry->term) &&
           take_type(c, &entry->type) && take_data(c, entry) && TAKE(c, "}");
}

static bool take_entries(struct cursor *c, struct raft_codec_arena *arena,
                         struct raft_append_entries *append)
{
    if (!TAKE(c, "[")) {
        return false;
    }
    if (TAKE(c, "]")) {
        return true;
    }
    do {
        if (!raft_codec_arena_entries(arena, append->count + 1)) {
            return false;
        }
        struct raft_entry *entry = &arena->entries[append->count++];
        entry->index = append->prev_log_index + append->count;
        if (!take_entry(c, entry)) {
            return false;
        }
    } while (TAKE(c, ","));
    append->entries = arena->entries;
    return TAKE(c, "]") && append->prev_log_index + append->count <= JSON_WHOLE_MAX;
}

// ---- the message ----------------------------------------------------------------

static bool take_bool(struct cursor *c, bool *value)
{
    *value = TAKE(c, "true");
    return *value || TAKE(c, "false");
}

static bool take_id(struct cursor *c, raft_id *id)
{
    uint64_t value;
    if (!take_number(c, &value) || value == 0 || value > UINT32_MAX) {
        return false;
    }
    *id = (raft_id)value;
    return true;
}

static bool take_hex(struct cursor *c, uint64_t *value)
{
    if (!TAKE(c, "\"") || c->end - c->at < 16) {
        return false;
    }
    *value = 0;
    for (int i = 0; i < 16; i++) {
        char digit = *c->at++;
        bool letter = digit >= 'a' && digit <= 'f';
        if (!letter && (digit < '0' || digit > '9')) {
            return false;
        }
        *value = *value << 4 | (uint64_t)(digit - (letter ? 'a' - 10 : '0'));
    }
    return TAKE(c, "\"");
}

// Has two names, so it is read with them.
static bool take_chunk(struct cursor *c, struct raft_install_snapshot *install)
{
    char *start = c->to;
    bool good = TAKE(c, "\"data\":\"")
                    ? take_text(c)
                    : TAKE(c, "\"data_base64\":\"") && take_base64(c);
    install->size = (uint32_t)(c->to - start);
    install->data = install->size > 0 ? start : NULL;
    return good;
}

static bool take_field(struct cursor *c, const struct raft_codec_field *field,
                       struct raft_codec_arena *arena, struct raft_message *message)
{
    void *at = (char *)message + field->offset;
    if (field->kind == RAFT_CODEC_CHUNK) {
        return take_chunk(c, &message->install_snapshot);
    }
    if (!TAKE(c, "\"") || !take(c, field->name, strlen(field->name)) ||
        !TAKE(c, "\":")) {
        return false;
    }
    switch (field->kind) {
    case RAFT_CODEC_U64:
        return take_number(c, at);
    case RAFT_CODEC_ID:
        return take_id(c, at);
    case RAFT_CODEC_BOOL:
        return take_bool(c, at);
    case RAFT_CODEC_ENTRIES:
        return take_entries(c, arena, &message->append_entries);
    case RAFT_CODEC_HEX:
        return take_hex(c, at);
    case RAFT_CODEC_CHUNK:
        break; // above
    }
    return false;
}

static const struct raft_codec_method *take_method(struct cursor *c)
{
    if (!TAKE(c, "{\"jsonrpc\":\"2.0\",\"method\":\"")) {
        return NULL;
    }
    for (size_t i = 0; i < raft_codec_method_count; i++) {
        const struct raft_codec_method *method = &raft_codec_methods[i];
        const char *start = c->at;
        if (take(c, method->name, strlen(method->name)) && TAKE(c, "\",\"params\":{")) {
            return method;
        }
        c->at = start;
    }
    return NULL;
}

enum raft_codec_verdict raft_codec_canonical(struct raft_codec_arena *arena,
                                             const char *line, size_t size,
                                             struct raft_message *message)
{
    struct cursor c = {line, line + size, NULL};
    const struct raft_codec_method *method = take_method(&c);
    if (method == NULL || !raft_codec_arena_bytes(arena, size)) {
        return RAFT_CODEC_OTHER;
    }
    memset(message, 0, sizeof *message);
    raft_codec_begin(message, method);
    c.to = arena->bytes;
    for (uint32_t i = 0; i < method->count; i++) {
        if ((i > 0 && !TAKE(&c, ",")) ||
            !take_field(&c, &method->fields[i], arena, message)) {
            return RAFT_CODEC_OTHER;
        }
    }
    // A line whose checksum does not hold is refused on the other way, with a reason.
    bool sum = c.end - c.at == RAFT_CODEC_SUM_BYTES && raft_codec_sum_holds(line, size);
    return sum ? RAFT_CODEC_DECODED : RAFT_CODEC_OTHER;
}
