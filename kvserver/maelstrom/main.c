// main.c: `raft-maelstrom`, a node for Jepsen's Maelstrom: JSON lines on stdin and
// stdout, workload lin-kv (docs/maelstrom.md).
#include "kvserver/maelstrom/node.h"

#include "kvserver/maelstrom/envelope.h"
#include "raft/version.h"
#include "rpc/line.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int help(void)
{
    puts("raft-maelstrom: a node of workload lin-kv for Jepsen's Maelstrom\n\n"
         "  maelstrom test -w lin-kv --bin raft-maelstrom --node-count 3\n\n"
         "  --dir DIR   where nodes keep their logs, each in a directory of its name;\n"
         "              without it, in a temporary one that goes with the process\n"
         "  --help, --version");
    return 0;
}

// Directories of one level, with files.
static void remove_all(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[4096];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (unlink(name) != 0) {
            DIR *below = opendir(name);
            const struct dirent *file;

            while (below != NULL && (file = readdir(below)) != NULL)
                (void)unlinkat(dirfd(below), file->d_name, 0);
            if (below != NULL)
                closedir(below);
            (void)rmdir(name);
        }
    }
    if (directory != NULL)
        closedir(directory);
    (void)rmdir(path);
}

// Takes what has come; false at the end of stdin.
static bool take_input(struct node *node, struct line *line)
{
    const char *text;
    size_t room, size;
    char *at = line_room(line, &room);
    ssize_t count = read(STDIN_FILENO, at, room);

    if (count <= 0)
        return count < 0 && errno == EINTR;
    line_filled(line, (size_t)count);
    while (true) {
        switch (line_next(line, &text, &size)) {
        case LINE_NONE:
            return true;
        case LINE_TOO_LONG:
            fputs("raft-maelstrom: a line is too long\n", stderr);
            break;
        case LINE_READY:
            node_take(node, text, size);
        }
    }
}

static int run(const char *directory)
{
    struct node *node = node_new(directory);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    struct line line;
    bool open = true;

    line_init(&line, ENVELOPE_LINE_BYTES_MAX);
    while (open) {
        int due_ms = node_turn(node);

        if (fflush(stdout) != 0)
            break;
        if (poll(&input, 1, due_ms) > 0)
            open = take_input(node, &line);
    }
    line_release(&line);
    node_free(node);
    return 0;
}

int main(int argc, char **argv)
{
    char temporary[] = "/tmp/raft-maelstrom-XXXXXX";

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return help();
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("raft-maelstrom " RAFT_VERSION) < 0;
    if (argc == 3 && strcmp(argv[1], "--dir") == 0)
        return run(argv[2]);
    if (argc > 1) {
        fputs("raft-maelstrom: expected: --dir DIR (see --help)\n", stderr);
        return 2;
    }
    if (mkdtemp(temporary) == NULL) {
        perror("raft-maelstrom: a temporary directory");
        return 1;
    }
    int status = run(temporary);
    remove_all(temporary);
    return status;
}
