// work.c: counts what raftsim does, so that a test can tell how much work an event is,
// and how much memory a run takes.
//
// The program is compiled so that each of its basic blocks calls here, and linked so
// that libc's functions on memory do as well: those count one for every 16 bytes. One
// program counts the same for the same run, at any time; no clock has a part in it.
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t work;
static uint64_t bytes_used, bytes_peak;

void __sanitizer_cov_trace_pc(void);
void *__wrap_memcpy(void *to, const void *from, size_t size);
void *__wrap_memmove(void *to, const void *from, size_t size);
void *__wrap_memset(void *to, int byte, size_t size);
int __wrap_memcmp(const void *left, const void *right, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *memory);
void *__real_memcpy(void *to, const void *from, size_t size);
void *__real_memmove(void *to, const void *from, size_t size);
void *__real_memset(void *to, int byte, size_t size);
int __real_memcmp(const void *left, const void *right, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *memory);

void __sanitizer_cov_trace_pc(void)
{
    work++;
}

void *__wrap_memcpy(void *to, const void *from, size_t size)
{
    work += size / 16;
    return __real_memcpy(to, from, size);
}

void *__wrap_memmove(void *to, const void *from, size_t size)
{
    work += size / 16;
    return __real_memmove(to, from, size);
}

void *__wrap_memset(void *to, int byte, size_t size)
{
    work += size / 16;
    return __real_memset(to, byte, size);
}

int __wrap_memcmp(const void *left, const void *right, size_t size)
{
    work += size / 16;
    return __real_memcmp(left, right, size);
}

// ---- memory ---------------------------------------------------------------------

static void *taken(void *memory)
{
    bytes_used += malloc_usable_size(memory);
    if (bytes_used > bytes_peak)
        bytes_peak = bytes_used;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return taken(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    work += count * size / 16;
    return taken(__real_calloc(count, size));
}

// What was there is copied.
void *__wrap_realloc(void *memory, size_t size)
{
    size_t before = malloc_usable_size(memory);

    work += before / 16;
    bytes_used -= before;
    return taken(__real_realloc(memory, size));
}

void __wrap_free(void *memory)
{
    bytes_used -= malloc_usable_size(memory);
    __real_free(memory);
}

__attribute__((destructor)) static void tell(void)
{
    fprintf(stderr, "work %llu bytes %llu\n", (unsigned long long)work,
            (unsigned long long)bytes_peak);
}
