// node_admin.h: what an operator asks of the cluster: RAFT.MEMBER, RAFT.TRANSFER and
// RAFT.SNAPSHOT. A change of members is answered when its entry is committed, like a
// write, and with the same doubt where leadership is lost meanwhile; a transfer when
// another node is seen to lead.
#ifndef KVSERVER_NODE_ADMIN_H
#define KVSERVER_NODE_ADMIN_H

#include "kvserver/node_state.h"

// Runs what was asked since the last turn.
void node_admin_flush(struct node *node);

// Answers who asked for a transfer, once it has ended, and goes on with what waited for
// that.
void node_admin_watch(struct node *node);

#endif
