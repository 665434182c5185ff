// memory.c: the ordered map in memory: a B+tree of pointers to records.
//
// Leaves point at the records, inner nodes at children; children[i] holds the keys
// below items[i] and children[i + 1] those from items[i] on. A node keeps the first 8
// bytes of each of its keys beside the pointers, so that most comparisons touch no
// record. Full nodes are split on the way down: each split leaves a correct tree, so
// that running out of memory changes nothing. A node that falls under a quarter is
// merged with a neighbour where the two fit. Leaves are chained for iteration.
//
// Invariant: the keys of all leaves, read along the chain, strictly increase.
#include "kvserver/engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FANOUT = 64,        // keys in a node
    MERGE_BELOW = 16,   // a node with fewer keys looks for a neighbour to join
    MERGE_UP_TO = 48,   // and the two together may have so many
    DEPTH_MAX = 40,     // 2^40 leaves even where every node had two children
    IN_PLACE_SLACK = 64 // bytes of an old value that a shorter new one may waste
};

// A record: in leaves key and value, in inner nodes a key alone.
struct item {
    uint32_t key_size;
    uint32_t value_size;
    uint32_t value_room;
    unsigned char bytes[]; // key, then value
};

struct node {
    uint16_t count; // of keys
    bool leaf;
    uint64_t heads[FANOUT];
    struct item *items[FANOUT];
    struct node *next;       // leaf: the leaf to the right
    struct node *children[]; // inner: one more than keys
};

struct memory {
    const struct engine_ops *ops;
    struct node *root;
    uint64_t count;
    // Where the last seek ended, so that a walk over the keys needs no new descent;
    // dropped by every change.
    struct node *walk_leaf;
    uint32_t walk_at;
};

struct path {
    uint32_t depth;
    struct node *nodes[DEPTH_MAX];
    uint32_t at[DEPTH_MAX]; // which child was taken
};

// ---- comparing ------------------------------------------------------------------

// The first 8 bytes as a number, padded with zeroes: where two heads differ, they
// order their keys as memcmp does.
static uint64_t head_of(const unsigned char *key, size_t size)
{
    unsigned char b[8] = {0};
    if (size > 0)
        memcpy(b, key, size < 8 ? size : 8);
    return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 |
           (uint64_t)b[3] << 32 | (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 |
           (uint64_t)b[6] << 8 | (uint64_t)b[7];
}

static int compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
    size_t common = a_size < b_size ? a_size : b_size;
    int order = common == 0 ? 0 : memcmp(a, b, common);
    if (order != 0)
        return order;
    return a_size < b_size ? -1 : a_size > b_size;
}

// How many heads of the node are below the given one. Halves without a branch to
// guess: which half it is cannot be predicted.
static uint32_t rank_of_head(const struct node *node, uint64_t head)
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

// A child, to be searched at once. Its lists are asked for from memory all at once: the
// search would wait for one cache line after another.
static struct node *descend(const struct node *node, uint32_t at)
{
    struct node *child = node->children[at];
    for (uint32_t i = 0; i < FANOUT; i += 8) {
        __builtin_prefetch(&child->heads[i]);
        __builtin_prefetch(&child->items[i]);
    }
    return child;
}

// How many keys of the node are below `key` (or, with `or_equal`, not above it).
static uint32_t rank(const struct node *node, uint64_t head, struct bytes key,
                     bool or_equal)
{
    uint32_t low = rank_of_head(node, head);
    uint32_t high = low;
    if (low == node->count || node->heads[low] != head)
        return low;
    while (high < node->count && node->heads[high] == head)
        high++;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct item *item = node->items[middle];
        int order = compare(item->bytes, item->key_size, key.data, key.size);
        if (order < 0 || (order == 0 && or_equal))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool equals(const struct node *leaf, uint32_t at, struct bytes key)
{
    if (at >= leaf->count || leaf->items[at]->key_size != key.size)
        return false;
    return key.size == 0 || memcmp(leaf->items[at]->bytes, key.data, key.size) == 0;
}

// ---- nodes ----------------------------------------------------------------------

static struct node *node_new(bool leaf)
{
    size_t children = leaf ? 0 : FANOUT + 1;
    struct node *node = malloc(sizeof(*node) + children * sizeof(node->children[0]));
    if (node == NULL)
        return NULL;
    node->count = 0;
    node->leaf = leaf;
    node->next = NULL;
    return node;
}

static struct item *item_new(struct bytes key, struct bytes value)
{
    struct item *item = malloc(sizeof(*item) + key.size + value.size);
    if (item == NULL)
        return NULL;
    item->key_size = (uint32_t)key.size;
    item->value_size = (uint32_t)value.size;
    item->value_room = (uint32_t)value.size;
    if (key.size > 0)
        memcpy(item->bytes, key.data, key.size);
    if (value.size > 0)
        memcpy(item->bytes + key.size, value.data, value.size);
    return item;
}

// Opens a gap of one key at `at`; the child right of it belongs to the key.
static void insert_at(struct node *node, uint32_t at, struct item *item,
                      struct node *right)
{
    assert(node->count < FANOUT);
    uint32_t behind = node->count - at;
    memmove(&node->heads[at + 1], &node->heads[at], behind * sizeof(node->heads[0]));
    memmove(&node->items[at + 1], &node->items[at], behind * sizeof(node->items[0]));
    node->heads[at] = head_of(item->bytes, item->key_size);
    node->items[at] = item;
    if (!node->leaf) {
        memmove(&node->children[at + 2], &node->children[at + 1],
                behind * sizeof(node->children[0]));
        node->children[at + 1] = right;
    }
    node->count++;
}

static void remove_at(struct node *node, uint32_t at)
{
    uint32_t behind = node->count - at - 1;
    memmove(&node->heads[at], &node->heads[at + 1], behind * sizeof(node->heads[0]));
    memmove(&node->items[at], &node->items[at + 1], behind * sizeof(node->items[0]));
    if (!node->leaf)
        memmove(&node->children[at + 1], &node->children[at + 2],
                behind * sizeof(node->children[0]));
    node->count--;
}

// Appends the keys of `from` starting at `first` to `to`.
static void move_keys(struct node *to, const struct node *from, uint32_t first)
{
    uint32_t count = from->count - first;
    assert(to->count + count <= FANOUT);
    memcpy(&to->heads[to->count], &from->heads[first], count * sizeof(to->heads[0]));
    memcpy(&to->items[to->count], &from->items[first], count * sizeof(to->items[0]));
    to->count = (uint16_t)(to->count + count);
}

// ---- splitting ------------------------------------------------------------------

// The shortest key that is above `left` and not above `right`.
static struct item *separator(const struct item *left, const struct item *right)
{
    uint32_t size = 0;
    while (size < left->key_size && left->bytes[size] == right->bytes[size])
        size++;
    assert(size < right->key_size);
    struct bytes key = {right->bytes, size + 1};
    return item_new(key, (struct bytes){NULL, 0});
}

static int split_leaf(struct node *parent, uint32_t at, struct node *left, bool at_end)
{
    // Keys that arrive in order fill their leaves instead of leaving them half empty.
    uint32_t first = at_end ? FANOUT - 4 : FANOUT / 2;
    struct node *right = node_new(true);
    struct item *key = separator(left->items[first - 1], left->items[first]);
    if (right == NULL || key == NULL) {
        free(right);
        free(key);
        return -ENOMEM;
    }
    move_keys(right, left, first);
    left->count = (uint16_t)first;
    right->next = left->next;
    left->next = right;
    insert_at(parent, at, key, right);
    return 0;
}

static int split_inner(struct node *parent, uint32_t at, struct node *left)
{
    uint32_t middle = FANOUT / 2;
    struct node *right = node_new(false);
    if (right == NULL)
        return -ENOMEM;
    move_keys(right, left, middle + 1);
    memcpy(right->children, &left->children[middle + 1],
           (right->count + 1u) * sizeof(right->children[0]));
    left->count = (uint16_t)middle;
    insert_at(parent, at, left->items[middle], right);
    return 0;
}

static int split(struct node *parent, uint32_t at, bool at_end)
{
    struct node *left = parent->children[at];
    return left->leaf ? split_leaf(parent, at, left, at_end)
                      : split_inner(parent, at, left);
}

// A full root gets a parent, which then is the root.
static int split_root(struct memory *memory)
{
    struct node *root = node_new(false);
    if (root == NULL)
        return -ENOMEM;
    root->children[0] = memory->root;
    int status = split(root, 0, false);
    if (status != 0)
        free(root);
    else
        memory->root = root;
    return status;
}

// ---- the operations -------------------------------------------------------------

static bool memory_get(struct engine *engine, struct bytes key, struct bytes *value)
{
    struct memory *memory = (struct memory *)engine;
    uint64_t head = head_of(key.data, key.size);
    const struct node *node = memory->root;
    while (!node->leaf)
        node = descend(node, rank(node, head, key, true));
    uint32_t at = rank(node, head, key, false);
    if (!equals(node, at, key))
        return false;
    const struct item *item = node->items[at];
    *value = (struct bytes){item->bytes + item->key_size, item->value_size};
    return true;
}

// Puts another value at a key that is there, in place where it fits.
static int replace(struct node *leaf, uint32_t at, struct bytes value)
{
    struct item *item = leaf->items[at];
    if (value.size <= item->value_room &&
        item->value_room <= value.size + value.size / 4 + IN_PLACE_SLACK) {
        if (value.size > 0)
            memmove(item->bytes + item->key_size, value.data, value.size);
        item->value_size = (uint32_t)value.size;
        return 0;
    }
    struct item *other = item_new((struct bytes){item->bytes, item->key_size}, value);
    if (other == NULL)
        return -ENOMEM;
    leaf->items[at] = other;
    free(item);
    return 0;
}

static int memory_put(struct engine *engine, struct bytes key, struct bytes value)
{
    struct memory *memory = (struct memory *)engine;
    if (key.size > UINT32_MAX / 4 || value.size > UINT32_MAX / 2)
        return -EFBIG;
    memory->walk_leaf = NULL;
    if (memory->root->count == FANOUT && split_root(memory) != 0)
        return -ENOMEM;
    uint64_t head = head_of(key.data, key.size);
    struct node *node = memory->root;
    while (!node->leaf) {
        uint32_t at = rank(node, head, key, true);
        struct node *child = descend(node, at);
        if (child->count == FANOUT) {
            bool at_end = child->leaf && rank(child, head, key, true) == FANOUT;
            if (split(node, at, at_end) != 0)
                return -ENOMEM;
            child = node->children[rank(node, head, key, true)];
        }
        node = child;
    }
    uint32_t at = rank(node, head, key, false);
    if (equals(node, at, key))
        return replace(node, at, value);
    struct item *item = item_new(key, value);
    if (item == NULL)
        return -ENOMEM;
    insert_at(node, at, item, NULL);
    memory->count++;
    return 0;
}

// Joins children[at] and children[at + 1] where they fit into one node.
static bool merge(struct node *parent, uint32_t at)
{
    struct node *left = parent->children[at];
    struct node *right = parent->children[at + 1];
    uint32_t total = left->count + right->count + !left->leaf;
    bool empty = left->count == 0 || right->count == 0;
    if (total > (empty ? FANOUT : MERGE_UP_TO))
        return false;
    struct item *between = parent->items[at];
    if (left->leaf) {
        left->next = right->next;
        free(between);
    } else {
        left->heads[left->count] = parent->heads[at];
        left->items[left->count] = between;
        left->count++;
        memcpy(&left->children[left->count], right->children,
               (right->count + 1u) * sizeof(left->children[0]));
    }
    move_keys(left, right, 0);
    free(right);
    remove_at(parent, at);
    return true;
}

static void rebalance(struct memory *memory, const struct path *path)
{
    for (uint32_t level = path->depth; level-- > 0;) {
        struct node *parent = path->nodes[level];
        uint32_t at = path->at[level];
        if (parent->children[at]->count >= MERGE_BELOW)
            break;
        bool merged = at > 0 && merge(parent, at - 1);
        if (!merged && at < parent->count)
            merged = merge(parent, at);
        if (!merged)
            break;
    }
    while (!memory->root->leaf && memory->root->count == 0) {
        struct node *root = memory->root;
        memory->root = root->children[0];
        free(root);
    }
}

static int memory_erase(struct engine *engine, struct bytes key)
{
    struct memory *memory = (struct memory *)engine;
    uint64_t head = head_of(key.data, key.size);
    struct path path = {.depth = 0};
    struct node *node = memory->root;
    while (!node->leaf) {
        assert(path.depth < DEPTH_MAX);
        uint32_t at = rank(node, head, key, true);
        path.nodes[path.depth] = node;
        path.at[path.depth++] = at;
        node = descend(node, at);
    }
    uint32_t at = rank(node, head, key, false);
    if (!equals(node, at, key))
        return 0;
    memory->walk_leaf = NULL;
    free(node->items[at]);
    remove_at(node, at);
    memory->count--;
    rebalance(memory, &path);
    return 1;
}

// Whether `from` is the key where the last seek ended with a zero byte behind it: the
// smallest key beyond, which is how a caller asks for the next one.
static bool walks_on(const struct memory *memory, struct bytes from)
{
    if (memory->walk_leaf == NULL || from.size == 0)
        return false;
    const struct item *last = memory->walk_leaf->items[memory->walk_at];
    const unsigned char *bytes = from.data;
    return from.size == (size_t)last->key_size + 1 && bytes[from.size - 1] == 0 &&
           memcmp(bytes, last->bytes, last->key_size) == 0;
}

static bool memory_seek(struct engine *engine, struct bytes prefix, struct bytes from,
                        struct bytes *key, struct bytes *value)
{
    struct memory *memory = (struct memory *)engine;
    if (compare(from.data, from.size, prefix.data, prefix.size) < 0)
        from = prefix;
    struct node *node = memory->walk_leaf;
    uint32_t at = memory->walk_at + 1;
    if (!walks_on(memory, from)) {
        uint64_t head = head_of(from.data, from.size);
        node = memory->root;
        while (!node->leaf)
            node = descend(node, rank(node, head, from, true));
        at = rank(node, head, from, false);
    }
    while (node != NULL && at >= node->count) {
        node = node->next;
        at = 0;
    }
    memory->walk_leaf = node;
    memory->walk_at = at;
    if (node == NULL)
        return false;
    const struct item *item = node->items[at];
    if (item->key_size < prefix.size ||
        (prefix.size > 0 && memcmp(item->bytes, prefix.data, prefix.size) != 0))
        return false;
    *key = (struct bytes){item->bytes, item->key_size};
    *value = (struct bytes){item->bytes + item->key_size, item->value_size};
    return true;
}

static uint64_t memory_count(struct engine *engine)
{
    return ((struct memory *)engine)->count;
}

// Depth first with a stack of its own; a node is freed once its last child is.
static void memory_free(struct engine *engine)
{
    struct memory *memory = (struct memory *)engine;
    struct path path = {.depth = 0};
    struct node *node = memory->root;
    while (node != NULL) {
        if (!node->leaf) {
            path.nodes[path.depth] = node;
            path.at[path.depth++] = 0;
            node = node->children[0];
            continue;
        }
        while (node != NULL) {
            for (uint32_t i = 0; i < node->count; i++)
                free(node->items[i]);
            free(node);
            node = NULL;
            if (path.depth == 0)
                break;
            struct node *parent = path.nodes[path.depth - 1];
            if (++path.at[path.depth - 1] <= parent->count) {
                node = parent->children[path.at[path.depth - 1]];
                break;
            }
            path.depth--;
            node = parent;
        }
    }
    free(memory);
}

static const struct engine_ops memory_ops = {
    .name = "memory",
    .get = memory_get,
    .put = memory_put,
    .erase = memory_erase,
    .seek = memory_seek,
    .count = memory_count,
    .free = memory_free,
};

struct engine *engine_memory_new(void)
{
    struct memory *memory = calloc(1, sizeof(*memory));
    struct node *root = node_new(true);
    if (memory == NULL || root == NULL) {
        free(memory);
        free(root);
        return NULL;
    }
    memory->ops = &memory_ops;
    memory->root = root;
    return (struct engine *)memory;
}
