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
// more. Callbacks in host_io never call back into the host.
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

// Asks for a linearizable read; the answer is read_ready(id), maybe before this
// returns.
enum raft_status host_read(struct host *host, const struct host_io *io, uint64_t now_ms,
                           uint64_t id);

// The sync that disk.sync() started with this token has ended (0, or -errno).
void host_synced(struct host *host, const struct host_io *io, uint64_t now_ms,
                 uint64_t token, int status);

// NULL, or why the node has stopped, in one line.
const char *host_stopped(const struct host *host);

// True while a write is not yet durable. A clean shutdown waits until it is false.
bool host_busy(const struct host *host);

const struct raft *host_raft(const struct host *host);

struct host_counters {
    uint64_t syncs;          // completed
    uint64_t writes;         // core writes that those syncs carried
    uint64_t bytes_appended; // to the log
    uint64_t segments;       // created since the start
    uint64_t torn_bytes;     // cut from the log's tail at the start
};
void host_count(const struct host *host, struct host_counters *counters);

#endif
