// log_recover.h: what a crash has left of the durable log.
//
// Rules, in this order; nothing is changed on the disk before all have been checked.
// 1. Segments are numbered from 1 without a gap, and are this cluster's and node's.
// 2. A segment with another behind it was synced whole: any damage is refused, and its
//    size must be the one that the next segment's header tells.
// 3. In the last segment the first bytes that are no record are a torn tail, and cut,
//    unless a record behind them tells (`durable`) that they were once on stable
//    storage: then they are damage, and refused. Zeros to the end are no tear.
// 4. A last segment without header and first hard state was never used, and is removed;
//    unless such a record is found in it: refused.
// 5. Terms never go back, votes never change within a term, indices leave no gap.
//
// What no record was written behind cannot be told from a torn tail: damage to the very
// last synced batch is cut. No format that only appends can know better.
//
// Two passes. The first checks everything and remembers where the surviving entries
// stand, as runs of records; an entry that replaces others ends runs, so there are
// never more than one for each conflict. The second feeds them to the core in order.
#ifndef RAFT_HOST_LOG_RECOVER_H
#define RAFT_HOST_LOG_RECOVER_H

#include "raft/host/log_reader.h"

struct log_file {
    uint64_t number;
    uint64_t size;
};

// Entries first..last of the final log, which stand one behind the other from `offset`
// on, maybe with hard states between them, maybe over several segments.
struct log_run {
    raft_index first;
    raft_index last;
    uint64_t number;
    uint64_t offset;
};

struct log_recovery {
    // What was found.
    struct log_segment segment; // the last one; number 0: there is no log yet
    uint64_t end;               // of the log in it
    struct raft_hard_state hard_state;
    raft_index last_index;
    uint64_t torn_bytes; // cut off, less zeros at the end

    // Working memory, until log_recover_release().
    uint64_t cluster_id;
    raft_id node_id;
    const struct disk *disk;
    struct log_reader reader;
    struct log_file *files;
    uint32_t file_count;
    uint32_t file_capacity;
    struct log_run *runs;
    uint32_t run_count;
    uint32_t run_capacity;
    bool unused_segment; // the last file is to be removed (rule 4)
    bool out_of_memory;
    char *error;
    size_t error_size;
};

void log_recover_init(struct log_recovery *recovery, uint64_t cluster_id,
                      raft_id node_id, char *error, size_t error_size);
void log_recover_release(struct log_recovery *recovery);

// Pass one, then the repairs. False: refused or failed, with one line in `error`.
bool log_recover_scan(struct log_recovery *recovery, const struct disk *disk);

// Pass two: takes each entry of the final log in order.
struct log_loader {
    void *context;
    enum raft_status (*load)(void *context, const struct raft_entry *entry);
};
bool log_recover_load(struct log_recovery *recovery, const struct log_loader *loader);

#endif
