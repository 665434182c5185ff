// memory_garbage.c: what has left the tree; see memory_garbage.h.
#include "kvserver/engine/memory_garbage.h"

#include <assert.h>
#include <stdlib.h>

void memory_garbage_add_item(struct memory_garbage *garbage, struct memory_item *item)
{
    item->next = garbage->items;
    garbage->items = item;
    if (item->next == NULL)
        garbage->items_last = item;
}

void memory_garbage_add_node(struct memory_garbage *garbage, struct memory_node *node)
{
    node->next = garbage->nodes;
    garbage->nodes = node;
    if (node->next == NULL)
        garbage->nodes_last = node;
}

void memory_garbage_add_tree(struct memory_garbage *garbage, struct memory_node *root)
{
    root->next = garbage->trees;
    garbage->trees = root;
}

void memory_garbage_take(struct memory_garbage *to, struct memory_garbage *from)
{
    assert(from->trees == NULL);
    if (from->items != NULL) {
        from->items_last->next = to->items;
        if (to->items == NULL)
            to->items_last = from->items_last;
        to->items = from->items;
    }
    if (from->nodes != NULL) {
        from->nodes_last->next = to->nodes;
        if (to->nodes == NULL)
            to->nodes_last = from->nodes_last;
        to->nodes = from->nodes;
    }
    *from = (struct memory_garbage){0};
}

// Takes one node off the trees; its children are trees then.
static uint64_t free_root(struct memory_garbage *garbage)
{
    struct memory_node *root = garbage->trees;
    uint64_t freed = root->count + 1u;
    garbage->trees = root->next;
    for (uint32_t i = 0; i < root->count; i++)
        free(root->items[i]);
    if (!root->leaf)
        for (uint32_t i = 0; i <= root->count; i++)
            memory_garbage_add_tree(garbage, root->children[i]);
    free(root);
    return freed;
}

void memory_garbage_free(struct memory_garbage *garbage, uint64_t budget)
{
    uint64_t freed = 0;
    for (; garbage->items != NULL && freed < budget; freed++) {
        struct memory_item *item = garbage->items;
        garbage->items = item->next;
        free(item);
    }
    for (; garbage->nodes != NULL && freed < budget; freed++) {
        struct memory_node *node = garbage->nodes;
        garbage->nodes = node->next;
        free(node);
    }
    while (garbage->trees != NULL && freed < budget)
        freed += free_root(garbage);
}
