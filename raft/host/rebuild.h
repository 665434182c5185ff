// rebuild.h: another node's directory, made of what could be read in one that is lost.
//
// For a new cluster whose only member this node is, the configurations of the old one
// become no-ops, and one with that member stands behind all entries, in a term that
// the old cluster has not seen. Index and term of every other entry stay as they are,
// and so does the state: a snapshot's body is copied as it stands.
#ifndef RAFT_HOST_REBUILD_H
#define RAFT_HOST_REBUILD_H

#include "raft/host/log_salvage.h"
#include "raft/host/snapshot_file.h"

struct rebuild {
    const struct disk *from;
    const struct disk *to; // an empty directory
    uint64_t cluster_id;   // of what is written
    // The new cluster's configuration; NULL: this is still the old cluster.
    const struct raft_configuration *configuration;
    uint64_t segment_bytes_max;

    raft_index last_index; // what was written ends there

    char *error; // one line, where a call returns false
    size_t error_size;
};

// The snapshot that this reader has checked.
bool rebuild_snapshot(struct rebuild *rebuild, const struct snapshot_reader *checked);

// The log, behind that snapshot, if any. It and the snapshot are durable then.
bool rebuild_log(struct rebuild *rebuild, const struct log_salvage *salvage);

#endif
