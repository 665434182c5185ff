// raft_codec.c: the tables of the wire, and all that is neither encoding nor decoding.
// See raft_codec.h and raft_codec_fields.h.
#include "rpc/raft_codec.h"

#include "raft/host/crc32c.h"
#include "rpc/raft_codec_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- the methods ----------------------------------------------------------------

#define U64(path, name)                                                 \
    {                                                                   \
#name, RAFT_CODEC_U64, offsetof(struct raft_message, path name) \
    }
#define BOOL(path, name)                                                 \
    {                                                                    \
#name, RAFT_CODEC_BOOL, offsetof(struct raft_message, path name) \
    }
#define FROM_AND_TERM                                               \
    {"from", RAFT_CODEC_ID, offsetof(struct raft_message, from)},   \
    {                                                               \
        "term", RAFT_CODEC_U64, offsetof(struct raft_message, term) \
    }

// clang-format off
const struct raft_codec_method raft_codec_methods[] = {
    {"request_vote", RAFT_REQUEST_VOTE, false, 5, {
        FROM_AND_TERM,
        U64(request_vote., last_log_index),
        U64(request_vote., last_log_term),
        BOOL(request_vote., transfer)}},
    {"request_vote_reply", RAFT_REQUEST_VOTE_REPLY, false, 3, {
        FROM_AND_TERM,
        BOOL(request_vote_reply., vote_granted)}},
    {"pre_vote", RAFT_REQUEST_VOTE, true, 5, {
        FROM_AND_TERM,
        U64(request_vote., last_log_index),
        U64(request_vote., last_log_term),
        BOOL(request_vote., transfer)}},
    {"pre_vote_reply", RAFT_REQUEST_VOTE_REPLY, true, 3, {
        FROM_AND_TERM,
        BOOL(request_vote_reply., vote_granted)}},
    {"append_entries", RAFT_APPEND_ENTRIES, false, 7, {
        FROM_AND_TERM,
        U64(append_entries., prev_log_index),
        U64(append_entries., prev_log_term),
        U64(append_entries., leader_commit),
        U64(append_entries., round),
        {"entries", RAFT_CODEC_ENTRIES, 0}}},
    {"append_entries_reply", RAFT_APPEND_ENTRIES_REPLY, false, 8, {
        FROM_AND_TERM,
        BOOL(append_entries_reply., success),
        U64(append_entries_reply., match_index),
        U64(append_entries_reply., prev_log_index),
        U64(append_entries_reply., conflict_index),
        U64(append_entries_reply., conflict_term),
        U64(append_entries_reply., round)}},
    {"install_snapshot", RAFT_INSTALL_SNAPSHOT, false, 8, {
        FROM_AND_TERM,
        U64(install_snapshot., last_included_index),
        U64(install_snapshot., last_included_term),
        U64(install_snapshot., offset),
        U64(install_snapshot., total),
        {"checksum", RAFT_CODEC_HEX,
         offsetof(struct raft_message, install_snapshot.checksum)},
        {"data", RAFT_CODEC_CHUNK, 0}}},
    {"install_snapshot_reply", RAFT_INSTALL_SNAPSHOT_REPLY, false, 5, {
        FROM_AND_TERM,
        U64(install_snapshot_reply., last_included_index),
        U64(install_snapshot_reply., next_offset),
        BOOL(install_snapshot_reply., installed)}},
    {"timeout_now", RAFT_TIMEOUT_NOW, false, 2, {FROM_AND_TERM}},
    {"read_index", RAFT_READ_INDEX, false, 3, {
        FROM_AND_TERM,
        U64(read_index., id)}},
    {"read_index_reply", RAFT_READ_INDEX_REPLY, false, 5, {
        FROM_AND_TERM,
        U64(read_index., id),
        U64(read_index., index),
        BOOL(read_index., ok)}},
};
// clang-format on

const size_t raft_codec_method_count =
    sizeof raft_codec_methods / sizeof *raft_codec_methods;

const char *const raft_codec_entry_words[RAFT_ENTRY_TYPE_COUNT] = {
    [RAFT_ENTRY_NOOP] = "noop",
    [RAFT_ENTRY_COMMAND] = "command",
    [RAFT_ENTRY_CONFIGURATION] = "configuration",
};

const struct raft_codec_method *raft_codec_method_named(const char *name)
{
    for (size_t i = 0; i < raft_codec_method_count; i++) {
        if (strcmp(raft_codec_methods[i].name, name) == 0) {
            return &raft_codec_methods[i];
        }
    }
    return NULL;
}

void raft_codec_begin(struct raft_message *message,
                      const struct raft_codec_method *method)
{
    message->type = method->type;
    if (method->type == RAFT_REQUEST_VOTE) {
        message->request_vote.pre_vote = method->pre_vote;
    } else if (method->type == RAFT_REQUEST_VOTE_REPLY) {
        message->request_vote_reply.pre_vote = method->pre_vote;
    }
}

static bool is_pre_vote(const struct raft_message *message)
{
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        return message->request_vote.pre_vote;
    case RAFT_REQUEST_VOTE_REPLY:
        return message->request_vote_reply.pre_vote;
    default:
        return false;
    }
}

const struct raft_codec_method *raft_codec_method_of(const struct raft_message *message)
{
    bool pre_vote = is_pre_vote(message);
    for (size_t i = 0; i < raft_codec_method_count; i++) {
        const struct raft_codec_method *method = &raft_codec_methods[i];
        if (method->type == message->type && method->pre_vote == pre_vote) {
            return method;
        }
    }
    return NULL;
}

const char *raft_codec_method_name(const struct raft_message *message)
{
    const struct raft_codec_method *method = raft_codec_method_of(message);
    return method != NULL ? method->name : NULL;
}

// ---- the checksum ---------------------------------------------------------------

void raft_codec_sum(const char *line, size_t size, char *end)
{
    const size_t before = sizeof RAFT_CODEC_SUM_BEFORE - 1;
    uint32_t sum = crc32c_extend(0, line, size);
    memcpy(end, RAFT_CODEC_SUM_BEFORE, before);
    for (size_t i = RAFT_CODEC_SUM_DIGITS; i-- > 0; sum >>= 4) {
        end[before + i] = "0123456789abcdef"[sum & 15];
    }
    memcpy(end + before + RAFT_CODEC_SUM_DIGITS, "\"}}", 3);
}

bool raft_codec_sum_holds(const char *line, size_t size)
{
    char end[RAFT_CODEC_SUM_BYTES];
    if (size < sizeof end) {
        return false;
    }
    raft_codec_sum(line, size - sizeof end, end);
    return memcmp(line + size - sizeof end, end, sizeof end) == 0;
}

// ---- the arena ------------------------------------------------------------------

void raft_codec_arena_init(struct raft_codec_arena *arena, size_t line_bytes_max,
                           uint32_t entries_max)
{
    memset(arena, 0, sizeof *arena);
    arena->line_bytes_max = line_bytes_max;
    arena->entries_max = entries_max;
}

void raft_codec_arena_release(struct raft_codec_arena *arena)
{
    free(arena->entries);
    free(arena->bytes);
    memset(arena, 0, sizeof *arena);
}

static void *resize(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (memory == NULL) {
        fprintf(stderr, "rpc: out of memory for a message\n");
        abort();
    }
    return memory;
}

bool raft_codec_arena_entries(struct raft_codec_arena *arena, uint32_t count)
{
    if (count > arena->entries_max) {
        return false;
    }
    if (count > arena->entries_capacity) {
        uint64_t capacity = (uint64_t)arena->entries_capacity * 2;
        capacity = capacity < 64 ? 64 : capacity;
        capacity = capacity < count ? count : capacity;
        capacity = capacity > arena->entries_max ? arena->entries_max : capacity;
        arena->entries = resize(arena->entries, capacity * sizeof *arena->entries);
        arena->entries_capacity = (uint32_t)capacity;
    }
    return true;
}

bool raft_codec_arena_bytes(struct raft_codec_arena *arena, size_t size)
{
    if (size > arena->line_bytes_max) {
        return false;
    }
    if (size > arena->bytes_capacity) {
        size_t capacity = arena->bytes_capacity * 2;
        capacity = capacity < 4096 ? 4096 : capacity;
        capacity = capacity < size ? size : capacity;
        arena->bytes = resize(arena->bytes, capacity);
        arena->bytes_capacity = capacity;
    }
    return true;
}

// ---- sharing and sizes ----------------------------------------------------------

static bool same_value(const struct raft_codec_field *field,
                       const struct raft_message *a, const struct raft_message *b)
{
    const char *in_a = (const char *)a + field->offset;
    const char *in_b = (const char *)b + field->offset;
    switch (field->kind) {
    case RAFT_CODEC_U64:
    case RAFT_CODEC_HEX:
        return memcmp(in_a, in_b, sizeof(uint64_t)) == 0;
    case RAFT_CODEC_ID:
        return memcmp(in_a, in_b, sizeof(raft_id)) == 0;
    case RAFT_CODEC_BOOL:
        return *(const bool *)in_a == *(const bool *)in_b;
    default:
        return true; // told apart by same_payload()
    }
}

static bool same_entries(const struct raft_append_entries *a,
                         const struct raft_append_entries *b)
{
    if (a->count != b->count) {
        return false;
    }
    if (a->entries == b->entries) {
        return true;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        const struct raft_entry *x = &a->entries[i];
        const struct raft_entry *y = &b->entries[i];
        if (x->term != y->term || x->type != y->type || x->size != y->size ||
            x->data != y->data) {
            return false;
        }
    }
    return true;
}

static bool same_payload(const struct raft_message *a, const struct raft_message *b)
{
    if (a->type == RAFT_APPEND_ENTRIES) {
        return same_entries(&a->append_entries, &b->append_entries);
    }
    if (a->type == RAFT_INSTALL_SNAPSHOT) {
        const struct raft_install_snapshot *x = &a->install_snapshot;
        const struct raft_install_snapshot *y = &b->install_snapshot;
        return x->data == y->data && x->size == y->size;
    }
    return true;
}

bool raft_codec_same_frame(const struct raft_message *a, const struct raft_message *b)
{
    if (a->type != b->type) {
        return false;
    }
    const struct raft_codec_method *method = raft_codec_method_of(a);
    if (method == NULL || method != raft_codec_method_of(b)) {
        return false;
    }
    for (uint32_t i = 0; i < method->count; i++) {
        if (!same_value(&method->fields[i], a, b)) {
            return false;
        }
    }
    return same_payload(a, b);
}

size_t raft_codec_line_bytes_max(uint32_t entries_max, size_t bytes_max)
{
    enum {
        ENVELOPE = 512, // the longest method's names and numbers
        // {"term":<16 digits>,"type":"configuration","data_base64":"===="},
        ENTRY = 80,
    };
    // Text is at most twice as long as its bytes, and base64 is shorter than that.
    return ENVELOPE + (size_t)entries_max * ENTRY + bytes_max * 2;
}
