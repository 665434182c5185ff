// snapshot_format.h: the bytes of a snapshot file (section 7).
//
// "00000000000000000042.snapshot" is the state after entry 42. The same bytes on every
// node, so that it is sent as it stands. Little endian; checksums are CRC-32C.
//
//     file = header, body (as the state machine wrote it), trailer
//
//     header (52 bytes and the text)         trailer (24 bytes)
//      0  "raftsnap"                          0  "snapend\n"
//      8  u32 version (1)                     8  u64 bytes of the body
//     12  u32 bytes of the text              16  u32 zero
//     16  u64 cluster id                     20  u32 checksum of the whole file
//     24  u64 last included index                    before this number
//     32  u64 last included term
//     40  u64 configuration index (where the configuration was logged; 0: first start)
//     48  the configuration as text (raft_configuration_encode)
//      .  u32 checksum of all of the header before this number
#ifndef RAFT_HOST_SNAPSHOT_FORMAT_H
#define RAFT_HOST_SNAPSHOT_FORMAT_H

#include "raft/raft.h"

enum {
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_HEADER_BYTES_MIN = 52, // without the text
    SNAPSHOT_HEADER_BYTES_MAX =
        SNAPSHOT_HEADER_BYTES_MIN + RAFT_CONFIGURATION_BYTES_MAX,
    SNAPSHOT_TRAILER_BYTES = 24,
    SNAPSHOT_FILE_BYTES_MIN = SNAPSHOT_HEADER_BYTES_MIN + SNAPSHOT_TRAILER_BYTES,
    SNAPSHOT_CHECKSUM_BYTES = 4, // at the end of the file, outside of its checksum
    SNAPSHOT_NAME_BYTES = 32,    // for a file's name and its NUL
};

// The file's name for the index of a snapshot, and back (0: not a snapshot's name).
void snapshot_format_name(char name[SNAPSHOT_NAME_BYTES], raft_index index);
raft_index snapshot_format_index(const char *name);

// Why a file is none that can be used.
enum snapshot_problem {
    SNAPSHOT_GOOD = 0,
    SNAPSHOT_TOO_SHORT,
    SNAPSHOT_NO_HEADER,      // torn or damaged
    SNAPSHOT_LATER_VERSION,  // of this program
    SNAPSHOT_OTHER_CLUSTER,  //
    SNAPSHOT_OTHER_NAME,     // the name tells another index than the header
    SNAPSHOT_NO_MEMBERS,     // its configuration cannot be read
    SNAPSHOT_NO_TRAILER,     // torn or damaged
    SNAPSHOT_OTHER_SIZE,     // the trailer tells another one
    SNAPSHOT_OTHER_CHECKSUM, // of the whole
    SNAPSHOT_UNREADABLE,     // the disk refused
    SNAPSHOT_PROBLEM_COUNT,
};

// One English phrase for each; never NULL.
const char *snapshot_format_problem_text(enum snapshot_problem problem);

struct snapshot_header {
    uint64_t cluster_id;
    struct raft_snapshot_meta meta;
};

// Returns the header's bytes, at most SNAPSHOT_HEADER_BYTES_MAX.
uint32_t snapshot_format_put_header(uint8_t *bytes,
                                    const struct snapshot_header *header);

// Reads the header that `size` bytes begin with, without touching any beyond them;
// *header_size is its length. `size` is SNAPSHOT_HEADER_BYTES_MAX or the whole file.
enum snapshot_problem snapshot_format_get_header(const uint8_t *bytes, size_t size,
                                                 struct snapshot_header *header,
                                                 uint32_t *header_size);

struct snapshot_trailer {
    uint64_t body_size;
    uint32_t checksum; // of the whole file but for itself
};

// Fills in trailer->checksum from that of all the bytes before the trailer.
void snapshot_format_put_trailer(uint8_t bytes[SNAPSHOT_TRAILER_BYTES],
                                 struct snapshot_trailer *trailer, uint32_t before);

// False where these bytes are no trailer.
bool snapshot_format_get_trailer(const uint8_t bytes[SNAPSHOT_TRAILER_BYTES],
                                 struct snapshot_trailer *trailer);

#endif
