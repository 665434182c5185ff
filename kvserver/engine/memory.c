// memory.c: the engine in memory: a B+tree with copy on write (memory_tree.h), walked
// by cursors (memory_cursor.h).
//
// A view costs nothing to make. While it is there, the first change below each node
// copies that node, about 1 KiB, and a replaced or erased record stays. After the thaw
// that is freed in small parts by the changes that follow, so that neither end of a
// view, nor emptying the engine, takes longer than any other change.
#include "kvserver/engine/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kvserver/engine/memory_cursor.h"
#include "kvserver/engine/memory_tree.h"

struct memory_view {
    struct memory *memory;
    const struct memory_node *root;
    struct memory_cursor cursor; // where the last call ended
};

struct memory {
    const struct engine_ops *ops;
    struct memory_tree tree;
    struct memory_cursor walk; // where the last seek ended; dropped by every change
    struct memory_view view;
};

static struct memory *of(struct engine *engine)
{
    return (struct memory *)engine;
}

static bool memory_get(struct engine *engine, struct bytes key, struct bytes *value)
{
    const struct memory_item *item = memory_tree_get(&of(engine)->tree, key);
    if (item == NULL)
        return false;
    *value = memory_node_value(item);
    return true;
}

static int memory_put(struct engine *engine, struct bytes key, struct bytes value)
{
    of(engine)->walk.leaf = NULL;
    return memory_tree_put(&of(engine)->tree, key, value);
}

static int memory_erase(struct engine *engine, struct bytes key)
{
    of(engine)->walk.leaf = NULL;
    return memory_tree_erase(&of(engine)->tree, key);
}

static int memory_clear(struct engine *engine)
{
    of(engine)->walk.leaf = NULL;
    return memory_tree_clear(&of(engine)->tree);
}

// Whether `from` is the key where the last seek ended with a zero byte behind it: the
// smallest key beyond, which is how a caller asks for the next one.
static bool walks_on(const struct memory_cursor *walk, struct bytes from)
{
    const struct memory_item *last = memory_cursor_here(walk);
    if (last == NULL || from.size != (size_t)last->key_size + 1)
        return false;
    const unsigned char *bytes = from.data;
    return bytes[from.size - 1] == 0 && memcmp(bytes, last->bytes, last->key_size) == 0;
}

static bool memory_seek(struct engine *engine, struct bytes prefix, struct bytes from,
                        struct bytes *key, struct bytes *value)
{
    struct memory *memory = of(engine);
    if (memory_node_compare(from, prefix) < 0)
        from = prefix;
    const struct memory_item *item =
        walks_on(&memory->walk, from)
            ? memory_cursor_next(&memory->walk)
            : memory_cursor_seek(&memory->walk, memory->tree.root, from, false);
    if (item == NULL || item->key_size < prefix.size ||
        (prefix.size > 0 && memcmp(item->bytes, prefix.data, prefix.size) != 0))
        return false;
    *key = memory_node_key(item);
    *value = memory_node_value(item);
    return true;
}

static uint64_t memory_count(struct engine *engine)
{
    return of(engine)->tree.count;
}

// ---- the view -------------------------------------------------------------------

static struct engine_view *memory_freeze(struct engine *engine)
{
    struct memory *memory = of(engine);
    memory->view.memory = memory;
    memory->view.root = memory_tree_freeze(&memory->tree);
    memory->view.cursor.leaf = NULL;
    return (struct engine_view *)&memory->view;
}

static bool stands_at(const struct memory_cursor *cursor, struct bytes key)
{
    const struct memory_item *item = memory_cursor_here(cursor);
    return item != NULL && memory_node_compare(memory_node_key(item), key) == 0;
}

static bool memory_view_next(struct engine_view *engine_view, const struct bytes *after,
                             struct bytes *key, struct bytes *value)
{
    struct memory_view *view = (struct memory_view *)engine_view;
    struct bytes none = {NULL, 0};
    const struct memory_item *item;
    if (after == NULL)
        item = memory_cursor_seek(&view->cursor, view->root, none, false);
    else if (stands_at(&view->cursor, *after))
        item = memory_cursor_next(&view->cursor);
    else
        item = memory_cursor_seek(&view->cursor, view->root, *after, true);
    if (item == NULL)
        return false;
    *key = memory_node_key(item);
    *value = memory_node_value(item);
    return true;
}

static void memory_thaw(struct engine_view *engine_view)
{
    struct memory_view *view = (struct memory_view *)engine_view;
    memory_tree_thaw(&view->memory->tree);
}

// ---- life -----------------------------------------------------------------------

static void memory_free(struct engine *engine)
{
    memory_tree_release(&of(engine)->tree);
    free(engine);
}

static const struct engine_ops memory_ops = {
    .name = "memory",
    .get = memory_get,
    .put = memory_put,
    .erase = memory_erase,
    .clear = memory_clear,
    .seek = memory_seek,
    .count = memory_count,
    .freeze = memory_freeze,
    .view_next = memory_view_next,
    .thaw = memory_thaw,
    .free = memory_free,
};

struct engine *engine_memory_new(void)
{
    struct memory *memory = calloc(1, sizeof(*memory));
    if (memory == NULL || memory_tree_init(&memory->tree) != 0) {
        free(memory);
        return NULL;
    }
    memory->ops = &memory_ops;
    return (struct engine *)memory;
}
