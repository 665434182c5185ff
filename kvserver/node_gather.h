// node_gather.h: what one turn of the loop gathered goes to the host at once: writes as
// few proposals, reads as one confirmation. While leadership is on its way elsewhere
// both are held back, and then led after it.
#ifndef KVSERVER_NODE_GATHER_H
#define KVSERVER_NODE_GATHER_H

#include "kvserver/node_state.h"

// True where node_gather_flush() has something to hand over.
bool node_gather_ready(const struct node *node);
void node_gather_flush(struct node *node);

// As leader: asks for a bare clock entry once a key's deadline has passed.
void node_gather_clock(struct node *node);

#endif
