// base64.c: see base64.h.
#include "rpc/base64.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Value of each base64 digit plus one, so that the zeroes are no digits.
static const uint8_t base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
    ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
    ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
    ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
    ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
    ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
    ['/'] = 64,
};

static uint32_t digit_value(char c)
{
    return (uint32_t)base64_values[(unsigned char)c] - 1;
}

// The last four characters, which may be padded.
static bool decode_tail(const char *text, unsigned char **out)
{
    uint32_t a = digit_value(text[0]);
    uint32_t b = digit_value(text[1]);
    if (a > 63 || b > 63) {
        return false;
    }
    *(*out)++ = (unsigned char)(a << 2 | b >> 4);
    if (text[2] == '=') {
        return text[3] == '=' && (b & 15) == 0;
    }
    uint32_t c = digit_value(text[2]);
    if (c > 63) {
        return false;
    }
    *(*out)++ = (unsigned char)(b << 4 | c >> 2);
    if (text[3] == '=') {
        return (c & 3) == 0;
    }
    uint32_t d = digit_value(text[3]);
    *(*out)++ = (unsigned char)(c << 6 | d);
    return d <= 63;
}

bool base64_decode(const char *text, size_t size, void *out, size_t *out_size)
{
    unsigned char *to = out;
    *out_size = 0;
    if (size % 4 != 0) {
        return false;
    }
    if (size == 0) {
        return true;
    }
    for (size_t i = 0; i + 4 < size; i += 4) {
        uint32_t a = digit_value(text[i]);
        uint32_t b = digit_value(text[i + 1]);
        uint32_t c = digit_value(text[i + 2]);
        uint32_t d = digit_value(text[i + 3]);
        if ((a | b | c | d) > 63) {
            return false;
        }
        uint32_t bits = a << 18 | b << 12 | c << 6 | d;
        to[0] = (unsigned char)(bits >> 16);
        to[1] = (unsigned char)(bits >> 8);
        to[2] = (unsigned char)bits;
        to += 3;
    }
    bool good = decode_tail(text + size - 4, &to);
    *out_size = (size_t)(to - (unsigned char *)out);
    return good;
}

size_t base64_encoded_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

void base64_encode(const void *data, size_t size, char *to)
{
    const unsigned char *from = data;
    size_t i = 0;
    for (; i + 3 <= size; i += 3, to += 4) {
        uint32_t bits = (uint32_t)from[i] << 16 | (uint32_t)from[i + 1] << 8 |
                        (uint32_t)from[i + 2];
        to[0] = base64_digits[bits >> 18];
        to[1] = base64_digits[bits >> 12 & 63];
        to[2] = base64_digits[bits >> 6 & 63];
        to[3] = base64_digits[bits & 63];
    }
    if (i < size) {
        bool two = i + 1 < size;
        uint32_t bits =
            (uint32_t)from[i] << 16 | (two ? (uint32_t)from[i + 1] << 8 : 0);
        to[0] = base64_digits[bits >> 18];
        to[1] = base64_digits[bits >> 12 & 63];
        to[2] = two ? base64_digits[bits >> 6 & 63] : '=';
        to[3] = '=';
    }
}
