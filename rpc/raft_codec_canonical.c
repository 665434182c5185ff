// raft_codec_canonical.c: append_entries exactly as the encoder spells it, read in one
// pass without a tree.
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

// True where all eight bytes are plain: ASCII, no control, no quote, no backslash.
static bool all_plain(const char *at)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = 0x8080808080808080u;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t quote = word ^ ones * '"';
    uint64_t slash = word ^ ones * '\\';
    uint64_t found = (word - ones * 0x20) | (quote - ones) | (slash - ones) | word;
    return (found & tops) == 0;
}

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

// Copies up to the closing quote, which it takes.
static bool take_text(struct cursor *c)
{
    while (c->at < c->end) {
        if (c->end - c->at >= 8 && all_plain(c->at)) {
            memcpy(c->to, c->at, 8);
            c->at += 8;
            c->to += 8;
            continue;
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
        c->at += length;
        c->to += length;
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
    if (!TAKE(c, ",\"entries\":[")) {
        return false;
    }
    if (TAKE(c, "]}}")) {
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
    return TAKE(c, "]}}") && append->prev_log_index + append->count <= JSON_WHOLE_MAX;
}

static bool take_scalars(struct cursor *c, struct raft_message *message)
{
    struct raft_append_entries *append = &message->append_entries;
    uint64_t from;
    if (!TAKE(c, "{\"jsonrpc\":\"2.0\",\"method\":\"append_entries\",\"params\":{") ||
        !TAKE(c, "\"from\":") || !take_number(c, &from) || from == 0 ||
        from > UINT32_MAX) {
        return false;
    }
    message->type = RAFT_APPEND_ENTRIES;
    message->from = (raft_id)from;
    return TAKE(c, ",\"term\":") && take_number(c, &message->term) &&
           TAKE(c, ",\"prev_log_index\":") && take_number(c, &append->prev_log_index) &&
           TAKE(c, ",\"prev_log_term\":") && take_number(c, &append->prev_log_term) &&
           TAKE(c, ",\"leader_commit\":") && take_number(c, &append->leader_commit) &&
           TAKE(c, ",\"round\":") && take_number(c, &append->round);
}

enum raft_codec_verdict raft_codec_canonical(struct raft_codec_arena *arena,
                                             const char *line, size_t size,
                                             struct raft_message *message)
{
    struct cursor c = {line, line + size, NULL};
    memset(message, 0, sizeof *message);
    if (!take_scalars(&c, message) || !raft_codec_arena_bytes(arena, size)) {
        return RAFT_CODEC_OTHER;
    }
    c.to = arena->bytes;
    bool good = take_entries(&c, arena, &message->append_entries) && c.at == c.end;
    return good ? RAFT_CODEC_DECODED : RAFT_CODEC_OTHER;
}
