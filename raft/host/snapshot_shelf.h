// snapshot_shelf.h: the two newest snapshots, which are kept on the disk.
//
// The newest is what a restart begins with, and what a peer is sent. The one before is
// kept for the day on which the newest turns out to be damaged, with the log from there
// on; and it lets a transfer that has begun end.
#ifndef RAFT_HOST_SNAPSHOT_SHELF_H
#define RAFT_HOST_SNAPSHOT_SHELF_H

#include "raft/host/disk.h"
#include "raft/host/snapshot_file.h"

enum { SNAPSHOT_SHELF_KEPT = 2 };

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
    char damage[400];               // their names, and what is wrong with each
};

// Removes what was left aside, then looks for the newest good snapshot by reading each
// whole, the newest first, and for one before it. Returns 0 or -errno.
int snapshot_shelf_open(struct snapshot_shelf *shelf, const struct disk *disk,
                        uint64_t cluster_id, struct snapshot_found *found);

// NULL where it is not kept.
const struct snapshot_kept *snapshot_shelf_find(const struct snapshot_shelf *shelf,
                                                raft_index index);

// A snapshot is durable. It is kept where it is one of the two newest, and all that are
// older than those are removed.
// Returns 0 or -errno.
int snapshot_shelf_put(struct snapshot_shelf *shelf, const struct disk *disk,
                       const struct snapshot_kept *kept);

// Up to here the log is needed by no snapshot that is kept; 0: all of it may be.
raft_index snapshot_shelf_covered(const struct snapshot_shelf *shelf);

// Reads up to `size` bytes of a kept file; returns how many, or -errno.
int64_t snapshot_shelf_read(const struct snapshot_kept *kept, const struct disk *disk,
                            uint64_t offset, void *data, size_t size);

#endif
