// memory_tree.h: a B+tree whose state at one moment can be kept: copy on write.
//
// Freezing counts the epoch up and hands out the root. From then on, until the thaw, a
// node or a record of an older epoch is shared with that root and never changed: the
// path to a change is copied first, once, and what is replaced goes to `retired`
// instead of being freed. The thaw makes the retired garbage, which later changes free.
//
// Invariant: all that hangs below a shared node is shared, and what is retired is
// reachable from the frozen root and not from the tree's own.
#ifndef KVSERVER_ENGINE_MEMORY_TREE_H
#define KVSERVER_ENGINE_MEMORY_TREE_H

#include "kvserver/engine/memory_garbage.h"
#include "kvserver/engine/memory_node.h"

struct memory_tree {
    struct memory_node *root;
    uint64_t count;
    uint32_t epoch;
    bool frozen;
    struct memory_garbage retired; // the frozen root needs them still
    struct memory_garbage garbage; // nobody does
};

int memory_tree_init(struct memory_tree *tree); // 0 or -ENOMEM
void memory_tree_release(struct memory_tree *tree);

const struct memory_item *memory_tree_get(const struct memory_tree *tree,
                                          struct bytes key);
int memory_tree_put(struct memory_tree *tree, struct bytes key, struct bytes value);
int memory_tree_erase(struct memory_tree *tree, struct bytes key);
int memory_tree_clear(struct memory_tree *tree); // 0 or -ENOMEM; not while frozen

const struct memory_node *memory_tree_freeze(struct memory_tree *tree);
void memory_tree_thaw(struct memory_tree *tree);

#endif
