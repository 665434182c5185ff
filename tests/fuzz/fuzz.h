// fuzz.h: a fuzz target is one function, which must hold for any bytes at all.
//
// With libFuzzer (`make fuzz`) it is given bytes that reach new code; with replay.c
// (`make test`) the files of its corpus, so that what was found once stays found.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The name is libFuzzer's. Always returns 0.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); // NOLINT

// What must hold; where it does not, the process ends as in a crash.
#define FUZZ_CHECK(condition)                                                         \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: expected: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

// ---- reading the input as a row of numbers --------------------------------------

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static inline uint32_t fuzz_u16(struct fuzz_input *input)
{
    uint32_t low = fuzz_u8(input);
    return low | (uint32_t)fuzz_u8(input) << 8;
}

// At most `size` bytes; *taken says how many.
static inline const uint8_t *fuzz_bytes(struct fuzz_input *input, size_t size,
                                        size_t *taken)
{
    const uint8_t *at = input->at;
    *taken = size < input->left ? size : input->left;
    input->at += *taken;
    input->left -= *taken;
    return at;
}

#endif
