#include "sim/tool/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

int tool_complain(const char *format, ...)
{
    va_list arguments;

    fputs("raftsim: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return TOOL_USAGE;
}

bool tool_create(const char *name, FILE **file)
{
    *file = NULL;
    if (name == NULL)
        return true;
    *file = fopen(name, "w");
    if (*file == NULL)
        tool_complain("cannot write %s: %s", name, strerror(errno));
    return *file != NULL;
}

void tool_print(const struct buffer *out)
{
    printf("%.*s\n", (int)out->size, out->data);
}

uint64_t tool_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
