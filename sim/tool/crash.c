#include "sim/tool/crash.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

enum { FRAMES_MAX = 16, STACK_BYTES = 64 * 1024, TEXT_BYTES = 8192 };

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

static const int deadly[] = {
#ifndef SANITIZED
    SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
#endif
    SIGXCPU,
};

static const char *name;
static uintptr_t base;  // where the program was loaded,
static uintptr_t begin; // and where its instructions are
static uintptr_t end;

// What the unwinder finds, from the place that the signal came to on; less what lies in
// libraries.
struct frames {
    bool begun;
    uint32_t count;
    uintptr_t behind[FRAMES_MAX]; // the instruction, as a debugger counts from `base`
};

static int note_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size, (void)context;
    base = info->dlpi_addr;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD ||
            (info->dlpi_phdr[i].p_flags & PF_X) == 0)
            continue;
        begin = base + info->dlpi_phdr[i].p_vaddr;
        end = begin + info->dlpi_phdr[i].p_memsz;
    }
    return 1; // the program comes first, and is all that is asked for
}

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *argument)
{
    struct frames *frames = argument;
    int exact = 0; // else the address is that behind a call
    uintptr_t address = _Unwind_GetIPInfo(context, &exact);

    frames->begun = frames->begun || exact;
    if (!frames->begun || address < begin || address >= end)
        return _URC_NO_REASON;
    frames->behind[frames->count++] = address - base + (exact ? 1 : 0);
    return frames->count < FRAMES_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// Allocates nothing, and locks nothing: what broke may be the heap.
static void on_signal(int number)
{
    static char text[TEXT_BYTES];
    struct frames frames = {0};
    size_t at = 0;

    _Unwind_Backtrace(add_frame, &frames);
    at += (size_t)snprintf(text, sizeof(text), "SIG%s\n", sigabbrev_np(number));
    for (uint32_t i = 0; i < frames.count; i++)
        at += (size_t)snprintf(
            text + at, sizeof(text) - at, "    #%u 0x%lx (%.200s+0x%lx)\n", i,
            (unsigned long)frames.behind[i], name, (unsigned long)frames.behind[i]);
    at += (size_t)snprintf(text + at, sizeof(text) - at,
                           "lines: addr2line -pfise %.200s", name);
    for (uint32_t i = 0; i < frames.count; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, " 0x%lx",
                               (unsigned long)frames.behind[i] - 1);
    text[at++] = '\n';
    (void)!write(STDERR_FILENO, text, at);
    raise(number); // as it was before
}

void crash_tell(const char *program)
{
    static char stack[STACK_BYTES]; // the other one may be full
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND)};

    name = program;
    dl_iterate_phdr(note_program, NULL);
    sigaltstack(&other, NULL);
    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
        sigaction(deadly[i], &action, NULL);
}
