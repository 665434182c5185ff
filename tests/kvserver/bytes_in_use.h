// bytes_in_use.h: how much memory a test's process has allocated.
#ifndef TESTS_KVSERVER_BYTES_IN_USE_H
#define TESTS_KVSERVER_BYTES_IN_USE_H

#include <malloc.h>
#include <stddef.h>

// There where the sanitizers are.
size_t sanitizer_bytes(void) __asm__("__sanitizer_get_current_allocated_bytes")
    __attribute__((weak));

// Bytes that were allocated and not freed.
static inline size_t bytes_in_use(void)
{
    if (sanitizer_bytes != NULL)
        return sanitizer_bytes();
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

#endif
