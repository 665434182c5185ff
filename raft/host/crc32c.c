// crc32c.c: eight bytes at a time, with the processor's instruction where it has one,
// and otherwise from tables that the compiler computes.
//
// A CRC is linear over GF(2): the table entry of a ^ b is the entry of a ^ the entry
// of b. So each of the eight tables follows from its entries for the eight single
// bits, and the preprocessor can spell out all 256 as constants.
#include "raft/host/crc32c.h"

#include <string.h>

// Table t, byte n: what n followed by t zero bytes does to the remainder.
#define BIT(n, b, value) (((n) & (1u << (b))) ? (value) : 0u)
// clang-format off
#define ENTRY_0(n)                                       \
    (BIT(n, 0, 0xf26b8303u) ^ BIT(n, 1, 0xe13b70f7u) ^  \
     BIT(n, 2, 0xc79a971fu) ^ BIT(n, 3, 0x8ad958cfu) ^  \
     BIT(n, 4, 0x105ec76fu) ^ BIT(n, 5, 0x20bd8edeu) ^  \
     BIT(n, 6, 0x417b1dbcu) ^ BIT(n, 7, 0x82f63b78u))
#define ENTRY_1(n)                                       \
    (BIT(n, 0, 0x13a29877u) ^ BIT(n, 1, 0x274530eeu) ^  \
     BIT(n, 2, 0x4e8a61dcu) ^ BIT(n, 3, 0x9d14c3b8u) ^  \
     BIT(n, 4, 0x3fc5f181u) ^ BIT(n, 5, 0x7f8be302u) ^  \
     BIT(n, 6, 0xff17c604u) ^ BIT(n, 7, 0xfbc3faf9u))
#define ENTRY_2(n)                                       \
    (BIT(n, 0, 0xa541927eu) ^ BIT(n, 1, 0x4f6f520du) ^  \
     BIT(n, 2, 0x9edea41au) ^ BIT(n, 3, 0x38513ec5u) ^  \
     BIT(n, 4, 0x70a27d8au) ^ BIT(n, 5, 0xe144fb14u) ^  \
     BIT(n, 6, 0xc76580d9u) ^ BIT(n, 7, 0x8b277743u))
#define ENTRY_3(n)                                       \
    (BIT(n, 0, 0xdd45aab8u) ^ BIT(n, 1, 0xbf672381u) ^  \
     BIT(n, 2, 0x7b2231f3u) ^ BIT(n, 3, 0xf64463e6u) ^  \
     BIT(n, 4, 0xe964b13du) ^ BIT(n, 5, 0xd725148bu) ^  \
     BIT(n, 6, 0xaba65fe7u) ^ BIT(n, 7, 0x52a0c93fu))
#define ENTRY_4(n)                                       \
    (BIT(n, 0, 0x38116facu) ^ BIT(n, 1, 0x7022df58u) ^  \
     BIT(n, 2, 0xe045beb0u) ^ BIT(n, 3, 0xc5670b91u) ^  \
     BIT(n, 4, 0x8f2261d3u) ^ BIT(n, 5, 0x1ba8b557u) ^  \
     BIT(n, 6, 0x37516aaeu) ^ BIT(n, 7, 0x6ea2d55cu))
#define ENTRY_5(n)                                       \
    (BIT(n, 0, 0xef306b19u) ^ BIT(n, 1, 0xdb8ca0c3u) ^  \
     BIT(n, 2, 0xb2f53777u) ^ BIT(n, 3, 0x6006181fu) ^  \
     BIT(n, 4, 0xc00c303eu) ^ BIT(n, 5, 0x85f4168du) ^  \
     BIT(n, 6, 0x0e045bebu) ^ BIT(n, 7, 0x1c08b7d6u))
#define ENTRY_6(n)                                       \
    (BIT(n, 0, 0x68032cc8u) ^ BIT(n, 1, 0xd0065990u) ^  \
     BIT(n, 2, 0xa5e0c5d1u) ^ BIT(n, 3, 0x4e2dfd53u) ^  \
     BIT(n, 4, 0x9c5bfaa6u) ^ BIT(n, 5, 0x3d5b83bdu) ^  \
     BIT(n, 6, 0x7ab7077au) ^ BIT(n, 7, 0xf56e0ef4u))
#define ENTRY_7(n)                                       \
    (BIT(n, 0, 0x493c7d27u) ^ BIT(n, 1, 0x9278fa4eu) ^  \
     BIT(n, 2, 0x211d826du) ^ BIT(n, 3, 0x423b04dau) ^  \
     BIT(n, 4, 0x847609b4u) ^ BIT(n, 5, 0x0d006599u) ^  \
     BIT(n, 6, 0x1a00cb32u) ^ BIT(n, 7, 0x34019664u))
// clang-format on

#define ROW_4(E, n) E(n), E((n) + 1), E((n) + 2), E((n) + 3)
#define ROW_16(E, n) \
    ROW_4(E, n), ROW_4(E, (n) + 4), ROW_4(E, (n) + 8), ROW_4(E, (n) + 12)
#define ROW_64(E, n) \
    ROW_16(E, n), ROW_16(E, (n) + 16), ROW_16(E, (n) + 32), ROW_16(E, (n) + 48)
#define ROW_256(E) ROW_64(E, 0u), ROW_64(E, 64u), ROW_64(E, 128u), ROW_64(E, 192u)

static const uint32_t table[8][256] = {
    {ROW_256(ENTRY_0)}, {ROW_256(ENTRY_1)}, {ROW_256(ENTRY_2)}, {ROW_256(ENTRY_3)},
    {ROW_256(ENTRY_4)}, {ROW_256(ENTRY_5)}, {ROW_256(ENTRY_6)}, {ROW_256(ENTRY_7)},
};

// Bytewise, so that the result is the same on every byte order; compilers know it.
static uint32_t load_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

uint32_t crc32c_extend_portable(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    crc = ~crc;
    for (; size >= 8; size -= 8, bytes += 8) {
        uint32_t low = load_u32(bytes) ^ crc;
        uint32_t high = load_u32(bytes + 4);
        crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^
              table[5][low >> 16 & 255] ^ table[4][low >> 24] ^ table[3][high & 255] ^
              table[2][high >> 8 & 255] ^ table[1][high >> 16 & 255] ^
              table[0][high >> 24];
    }
    for (; size > 0; size--, bytes++)
        crc = crc >> 8 ^ table[0][(crc ^ *bytes) & 255];
    return ~crc;
}

#if defined(__x86_64__)

// Processors since 2008 have an instruction for just this checksum.
__attribute__((target("sse4.2"))) static uint32_t
extend_sse42(uint32_t crc, const uint8_t *bytes, size_t size)
{
    uint64_t remainder = (uint32_t)~crc;
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        remainder = __builtin_ia32_crc32di(remainder, word);
    }
    crc = (uint32_t)remainder;
    for (; size > 0; size--, bytes++)
        crc = __builtin_ia32_crc32qi(crc, *bytes);
    return ~crc;
}

uint32_t crc32c_extend(uint32_t crc, const void *data, size_t size)
{
    if (__builtin_cpu_supports("sse4.2"))
        return extend_sse42(crc, data, size);
    return crc32c_extend_portable(crc, data, size);
}

#else

uint32_t crc32c_extend(uint32_t crc, const void *data, size_t size)
{
    return crc32c_extend_portable(crc, data, size);
}

#endif
