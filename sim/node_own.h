// node_own.h: shows each step of each node to the invariants of sim/own, where a world
// was asked for them.
#ifndef SIM_NODE_OWN_H
#define SIM_NODE_OWN_H

struct node;
struct raft;
struct world;
struct node_own; // opaque

struct node_own *node_own_new(const struct world *world);
void node_own_free(struct node_own *own); // NULL: nothing

// The node has made a step, or has started; NULL where nobody looks. What is broken
// goes to the world's checker.
void node_own_step(struct node_own *own, struct node *node, const struct raft *raft);

#endif
