// durable_log.h: the writer's end of the log: what is appended, and what is durable.
//
// Hard state, entries and restarts share one ordered stream of records, so that no
// crash can leave them apart: what survives is a prefix of what was appended, whole
// records. Plain data: the disk is passed each time.
//
// Segments. Before a new one is begun, the one before is cut to its length and synced
// while we wait; before the new one is used, its header and the current hard state
// are. So only the last segment can ever hold bytes that are not durable, and one sync
// of the last segment covers all that was appended before it. They go from the front,
// each once the removal of the one before it is durable: no crash leaves a hole.
#ifndef RAFT_HOST_DURABLE_LOG_H
#define RAFT_HOST_DURABLE_LOG_H

#include "raft/host/disk.h"
#include "raft/host/log_format.h"
#include "raft/host/segment_table.h"

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

    struct segment_table table;
    raft_index compact_index; // entries up to here are not needed on disk

    uint64_t bytes_appended;   // since the start
    uint64_t segments_created; // since the start
    uint64_t segments_removed; // since the start
};

// Where a log goes on, as recovery finds it.
struct durable_log_found {
    struct log_segment segment; // the last one; number 0: there is no log
    uint64_t end;               // of the log in it
    struct raft_hard_state hard_state;
    struct segment_table table;
};

// One ordered write, as a step of the core asks for it; its parts in this order.
struct durable_log_write {
    const struct raft_hard_state *hard_state; // NULL: unchanged
    // NULL, or the snapshot behind which the log begins anew: all entries before this
    // are dropped, the next one has the index behind it. The snapshot is durable, the
    // log does not have its last entry, and its term is not above the hard state's.
    const struct raft_snapshot_meta *restart;
    const struct raft_entry *entries;
    uint32_t entry_count;
};

void durable_log_init(struct durable_log *log, uint64_t cluster_id, raft_id node_id,
                      uint64_t segment_bytes_max);

// Begins the first segment, and waits until it is durable.
int durable_log_create(struct durable_log *log, const struct disk *disk);

// Goes on behind what recovery has found, all of which is durable.
void durable_log_resume(struct durable_log *log, const struct durable_log_found *found);

// Each returns 0, or -errno. After an error the log may be ahead of the disk, and is of
// no use any more (recover it from there), with one exception:
//
// -ENOSPC or -EDQUOT from durable_log_append(). All that was appended before is there
// as it was; nothing of this write is, in the log or on the disk, and no crash brings
// it back: that was waited for. The same write, or another, may be tried at any time,
// also while a sync is under way. Each try that fails so removes a segment, if one may
// go.
int durable_log_append(struct durable_log *log, const struct disk *disk,
                       const struct durable_log_write *write);

// Starts a sync of all that was appended. At most one is under way.
int durable_log_sync(struct durable_log *log, const struct disk *disk, uint64_t token);

// That sync has succeeded.
void durable_log_synced(struct durable_log *log);

// Entries up to `index` are not needed on disk any more: a durable snapshot holds them,
// and so does the one before that. Touches no file: each durable_log_sync() from now on
// removes one segment that holds no others, the oldest first and never the last.
void durable_log_compact(struct durable_log *log, raft_index index);

#endif
