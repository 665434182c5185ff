// memory_cursor.c: a place among the keys below a root; see memory_cursor.h.
#include "kvserver/engine/memory_cursor.h"

#include <assert.h>

enum {
    AHEAD = 8, // records that are asked for from memory before they are needed
};

static void enter(struct memory_cursor *cursor, const struct memory_node *node,
                  uint32_t at)
{
    assert(cursor->depth < MEMORY_DEPTH_MAX);
    cursor->nodes[cursor->depth] = node;
    cursor->taken[cursor->depth++] = at;
}

// From the end of a leaf to the first record of the next one that has any.
static const struct memory_item *settle(struct memory_cursor *cursor)
{
    while (cursor->at >= cursor->leaf->count) {
        while (cursor->depth > 0 && cursor->taken[cursor->depth - 1] ==
                                        cursor->nodes[cursor->depth - 1]->count)
            cursor->depth--;
        if (cursor->depth == 0) {
            cursor->leaf = NULL;
            return NULL;
        }
        const struct memory_node *node = cursor->nodes[cursor->depth - 1];
        node = memory_node_descend(node, ++cursor->taken[cursor->depth - 1]);
        while (!node->leaf) {
            enter(cursor, node, 0);
            node = memory_node_descend(node, 0);
        }
        cursor->leaf = node;
        cursor->at = 0;
    }
    return cursor->leaf->items[cursor->at];
}

const struct memory_item *memory_cursor_seek(struct memory_cursor *cursor,
                                             const struct memory_node *root,
                                             struct bytes from, bool beyond)
{
    uint64_t head = memory_node_head(from);
    cursor->depth = 0;
    while (!root->leaf) {
        uint32_t at = memory_node_rank(root, head, from, true);
        enter(cursor, root, at);
        root = memory_node_descend(root, at);
    }
    cursor->leaf = root;
    cursor->at = memory_node_rank(root, head, from, beyond);
    return settle(cursor);
}

const struct memory_item *memory_cursor_next(struct memory_cursor *cursor)
{
    assert(cursor->leaf != NULL);
    cursor->at++;
    if (cursor->at + AHEAD < cursor->leaf->count)
        __builtin_prefetch(cursor->leaf->items[cursor->at + AHEAD]);
    return settle(cursor);
}

const struct memory_item *memory_cursor_here(const struct memory_cursor *cursor)
{
    return cursor->leaf == NULL ? NULL : cursor->leaf->items[cursor->at];
}
