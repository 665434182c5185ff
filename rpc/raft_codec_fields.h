// raft_codec_fields.h: what each method carries, as data that encoder and decoder
// share.
//
// The order is the order on the wire; `from` and `term` stand before them all.
#ifndef RPC_RAFT_CODEC_FIELDS_H
#define RPC_RAFT_CODEC_FIELDS_H

#include "rpc/raft_codec.h"

enum raft_codec_kind {
    RAFT_CODEC_U64 = 1, // a whole number
    RAFT_CODEC_ID,      // a whole number that fits raft_id, not 0
    RAFT_CODEC_BOOL,    // true or false
    RAFT_CODEC_HEX,     // a uint64_t as 16 lower-case hexadecimal digits
    RAFT_CODEC_ENTRIES, // of append_entries
    RAFT_CODEC_CHUNK,   // of install_snapshot: data or data_base64
};

struct raft_codec_field {
    const char *name;
    enum raft_codec_kind kind;
    size_t offset; // in struct raft_message
};

enum { RAFT_CODEC_FIELDS_MAX = 16 };

// How a line ends: the CRC-32C of all its bytes before this, in 8 lower-case digits.
//     ,"crc32c":"89abcdef"}}
#define RAFT_CODEC_SUM_NAME   "crc32c"
#define RAFT_CODEC_SUM_BEFORE ",\"" RAFT_CODEC_SUM_NAME "\":\""
enum {
    RAFT_CODEC_SUM_DIGITS = 8,
    RAFT_CODEC_SUM_BYTES = sizeof RAFT_CODEC_SUM_BEFORE - 1 + RAFT_CODEC_SUM_DIGITS + 3,
};

// Writes RAFT_CODEC_SUM_BYTES: how a line ends of which these bytes stand before it.
void raft_codec_sum(const char *line, size_t size, char *end);

// Whether the line ends in its own checksum.
bool raft_codec_sum_holds(const char *line, size_t size);

struct raft_codec_method {
    const char *name;
    enum raft_message_type type;
    bool pre_vote; // of request_vote and its reply
    uint32_t count;
    struct raft_codec_field fields[RAFT_CODEC_FIELDS_MAX];
};

extern const struct raft_codec_method raft_codec_methods[];
extern const size_t raft_codec_method_count;

// NULL where there is none.
const struct raft_codec_method *raft_codec_method_named(const char *name);
const struct raft_codec_method *
raft_codec_method_of(const struct raft_message *message);

// Sets the type, and pre_vote, which the method's name stands for.
void raft_codec_begin(struct raft_message *message,
                      const struct raft_codec_method *method);

// The words for enum raft_entry_type.
extern const char *const raft_codec_entry_words[RAFT_ENTRY_TYPE_COUNT];

// Room in the arena; false where the limit is reached. Growing the bytes moves them.
bool raft_codec_arena_entries(struct raft_codec_arena *arena, uint32_t count);
bool raft_codec_arena_bytes(struct raft_codec_arena *arena, size_t size);

enum raft_codec_verdict {
    RAFT_CODEC_DECODED = 1,
    RAFT_CODEC_OTHER, // not in the canonical form: ask cJSON
};

// The short cut: a line exactly as the encoder writes it.
enum raft_codec_verdict raft_codec_canonical(struct raft_codec_arena *arena,
                                             const char *line, size_t size,
                                             struct raft_message *message);

#endif
