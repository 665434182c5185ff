// log_format.h: the bytes of the durable log.
//
// The log is a row of segments, files "00000000000000000001.log" and so on, without a
// gap; the first ones may be gone. Little endian numbers, CRC-32C checksums.
//
//     segment = header, hard-state record, more records; nothing between or behind
//
//     header (48 bytes)                     record (40 bytes, payload, zeros to 8)
//      0  "raftlog\n"                        0  u32 checksum of place, bytes 4..39
//      8  u32 version (1)                    4  u32 checksum of payload and its zeros
//     12  u32 node id                        8  u64 index (hard state: 0)
//     16  u64 cluster id                    16  u64 term (hard state: current term)
//     24  u64 number of this segment        24  u64 durable
//     32  u64 size of the one before        32  u32 payload bytes (hard state: 4)
//     40  u32 zero                          36  u8  type (enum log_record_type)
//     44  u32 checksum of bytes 0..43       37  u8  zero, three times
//
// A hard state's payload is voted_for, u32; an entry's is its data. An entry at an
// index replaces all that the records before it put at that index and beyond. A
// snapshot's record has no payload: it drops all entries before it, and the log begins
// anew behind its index and term.
//
// `durable`: when this record was written, this segment was known to be on stable
// storage up to that offset. It is how recovery tells damage from a torn tail.
// `place`: cluster, node, segment number and offset of the record, 28 bytes which are
// checked but not stored, so that a record is valid only where it was written.
#ifndef RAFT_HOST_LOG_FORMAT_H
#define RAFT_HOST_LOG_FORMAT_H

#include "raft/raft.h"

enum {
    LOG_VERSION = 1,
    LOG_SEGMENT_HEADER_BYTES = 48,
    LOG_RECORD_HEADER_BYTES = 40,
    LOG_HARD_STATE_BYTES = 4,
    LOG_ALIGN_BYTES = 8,
    LOG_NAME_BYTES = 32, // for a segment's name and its NUL
};

enum log_record_type {
    LOG_RECORD_NONE = 0, // never on disk, so that zeros are no record
    LOG_RECORD_HARD_STATE,
    LOG_RECORD_ENTRY, // + enum raft_entry_type
    LOG_RECORD_ENTRY_END = LOG_RECORD_ENTRY + RAFT_ENTRY_TYPE_COUNT,
    LOG_RECORD_SNAPSHOT = 16,
};
static_assert((int)LOG_RECORD_ENTRY_END <= (int)LOG_RECORD_SNAPSHOT,
              "no type of entry is taken for a snapshot");

struct log_segment {
    uint64_t cluster_id;
    raft_id node_id;
    uint64_t number;        // the first is 1
    uint64_t previous_size; // of segment number - 1; 0 where number is 1
};

struct log_record {
    enum log_record_type type;
    raft_index index;
    raft_term term;
    uint64_t durable;
    uint32_t size; // of the payload
    uint32_t payload_checksum;
};

// The file's name for a segment's number, and back (0: not a segment's name).
void log_format_name(char name[LOG_NAME_BYTES], uint64_t number);
uint64_t log_format_number(const char *name);

enum log_header_check {
    LOG_HEADER_VALID,
    LOG_HEADER_BAD,     // torn or damaged
    LOG_HEADER_UNKNOWN, // of a later version
};

void log_format_put_segment(uint8_t *bytes, const struct log_segment *segment);
enum log_header_check log_format_get_segment(const uint8_t *bytes,
                                             struct log_segment *segment);

// The part of a record's place that is the same all over a segment.
uint32_t log_format_place(const struct log_segment *segment);

void log_format_put_record(uint8_t *bytes, uint32_t place, uint64_t offset,
                           const struct log_record *record);
// False where no record's header was ever written at this offset of this segment.
bool log_format_get_record(const uint8_t *bytes, uint32_t place, uint64_t offset,
                           struct log_record *record);

void log_format_put_hard_state(uint8_t bytes[LOG_HARD_STATE_BYTES],
                               const struct raft_hard_state *hard_state);
void log_format_get_hard_state(const uint8_t *bytes, const struct log_record *record,
                               struct raft_hard_state *hard_state);

// How many zeros stand behind a payload, and the checksum of both, as they will be and
// as they were read.
uint32_t log_format_padding(uint32_t payload_size);
uint32_t log_format_payload_checksum(const void *payload, uint32_t size);
uint32_t log_format_padded_checksum(const void *padded, size_t size);

// The bytes of a whole record in the file.
uint64_t log_format_record_bytes(uint32_t payload_size);

#endif
