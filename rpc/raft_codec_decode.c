// raft_codec_decode.c: see raft_codec.h. Any spelling of a line, through cJSON.
//
// Invariant: every string that is decoded is no longer than its spelling, so the bytes
// of one line fit into an arena of the line's length and never move while it is read.
#include "rpc/raft_codec.h"

#include "rpc/base64.h"
#include "rpc/json.h"
#include "rpc/raft_codec_fields.h"

#include <string.h>

enum { DEPTH_MAX = 6, VALUES_BESIDE_ENTRIES = 128, VALUES_PER_ENTRY = 8 };

struct decoding {
    const char *line;
    size_t size;
    struct raft_codec_arena *arena;
    struct raft_message *message;
    struct jsonrpc_problem *problem;
    bool unsummed; // a checksum may be missing
    size_t used;   // of the arena's bytes
};

static bool refuse(struct decoding *d, enum jsonrpc_code code, const char *text)
{
    *d->problem = (struct jsonrpc_problem){code, text};
    return false;
}

static bool bad_params(struct decoding *d, const char *text)
{
    return refuse(d, JSONRPC_INVALID_PARAMS, text);
}

// Finds each of the names once; false where a member has another name or stands twice.
static bool sort_members(const cJSON *object, const char *const *names, uint32_t count,
                         const cJSON **members)
{
    if (!cJSON_IsObject(object)) {
        return false;
    }
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        uint32_t i = 0;
        while (i < count && strcmp(item->string, names[i]) != 0) {
            i++;
        }
        if (i == count || members[i] != NULL) {
            return false;
        }
        members[i] = item;
    }
    return true;
}

// A word's place in its table, or `count`.
static uint32_t word_of(const cJSON *item, const char *const *words, uint32_t count)
{
    const char *text;
    if (!json_read_string(item, &text)) {
        return count;
    }
    uint32_t i = 0;
    while (i < count && strcmp(words[i], text) != 0) {
        i++;
    }
    return i;
}

static bool take_id(const cJSON *item, raft_id *id)
{
    uint64_t value;
    if (!json_read_u64(item, &value) || value == 0 || value > UINT32_MAX) {
        return false;
    }
    *id = (raft_id)value;
    return true;
}

// ---- bytes ----------------------------------------------------------------------

// At most one of the two spellings may be there; neither means no bytes.
static bool take_bytes(struct decoding *d, const cJSON *plain, const cJSON *base64,
                       const void **data, uint32_t *size)
{
    *data = NULL;
    *size = 0;
    const char *text;
    if (plain == NULL && base64 == NULL) {
        return true;
    }
    if ((plain != NULL && base64 != NULL) ||
        !json_read_string(plain != NULL ? plain : base64, &text)) {
        return bad_params(d, "data or data_base64 is a string, and one of them");
    }
    char *to = d->arena->bytes + d->used;
    size_t length = strlen(text);
    size_t bytes = length;
    assert(length <= d->arena->bytes_capacity - d->used);
    if (plain != NULL) {
        memcpy(to, text, length);
    } else if (!base64_decode(text, length, to, &bytes)) {
        return bad_params(d, "data_base64 is not base64");
    }
    if (bytes > 0) {
        d->used += bytes;
        *data = to;
        *size = (uint32_t)bytes;
    }
    return true;
}

// ---- the members that are not scalars -------------------------------------------

static bool take_entry(struct decoding *d, const cJSON *item, struct raft_entry *entry)
{
    static const char *const names[] = {"term", "type", "data", "data_base64"};
    const cJSON *members[4] = {NULL};
    if (!sort_members(item, names, 4, members) ||
        !json_read_u64(members[0], &entry->term)) {
        return bad_params(d, "an entry is {term, type, data or data_base64}");
    }
    uint32_t type = word_of(members[1], raft_codec_entry_words, RAFT_ENTRY_TYPE_COUNT);
    if (type == RAFT_ENTRY_TYPE_COUNT) {
        return bad_params(d, "an entry's type is noop, command or configuration");
    }
    entry->type = (enum raft_entry_type)type;
    return take_bytes(d, members[2], members[3], &entry->data, &entry->size);
}

static bool take_entries(struct decoding *d, const cJSON *array)
{
    if (!cJSON_IsArray(array)) {
        return bad_params(d, "entries is not an array");
    }
    struct raft_append_entries *append = &d->message->append_entries;
    uint32_t count = 0;
    for (const cJSON *item = array->child; item != NULL; item = item->next) {
        if (!raft_codec_arena_entries(d->arena, count + 1)) {
            return bad_params(d, "too many entries");
        }
        struct raft_entry *entry = &d->arena->entries[count];
        count++;
        entry->index = append->prev_log_index + count;
        if (!take_entry(d, item, entry)) {
            return false;
        }
    }
    append->count = count;
    append->entries = count > 0 ? d->arena->entries : NULL;
    if (append->prev_log_index + count > JSON_WHOLE_MAX) {
        return bad_params(d, "the last entry's index is beyond 2^53 - 1");
    }
    return true;
}

static bool take_hex(const cJSON *item, uint64_t *value)
{
    const char *text;
    if (!json_read_string(item, &text) || strlen(text) != 16) {
        return false;
    }
    *value = 0;
    for (int i = 0; i < 16; i++) {
        const char *digit = strchr("0123456789abcdef", text[i]);
        if (digit == NULL) {
            return false;
        }
        bool letter = text[i] >= 'a';
        *value = *value << 4 | (uint64_t)(text[i] - (letter ? 'a' - 10 : '0'));
    }
    return true;
}

// ---- the message ----------------------------------------------------------------

static bool take_chunk(struct decoding *d, const cJSON *plain, const cJSON *base64)
{
    struct raft_install_snapshot *install = &d->message->install_snapshot;
    if (plain == NULL && base64 == NULL) {
        return bad_params(d, "data is missing");
    }
    return take_bytes(d, plain, base64, &install->data, &install->size);
}

static bool take_field(struct decoding *d, const struct raft_codec_field *field,
                       const cJSON *item)
{
    void *at = (char *)d->message + field->offset;
    switch (field->kind) {
    case RAFT_CODEC_U64:
        return json_read_u64(item, at) ||
               bad_params(d, "a number is missing or not one");
    case RAFT_CODEC_ID:
        return take_id(item, at) || bad_params(d, "from is not the number of a node");
    case RAFT_CODEC_BOOL:
        return json_read_bool(item, at) ||
               bad_params(d, "a boolean is missing or not one");
    case RAFT_CODEC_HEX:
        return take_hex(item, at) || bad_params(d, "checksum is not 16 hex digits");
    case RAFT_CODEC_ENTRIES:
        return take_entries(d, item);
    case RAFT_CODEC_CHUNK:
        return true; // has two names: read by take_chunk()
    }
    return false;
}

// A checksum is always the last of the line's members, in one spelling: nothing else in
// a line that parses can end so, since only params is an object.
static bool check_sum(struct decoding *d, const cJSON *sum)
{
    size_t size = d->size;
    if (sum == NULL) {
        return d->unsummed || bad_params(d, "crc32c is missing");
    }
    while (size > 0 && strchr(" \t\r\n", d->line[size - 1]) != NULL) {
        size--;
    }
    return raft_codec_sum_holds(d->line, size) ||
           bad_params(d, "crc32c is not that of the line, or does not end it");
}

static bool take_params(struct decoding *d, const struct raft_codec_method *method,
                        const cJSON *params)
{
    const char *names[RAFT_CODEC_FIELDS_MAX + 2];
    const cJSON *members[RAFT_CODEC_FIELDS_MAX + 2] = {NULL};
    uint32_t count = method->count;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = method->fields[i].name;
    }
    bool chunk = method->type == RAFT_INSTALL_SNAPSHOT;
    names[count] = "data_base64";
    names[count + chunk] = RAFT_CODEC_SUM_NAME;
    if (!sort_members(params, names, count + chunk + 1, members)) {
        return bad_params(d, "params has an unknown or repeated member, or is missing");
    }
    if (!check_sum(d, members[count + chunk])) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!take_field(d, &method->fields[i], members[i])) {
            return false;
        }
    }
    return !chunk || take_chunk(d, members[count - 1], members[count]);
}

static bool take_call(struct decoding *d, const struct jsonrpc_message *call)
{
    if (call->kind != JSONRPC_NOTIFICATION) {
        return refuse(d, JSONRPC_INVALID_REQUEST,
                      "what nodes say to each other are notifications, without an id");
    }
    const struct raft_codec_method *method = raft_codec_method_named(call->method);
    if (method == NULL) {
        return refuse(d, JSONRPC_METHOD_NOT_FOUND, "there is no such method");
    }
    raft_codec_begin(d->message, method);
    return take_params(d, method, call->params);
}

static bool decode(struct decoding *d, const char *line, size_t size)
{
    struct raft_codec_arena *arena = d->arena;
    const struct json_limits limits = {
        .bytes_max = arena->line_bytes_max,
        .values_max =
            VALUES_BESIDE_ENTRIES + (size_t)arena->entries_max * VALUES_PER_ENTRY,
        .depth_max = DEPTH_MAX,
    };
    struct jsonrpc_message call;
    d->line = line;
    d->size = size;
    memset(d->message, 0, sizeof *d->message);
    bool good = jsonrpc_parse(line, size, &limits, &call, d->problem) &&
                raft_codec_arena_bytes(arena, size) && take_call(d, &call);
    jsonrpc_release(&call);
    return good;
}

bool raft_codec_decode_slowly(struct raft_codec_arena *arena, const char *line,
                              size_t size, struct raft_message *message,
                              struct jsonrpc_problem *problem)
{
    struct decoding d = {.arena = arena, .message = message, .problem = problem};
    return decode(&d, line, size);
}

bool raft_codec_decode_unsummed(struct raft_codec_arena *arena, const char *line,
                                size_t size, struct raft_message *message,
                                struct jsonrpc_problem *problem)
{
    struct decoding d = {.arena = arena, .message = message, .problem = problem};
    d.unsummed = true;
    return decode(&d, line, size);
}

bool raft_codec_decode(struct raft_codec_arena *arena, const char *line, size_t size,
                       struct raft_message *message, struct jsonrpc_problem *problem)
{
    if (raft_codec_canonical(arena, line, size, message) == RAFT_CODEC_DECODED) {
        return true;
    }
    return raft_codec_decode_slowly(arena, line, size, message, problem);
}
