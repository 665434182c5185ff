// transport.h: Raft's messages between nodes, over TCP, on a libuv loop.
//
// A node listens for its peers and holds one connection to each of them. On the one
// that it opened it only sends, on those that it accepted it only receives; so each
// direction of a link breaks, and is cut, by itself. The first line is a hello.
//
// Sending never blocks and may lose: a peer's queue is bounded in bytes, what does not
// fit is dropped and counted, and so is what still waits when a connection breaks or an
// attempt to connect fails. One message is encoded once for all receivers that get the
// same. What is sent within one turn of the loop goes out in one write for each peer.
#ifndef RPC_TRANSPORT_H
#define RPC_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/raft.h"

struct uv_loop_s; // libuv's uv_loop_t

struct transport_config {
    const char *cluster; // its name; nodes of another one are refused
    raft_id node;        // this node
    const char *host;    // to listen at: an address or a name
    uint16_t port;       // 0: any free one, see transport_port()
    uint64_t seed;       // for the jitter of the back-off

    size_t line_bytes_max;  // see transport_line_bytes_max()
    uint32_t entries_max;   // in one message
    size_t queue_bytes_max; // for each peer; at least line_bytes_max
    uint32_t incoming_max;  // connections accepted at a time

    uint32_t reconnect_ms_min; // the first pause; doubled after each failure
    uint32_t reconnect_ms_max;
    uint32_t connect_timeout_ms; // to connect, and then to say hello
    uint32_t stall_timeout_ms;   // nothing could be sent for so long: reconnect
};

struct transport_callbacks {
    void *context;
    // A message arrived; borrowed for the call. May call any transport_ function.
    void (*receive)(void *context, const struct raft_message *message);
    // One line for the operator, without a newline. May be NULL.
    void (*log)(void *context, const char *line);
};

struct transport; // opaque

// Fills in all but cluster, node, host, port and seed.
void transport_config_default(struct transport_config *config);

// The longest line that a core with these limits, and chunks of snapshots of this size
// (host.h), can make.
size_t transport_line_bytes_max(const struct raft_config *config,
                                uint32_t snapshot_chunk_bytes);

// Listens. NULL on failure, with one line in `error`; the loop must then be run once
// more before it can be closed. What the configuration points at is copied.
struct transport *transport_new(struct uv_loop_s *loop,
                                const struct transport_config *config,
                                const struct transport_callbacks *callbacks,
                                char *error, size_t error_size);

// The port that it listens at.
uint16_t transport_port(const struct transport *transport);

// Says where a peer is (a name or an address), and starts to connect. Called again
// with another place, it moves the peer. At most TRANSPORT_PEERS_MAX different peers.
enum { TRANSPORT_PEERS_MAX = 2 * RAFT_MEMBERS_MAX };
bool transport_set_peer(struct transport *transport, raft_id id, const char *host,
                        uint16_t port);

// Ends what goes on with this peer: both connections are closed and what waits for it
// is dropped. Its hello is refused from now on, until transport_set_peer() names it
// again; other nodes that were never named are let in, since a node that joins is not
// known everywhere at once. It need not have been set. Of very many removed nodes
// (256), the first are forgotten.
void transport_remove_peer(struct transport *transport, raft_id id);

// Queues messages for their receivers. Borrowed for the call.
void transport_send(struct transport *transport, const struct raft_message *messages,
                    uint32_t count);

// Writes what is queued now rather than at the end of this turn of the loop.
void transport_flush(struct transport *transport);

// Closes everything and frees the transport, then calls done() from the loop. No other
// call is allowed after this one. `done` may be NULL.
void transport_close(struct transport *transport, void (*done)(void *context),
                     void *context);

// ---- observing ------------------------------------------------------------------

struct transport_peer_counters {
    uint64_t frames_sent;
    uint64_t bytes_sent;
    uint64_t frames_received;
    uint64_t bytes_received;
    uint64_t frames_dropped; // queue full, or the connection broke
    uint64_t connects;       // completed, with their hello
    uint64_t failures;       // attempts and connections that broke
    uint64_t decode_errors;  // lines from this peer that were refused
    size_t queue_bytes;      // waiting now
    bool connected;          // this node's connection to it is open
};

struct transport_counters {
    uint64_t frames_encoded;
    uint64_t frames_shared;    // sent without encoding anew
    uint64_t unroutable;       // messages to a node that is not set
    uint64_t unencodable;      // messages with a number beyond 2^53 - 1, or too long
    uint64_t lines_refused;    // from all peers, also unknown ones
    uint64_t hellos_refused;   // callers that are no peers
    uint64_t incoming_dropped; // accepted beyond incoming_max
    uint32_t incoming_open;
};

// False where the peer was never set, or was removed.
bool transport_count_peer(const struct transport *transport, raft_id id,
                          struct transport_peer_counters *counters);
void transport_count(const struct transport *transport,
                     struct transport_counters *counters);

#endif
