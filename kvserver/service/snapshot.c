// snapshot.c: a state as bytes, read while the service goes on (section 7).
//
// The engine is frozen at the beginning, and its records are handed out from there,
// without a copy between. Memory does not depend on the state's size. The bytes are
// drawn in snapshot.h.
#include "kvserver/service/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kvserver/service/hash.h"
#include "kvserver/service/service_state.h"

enum { PARTS = 3 }; // head, key and value

struct service_snapshot {
    struct service *service;
    struct engine_view *view;
    enum { AT_HEADER, AT_RECORDS, AT_NOTHING } next;
    char space;             // whose records are being read
    struct bytes last_key;  // the last record's, in the view; data NULL at the start
    uint64_t applied_index; // as they were when it began
    uint64_t clock_ms;
    uint64_t hash;
    uint64_t record_count;
    uint64_t header_hash;
    unsigned char head[32];    // numbers that are being read
    struct bytes parts[PARTS]; // what is being read, in this order
    uint32_t part;
    size_t offset;
};

struct service_snapshot *service_snapshot_begin(struct service *service)
{
    assert(service->snapshot == NULL);
    struct store *store = &service->store;
    struct service_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL)
        return NULL;
    *snapshot = (struct service_snapshot){
        .service = service,
        .view = store->engine->ops->freeze(store->engine),
        .space = STORE_SPACE_VALUE,
        .applied_index = service->applied_index,
        .clock_ms = store->clock_ms,
        .hash = store_hash(store),
        .record_count = store->key_count + store->session_count,
        .part = PARTS,
    };
    if (snapshot->view == NULL) {
        free(snapshot);
        return NULL;
    }
    service->snapshot = snapshot;
    return snapshot;
}

void service_snapshot_end(struct service_snapshot *snapshot)
{
    struct service *service = snapshot->service;
    assert(service->snapshot == snapshot);
    service->store.engine->ops->thaw(snapshot->view);
    service->snapshot = NULL;
    free(snapshot);
}

static void hand_out(struct service_snapshot *snapshot, size_t head_size,
                     struct bytes key, struct bytes value)
{
    snapshot->parts[0] = (struct bytes){snapshot->head, head_size};
    snapshot->parts[1] = key;
    snapshot->parts[2] = value;
    snapshot->part = 0;
    snapshot->offset = 0;
}

static void hand_out_header(struct service_snapshot *snapshot)
{
    static_assert(sizeof(snapshot->head) >= SNAPSHOT_HEADER_SIZE, "it fits");
    struct bytes none = {NULL, 0};
    memcpy(snapshot->head, SNAPSHOT_MAGIC, 8);
    snapshot_write_u32(snapshot->head + 8, SNAPSHOT_VERSION);
    snapshot_write_u32(snapshot->head + 12, 0);
    snapshot_write_u64(snapshot->head + 16, snapshot->applied_index);
    snapshot_write_u64(snapshot->head + 24, snapshot->clock_ms);
    hand_out(snapshot, SNAPSHOT_HEADER_SIZE, none, none);
    snapshot->header_hash = hash_bytes(0, snapshot->parts[0]);
}

static void hand_out_end(struct service_snapshot *snapshot)
{
    static_assert(sizeof(snapshot->head) >= SNAPSHOT_END_SIZE, "it fits");
    struct bytes none = {NULL, 0};
    struct bytes sealed = {snapshot->head, SNAPSHOT_SEALED_SIZE};
    snapshot_write_u64(snapshot->head, 0);
    snapshot_write_u64(snapshot->head + 8, snapshot->record_count);
    snapshot_write_u64(snapshot->head + 16, snapshot->hash);
    snapshot_write_u64(snapshot->head + 24, hash_bytes(snapshot->header_hash, sealed));
    hand_out(snapshot, SNAPSHOT_END_SIZE, none, none);
}

// The next record of the spaces that count; false at the end.
static bool hand_out_record(struct service_snapshot *snapshot)
{
    const struct engine_ops *ops = snapshot->service->store.engine->ops;
    struct bytes key, value;
    for (;;) {
        struct bytes after = {&snapshot->space, 1}; // below all keys of the space
        if (snapshot->last_key.data != NULL)
            after = snapshot->last_key;
        if (!ops->view_next(snapshot->view, &after, &key, &value))
            return false;
        if (*(const char *)key.data == snapshot->space)
            break;
        if (snapshot->space == STORE_SPACE_SESSION)
            return false;
        snapshot->space = STORE_SPACE_SESSION;
        snapshot->last_key.data = NULL;
    }
    snapshot->last_key = key;
    snapshot_write_u32(snapshot->head, (uint32_t)key.size);
    snapshot_write_u32(snapshot->head + 4, (uint32_t)value.size);
    hand_out(snapshot, SNAPSHOT_RECORD_SIZE, key, value);
    return true;
}

static bool next_parts(struct service_snapshot *snapshot)
{
    switch (snapshot->next) {
    case AT_HEADER:
        hand_out_header(snapshot);
        snapshot->next = AT_RECORDS;
        return true;
    case AT_RECORDS:
        if (hand_out_record(snapshot))
            return true;
        hand_out_end(snapshot);
        snapshot->next = AT_NOTHING;
        return true;
    default:
        return false;
    }
}

size_t service_snapshot_read(struct service_snapshot *snapshot, void *data, size_t size)
{
    assert(size > 0);
    size_t done = 0;
    while (done < size) {
        if (snapshot->part == PARTS && !next_parts(snapshot))
            break;
        struct bytes part = snapshot->parts[snapshot->part];
        size_t take = part.size - snapshot->offset;
        if (take > size - done)
            take = size - done;
        if (take > 0)
            memcpy((char *)data + done, (const char *)part.data + snapshot->offset,
                   take);
        done += take;
        snapshot->offset += take;
        if (snapshot->offset == part.size) {
            snapshot->part++;
            snapshot->offset = 0;
        }
    }
    return done;
}
