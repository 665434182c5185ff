// node_machine.h: the host's door to the store: applying, snapshots, restoring.
#ifndef SIM_NODE_MACHINE_H
#define SIM_NODE_MACHINE_H

#include "sim/node.h"

void node_machine_door(struct node *node, struct state_machine *machine);

// A new, empty store; the old one, with the snapshot that is being taken, is lost.
void node_machine_start(struct node *node);
void node_machine_stop(struct node *node);

#endif
