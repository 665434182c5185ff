// memory_cursor.h: a place among the keys below a root, and the way on from there.
//
// Leaves are not chained: a copied leaf would need its neighbour to point at it, and
// that one a copy as well. The cursor keeps the path instead. Any change of what hangs
// below the root ends it.
#ifndef KVSERVER_ENGINE_MEMORY_CURSOR_H
#define KVSERVER_ENGINE_MEMORY_CURSOR_H

#include "kvserver/engine/memory_node.h"

struct memory_cursor {
    const struct memory_node *leaf; // NULL: it stands nowhere
    uint32_t at;                    // in the leaf
    uint32_t depth;
    const struct memory_node *nodes[MEMORY_DEPTH_MAX];
    uint32_t taken[MEMORY_DEPTH_MAX]; // which child
};

// Goes to the first key >= `from` (or, with `beyond`, > `from`) and to the next one.
// The record there, or NULL at the end.
const struct memory_item *memory_cursor_seek(struct memory_cursor *cursor,
                                             const struct memory_node *root,
                                             struct bytes from, bool beyond);
const struct memory_item *memory_cursor_next(struct memory_cursor *cursor);

// The record where it stands, or NULL.
const struct memory_item *memory_cursor_here(const struct memory_cursor *cursor);

#endif
