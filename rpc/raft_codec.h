// raft_codec.h: a struct raft_message as one line of JSON-RPC 2.0, and back. Pure.
//
//     {"jsonrpc":"2.0","method":"append_entries","params":{"from":1,"term":3,
//      "prev_log_index":4,"prev_log_term":2,"leader_commit":4,"round":7,
//      "entries":[{"term":3,"type":"command","data":"x"}],"crc32c":"c4b2d1e0"}}
//
// Every message is a notification, replies too: Raft's messages may be lost, doubled
// and reordered, and say themselves what they answer. The receiver is not named, so
// that equal messages are equal bytes. Strict: exactly the members of the method's
// table (raft_codec.c), each once and of its type, and behind them the checksum of all
// that stands before it.
#ifndef RPC_RAFT_CODEC_H
#define RPC_RAFT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/raft.h"
#include "rpc/frame.h"
#include "rpc/jsonrpc.h"

// ---- the arena that decoded entries and bytes live in ----------------------------

// Reused by each decode and grown up to what its limits allow, never beyond.
struct raft_codec_arena {
    size_t line_bytes_max;
    uint32_t entries_max;
    struct raft_entry *entries;
    uint32_t entries_capacity;
    char *bytes;
    size_t bytes_capacity;
};

void raft_codec_arena_init(struct raft_codec_arena *arena, size_t line_bytes_max,
                           uint32_t entries_max);
void raft_codec_arena_release(struct raft_codec_arena *arena);

// ---- encode and decode -----------------------------------------------------------

// Adds the line, with its newline. False, and nothing is added, where a number lies
// beyond 2^53 - 1. The entries must be contiguous from prev_log_index + 1.
bool raft_codec_encode(struct frame *frame, const struct raft_message *message);

// The line stands without its newline. On success message->to is 0, for the receiver
// to fill in, and all that the message points at lies in the arena, until its next
// use. On failure *problem has the JSON-RPC code and says why.
bool raft_codec_decode(struct raft_codec_arena *arena, const char *line, size_t size,
                       struct raft_message *message, struct jsonrpc_problem *problem);

// The same for lines that somebody types: a checksum may be missing, but not be wrong.
bool raft_codec_decode_unsummed(struct raft_codec_arena *arena, const char *line,
                                size_t size, struct raft_message *message,
                                struct jsonrpc_problem *problem);

// As raft_codec_decode(), through cJSON alone, without the short cut for lines in the
// very form that raft_codec_encode() writes. For tests: both always agree.
bool raft_codec_decode_slowly(struct raft_codec_arena *arena, const char *line,
                              size_t size, struct raft_message *message,
                              struct jsonrpc_problem *problem);

// ---- sharing and sizes -----------------------------------------------------------

// True where both would be the same line, told without looking into the data. Both
// come from the same output, so equal pointers mean equal bytes.
bool raft_codec_same_frame(const struct raft_message *a, const struct raft_message *b);

// No line is longer whose entries, or whose chunk, stay within these limits.
size_t raft_codec_line_bytes_max(uint32_t entries_max, size_t bytes_max);

// "append_entries"; never NULL for a message that raft.h allows.
const char *raft_codec_method_name(const struct raft_message *message);

#endif
