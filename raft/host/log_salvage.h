// log_salvage.h: as much of a log as can be read, where log_recover.h refuses it.
//
// Reads only, and so works on what is left of a bad disk. What can be used are records
// without a gap: those before the first damage, or, where the newest good snapshot
// holds all that the damage has taken, those behind it. The rest is looked at to tell
// what is lost: entries that this node may have acknowledged.
#ifndef RAFT_HOST_LOG_SALVAGE_H
#define RAFT_HOST_LOG_SALVAGE_H

#include "raft/host/log_recover.h"

enum { LOG_SALVAGE_PROBLEM_BYTES = 240 };

struct log_salvage {
    // The files.
    uint32_t segment_count;
    uint64_t first_number;
    uint64_t last_number;
    uint64_t bytes;

    char problem[LOG_SALVAGE_PROBLEM_BYTES]; // why the log is refused; "": it is whole
    struct log_position damage;              // where; number 0: not at one place

    // What can be used, behind the snapshot.
    raft_index last_index; // that of the snapshot: no entries
    raft_term last_term;   // of that entry

    struct raft_hard_state hard_state; // the newest that was seen anywhere

    // What was seen and cannot be used.
    uint64_t bytes_lost;
    uint32_t segments_lost; // other than the one with the damage
    raft_index index_lost;  // the highest; 0: no entry was seen

    // For log_salvage_load().
    uint64_t cluster_id;
    raft_id node_id;
    raft_index snapshot_index;
    raft_term snapshot_term;
    const struct disk *disk;
    uint64_t from_number;      // of the first segment that is used
    struct log_position until; // what is used ends there; number 0: nowhere
    raft_index index_seen;
};

// Whose log this is, as the first header tells that is whole. False: there is none.
bool log_salvage_identify(const struct disk *disk, uint64_t *cluster_id,
                          raft_id *node_id);

// Looks at all of the log of this node; `snapshot` is the newest good one on this disk
// (last_included_index 0: there is none). Returns 0, or -errno. The disk is borrowed as
// long as log_salvage_load() may be called.
int log_salvage_read(struct log_salvage *salvage, const struct disk *disk,
                     uint64_t cluster_id, raft_id node_id,
                     const struct raft_snapshot_meta *snapshot);

// Gives out each entry that can be used, in order. False: it failed, with one line in
// `error`.
bool log_salvage_load(const struct log_salvage *salvage,
                      const struct log_loader *loader, char *error, size_t error_size);

#endif
