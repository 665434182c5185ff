#include "raft/host/snapshot_shelf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// ---- at a start -----------------------------------------------------------------

static struct snapshot_kept kept_of(const struct snapshot_reader *reader)
{
    const struct raft_snapshot_meta *meta = &reader->header.meta;
    return (struct snapshot_kept){.index = meta->last_included_index,
                                  .term = meta->last_included_term,
                                  .size = reader->size,
                                  .checksum = reader->trailer.checksum};
}

static void note_damage(struct snapshot_found *found,
                        const struct snapshot_reader *reader)
{
    size_t used = strlen(found->damage);
    if (found->damaged++ > 0)
        used +=
            (size_t)snprintf(found->damage + used, sizeof found->damage - used, "; ");
    if (used < sizeof found->damage)
        snapshot_file_describe(reader, found->damage + used,
                               sizeof found->damage - used);
}

// The one before is read in full only where it is needed one day.
static void find_previous(struct snapshot_shelf *shelf, const struct disk *disk,
                          const struct snapshot_listing *listing, uint32_t next)
{
    for (uint32_t i = next; i < listing->count && shelf->kept[1].index == 0; i++) {
        const struct snapshot_listed *file = &listing->files[i];
        struct snapshot_reader reader;
        char name[SNAPSHOT_NAME_BYTES];
        snapshot_format_name(name, file->index);
        if (snapshot_file_open(&reader, disk, name, file->size, shelf->cluster_id))
            shelf->kept[1] = kept_of(&reader);
    }
}

static int find_good(struct snapshot_shelf *shelf, const struct disk *disk,
                     const struct snapshot_listing *listing,
                     struct snapshot_found *found)
{
    if (listing->count > 0)
        found->newest = listing->files[0].index;
    for (uint32_t i = 0; i < listing->count; i++) {
        struct snapshot_reader reader;
        if (snapshot_file_check(&reader, disk, &listing->files[i], shelf->cluster_id)) {
            shelf->kept[0] = kept_of(&reader);
            found->meta = reader.header.meta;
            find_previous(shelf, disk, listing, i + 1);
            return 0;
        }
        if (reader.problem == SNAPSHOT_UNREADABLE && reader.status == -ENOMEM)
            return reader.status;
        note_damage(found, &reader);
    }
    return 0;
}

int snapshot_shelf_open(struct snapshot_shelf *shelf, const struct disk *disk,
                        uint64_t cluster_id, struct snapshot_found *found)
{
    memset(shelf, 0, sizeof *shelf);
    memset(found, 0, sizeof *found);
    shelf->cluster_id = cluster_id;
    int status = snapshot_file_remove_aside(disk);
    if (status != 0)
        return status;
    struct snapshot_listing listing;
    status = snapshot_file_list(&listing, disk);
    if (status == 0)
        status = find_good(shelf, disk, &listing, found);
    snapshot_file_list_release(&listing);
    return status;
}

// ---- while it runs --------------------------------------------------------------

const struct snapshot_kept *snapshot_shelf_find(const struct snapshot_shelf *shelf,
                                                raft_index index)
{
    for (int i = 0; i < SNAPSHOT_SHELF_KEPT; i++) {
        if (index != 0 && shelf->kept[i].index == index)
            return &shelf->kept[i];
    }
    return NULL;
}

// IS-5: the oldest of those that nobody needs.
struct doomed {
    const struct snapshot_shelf *shelf;
    raft_index index; // 0: none
    uint64_t size;
};

static void collect(void *context, const char *name, uint64_t size)
{
    struct doomed *doomed = context;
    raft_index index = snapshot_format_index(name);
    // A newer one may have its name already, and come here in a moment.
    if (index == 0 || index >= doomed->shelf->kept[SNAPSHOT_SHELF_KEPT - 1].index ||
        (doomed->index != 0 && doomed->index < index))
        return;
    doomed->index = index;
    doomed->size = size;
}

int snapshot_shelf_prune(const struct snapshot_shelf *shelf, const struct disk *disk,
                         bool *more)
{
    struct doomed doomed = {.shelf = shelf};
    int status = disk->list(disk->context, collect, &doomed);
    *more = status == 0 && doomed.index != 0;
    if (!*more)
        return status;
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, doomed.index);
    if (doomed.size > SNAPSHOT_SHELF_CUT_BYTES)
        return disk->truncate(disk->context, name,
                              doomed.size - SNAPSHOT_SHELF_CUT_BYTES);
    return snapshot_file_remove(disk, name);
}

void snapshot_shelf_put(struct snapshot_shelf *shelf, const struct snapshot_kept *kept)
{
    // One's own may end after a newer one has arrived.
    struct snapshot_kept *shelved = shelf->kept;
    if (kept->index > shelved[0].index) {
        shelved[1] = shelved[0];
        shelved[0] = *kept;
    } else if (kept->index == shelved[0].index) {
        shelved[0] = *kept;
    } else if (kept->index >= shelved[1].index) {
        shelved[1] = *kept;
    }
}

raft_index snapshot_shelf_covered(const struct snapshot_shelf *shelf)
{
    return shelf->kept[SNAPSHOT_SHELF_KEPT - 1].index;
}

int64_t snapshot_shelf_read(const struct snapshot_kept *kept, const struct disk *disk,
                            uint64_t offset, void *data, size_t size)
{
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, kept->index);
    uint8_t *bytes = data;
    size_t wanted = 0;
    if (offset < kept->size)
        wanted = kept->size - offset < size ? (size_t)(kept->size - offset) : size;
    size_t held = 0;
    while (held < wanted) { // a read may well return less than was asked for
        int64_t got =
            disk->read(disk->context, name, offset + held, bytes + held, wanted - held);
        if (got <= 0)
            return got < 0 ? got : -EIO;
        held += (size_t)got;
    }
    return (int64_t)held;
}
