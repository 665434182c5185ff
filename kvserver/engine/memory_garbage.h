// memory_garbage.h: what has left the tree and is still to be given back.
//
// Whoever drops a great deal at once (the end of a view, an emptied engine) puts it on
// these lists in constant time, and the changes that follow free a little each. The
// lists run through the dead nodes and records themselves: adding needs no memory.
#ifndef KVSERVER_ENGINE_MEMORY_GARBAGE_H
#define KVSERVER_ENGINE_MEMORY_GARBAGE_H

#include "kvserver/engine/memory_node.h"

// All zeroes is an empty one.
struct memory_garbage {
    struct memory_item *items;
    struct memory_item *items_last;
    struct memory_node *nodes; // the nodes alone
    struct memory_node *nodes_last;
    struct memory_node *trees; // with their records and all that hangs below
};

void memory_garbage_add_item(struct memory_garbage *garbage, struct memory_item *item);
void memory_garbage_add_node(struct memory_garbage *garbage, struct memory_node *node);
void memory_garbage_add_tree(struct memory_garbage *garbage, struct memory_node *root);

// Puts all items and nodes of `from`, which has no trees, to those of `to`.
void memory_garbage_take(struct memory_garbage *to, struct memory_garbage *from);

// Frees until nothing is left or `budget` blocks are freed, a whole node at the last.
void memory_garbage_free(struct memory_garbage *garbage, uint64_t budget);

#endif
