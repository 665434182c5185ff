// status.h: what a node tells of itself, once, for INFO raft, RAFT.STATUS and
// raft.status alike.
#ifndef KVSERVER_STATUS_H
#define KVSERVER_STATUS_H

#include "kvserver/server.h"

struct status_visitor {
    void *context;
    void (*text)(void *context, const char *name, const char *value);
    void (*number)(void *context, const char *name, uint64_t value);
    // What is told between the two concerns one item of a list: a "peer", which this
    // node has links to, or a "member" of the configuration. All peers come first.
    void (*item_begin)(void *context, const char *list, raft_id id);
    void (*item_end)(void *context);
};

void status_visit(const struct server *server, const struct status_visitor *visitor);

// The members alone.
void status_visit_members(const struct server *server,
                          const struct status_visitor *visitor);

// The hash of the state machine, in 16 hexadecimal digits and a NUL; zeros while it is
// being restored.
enum { STATUS_HASH_SIZE = 17 };
void status_hash(const struct server *server, char *text);

// The index that the hash stands for.
uint64_t status_applied_index(const struct server *server);

// "host:port" of the member that leads, for its clients; empty where none is known.
void status_leader_address(const struct server *server, char *text, size_t size);

// Members that this node has a connection to.
uint32_t status_connected_peers(const struct server *server);

#endif
