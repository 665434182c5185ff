// node_requests.h: what clients ask of a node, until it is answered or forgotten.
//
// A proposal waits for the entry at its index to be applied: if the term is its own, it
// is done, else it is lost. A read waits for the core to confirm it. Both are memory,
// and lost in a crash.
#ifndef SIM_NODE_REQUESTS_H
#define SIM_NODE_REQUESTS_H

#include "sim/node.h"

// Takes a request that has arrived, and answers it in time.
void node_requests_take(struct node *node, uint64_t request);

// Asks for a command to be logged right now. On success the request is the node's.
enum raft_status node_requests_propose(struct node *node, uint64_t request,
                                       raft_index *index, raft_term *term);

// Asks for a change of members right now. On success the request is the node's.
enum raft_status node_requests_change(struct node *node, uint64_t request,
                                      const struct raft_configuration *changes,
                                      raft_index *index, raft_term *term);

// Asks for a linearizable read right now; the request is the node's.
void node_requests_read(struct node *node, uint64_t request);

// This entry was applied with this reply: whoever waits for it is answered.
void node_requests_applied(struct node *node, const struct raft_entry *entry,
                           const struct buffer *reply);

// The state was replaced by a snapshot's up to here: what became of the proposals up to
// there is not known.
void node_requests_restored(struct node *node, raft_index index);

// A read is confirmed or refused; `context` is the node.
void node_requests_read_ready(void *context, uint64_t id, enum raft_status status);

// The node is gone with all that it was asked. Only tickets are told.
void node_requests_forget(struct node *node);

#endif
