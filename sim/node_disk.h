// node_disk.h: when a node's syncs end: by and by, by hand, or in the very call that
// began them.
//
// On a perfect disk nothing has to be waited for: all that one call of the host has
// written is durable at its end, before the node sees any other event, and no crash
// takes it back.
#ifndef SIM_NODE_DISK_H
#define SIM_NODE_DISK_H

#include "sim/node.h"

// A sync has begun (sim_disk_hooks.sync_started; the context is the node).
void node_disk_start_sync(void *context, uint64_t sync, uint64_t bytes);

// WORLD_SYNCED.
void node_disk_synced(struct node *node, const struct heap_event *event);

// Behind each call of the host: ends the syncs of a perfect disk.
void node_disk_settle(struct node *node);

#endif
