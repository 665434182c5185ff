// main.c: `raftkv`, one node of a replicated key-value store.
#include <stdio.h>
#include <stdlib.h>

#include "kvserver/options.h"
#include "kvserver/server.h"

int main(int argc, char **argv)
{
    static struct options options;
    char error[OPTIONS_ERROR_MAX];

    switch (options_parse(&options, argc, argv, error)) {
    case OPTIONS_RUN:
        return server_run(&options);
    case OPTIONS_DONE:
        return 0;
    case OPTIONS_BAD:
        break;
    }
    fprintf(stderr, "raftkv: %s\n", error);
    return 2;
}
