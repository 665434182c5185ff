// utf8.c: see utf8.h.
#include "rpc/utf8.h"

static bool continues(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

// The second byte's range depends on the first: Table 3-7 of the Unicode standard.
static bool second_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return continues(second);
    }
}

uint32_t utf8_length(const char *text, const char *end)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = (size_t)(end - text);
    if (left == 0) {
        return 0;
    }
    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] < 0xC2 || at[0] > 0xF4) {
        return 0;
    }
    uint32_t length = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (left < length || !second_fits(at[0], at[1])) {
        return 0;
    }
    for (uint32_t i = 2; i < length; i++) {
        if (!continues(at[i])) {
            return 0;
        }
    }
    return length;
}

bool utf8_valid(const void *data, size_t size)
{
    const char *at = data;
    const char *end = size > 0 ? at + size : at; // data may be NULL where size is 0
    while (at < end) {
        uint32_t length = utf8_length(at, end);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}
