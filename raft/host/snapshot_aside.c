#include "raft/host/snapshot_aside.h"

#include "raft/host/snapshot_file.h"

const char *snapshot_aside_name(const struct snapshot_aside *aside)
{
    return aside->receiving ? SNAPSHOT_FILE_RECEIVING : SNAPSHOT_FILE_WRITING;
}

int snapshot_aside_begin(struct snapshot_aside *aside, const struct disk *disk)
{
    bool receiving = aside->receiving;
    *aside =
        (struct snapshot_aside){.state = SNAPSHOT_ASIDE_GROWS, .receiving = receiving};
    return snapshot_file_remove(disk, snapshot_aside_name(aside));
}

int snapshot_aside_append(struct snapshot_aside *aside, const struct disk *disk,
                          const void *data, size_t size)
{
    assert(aside->state == SNAPSHOT_ASIDE_GROWS);
    int status = disk->append(disk->context, snapshot_aside_name(aside), data, size);
    if (status == 0)
        aside->size += size;
    return status;
}

void snapshot_aside_complete(struct snapshot_aside *aside)
{
    assert(aside->state == SNAPSHOT_ASIDE_GROWS);
    aside->state = SNAPSHOT_ASIDE_WHOLE;
}

static int start_sync(struct snapshot_aside *aside, const struct disk *disk,
                      const char *name, uint64_t *tokens)
{
    aside->token = ++*tokens;
    aside->syncing = aside->size;
    return disk->sync(disk->context, name, aside->token);
}

int snapshot_aside_sync(struct snapshot_aside *aside, const struct disk *disk,
                        uint64_t *tokens)
{
    uint64_t unsynced = aside->size - aside->synced;
    bool due = unsynced >= SNAPSHOT_ASIDE_SYNC_BYTES ||
               (aside->state == SNAPSHOT_ASIDE_WHOLE && unsynced > 0);
    if (!due || aside->token != 0 || aside->state >= SNAPSHOT_ASIDE_NAMED)
        return 0;
    return start_sync(aside, disk, snapshot_aside_name(aside), tokens);
}

bool snapshot_aside_is_behind(const struct snapshot_aside *aside)
{
    return aside->size - aside->synced >= 2 * (uint64_t)SNAPSHOT_ASIDE_SYNC_BYTES;
}

bool snapshot_aside_is_ready(const struct snapshot_aside *aside)
{
    return aside->state == SNAPSHOT_ASIDE_WHOLE && aside->token == 0 &&
           aside->synced == aside->size;
}

int snapshot_aside_name_it(struct snapshot_aside *aside, const struct disk *disk,
                           raft_index index, uint64_t *tokens)
{
    assert(snapshot_aside_is_ready(aside));
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, index);
    int status = disk->rename(disk->context, snapshot_aside_name(aside), name);
    if (status != 0)
        return status;
    aside->state = SNAPSHOT_ASIDE_NAMED;
    // At once: a sync of another file in between could take the directory's along, and
    // this one would end first and tell of a name that is not durable.
    return start_sync(aside, disk, name, tokens);
}

bool snapshot_aside_synced(struct snapshot_aside *aside, uint64_t token)
{
    if (aside->token == 0 || aside->token != token)
        return false;
    aside->token = 0;
    aside->synced = aside->syncing;
    if (aside->state == SNAPSHOT_ASIDE_NAMED)
        aside->state = SNAPSHOT_ASIDE_DURABLE;
    return true;
}

void snapshot_aside_drop(struct snapshot_aside *aside, const struct disk *disk)
{
    // Where this fails, the next one begins with it again, and so does the next start.
    if (aside->state == SNAPSHOT_ASIDE_GROWS || aside->state == SNAPSHOT_ASIDE_WHOLE)
        (void)snapshot_file_remove(disk, snapshot_aside_name(aside));
    aside->state = SNAPSHOT_ASIDE_NONE;
    aside->token = 0;
}
