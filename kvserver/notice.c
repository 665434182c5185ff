#include "kvserver/notice.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static raft_id notice_id;

void notice_name(raft_id id)
{
    notice_id = id;
}

void notice_line(const char *format, ...)
{
    struct timespec now;
    struct tm parts;
    char stamp[32];
    char text[1024];
    va_list arguments;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &parts);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &parts);
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    // One call for one line, so that the lines of several nodes do not mix.
    fprintf(stderr, "%s.%03ld n%u %s\n", stamp, now.tv_nsec / 1000000, notice_id, text);
}
