// memory_tree.c: a B+tree with copy on write; see memory_tree.h.
//
// Full nodes are split on the way down: each split, and each copy of a shared node,
// leaves a correct tree, so that running out of memory changes nothing. A node that
// falls under a quarter is merged with a neighbour where the two fit.
#include "kvserver/engine/memory_tree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MERGE_BELOW = 16,    // a node with fewer keys looks for a neighbour to join
    MERGE_UP_TO = 48,    // and the two together may have so many
    IN_PLACE_SLACK = 64, // bytes of an old value that a shorter new one may waste
    // Blocks that a change gives back: more than one that copies its path retires, so
    // that garbage shrinks even where one view follows another.
    FREED_BY_CHANGE = 32,
    FREED_BY_THAW = 512,
};

struct path {
    uint32_t depth;
    struct memory_node *nodes[MEMORY_DEPTH_MAX];
    uint32_t at[MEMORY_DEPTH_MAX]; // which child was taken
};

int memory_tree_init(struct memory_tree *tree)
{
    *tree = (struct memory_tree){.root = memory_node_new(0, true)};
    return tree->root == NULL ? -ENOMEM : 0;
}

void memory_tree_release(struct memory_tree *tree)
{
    assert(!tree->frozen);
    memory_garbage_add_tree(&tree->garbage, tree->root);
    memory_garbage_free(&tree->garbage, UINT64_MAX);
}

// ---- what the frozen root needs -------------------------------------------------

static bool is_shared(const struct memory_tree *tree, uint32_t epoch)
{
    return tree->frozen && epoch != tree->epoch;
}

// The node at `place`, after a copy has taken its place where it is shared; NULL where
// memory is out.
static struct memory_node *own(struct memory_tree *tree, struct memory_node **place)
{
    struct memory_node *node = *place;
    if (!is_shared(tree, node->epoch))
        return node;
    struct memory_node *copy = memory_node_copy(tree->epoch, node);
    if (copy == NULL)
        return NULL;
    memory_garbage_add_node(&tree->retired, node);
    *place = copy;
    return copy;
}

static void drop_node(struct memory_tree *tree, struct memory_node *node)
{
    if (is_shared(tree, node->epoch))
        memory_garbage_add_node(&tree->retired, node);
    else
        free(node);
}

static void drop_item(struct memory_tree *tree, struct memory_item *item)
{
    if (is_shared(tree, item->epoch))
        memory_garbage_add_item(&tree->retired, item);
    else
        free(item);
}

const struct memory_node *memory_tree_freeze(struct memory_tree *tree)
{
    assert(!tree->frozen && tree->epoch < UINT32_MAX);
    tree->frozen = true;
    tree->epoch++;
    return tree->root;
}

void memory_tree_thaw(struct memory_tree *tree)
{
    assert(tree->frozen);
    tree->frozen = false;
    memory_garbage_take(&tree->garbage, &tree->retired);
    memory_garbage_free(&tree->garbage, FREED_BY_THAW);
}

int memory_tree_clear(struct memory_tree *tree)
{
    assert(!tree->frozen);
    struct memory_node *root = memory_node_new(tree->epoch, true);
    if (root == NULL)
        return -ENOMEM;
    memory_garbage_add_tree(&tree->garbage, tree->root);
    tree->root = root;
    tree->count = 0;
    return 0;
}

// ---- splitting ------------------------------------------------------------------

// The shortest key that is above `left` and not above `right`.
static struct memory_item *separator(uint32_t epoch, const struct memory_item *left,
                                     const struct memory_item *right)
{
    uint32_t size = 0;
    while (size < left->key_size && left->bytes[size] == right->bytes[size])
        size++;
    assert(size < right->key_size);
    struct bytes key = {right->bytes, size + 1};
    return memory_node_item(epoch, key, (struct bytes){NULL, 0});
}

static int split_leaf(struct memory_node *parent, uint32_t at, bool at_end)
{
    // Keys that arrive in order fill their leaves instead of leaving them half empty.
    uint32_t first = at_end ? MEMORY_FANOUT - 4 : MEMORY_FANOUT / 2;
    struct memory_node *left = parent->children[at];
    struct memory_node *right = memory_node_new(left->epoch, true);
    struct memory_item *key =
        separator(left->epoch, left->items[first - 1], left->items[first]);
    if (right == NULL || key == NULL) {
        free(right);
        free(key);
        return -ENOMEM;
    }
    memory_node_move(right, left, first);
    left->count = (uint16_t)first;
    memory_node_insert(parent, at, key, right);
    return 0;
}

static int split_inner(struct memory_node *parent, uint32_t at)
{
    uint32_t middle = MEMORY_FANOUT / 2;
    struct memory_node *left = parent->children[at];
    struct memory_node *right = memory_node_new(left->epoch, false);
    if (right == NULL)
        return -ENOMEM;
    memory_node_move(right, left, middle + 1);
    memcpy(right->children, &left->children[middle + 1],
           (right->count + 1u) * sizeof(right->children[0]));
    left->count = (uint16_t)middle;
    memory_node_insert(parent, at, left->items[middle], right);
    return 0;
}

// Parent and child belong to the tree alone.
static int split(struct memory_node *parent, uint32_t at, bool at_end)
{
    return parent->children[at]->leaf ? split_leaf(parent, at, at_end)
                                      : split_inner(parent, at);
}

// A full root gets a parent, which then is the root.
static int split_root(struct memory_tree *tree)
{
    struct memory_node *root = memory_node_new(tree->epoch, false);
    if (root == NULL)
        return -ENOMEM;
    root->children[0] = tree->root;
    int status = split(root, 0, false);
    if (status != 0)
        free(root);
    else
        tree->root = root;
    return status;
}

// ---- get and put ----------------------------------------------------------------

const struct memory_item *memory_tree_get(const struct memory_tree *tree,
                                          struct bytes key)
{
    uint64_t head = memory_node_head(key);
    const struct memory_node *node = tree->root;
    while (!node->leaf)
        node = memory_node_descend(node, memory_node_rank(node, head, key, true));
    uint32_t at = memory_node_rank(node, head, key, false);
    return memory_node_has(node, at, key) ? node->items[at] : NULL;
}

// Puts another value at a key that is there, in place where it fits and nobody looks.
static int replace(struct memory_tree *tree, struct memory_item **place,
                   struct bytes value)
{
    struct memory_item *item = *place;
    if (!is_shared(tree, item->epoch) && value.size <= item->value_room &&
        item->value_room <= value.size + value.size / 4 + IN_PLACE_SLACK) {
        if (value.size > 0)
            memmove(item->bytes + item->key_size, value.data, value.size);
        item->value_size = (uint32_t)value.size;
        return 0;
    }
    struct memory_item *other =
        memory_node_item(tree->epoch, memory_node_key(item), value);
    if (other == NULL)
        return -ENOMEM;
    *place = other;
    drop_item(tree, item);
    return 0;
}

// The leaf that is to hold the key, with room for it and on a path of the tree's own.
// NULL where memory is out.
static struct memory_node *leaf_for(struct memory_tree *tree, uint64_t head,
                                    struct bytes key)
{
    struct memory_node *node = own(tree, &tree->root);
    if (node == NULL || (node->count == MEMORY_FANOUT && split_root(tree) != 0))
        return NULL;
    node = tree->root;
    while (!node->leaf) {
        uint32_t at = memory_node_rank(node, head, key, true);
        memory_node_descend(node, at);
        struct memory_node *child = own(tree, &node->children[at]);
        if (child == NULL)
            return NULL;
        if (child->count == MEMORY_FANOUT) {
            bool at_end = child->leaf &&
                          memory_node_rank(child, head, key, true) == MEMORY_FANOUT;
            if (split(node, at, at_end) != 0)
                return NULL;
            child = node->children[memory_node_rank(node, head, key, true)];
        }
        node = child;
    }
    return node;
}

int memory_tree_put(struct memory_tree *tree, struct bytes key, struct bytes value)
{
    if (key.size > UINT32_MAX / 4 || value.size > UINT32_MAX / 2)
        return -EFBIG;
    memory_garbage_free(&tree->garbage, FREED_BY_CHANGE);
    uint64_t head = memory_node_head(key);
    struct memory_node *leaf = leaf_for(tree, head, key);
    if (leaf == NULL)
        return -ENOMEM;
    uint32_t at = memory_node_rank(leaf, head, key, false);
    if (memory_node_has(leaf, at, key))
        return replace(tree, &leaf->items[at], value);
    struct memory_item *item = memory_node_item(tree->epoch, key, value);
    if (item == NULL)
        return -ENOMEM;
    memory_node_insert(leaf, at, item, NULL);
    tree->count++;
    return 0;
}

// ---- erase ----------------------------------------------------------------------

// Joins children[at] and children[at + 1] where they fit into one node.
static bool merge(struct memory_tree *tree, struct memory_node *parent, uint32_t at)
{
    struct memory_node *left = parent->children[at];
    struct memory_node *right = parent->children[at + 1];
    uint32_t total = left->count + right->count + !left->leaf;
    bool empty = left->count == 0 || right->count == 0;
    if (total > (empty ? MEMORY_FANOUT : MERGE_UP_TO))
        return false;
    left = own(tree, &parent->children[at]);
    if (left == NULL)
        return false; // a thin node is correct, too
    struct memory_item *between = parent->items[at];
    if (left->leaf) {
        drop_item(tree, between);
    } else {
        left->heads[left->count] = parent->heads[at];
        left->items[left->count] = between;
        left->count++;
        memcpy(&left->children[left->count], right->children,
               (right->count + 1u) * sizeof(left->children[0]));
    }
    memory_node_move(left, right, 0);
    drop_node(tree, right);
    memory_node_remove(parent, at);
    return true;
}

static void rebalance(struct memory_tree *tree, const struct path *path)
{
    for (uint32_t level = path->depth; level-- > 0;) {
        struct memory_node *parent = path->nodes[level];
        uint32_t at = path->at[level];
        if (parent->children[at]->count >= MERGE_BELOW)
            break;
        bool merged = at > 0 && merge(tree, parent, at - 1);
        if (!merged && at < parent->count)
            merged = merge(tree, parent, at);
        if (!merged)
            break;
    }
    while (!tree->root->leaf && tree->root->count == 0) {
        struct memory_node *root = tree->root;
        tree->root = root->children[0];
        drop_node(tree, root);
    }
}

// Makes the path the tree's own; the leaf at its end, or NULL where memory is out.
static struct memory_node *own_path(struct memory_tree *tree, struct path *path)
{
    struct memory_node **place = &tree->root;
    for (uint32_t level = 0; level < path->depth; level++) {
        struct memory_node *node = own(tree, place);
        if (node == NULL)
            return NULL;
        path->nodes[level] = node;
        place = &node->children[path->at[level]];
    }
    return own(tree, place);
}

int memory_tree_erase(struct memory_tree *tree, struct bytes key)
{
    uint64_t head = memory_node_head(key);
    struct path path;
    path.depth = 0;
    struct memory_node *node = tree->root;
    while (!node->leaf) {
        assert(path.depth < MEMORY_DEPTH_MAX);
        uint32_t at = memory_node_rank(node, head, key, true);
        path.nodes[path.depth] = node;
        path.at[path.depth++] = at;
        node = memory_node_descend(node, at);
    }
    uint32_t at = memory_node_rank(node, head, key, false);
    if (!memory_node_has(node, at, key))
        return 0;
    node = own_path(tree, &path);
    if (node == NULL)
        return -ENOMEM;
    drop_item(tree, node->items[at]);
    memory_node_remove(node, at);
    tree->count--;
    rebalance(tree, &path);
    memory_garbage_free(&tree->garbage, FREED_BY_CHANGE);
    return 1;
}
