// disk_posix.h: struct disk over a directory.
//
// - The directory is made where it is absent, and locked: one process at a time.
// - Zeros are written ahead of a growing log, so that its syncs overwrite blocks that
//   the file already has and pay no journal commit. Where the file ends is known here,
//   and shown to callers; close() cuts the zeros away, and after a crash they are found
//   in the file: its format has to tolerate them.
// - A sync with a token is handed out: `start_sync` runs disk_posix_sync_fd() on some
//   other thread. Before disk_posix_close(), all of them have to have ended. New and
//   removed names go with the first one handed out behind them, and with none later.
#ifndef RAFT_HOST_DISK_POSIX_H
#define RAFT_HOST_DISK_POSIX_H

#include <stdbool.h>

#include "raft/host/disk.h"

struct disk_posix_options {
    const char *path;
    bool read_only;           // nothing is made or changed, not even the lock's file
    size_t zeros_ahead_bytes; // at once; 0: none
    const char *zeros_ahead_suffix; // of the names of growing logs; NULL: all files
    // Arranges for disk_posix_sync_fd(fd, directory_fd) to be called, once, on any
    // thread, and for its result to reach the driver with this token. Returns 0, or
    // -errno where that cannot be arranged. NULL: only token 0 is asked for.
    int (*start_sync)(void *context, int fd, int directory_fd, uint64_t token);
    void *context;
};

struct disk_posix;

void disk_posix_options_default(struct disk_posix_options *options);

// NULL on failure, with one line in `error`. `options.path` is copied.
struct disk_posix *disk_posix_open(const struct disk_posix_options *options,
                                   char *error, size_t error_size);
void disk_posix_close(struct disk_posix *posix);

// The interface; valid until disk_posix_close().
struct disk disk_posix_disk(struct disk_posix *posix);

// Blocks until the file, and the directory unless it is -1, are on stable storage;
// closes `fd`, which start_sync was given as its own. Returns 0, or -errno.
int disk_posix_sync_fd(int fd, int directory_fd);

#endif
