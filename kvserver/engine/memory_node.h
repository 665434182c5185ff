// memory_node.h: records and nodes of the tree in memory, and searching in one node.
//
// Leaves point at the records, inner nodes at children; children[i] holds the keys
// below items[i] and children[i + 1] those from items[i] on. A node keeps the first 8
// bytes of each of its keys beside the pointers, so that most comparisons touch no
// record. `epoch` counts the freezes before a record or a node was made.
#ifndef KVSERVER_ENGINE_MEMORY_NODE_H
#define KVSERVER_ENGINE_MEMORY_NODE_H

#include "kvserver/engine/engine.h"

enum {
    MEMORY_FANOUT = 64,    // keys in a node
    MEMORY_DEPTH_MAX = 40, // 2^40 leaves even where every node had two children
};

// A record: in leaves key and value, in inner nodes a key alone.
struct memory_item {
    uint32_t key_size;
    uint32_t value_size;
    union {
        struct {
            uint32_t value_room;
            uint32_t epoch;
        };
        struct memory_item *next; // once it has left the tree
    };
    unsigned char bytes[]; // key, then value
};

struct memory_node {
    uint16_t count; // of keys
    bool leaf;
    uint32_t epoch;
    struct memory_node *next; // once it has left the tree
    uint64_t heads[MEMORY_FANOUT];
    struct memory_item *items[MEMORY_FANOUT];
    struct memory_node *children[]; // inner: one more than keys
};

// NULL where memory is out.
struct memory_item *memory_node_item(uint32_t epoch, struct bytes key,
                                     struct bytes value);
struct memory_node *memory_node_new(uint32_t epoch, bool leaf);
struct memory_node *memory_node_copy(uint32_t epoch, const struct memory_node *node);

uint64_t memory_node_head(struct bytes key); // its first 8 bytes, ordered as the key
int memory_node_compare(struct bytes a, struct bytes b); // memcmp, then the length

// How many keys of the node are below `key` (or, with `or_equal`, not above it).
uint32_t memory_node_rank(const struct memory_node *node, uint64_t head,
                          struct bytes key, bool or_equal);
bool memory_node_has(const struct memory_node *leaf, uint32_t at, struct bytes key);

// Opens a gap of one key at `at`; the child right of it belongs to the key.
void memory_node_insert(struct memory_node *node, uint32_t at, struct memory_item *item,
                        struct memory_node *right);
void memory_node_remove(struct memory_node *node, uint32_t at);

// Appends the keys of `from` starting at `first` to `to`.
void memory_node_move(struct memory_node *to, const struct memory_node *from,
                      uint32_t first);

static inline struct bytes memory_node_key(const struct memory_item *item)
{
    return (struct bytes){item->bytes, item->key_size};
}

static inline struct bytes memory_node_value(const struct memory_item *item)
{
    return (struct bytes){item->bytes + item->key_size, item->value_size};
}

// A child, to be searched at once. Its lists are asked for from memory all at once: the
// search would wait for one cache line after another.
static inline struct memory_node *memory_node_descend(const struct memory_node *node,
                                                      uint32_t at)
{
    struct memory_node *child = node->children[at];
    for (uint32_t i = 0; i < MEMORY_FANOUT; i += 8) {
        __builtin_prefetch(&child->heads[i]);
        __builtin_prefetch(&child->items[i]);
    }
    return child;
}

#endif
