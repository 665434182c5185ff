// engine.h: where keys and values are kept: an ordered map of byte strings.
//
// Engines know nothing of types, expiry, sessions or Raft: all of that is encoded above
// them, once. Iteration is in memcmp order of the keys. An engine is used by one
// thread.
#ifndef KVSERVER_ENGINE_ENGINE_H
#define KVSERVER_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const void *data;
    size_t size;
};

struct engine_view; // opaque
struct engine; // every engine's struct begins with a `const struct engine_ops *ops`

struct engine_ops {
    const char *name;

    // The value at key, borrowed until the next put or delete; false where absent.
    bool (*get)(struct engine *engine, struct bytes key, struct bytes *value);

    // Both are copied. Returns 0, or -errno with nothing changed.
    int (*put)(struct engine *engine, struct bytes key, struct bytes value);

    // Returns 1 where the key was there, 0 where it was not, -errno on failure.
    int (*erase)(struct engine *engine, struct bytes key);

    // Leaves no key, in constant time: later changes give the memory back. Not while
    // there is a view. Returns 0, or -errno with nothing changed.
    int (*clear)(struct engine *engine);

    // The first key >= `from` (from.size 0: the very first) that begins with `prefix`;
    // both results are borrowed until the next put or delete. False at the end.
    bool (*seek)(struct engine *engine, struct bytes prefix, struct bytes from,
                 struct bytes *key, struct bytes *value);

    uint64_t (*count)(struct engine *engine);

    // A view of all keys as they are now, which stays as it is while the engine
    // changes. Made in constant time; what it costs is paid by later changes. NULL
    // where memory is out. One at a time.
    struct engine_view *(*freeze)(struct engine *engine);

    // The first key > `after` (NULL: the very first) in the view; borrowed until the
    // next call that takes the view, whatever happens to the engine.
    bool (*view_next)(struct engine_view *view, const struct bytes *after,
                      struct bytes *key, struct bytes *value);
    void (*thaw)(struct engine_view *view); // before the engine is freed

    void (*free)(struct engine *engine);
};

struct engine {
    const struct engine_ops *ops;
};

// An in-memory engine: self-contained, deterministic. NULL where memory is out.
struct engine *engine_memory_new(void);

#endif
