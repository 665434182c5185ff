// memory_node.c: records and nodes of the tree in memory; see memory_node.h.
#include "kvserver/engine/memory_node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// ---- making ---------------------------------------------------------------------

struct memory_item *memory_node_item(uint32_t epoch, struct bytes key,
                                     struct bytes value)
{
    struct memory_item *item = malloc(sizeof(*item) + key.size + value.size);
    if (item == NULL)
        return NULL;
    item->key_size = (uint32_t)key.size;
    item->value_size = (uint32_t)value.size;
    item->value_room = (uint32_t)value.size;
    item->epoch = epoch;
    if (key.size > 0)
        memcpy(item->bytes, key.data, key.size);
    if (value.size > 0)
        memcpy(item->bytes + key.size, value.data, value.size);
    return item;
}

struct memory_node *memory_node_new(uint32_t epoch, bool leaf)
{
    size_t children = leaf ? 0 : MEMORY_FANOUT + 1;
    struct memory_node *node =
        malloc(sizeof(*node) + children * sizeof(node->children[0]));
    if (node == NULL)
        return NULL;
    node->count = 0;
    node->leaf = leaf;
    node->epoch = epoch;
    node->next = NULL;
    return node;
}

struct memory_node *memory_node_copy(uint32_t epoch, const struct memory_node *node)
{
    struct memory_node *copy = memory_node_new(epoch, node->leaf);
    if (copy == NULL)
        return NULL;
    memory_node_move(copy, node, 0);
    if (!node->leaf)
        memcpy(copy->children, node->children,
               (node->count + 1u) * sizeof(node->children[0]));
    return copy;
}

// ---- searching ------------------------------------------------------------------

// Padded with zeroes: where two heads differ, they order their keys as memcmp does.
uint64_t memory_node_head(struct bytes key)
{
    unsigned char b[8] = {0};
    if (key.size > 0)
        memcpy(b, key.data, key.size < 8 ? key.size : 8);
    return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 |
           (uint64_t)b[3] << 32 | (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 |
           (uint64_t)b[6] << 8 | (uint64_t)b[7];
}

int memory_node_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

// How many heads of the node are below the given one. Halves without a branch to
// guess: which half it is cannot be predicted.
static uint32_t rank_of_head(const struct memory_node *node, uint64_t head)
{
    const uint64_t *base = node->heads;
    uint32_t count = node->count;
    while (count > 1) {
        uint32_t half = count / 2;
        base += base[half - 1] < head ? half : 0;
        count -= half;
    }
    return (uint32_t)(base - node->heads) + (count == 1 && *base < head);
}

uint32_t memory_node_rank(const struct memory_node *node, uint64_t head,
                          struct bytes key, bool or_equal)
{
    uint32_t low = rank_of_head(node, head);
    uint32_t high = low;
    if (low == node->count || node->heads[low] != head)
        return low;
    while (high < node->count && node->heads[high] == head)
        high++;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = memory_node_compare(memory_node_key(node->items[middle]), key);
        if (order < 0 || (order == 0 && or_equal))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool memory_node_has(const struct memory_node *leaf, uint32_t at, struct bytes key)
{
    if (at >= leaf->count || leaf->items[at]->key_size != key.size)
        return false;
    return key.size == 0 || memcmp(leaf->items[at]->bytes, key.data, key.size) == 0;
}

// ---- changing -------------------------------------------------------------------

void memory_node_insert(struct memory_node *node, uint32_t at, struct memory_item *item,
                        struct memory_node *right)
{
    assert(node->count < MEMORY_FANOUT);
    uint32_t behind = node->count - at;
    memmove(&node->heads[at + 1], &node->heads[at], behind * sizeof(node->heads[0]));
    memmove(&node->items[at + 1], &node->items[at], behind * sizeof(node->items[0]));
    node->heads[at] = memory_node_head(memory_node_key(item));
    node->items[at] = item;
    if (!node->leaf) {
        memmove(&node->children[at + 2], &node->children[at + 1],
                behind * sizeof(node->children[0]));
        node->children[at + 1] = right;
    }
    node->count++;
}

void memory_node_remove(struct memory_node *node, uint32_t at)
{
    uint32_t behind = node->count - at - 1;
    memmove(&node->heads[at], &node->heads[at + 1], behind * sizeof(node->heads[0]));
    memmove(&node->items[at], &node->items[at + 1], behind * sizeof(node->items[0]));
    if (!node->leaf)
        memmove(&node->children[at + 1], &node->children[at + 2],
                behind * sizeof(node->children[0]));
    node->count--;
}

void memory_node_move(struct memory_node *to, const struct memory_node *from,
                      uint32_t first)
{
    uint32_t count = from->count - first;
    assert(to->count + count <= MEMORY_FANOUT);
    memcpy(&to->heads[to->count], &from->heads[first], count * sizeof(to->heads[0]));
    memcpy(&to->items[to->count], &from->items[first], count * sizeof(to->items[0]));
    to->count = (uint16_t)(to->count + count);
}
