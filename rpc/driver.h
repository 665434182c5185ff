// driver.h: a whole node on a libuv loop: a host, its directory, its timer, its syncs
// and its connections to the others. What is left to write is the state machine.
//
// It does what raft.h's loop and host.h ask of a process: it calls the host when its
// deadline has come, makes files durable on libuv's threads, and connects to each
// member at the address that the configuration in use has for it, "host:port"; an IPv6
// address stands in brackets. It has one thread, the loop's.
//
// Callbacks of the state machine are made from within calls to the driver and from the
// loop; they must not call a driver_ function that changes anything.
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
    struct host_config host; // with cluster id, node id and the members' addresses
    struct state_machine machine;
    const char *directory; // made where it is absent; one process at a time
    const char *listen;    // "host:port"; NULL: this node's address among the members

    void *context;
    // One line for the operator, without a newline. May be NULL.
    void (*log)(void *context, const char *line);
    // The disk failed and the node has stopped for good; `why` is one line. May be
    // NULL. The driver may not be closed from here.
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

// Stops, closes and frees everything, then calls done() from the loop, once the syncs
// under way have ended. No other call is allowed after this one. `done` may be NULL.
// A clean stop waits until driver_busy() is false; any other is like a crash, which
// loses nothing that was acknowledged.
void driver_close(struct driver *driver, void (*done)(void *context), void *context);

// ---- asking ---------------------------------------------------------------------

// As host_propose(), host_read(), host_change(), host_transfer() and host_snapshot() in
// host.h, which say what their answers mean.
enum raft_status driver_propose(struct driver *driver,
                                const struct raft_command *commands, uint32_t count,
                                raft_index *index, raft_term *term);
enum raft_status driver_read(struct driver *driver, uint64_t id);
enum raft_status driver_change(struct driver *driver, const struct raft_member *members,
                               uint32_t count, raft_index *index, raft_term *term);
enum raft_status driver_transfer(struct driver *driver, raft_id to);
void driver_snapshot(struct driver *driver);

// Where a node is that is not in the configuration in use: for a node that was started
// without members and waits for the cluster to reach it. False where this is no place.
bool driver_set_peer(struct driver *driver, raft_id id, const char *address);

// ---- observing ------------------------------------------------------------------

const struct raft *driver_raft(const struct driver *driver);
const struct host *driver_host(const struct driver *driver);
const struct transport *driver_transport(const struct driver *driver);

// True while something is not yet durable.
bool driver_busy(const struct driver *driver);

#endif
