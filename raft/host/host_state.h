// host_state.h: the whole state of a host. Internal to raft/host/.
//
// The host lies at the start of the memory handed in; its core and the buffer for one
// piece of a snapshot lie behind it and are found by their offsets, so that a copy of
// the memory is a node of its own.
//
// Invariant: write_durable <= write_syncing <= write_appended. RAFT_EVENT_PERSISTED is
// given write_durable alone, when the sync that was started after the append has ended.
#ifndef RAFT_HOST_HOST_STATE_H
#define RAFT_HOST_HOST_STATE_H

#include "raft/host/durable_log.h"
#include "raft/host/host.h"
#include "raft/host/snapshot_aside.h"
#include "raft/host/snapshot_shelf.h"

enum {
    HOST_REASON_BYTES = 160,
    HOST_WARNING_BYTES = 480,
    HOST_RETRY_MS = 100, // on a full disk
};

// What a full disk has kept back: one write, which is made anew from the core.
struct host_backlog {
    uint64_t write; // the newest core write in it; 0: nothing is kept back
    bool hard_state;
    bool restart; // the log begins anew behind this snapshot
    struct raft_snapshot_meta snapshot;
    raft_index first; // entries from here on; 0: none
    uint64_t retry_ms;
};

// One's own snapshot, while it is written.
struct host_taking {
    struct snapshot_aside aside;
    struct raft_snapshot_meta meta;
    bool frozen; // the state machine holds the state for us
    uint32_t checksum;
    uint64_t body_size;
};

// A snapshot that arrives; `aside` grows by its chunks.
struct host_receiving {
    struct snapshot_aside aside;
    struct raft_install_snapshot announced; // but for its data
    uint64_t needs_write;                   // durable before the file gets its name
    bool failed;                            // the core is to be told
    bool checking;
    bool checked;
    struct snapshot_reader reader;
};

struct host_restoring {
    bool underway;
    struct snapshot_reader reader;
};

struct host {
    uint64_t core_offset;  // from this struct
    uint64_t piece_offset; // snapshot_piece_bytes of room
    uint32_t piece_bytes;
    struct host_config config; // of snapshots; .raft is the core's
    struct durable_log log;

    // Numbers of the core's writes.
    uint64_t write_appended; // the newest in the log
    uint64_t write_syncing;  // the newest that the sync under way covers
    uint64_t write_durable;  // the newest that a completed sync has covered
    struct host_backlog backlog;

    uint64_t tokens;    // the newest sync's, of the log or of a snapshot
    uint64_t log_token; // of the log's sync under way; 0: none

    uint64_t now_ms;
    uint64_t core_deadline_ms;
    raft_index applied; // not yet reported to the core; 0: nothing is owed

    struct snapshot_shelf shelf;
    struct host_taking taking;
    struct host_receiving receiving;
    struct host_restoring restoring;
    uint64_t orphan_token; // of a sync under way whose file was given up
    bool can_snapshot;     // the state machine can
    bool snapshot_asked;
    bool pruning;               // older snapshots may be there
    bool compacting;            // a snapshot came that the log has not made room behind
    uint64_t snapshot_retry_ms; // not before
    raft_index applied_index;   // the newest entry that the state machine has
    uint64_t applied_bytes;     // of entries since the last snapshot

    bool stopped;
    char reason[HOST_REASON_BYTES];
    char warning[HOST_WARNING_BYTES];
    struct host_counters counters;
};

struct raft *host_core(const struct host *host);

// Stops the host for good; the first reason is kept. `status` is -errno.
void host_stop(struct host *host, const char *what, int status);

// One event in, its effects out, and all that follows from them.
enum raft_status host_deliver(struct host *host, const struct host_io *io,
                              struct raft_event *event, struct raft_output *output);

#endif
