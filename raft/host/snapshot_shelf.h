// snapshot_shelf.h: the two newest snapshots, which are kept on the disk.
//
// The newest is what a restart begins with, and what a peer is sent. The one before is
// kept for the day on which the newest turns out to be damaged, with the log from there
// on; and it lets a transfer that has begun end.
#ifndef RAFT_HOST_SNAPSHOT_SHELF_H
#define RAFT_HOST_SNAPSHOT_SHELF_H

#include "raft/host/disk.h"
#include "raft/host/snapshot_file.h"

enum {
    SNAPSHOT_SHELF_KEPT = 2,
    SNAPSHOT_SHELF_CUT_BYTES = 16 << 20, // removed at once
};

struct snapshot_kept {
    raft_index index; // 0: none
    raft_term term;
    uint64_t size; // of the file
    uint32_t checksum;
};

struct snapshot_shelf {
    uint64_t cluster_id;
    struct snapshot_kept kept[SNAPSHOT_SHELF_KEPT]; // the newest first
};

// What was found at a start.
struct snapshot_found {
    struct raft_snapshot_meta meta; // of the newest good one; index 0: there is none
    uint32_t damaged;               // newer ones that are not
    raft_index newest;              // the newest by its name, good or not; 0: none
    char damage[400];               // their names, and what is wrong with each
};

// Removes what was left aside, then looks for the newest good snapshot by reading each
// whole, the newest first, and for one before it. Returns 0 or -errno.
int snapshot_shelf_open(struct snapshot_shelf *shelf, const struct disk *disk,
                        uint64_t cluster_id, struct snapshot_found *found);

// NULL where it is not kept.
const struct snapshot_kept *snapshot_shelf_find(const struct snapshot_shelf *shelf,
                                                raft_index index);

// A snapshot is durable, and kept where it is one of the two newest.
void snapshot_shelf_put(struct snapshot_shelf *shelf, const struct snapshot_kept *kept);

// Removes what is older than those, a little at a time: a file system takes long to
// give a large file's blocks back. *more: there is more to do. Returns 0 or -errno.
int snapshot_shelf_prune(const struct snapshot_shelf *shelf, const struct disk *disk,
                         bool *more);

// Up to here the log is needed by no snapshot that is kept; 0: all of it may be.
raft_index snapshot_shelf_covered(const struct snapshot_shelf *shelf);

// Reads up to `size` bytes of a kept file; returns how many, or -errno.
int64_t snapshot_shelf_read(const struct snapshot_kept *kept, const struct disk *disk,
                            uint64_t offset, void *data, size_t size);

#endif
