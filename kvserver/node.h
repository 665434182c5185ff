// node.h: one member of the cluster at work on a libuv loop: host, service, disk and
// transport bound together.
//
// Requests are gathered while the loop turns. node_flush(), once at the end of a turn,
// hands all writes to the log in one proposal and all reads to one confirmation, so
// that a turn costs one disk write and one message to each peer, however many clients
// spoke. Answers come through struct node_client, in any of the node's calls but
// node_write() and node_read().
#ifndef KVSERVER_NODE_H
#define KVSERVER_NODE_H

#include <uv.h>

#include "kvserver/options.h"
#include "kvserver/request.h"
#include "kvserver/service/service.h"
#include "raft/host/host.h"
#include "rpc/transport.h"

// None of these may call node_write() or node_read().
struct node_client {
    // A write is about to be applied: what its connection asked to read before must
    // read now.
    void (*applying)(struct request *write);
    // Where the RESP reply of this request goes.
    struct buffer *(*reply_to)(struct request *request);
    // That reply is complete; the node has forgotten the request.
    void (*replied)(struct request *request);
    // A read may be answered from the applied state; the node has forgotten it.
    void (*confirmed)(struct request *request);
};

struct node; // opaque

// Recovers what the disk holds. NULL with one line in `error` where that fails.
struct node *node_open(uv_loop_t *loop, const struct options *options,
                       const struct node_client *client, char *error,
                       size_t error_size);

// Connects to options->known, which a node that joins has just been told.
void node_meet(struct node *node);

// Stops timers and sockets; free the node once the loop has run to its end.
void node_close(struct node *node);
void node_free(struct node *node);

// Each takes the request until it is answered or node_forget() is called. The words
// of a write are borrowed for the call.
void node_write(struct node *node, struct request *request, uint64_t session,
                uint64_t sequence, const struct bytes *words, uint32_t count);
void node_read(struct node *node, struct request *request);
// RAFT.MEMBER, RAFT.TRANSFER or RAFT.SNAPSHOT, which are the request's words.
void node_admin(struct node *node, struct request *request);
void node_forget(struct node *node, struct request *request);

// Writes and linearizable reads are for the node that leads. One that hands its
// leadership over still takes them, and leads them after it.
bool node_leads(const struct node *node);
bool node_takes(const struct node *node);
void node_redirect(struct node *node, struct buffer *reply);

// Where member `id` is. False where that is not known.
bool node_place(const struct node *node, raft_id id, struct place *place);

// As leader of several: hands leadership over, for a planned stop. True while that goes
// on or requests wait to be led after it; call again until it is false.
bool node_hand_over(struct node *node);

void node_flush(struct node *node);
bool node_gathered(const struct node *node); // something waits for node_flush()
bool node_busy(const struct node *node);     // a clean stop must wait

// NULL, or why the node has stopped for good.
const char *node_stopped(const struct node *node);

// ---- observing ------------------------------------------------------------------

struct node_counters {
    uint64_t writes;        // handed to the log
    uint64_t proposals;     // that carried them
    uint64_t reads;         // handed to a confirmation
    uint64_t confirmations; // that covered them
    uint64_t refused;       // for want of leadership here
    uint64_t timeouts;
    uint64_t clock_entries;
    uint64_t messages_received;
};

const struct node_counters *node_count(const struct node *node);
const struct raft_view *node_view(const struct node *node);
struct host_counters node_host_counters(const struct node *node);
const struct transport *node_transport(const struct node *node); // NULL: single node
bool node_disk_full(const struct node *node);
// NULL, or what the disk held that could not be used.
const char *node_warning(const struct node *node);
struct service *node_service(struct node *node); // NULL while it is being restored
uint64_t node_wall_ms(const struct node *node);

#endif
