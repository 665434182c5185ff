// node_crash.h: how a node loses its memory, and what its disk keeps.
//
// A crash that comes at a write or inside a step comes by itself: how it goes is drawn
// then, or was said before (node->crash_plan). Whoever looks on is told of each.
#ifndef SIM_NODE_CRASH_H
#define SIM_NODE_CRASH_H

#include "sim/node.h"

void node_crash(struct node *node, enum sim_disk_crash_mode mode);

// The same; what chance takes of the disk is drawn from this number.
void node_crash_drawn(struct node *node, enum sim_disk_crash_mode mode, uint64_t draw);

// One that comes by itself, as it was said; false where nothing was.
bool node_crash_as_planned(struct node *node);

// It was cut off while it started: its host is gone before it was up.
void node_crash_starting(struct node *node);

#endif
