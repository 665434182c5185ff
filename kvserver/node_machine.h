// node_machine.h: the replicated store as the host's state machine: entries are applied
// and answer who waits for them, reads are released, snapshots are read and restored.
#ifndef KVSERVER_NODE_MACHINE_H
#define KVSERVER_NODE_MACHINE_H

#include "kvserver/node_state.h"

void node_machine_init(struct node *node);

#endif
