// CRC-32C against the known answers of RFC 3720, B.4.
#include "raft/host/crc32c.h"

#include "tests/test.h"

static void check_answer(const void *data, size_t size, uint32_t answer)
{
    CHECK_EQ(crc32c_extend(0, data, size), answer);
    CHECK_EQ(crc32c_extend_portable(0, data, size), answer);
}

TEST(crc32c_gives_the_known_answers)
{
    uint8_t zeros[32], ones[32], up[32], down[32];
    memset(zeros, 0, sizeof zeros);
    memset(ones, 0xff, sizeof ones);
    for (int i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    check_answer("", 0, 0);
    check_answer("123456789", 9, 0xe3069283);
    check_answer(zeros, 32, 0x8a9136aa);
    check_answer(ones, 32, 0x62a8ab43);
    check_answer(up, 32, 0x46dd794e);
    check_answer(down, 32, 0x113fdb5c);
}

// The definition, one bit at a time.
static uint32_t slow_crc(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

TEST(crc32c_is_that_of_the_definition_at_every_length_and_alignment)
{
    uint8_t bytes[80];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i * 7 + 3);
    for (size_t from = 0; from < 8; from++) {
        for (size_t size = 0; from + size <= sizeof bytes; size++)
            check_answer(bytes + from, size, slow_crc(bytes + from, size));
    }
}

TEST(crc32c_is_extended_over_parts)
{
    uint8_t bytes[80];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 11);
    uint32_t whole = crc32c_extend(0, bytes, sizeof bytes);
    for (size_t i = 0; i <= sizeof bytes; i++)
        CHECK_EQ(crc32c_extend(crc32c_extend(0, bytes, i), bytes + i, sizeof bytes - i),
                 whole);
}

TEST_MAIN
