// durable_log.h: the writer's end of the log: what is appended, and what is durable.
//
// Hard state and entries share one ordered stream of records, so that no crash can
// leave them apart: what survives is a prefix of what was appended, whole records.
// Plain data: the disk is passed each time. After any call has failed, the log in
// memory may be ahead of the disk: use it no more, and recover it from there.
//
// Segments. Before a new one is begun, the one before is cut to its length and synced
// while we wait; before the new one is used, its header and the current hard state
// are. So only the last segment can ever hold bytes that are not durable, and one sync
// of the last segment covers all that was appended before it.
#ifndef RAFT_HOST_DURABLE_LOG_H
#define RAFT_HOST_DURABLE_LOG_H

#include "raft/host/disk.h"
#include "raft/host/log_format.h"

struct durable_log {
    struct log_segment segment; // the last one
    uint32_t place;             // log_format_place() of it
    uint64_t segment_bytes_max;

    uint64_t end;     // bytes appended to the last segment
    uint64_t durable; // of them, on stable storage

    // The sync under way, if any.
    uint64_t syncing_number; // the segment it was asked for; 0: none is under way
    uint64_t syncing_end;

    struct raft_hard_state hard_state; // the newest appended

    uint64_t bytes_appended;   // since the start
    uint64_t segments_created; // since the start
};

// One ordered write, as a step of the core asks for it.
struct durable_log_write {
    const struct raft_hard_state *hard_state; // NULL: unchanged
    const struct raft_entry *entries;
    uint32_t entry_count;
};

void durable_log_init(struct durable_log *log, uint64_t cluster_id, raft_id node_id,
                      uint64_t segment_bytes_max);

// Begins the first segment, and waits until it is durable.
int durable_log_create(struct durable_log *log, const struct disk *disk);

// Goes on behind what recovery has found, all of which is durable.
void durable_log_resume(struct durable_log *log, const struct log_segment *segment,
                        uint64_t end, const struct raft_hard_state *hard_state);

// Each returns 0, or -errno.
int durable_log_append(struct durable_log *log, const struct disk *disk,
                       const struct durable_log_write *write);

// Starts a sync of all that was appended. At most one is under way.
int durable_log_sync(struct durable_log *log, const struct disk *disk, uint64_t token);

// That sync has succeeded.
void durable_log_synced(struct durable_log *log);

#endif
