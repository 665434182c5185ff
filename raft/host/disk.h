// disk.h: the only door to stable storage.
//
// Files are named relative to the node's own directory, which holds no directories.
// Calls come from one thread. append() makes bytes readable at once and durable only
// after a sync() that started later has completed. A crash may lose any unsynced part.
// Two implementations: disk_posix.h, and the simulator's.
#ifndef RAFT_HOST_DISK_H
#define RAFT_HOST_DISK_H

#include <stddef.h>
#include <stdint.h>

// Each function returns 0 (or a byte count) on success and -errno on failure.
struct disk {
    void *context;

    // Adds bytes at the end of the file, creating it where it is absent. All are
    // written, or the call fails and the file may have any part of them.
    int (*append)(void *context, const char *name, const void *data, size_t size);

    // Makes the file's bytes and its directory entry durable. With token 0 the call
    // returns when that is done. With another token it returns at once, and the driver
    // calls host_synced(token, status) later, never from inside this call.
    int (*sync)(void *context, const char *name, uint64_t token);

    // Reads up to `size` bytes at `offset`; returns how many, 0 at the end.
    int64_t (*read)(void *context, const char *name, uint64_t offset, void *data,
                    size_t size);

    // Replaces `to` by `from` atomically. Durable after sync(to, 0).
    int (*rename)(void *context, const char *from, const char *to);

    // Calls visit() once for each file, in the order of their names.
    int (*list)(void *context,
                void (*visit)(void *argument, const char *name, uint64_t size),
                void *argument);

    // Durable at the next sync() of any file.
    int (*remove)(void *context, const char *name);

    // Cuts the file to `size` bytes; durable after sync(name, 0).
    int (*truncate)(void *context, const char *name, uint64_t size);
};

#endif
