// main.c: `raftkv`, one node of a replicated key-value store.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kvserver/options.h"
#include "kvserver/recover.h"
#include "kvserver/server.h"

int main(int argc, char **argv)
{
    static struct options options;
    char error[OPTIONS_ERROR_MAX];

    if (argc > 1 && strcmp(argv[1], "recover") == 0)
        return recover_run(argc - 2, argv + 2);
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
