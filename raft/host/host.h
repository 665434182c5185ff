// host.h: what any process must do around the core: persist, send, apply.
//
// The host owns a core and its durable log. It is driven from outside by one thread,
// through the calls below, and reaches the world only through `struct host_io`, which
// is passed in each time, so that the host itself stays plain data: it holds no pointer
// out of its own memory, and memcpy forks it together with its core.
//
// Order (Figure 2 and raft.h): what a step gives to persist is appended to the log and
// a sync is started, or, where one is under way, joined to the next (group commit);
// its messages go out at once; its committed entries are applied. A failed write or
// sync stops the node for good: host_stopped() says why, and no call does anything
// more; but a disk that is full only makes the host wait: it holds back what it could
// not write, refuses proposals (RAFT_DISK_FULL), hands leadership over if it had it,
// and goes on once there is space.
//
// Snapshots (section 7). Once enough was applied the host has the state machine frozen
// and writes it to a file, a piece in each turn, while the node goes on serving; then
// older log entries are dropped, in memory and on the disk. A peer that lacks those is
// sent the file as it stands, chunk by chunk. The two newest snapshots are kept.
// Callbacks in host_io never call back into the host.
#ifndef RAFT_HOST_HOST_H
#define RAFT_HOST_HOST_H

#include "raft/host/disk.h"
#include "raft/raft.h"

struct network {
    void *context;
    // Takes messages to deliver, in any order, or drops them. Borrowed for the call.
    void (*send)(void *context, const struct raft_message *messages, uint32_t count);
};

struct state_machine {
    void *context;
    // Applies committed entries in order, each once: also no-ops and configurations,
    // so that every index is seen. Borrowed for the call.
    void (*apply)(void *context, const struct raft_entry *entries, uint32_t count);
    // A read asked for with host_read() may be answered now from the applied state
    // (RAFT_OK), or must be asked for elsewhere (RAFT_NOT_LEADER).
    void (*read_ready)(void *context, uint64_t id, enum raft_status status);

    // Snapshots; where snapshot_begin is NULL, none are taken and none can be received.
    // The same state must give the same bytes on every node. Each returns 0 or -errno.

    // From now on until snapshot_end(), snapshot_read() gives the state as it is now,
    // whatever is applied meanwhile. Quick: no copy is made here. One at a time.
    int (*snapshot_begin)(void *context);
    // The next bytes, up to `size`; returns how many, 0 once all were read.
    int64_t (*snapshot_read)(void *context, void *data, size_t size);
    void (*snapshot_end)(void *context);

    // Replaces the whole state by one that is given piece by piece; between begin and
    // end nothing is applied and no read is ready. No snapshot is under way then.
    // end: -EBADMSG where the bytes were none of a state at this index.
    int (*restore_begin)(void *context);
    int (*restore_write)(void *context, const void *data, size_t size);
    int (*restore_end)(void *context, raft_index index);
};

// Told of every step after its effects were started; for traces and checkers.
struct host_observer {
    void *context;
    void (*stepped)(void *context, const struct raft *raft,
                    const struct raft_event *event, const struct raft_output *output);
};

struct host_io {
    struct disk disk;
    struct network network;
    struct state_machine machine;
    struct host_observer observer; // .stepped may be NULL
};

struct host_config {
    struct raft_config raft;
    uint64_t segment_bytes_max; // a log segment is closed once it is this long
    // A new log's segments carry this number, and one of another cluster is refused.
    uint64_t cluster_id;

    // A snapshot is taken once so many entries were applied since the last one, or
    // once they take so many bytes of the log. 0: not for that reason.
    uint32_t snapshot_entries;
    uint64_t snapshot_bytes;
    uint32_t snapshot_tail_entries; // kept in memory behind it for slow followers
    uint32_t snapshot_chunk_bytes;  // in one message, and in one turn's piece
};

void host_config_default(struct host_config *config);

struct host; // opaque, plain data

// The bytes that host_open() needs; aligned to 16.
size_t host_size(const struct host_config *config);

// Reads the durable log, cuts a torn tail, and starts the core. Returns NULL on
// failure, with one line in `error` that names file and offset where the log is
// damaged. The memory stays the caller's. Nothing is sent before the first host_tick().
struct host *host_open(void *memory, const struct host_config *config,
                       const struct host_io *io, uint64_t now_ms, char *error,
                       size_t error_size);

// Time passed. Call no later than host_deadline_ms().
void host_tick(struct host *host, const struct host_io *io, uint64_t now_ms);
uint64_t host_deadline_ms(const struct host *host);

// A message arrived (borrowed for the call).
void host_receive(struct host *host, const struct host_io *io, uint64_t now_ms,
                  const struct raft_message *message);

// Asks for commands to be logged: all, or none. On RAFT_OK the first stands at
// *index in *term, which is not yet a promise: it has succeeded when apply() sees an
// entry of that term at that index, and failed for good when it sees another term.
enum raft_status host_propose(struct host *host, const struct host_io *io,
                              uint64_t now_ms, const struct raft_command *commands,
                              uint32_t count, raft_index *index, raft_term *term);

// Asks for a change of members (raft.h, event CHANGE_MEMBERSHIP). On RAFT_OK its first
// entry stands at *index in *term, with a promise like host_propose()'s.
enum raft_status host_change(struct host *host, const struct host_io *io,
                             uint64_t now_ms, const struct raft_member *members,
                             uint32_t count, raft_index *index, raft_term *term);

// As leader: hands leadership to `to` (0: to the best of the others). It has succeeded
// when another node is seen to lead; if it has not within an election timeout, this
// node leads on (raft_view.transfer_to is 0 again).
enum raft_status host_transfer(struct host *host, const struct host_io *io,
                               uint64_t now_ms, raft_id to);

// Takes a snapshot soon, however little was applied. Nothing where one is under way.
void host_snapshot(struct host *host, const struct host_io *io, uint64_t now_ms);

// Asks for a linearizable read (a follower asks its leader); the answer is
// read_ready(id), maybe before this returns.
enum raft_status host_read(struct host *host, const struct host_io *io, uint64_t now_ms,
                           uint64_t id);

// The sync that disk.sync() started with this token has ended (0, or -errno).
void host_synced(struct host *host, const struct host_io *io, uint64_t now_ms,
                 uint64_t token, int status);

// NULL, or why the node has stopped, in one line.
const char *host_stopped(const struct host *host);

// NULL, or why the newest snapshot on disk was not used at the start, in one line.
const char *host_warning(const struct host *host);

// True while the host waits for space on the disk.
bool host_disk_full(const struct host *host);

// True while a write is not yet durable. A clean shutdown waits until it is false.
bool host_busy(const struct host *host);

const struct raft *host_raft(const struct host *host);

struct host_counters {
    uint64_t syncs;          // completed
    uint64_t writes;         // core writes that those syncs carried
    uint64_t bytes_appended; // to the log
    uint64_t segments;       // created since the start
    uint64_t torn_bytes;     // cut from the log's tail at the start
    uint64_t segments_removed;
    uint64_t snapshots_taken;
    uint64_t snapshots_failed;
    uint64_t snapshots_received; // and restored
    uint64_t snapshot_chunks_sent;
    uint64_t snapshot_bytes_last; // of the newest on disk
    bool snapshot_underway;
};
void host_count(const struct host *host, struct host_counters *counters);

#endif
