// snapshot_aside.h: a snapshot file until it is durable under its name.
//
// It grows aside, synced now and then so that the last sync is short; once all of it is
// durable it gets its name, and once the name is durable it is done. So a file with a
// snapshot's name was whole when it got it, whenever the crash comes.
//
// Plain data: the disk is passed each time. Syncs are never waited for. Their tokens
// are drawn from a counter that the host shares with its log.
#ifndef RAFT_HOST_SNAPSHOT_ASIDE_H
#define RAFT_HOST_SNAPSHOT_ASIDE_H

#include "raft/host/disk.h"
#include "raft/raft.h"

enum { SNAPSHOT_ASIDE_SYNC_BYTES = 4 << 20 }; // synced together

enum snapshot_aside_state {
    SNAPSHOT_ASIDE_NONE = 0,
    SNAPSHOT_ASIDE_GROWS,
    SNAPSHOT_ASIDE_WHOLE,   // all was appended
    SNAPSHOT_ASIDE_NAMED,   // and durable, and it has its name
    SNAPSHOT_ASIDE_DURABLE, // and so has the disk's directory
};

struct snapshot_aside {
    enum snapshot_aside_state state;
    bool receiving; // one that arrives: it has another name aside than one's own
    uint64_t size;
    uint64_t synced;  // of the size, known to be durable
    uint64_t syncing; // what the sync under way covers
    uint64_t token;   // of the sync under way; 0: none
};

const char *snapshot_aside_name(const struct snapshot_aside *aside);

// Each returns 0 or -errno.

// Begins a new, empty file, and removes what is there.
int snapshot_aside_begin(struct snapshot_aside *aside, const struct disk *disk);
int snapshot_aside_append(struct snapshot_aside *aside, const struct disk *disk,
                          const void *data, size_t size);

// All was appended.
void snapshot_aside_complete(struct snapshot_aside *aside);

// Starts what is due: a sync.
int snapshot_aside_sync(struct snapshot_aside *aside, const struct disk *disk,
                        uint64_t *tokens);

// True where so much waits for the disk that no more should be appended now.
bool snapshot_aside_is_behind(const struct snapshot_aside *aside);

// Whole and durable: it may be named.
bool snapshot_aside_is_ready(const struct snapshot_aside *aside);

// Renames it, and starts the sync of its name.
int snapshot_aside_name_it(struct snapshot_aside *aside, const struct disk *disk,
                           raft_index index, uint64_t *tokens);

// False where this token is of no sync of this file. Else that sync has succeeded.
bool snapshot_aside_synced(struct snapshot_aside *aside, uint64_t token);

// Gives the file up. What has its name already stays.
void snapshot_aside_drop(struct snapshot_aside *aside, const struct disk *disk);

#endif
