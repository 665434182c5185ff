// driver.h: a whole node on a libuv loop: a host, its directory, its timer, its syncs
// and its connections to the others. What is left to write is the state machine.
//
// It does what raft.h's loop and host.h ask of a process: it calls the host when its
// deadline has come, makes files durable on libuv's threads, and connects to each
// member at the address that the configuration in use has for it, "host:port"; an IPv6
// address stands in brackets. It has one thread, the loop's.
//
// It also remembers who waits for what: each write and each read is asked for with a
// struct driver_request, whose done() is called once, with its outcome.
//
// Callbacks, of requests and of the state machine, are made from within calls to the
// driver and from the loop; they must not call a driver_ function that asks or closes.
#ifndef RPC_DRIVER_H
#define RPC_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/host/host.h"
#include "raft/raft.h"
#include "rpc/transport.h"

struct uv_loop_s; // libuv's uv_loop_t

struct driver_config {
    struct host_config host;      // with cluster id, node id and the members' addresses
    struct state_machine machine; // its read_ready is not used
    const char *directory;        // made where it is absent; one process at a time
    const char *listen; // "host:port"; NULL: this node's address among the members

    void *context;
    // One line for the operator, without a newline. May be NULL.
    void (*log)(void *context, const char *line);
    // The disk failed and the node has stopped for good; `why` is one line. All that
    // waited was told DRIVER_UNKNOWN. May be NULL. Not to be closed from here.
    void (*stopped)(void *context, const char *why);
};

struct driver; // opaque

// Defaults for all but host.cluster_id, host.raft.id, the members and the directory.
void driver_config_default(struct driver_config *config);

// Listens, recovers what the directory holds (the machine's restore callbacks are then
// made from here) and starts. NULL on failure, with one line in `error`; the loop must
// then be run once more before it can be closed. What the configuration points at is
// copied, or borrowed for this call only, but for the machine and the contexts.
struct driver *driver_open(struct uv_loop_s *loop, const struct driver_config *config,
                           char *error, size_t error_size);

// Stops, closes and frees everything, tells all requests DRIVER_UNKNOWN, then calls
// done() from the loop, once the syncs under way have ended. No other call is allowed
// after this one. `done` may be NULL. A clean stop waits until driver_busy() is false;
// any other is like a crash, which loses nothing that was acknowledged.
void driver_close(struct driver *driver, void (*done)(void *context), void *context);

// ---- asking ---------------------------------------------------------------------

enum driver_outcome {
    DRIVER_DONE = 1, // the write has just been applied; the state may be read now
    DRIVER_NOT_DONE, // nor will it ever be; `status` says why
    DRIVER_UNKNOWN,  // a write that may or may not have been done, or may yet be
};

// Belongs to the driver until done() is called or driver_forget().
struct driver_request {
    void *context; // the caller's
    void (*done)(struct driver_request *request, enum driver_outcome outcome);
    enum raft_status status; // DRIVER_NOT_DONE: RAFT_NOT_LEADER: ask driver_leader()

    // The rest is the driver's.
    struct driver_request *next;
    raft_index index; // of the write; a read's number
    raft_term term;
};

// Asks for commands to be logged: all, or none. Done once the last is applied. The
// commands are copied. `request` may be NULL.
void driver_propose(struct driver *driver, const struct raft_command *commands,
                    uint32_t count, struct driver_request *request);

// Asks for a linearizable read. Done once the applied state may answer it; done() then
// reads.
void driver_read(struct driver *driver, struct driver_request *request);

// Asks for a change of members (raft.h). Done once its first entry is applied: a joint
// change then goes on by itself.
void driver_change(struct driver *driver, const struct raft_member *members,
                   uint32_t count, struct driver_request *request);

// Whatever waits with this request waits no more; nothing where none does.
void driver_forget(struct driver *driver, struct driver_request *request);

// As host_transfer() and host_snapshot() in host.h.
enum raft_status driver_transfer(struct driver *driver, raft_id to);
void driver_snapshot(struct driver *driver);

// Where a node is that is not in the configuration in use: for a node that was started
// without members and waits for the cluster to reach it. False where this is no place.
bool driver_set_peer(struct driver *driver, raft_id id, const char *address);

// ---- observing ------------------------------------------------------------------

// Who leads, as far as this node knows; 0: unknown.
raft_id driver_leader(const struct driver *driver);
const struct raft *driver_raft(const struct driver *driver);
const struct host *driver_host(const struct driver *driver);
const struct transport *driver_transport(const struct driver *driver);

// True while something is not yet durable, or a write waits for its outcome.
bool driver_busy(const struct driver *driver);

#endif
