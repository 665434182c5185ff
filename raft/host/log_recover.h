// log_recover.h: what a crash has left of the durable log.
//
// Rules, in this order; nothing is changed on the disk before all have been checked.
// 1. Segments are numbered without a gap, and are this cluster's and node's.
// 2. A segment with another behind it was synced whole: any damage is refused, and its
//    size must be the one that the next segment's header tells.
// 3. In the last segment the first bytes that are no record are a torn tail, and cut,
//    unless a record behind them tells (`durable`) that they were once on stable
//    storage: then they are damage, and refused. Zeros to the end are no tear.
// 4. A last segment without header and first hard state was never used, and is removed;
//    unless such a record is found in it: refused.
// 5. Terms never go back, votes never change within a term, indices leave no gap.
// 6. The log reaches back to the newest good snapshot: one that begins behind it, or a
//    snapshot without any log, is refused. Where the log lacks the snapshot's last
//    entry, or has one of another term there, it was received just before the crash:
//    all entries are dropped, and the log begins anew behind it.
//
// What no record was written behind cannot be told from a torn tail: damage to the very
// last synced batch is cut. No format that only appends can know better.
//
// Two passes. The first checks everything and remembers where the surviving entries
// stand (log_replay.h). The second feeds them to the core in order.
#ifndef RAFT_HOST_LOG_RECOVER_H
#define RAFT_HOST_LOG_RECOVER_H

#include "raft/host/durable_log.h"
#include "raft/host/log_reader.h"
#include "raft/host/log_replay.h"

struct log_file {
    uint64_t number;
    uint64_t size;
};

struct log_recovery {
    // What was found, for durable_log_resume().
    struct durable_log_found found;

    raft_index first_index; // of the entries on disk; last_index + 1: there are none
    raft_index last_index;
    bool dropped;        // rule 6: it begins anew behind the snapshot, durably
    uint64_t torn_bytes; // cut off, less zeros at the end

    // The last entry in the newest good snapshot; index 0: there is none.
    raft_index snapshot_index;
    raft_term snapshot_term;

    // Working memory, until log_recover_release().
    uint64_t cluster_id;
    raft_id node_id;
    const struct disk *disk;
    struct log_reader reader;
    struct log_file *files;
    uint32_t file_count;
    uint32_t file_capacity;
    uint64_t from_number;        // segments before this one are left out
    uint64_t reading;            // the segment that is being checked
    struct log_position refused; // where it was; number 0: not at any place in a file
    struct log_replay replay;
    bool unused_segment; // the last file is to be removed (rule 4)
    bool out_of_memory;
    char *error;
    size_t error_size;
};

void log_recover_init(struct log_recovery *recovery, uint64_t cluster_id,
                      raft_id node_id, char *error, size_t error_size);
void log_recover_release(struct log_recovery *recovery);

// Pass one, then the repairs; `index` and `term` are the last ones in the newest good
// snapshot on this disk (0: there is none). False: refused or failed, with one line in
// `error`, which names file and offset and tells what is missing.
bool log_recover_scan(struct log_recovery *recovery, const struct disk *disk,
                      raft_index index, raft_term term);

// Pass one alone: changes nothing on the disk. Where it is refused at some place, the
// replay holds what stands before that, and can be loaded. `from_number` may be set.
bool log_recover_check(struct log_recovery *recovery, const struct disk *disk,
                       raft_index index, raft_term term);

// Pass two: takes each entry of the final log behind the snapshot, in order.
struct log_loader {
    void *context;
    enum raft_status (*load)(void *context, const struct raft_entry *entry);
};
bool log_recover_load(struct log_recovery *recovery, const struct log_loader *loader);

#endif
