// snapshot.h: the bytes of a state. All numbers are little endian.
//
//     snapshot = header, records in the order of their keys, end; nothing behind
//
//     header (32 bytes)             record (8 bytes, key, value)
//      0  "raftkvs\n"                0  u32 key bytes (never 0)
//      8  u32 version (1)            4  u32 value bytes
//     12  u32 zero                   8  key and value as in the engine: store.h's 'd'
//     16  u64 applied index             and 's'; 'e' and 'u' are derived from them
//     24  u64 clock in ms
//                                   end (32 bytes)
//                                    0  u64 zero
//                                    8  u64 number of records
//                                   16  u64 hash of the state, as service_hash()
//                                   24  u64 hash_bytes of bytes 0..23, its seed
//                                       hash_bytes of the header, with seed 0
//
// Nothing in it tells who wrote it, when, or how the state came about: equal states at
// equal indices have equal bytes.
#ifndef KVSERVER_SERVICE_SNAPSHOT_H
#define KVSERVER_SERVICE_SNAPSHOT_H

#include <stdint.h>

#define SNAPSHOT_MAGIC "raftkvs\n"

enum {
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_HEADER_SIZE = 32,
    SNAPSHOT_RECORD_SIZE = 8, // without key and value
    SNAPSHOT_END_SIZE = 32,
    SNAPSHOT_SEALED_SIZE = 24, // of the end, what its last number covers
    // A length beyond these is damage, and is not waited for.
    SNAPSHOT_KEY_BYTES_MAX = 1 << 30,
    SNAPSHOT_VALUE_BYTES_MAX = 1 << 30,
};

static inline void snapshot_write_u32(unsigned char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static inline void snapshot_write_u64(unsigned char *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static inline uint32_t snapshot_read_u32(const unsigned char *from)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)from[i] << (8 * i);
    return value;
}

static inline uint64_t snapshot_read_u64(const unsigned char *from)
{
    return snapshot_read_u32(from) | (uint64_t)snapshot_read_u32(from + 4) << 32;
}

#endif
