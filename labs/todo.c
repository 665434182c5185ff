#include "labs/todo.h"

#include <stdio.h>
#include <stdlib.h>

enum { STILL_TO_BE_WRITTEN = 70 };

void lab_todo(const char *file, int line, const char *function, const char *rules)
{
    fprintf(stderr, "%s:%d: %s() is still to be written (%s)\n", file, line, function,
            rules);
    fflush(NULL);
    _Exit(STILL_TO_BE_WRITTEN);
}
