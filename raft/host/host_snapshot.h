// host_snapshot.h: a host's snapshots: taken, sent, received, restored (section 7).
// Internal to raft/host/.
//
// All of it goes in pieces: host_snapshot_work() does at most one, in a turn that the
// host asks its driver for. One snapshot is taken, and one received, at a time.
#ifndef RAFT_HOST_HOST_SNAPSHOT_H
#define RAFT_HOST_HOST_SNAPSHOT_H

#include "raft/host/host_state.h"

// At the start: the newest good one goes into the state machine, whole.
// Returns 0 or -errno.
int host_snapshot_load(struct host *host, const struct host_io *io);

// What a step has given out: chunks to send and to store, a restore.
void host_snapshot_take_output(struct host *host, const struct host_io *io,
                               const struct raft_output *output);

// Entries were applied.
void host_snapshot_note_applied(struct host *host, const struct raft_entry *entries,
                                uint32_t count);

// The next piece of what is under way.
void host_snapshot_work(struct host *host, const struct host_io *io);

// When there is one; UINT64_MAX: a sync is waited for, or nothing is under way.
uint64_t host_snapshot_deadline_ms(const struct host *host);

// Whether this token is that of a sync of a snapshot's file, and that it has succeeded.
bool host_snapshot_awaits(const struct host *host, uint64_t token);
void host_snapshot_synced(struct host *host, uint64_t token);

#endif
