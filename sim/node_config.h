// node_config.h: the settings with which a node's host starts in its world.
#ifndef SIM_NODE_CONFIG_H
#define SIM_NODE_CONFIG_H

#include "sim/node.h"

// Draws the core's seed: another one at each start.
void node_config_make(struct node *node, struct host_config *config);

#endif
