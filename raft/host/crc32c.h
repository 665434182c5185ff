// crc32c.h: the checksum of the log: CRC-32C (Castagnoli), as in iSCSI (RFC 3720 B.4).
//
// crc32c_extend(crc32c_extend(0, a), b) is the checksum of a followed by b.
#ifndef RAFT_HOST_CRC32C_H
#define RAFT_HOST_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c_extend(uint32_t crc, const void *data, size_t size);

// The same on every processor, slower: for tests.
uint32_t crc32c_extend_portable(uint32_t crc, const void *data, size_t size);

#endif
