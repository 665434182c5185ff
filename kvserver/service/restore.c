// restore.c: a state from its bytes (section 7); they are drawn in snapshot.h.
//
// Nothing is believed: each length is checked before it is waited for, a buffer grows
// only by bytes that have come, each record must be one that a state can have, and the
// state's hash must be the one at the end. A part (header, record, end) that lies whole
// in one piece is used where it lies; otherwise it is gathered.
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kvserver/service/hash.h"
#include "kvserver/service/service_state.h"

static void forget(struct restore *restore)
{
    buffer_free(&restore->gathered);
    buffer_free(&restore->last_key);
    *restore = (struct restore){.phase = RESTORE_NONE};
}

static int fail(struct service *service, int status)
{
    forget(&service->restore);
    service->restore.phase = RESTORE_FAILED;
    service->restore.status = status;
    service->applied_index = 0;
    // Half a state must not be served.
    int cleared = store_clear(&service->store);
    if (cleared != 0) {
        fprintf(stderr, "raftlab: the engine failed: %s\n", strerror(-cleared));
        abort();
    }
    return status;
}

int service_restore_begin(struct service *service)
{
    assert(service->snapshot == NULL);
    int status = store_clear(&service->store);
    if (status != 0)
        return status;
    forget(&service->restore);
    service->restore.phase = RESTORE_HEADER;
    service->applied_index = 0;
    return 0;
}

// ---- parts ----------------------------------------------------------------------

// How many bytes the part has that begins like this, as far as can be told from them:
// once that many are there, it is asked again. 0 where there is no such part.
static size_t part_size(const struct restore *restore, struct bytes begin)
{
    if (restore->phase == RESTORE_HEADER)
        return SNAPSHOT_HEADER_SIZE;
    if (restore->phase != RESTORE_RECORDS)
        return 0;
    if (begin.size < SNAPSHOT_RECORD_SIZE)
        return SNAPSHOT_RECORD_SIZE;
    const unsigned char *bytes = begin.data;
    size_t key_size = snapshot_read_u32(bytes);
    size_t value_size = snapshot_read_u32(bytes + 4);
    if (key_size == 0)
        return value_size == 0 ? SNAPSHOT_END_SIZE : 0;
    if (key_size > SNAPSHOT_KEY_BYTES_MAX || value_size > SNAPSHOT_VALUE_BYTES_MAX)
        return 0;
    return SNAPSHOT_RECORD_SIZE + key_size + value_size;
}

static int take_header(struct service *service, struct bytes part)
{
    const unsigned char *bytes = part.data;
    uint64_t index = snapshot_read_u64(bytes + 16);
    uint64_t clock_ms = snapshot_read_u64(bytes + 24);
    if (memcmp(bytes, SNAPSHOT_MAGIC, 8) != 0 ||
        snapshot_read_u32(bytes + 8) != SNAPSHOT_VERSION ||
        snapshot_read_u32(bytes + 12) != 0 || index > INT64_MAX || clock_ms > INT64_MAX)
        return -EBADMSG;
    service->restore.applied_index = index;
    service->restore.header_hash = hash_bytes(0, part);
    service->restore.phase = RESTORE_RECORDS;
    service->store.clock_ms = clock_ms;
    return 0;
}

static int take_record(struct service *service, struct bytes part)
{
    struct restore *restore = &service->restore;
    const unsigned char *bytes = part.data;
    struct bytes key = {bytes + SNAPSHOT_RECORD_SIZE, snapshot_read_u32(bytes)};
    struct bytes value = {bytes + SNAPSHOT_RECORD_SIZE + key.size,
                          part.size - SNAPSHOT_RECORD_SIZE - key.size};
    size_t last_size = restore->last_key.size;
    size_t common = last_size < key.size ? last_size : key.size;
    int order = common == 0 ? 0 : memcmp(restore->last_key.data, key.data, common);
    if (order > 0 || (order == 0 && last_size >= key.size))
        return -EBADMSG;
    buffer_clear(&restore->last_key);
    buffer_append(&restore->last_key, key.data, key.size);
    restore->record_count++;
    return store_restore(&service->store, key, value, restore->applied_index);
}

static int take_end(struct service *service, struct bytes part)
{
    struct restore *restore = &service->restore;
    const unsigned char *bytes = part.data;
    struct bytes sealed = {bytes, SNAPSHOT_SEALED_SIZE};
    if (snapshot_read_u64(bytes + 8) != restore->record_count ||
        snapshot_read_u64(bytes + 16) != store_hash(&service->store) ||
        snapshot_read_u64(bytes + 24) != hash_bytes(restore->header_hash, sealed))
        return -EBADMSG;
    restore->phase = RESTORE_DONE;
    return 0;
}

static int take(struct service *service, struct bytes part)
{
    if (service->restore.phase == RESTORE_HEADER)
        return take_header(service, part);
    if (snapshot_read_u32(part.data) == 0)
        return take_end(service, part);
    return take_record(service, part);
}

// ---- pieces ---------------------------------------------------------------------

// Uses up some of the piece, at least a byte; it is not empty.
static int use(struct service *service, struct bytes *piece)
{
    struct buffer *gathered = &service->restore.gathered;
    struct bytes begin = *piece;
    if (gathered->size > 0)
        begin = (struct bytes){gathered->data, gathered->size};
    size_t size = part_size(&service->restore, begin);
    if (size == 0)
        return -EBADMSG;
    bool whole = gathered->size == 0 && size <= piece->size;
    size_t used = size - gathered->size;
    if (used > piece->size)
        used = piece->size;
    struct bytes part = {piece->data, used};
    piece->data = (const char *)piece->data + used;
    piece->size -= used;
    if (whole)
        return take(service, part);
    buffer_append(gathered, part.data, part.size);
    part = (struct bytes){gathered->data, gathered->size};
    size = part_size(&service->restore, part);
    if (size == 0)
        return -EBADMSG;
    if (size > part.size)
        return 0;
    int status = take(service, part);
    buffer_clear(gathered);
    return status;
}

int service_restore_write(struct service *service, const void *data, size_t size)
{
    struct bytes piece = {data, size};
    assert(service->restore.phase != RESTORE_NONE);
    if (service->restore.phase == RESTORE_FAILED)
        return service->restore.status;
    while (piece.size > 0) {
        int status = use(service, &piece);
        if (status != 0)
            return fail(service, status);
    }
    return 0;
}

int service_restore_end(struct service *service)
{
    struct restore *restore = &service->restore;
    assert(restore->phase != RESTORE_NONE);
    if (restore->phase == RESTORE_FAILED)
        return restore->status;
    if (restore->phase != RESTORE_DONE)
        return fail(service, -EBADMSG);
    service->applied_index = restore->applied_index;
    forget(restore);
    return 0;
}
