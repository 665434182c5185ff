// memory_disk.h: struct disk in plain memory, with a crash at any operation.
//
// Each file has two contents: what reads see, and what is on stable storage. A crash
// mixes them, sector by sector, as a mask says. Plain data: assignment copies a disk.
#ifndef TESTS_HOST_MEMORY_DISK_H
#define TESTS_HOST_MEMORY_DISK_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "raft/host/disk.h"
#include "tests/test.h"

enum {
    MEMORY_FILES_MAX = 10,
    MEMORY_FILE_BYTES = 40 * 1024,
    MEMORY_SECTOR_BYTES = 512,
};

// Bits of a crash's mask above those of the sectors (0: what was not synced is lost).
#define KEEP_LENGTH  ((uint64_t)1 << 63) // lost sectors at the end are read as zeros
#define KEEP_NEW     ((uint64_t)1 << 62) // unsynced entries of the directory survive
#define KEEP_REMOVED ((uint64_t)1 << 61) // unsynced removals are undone

struct memory_content {
    bool exists;
    uint64_t size;
    uint8_t bytes[MEMORY_FILE_BYTES];
};

struct memory_file {
    char name[40];
    struct memory_content now;
    struct memory_content durable;
    uint64_t durable_at; // the operation that the durable bytes are as of
};

struct memory_disk {
    struct memory_file files[MEMORY_FILES_MAX];
    uint32_t file_count;

    uint64_t operations; // that change something
    uint64_t crash_at;   // the operation that is cut short; 0: none
    bool crashed;        // every call fails

    // The sync under way.
    uint64_t pending_token;
    uint32_t pending_file;
    uint64_t pending_at;
    bool pending_exists[MEMORY_FILES_MAX];
    struct memory_content pending;

    int read_status; // what reads return, if not 0
    int sync_status; // what syncs return, if not 0
    uint64_t appends;
    uint64_t syncs_waited_for;
    uint64_t syncs_started;
};

static inline struct memory_file *memory_disk_find(struct memory_disk *disk,
                                                   const char *name)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        if (strcmp(disk->files[i].name, name) == 0)
            return &disk->files[i];
    }
    return NULL;
}

// False where the crash comes now, or came before.
static inline bool memory_disk_goes_on(struct memory_disk *disk)
{
    if (!disk->crashed && ++disk->operations == disk->crash_at)
        disk->crashed = true;
    return !disk->crashed;
}

static inline struct memory_file *memory_disk_create(struct memory_disk *disk,
                                                     const char *name)
{
    struct memory_file *file = memory_disk_find(disk, name);
    if (file == NULL) {
        CHECK(disk->file_count < MEMORY_FILES_MAX);
        file = &disk->files[disk->file_count++];
        snprintf(file->name, sizeof file->name, "%s", name);
    }
    if (!file->now.exists)
        file->now.size = 0;
    file->now.exists = true;
    return file;
}

static inline int memory_disk_append(void *context, const char *name, const void *data,
                                     size_t size)
{
    struct memory_disk *disk = context;
    if (disk->crashed)
        return -EIO;
    bool whole = memory_disk_goes_on(disk);
    struct memory_file *file = memory_disk_create(disk, name);
    size_t part = whole ? size : size / 2;
    if (part > MEMORY_FILE_BYTES - file->now.size)
        return -ENOSPC;
    memcpy(file->now.bytes + file->now.size, data, part);
    file->now.size += part;
    disk->appends++;
    return whole ? 0 : -EIO;
}

static inline int memory_disk_sync(void *context, const char *name, uint64_t token)
{
    struct memory_disk *disk = context;
    if (!memory_disk_goes_on(disk))
        return -EIO;
    struct memory_file *file = memory_disk_find(disk, name);
    if (file == NULL || !file->now.exists)
        return -ENOENT;
    if (token == 0) {
        disk->syncs_waited_for++;
        if (disk->sync_status != 0)
            return disk->sync_status;
        for (uint32_t i = 0; i < disk->file_count; i++)
            disk->files[i].durable.exists = disk->files[i].now.exists;
        file->durable = file->now;
        file->durable_at = disk->operations;
        return 0;
    }
    CHECK_EQ(disk->pending_token, 0); // one at a time
    disk->syncs_started++;
    disk->pending_token = token;
    disk->pending_file = (uint32_t)(file - disk->files);
    disk->pending_at = disk->operations;
    disk->pending = file->now;
    for (uint32_t i = 0; i < disk->file_count; i++)
        disk->pending_exists[i] = disk->files[i].now.exists;
    return 0;
}

// The sync under way ends: returns its status, to be reported with its token.
static inline int memory_disk_end_sync(struct memory_disk *disk)
{
    CHECK(disk->pending_token != 0);
    disk->pending_token = 0;
    if (!memory_disk_goes_on(disk))
        return -EIO;
    if (disk->sync_status != 0)
        return disk->sync_status;
    struct memory_file *file = &disk->files[disk->pending_file];
    if (file->durable_at < disk->pending_at) {
        file->durable = disk->pending;
        file->durable_at = disk->pending_at;
    }
    for (uint32_t i = 0; i < disk->file_count; i++)
        disk->files[i].durable.exists |= disk->pending_exists[i];
    return 0;
}

static inline int64_t memory_disk_read(void *context, const char *name, uint64_t offset,
                                       void *data, size_t size)
{
    struct memory_disk *disk = context;
    const struct memory_file *file = memory_disk_find(disk, name);
    if (disk->crashed || disk->read_status != 0)
        return disk->crashed ? -EIO : disk->read_status;
    if (file == NULL || !file->now.exists)
        return -ENOENT;
    if (offset >= file->now.size)
        return 0;
    if (size > file->now.size - offset)
        size = (size_t)(file->now.size - offset);
    if (size > 1000)
        size = 1000; // a read may well return less than was asked for
    memcpy(data, file->now.bytes + offset, size);
    return (int64_t)size;
}

static inline int memory_disk_rename(void *context, const char *from, const char *to)
{
    (void)context, (void)from, (void)to;
    return -ENOTSUP; // the log renames nothing
}

static inline int memory_disk_list(void *context,
                                   void (*visit)(void *, const char *, uint64_t),
                                   void *argument)
{
    struct memory_disk *disk = context;
    const char *last = "";
    for (;;) {
        const struct memory_file *next = NULL;
        for (uint32_t i = 0; i < disk->file_count; i++) {
            const struct memory_file *file = &disk->files[i];
            if (file->now.exists && strcmp(file->name, last) > 0 &&
                (next == NULL || strcmp(file->name, next->name) < 0))
                next = file;
        }
        if (next == NULL)
            return disk->crashed ? -EIO : 0;
        visit(argument, next->name, next->now.size);
        last = next->name;
    }
}

static inline int memory_disk_remove(void *context, const char *name)
{
    struct memory_disk *disk = context;
    if (!memory_disk_goes_on(disk))
        return -EIO;
    struct memory_file *file = memory_disk_find(disk, name);
    if (file == NULL || !file->now.exists)
        return -ENOENT;
    file->now.exists = false;
    return 0;
}

static inline int memory_disk_truncate(void *context, const char *name, uint64_t size)
{
    struct memory_disk *disk = context;
    if (!memory_disk_goes_on(disk))
        return -EIO;
    struct memory_file *file = memory_disk_find(disk, name);
    if (file == NULL || !file->now.exists || size > file->now.size)
        return -EINVAL;
    memset(file->now.bytes + size, 0, (size_t)(file->now.size - size));
    file->now.size = size;
    return 0;
}

static inline struct disk memory_disk_interface(struct memory_disk *disk)
{
    return (struct disk){.context = disk,
                         .append = memory_disk_append,
                         .sync = memory_disk_sync,
                         .read = memory_disk_read,
                         .rename = memory_disk_rename,
                         .list = memory_disk_list,
                         .remove = memory_disk_remove,
                         .truncate = memory_disk_truncate};
}

// A file after a crash: each sector that differs is kept, or lost, by a bit of the
// mask. Returns how many bits that took.
static inline uint32_t memory_file_crash(struct memory_file *file, uint64_t mask,
                                         uint32_t bit)
{
    struct memory_content after = file->durable;
    uint64_t size = file->now.size > after.size ? file->now.size : after.size;
    memset(after.bytes + after.size, 0, sizeof after.bytes - (size_t)after.size);
    for (uint64_t at = 0; at < size; at += MEMORY_SECTOR_BYTES) {
        uint8_t sector[MEMORY_SECTOR_BYTES] = {0};
        uint64_t end = at + MEMORY_SECTOR_BYTES;
        if (at < file->now.size) {
            uint64_t held = file->now.size < end ? file->now.size : end;
            memcpy(sector, file->now.bytes + at, (size_t)(held - at));
        }
        if (memcmp(sector, after.bytes + at, sizeof sector) == 0)
            continue;
        if (mask >> bit++ % 61 & 1) {
            memcpy(after.bytes + at, sector, sizeof sector);
            uint64_t kept = file->now.size < end ? file->now.size : end;
            after.size = kept > after.size ? kept : after.size;
        }
    }
    if (mask & KEEP_LENGTH)
        after.size = size;
    file->now = after;
    file->durable = after;
    return bit;
}

// Power is lost and comes back.
static inline void memory_disk_crash(struct memory_disk *disk, uint64_t mask)
{
    uint32_t bit = 0;
    for (uint32_t i = 0; i < disk->file_count; i++) {
        struct memory_file *file = &disk->files[i];
        bool was = file->durable.exists;
        bool is = file->now.exists;
        bool exists = was && is;
        if (is && !was)
            exists = mask & KEEP_NEW;
        if (was && !is)
            exists = mask & KEEP_REMOVED;
        if (!was)
            file->durable.size = 0;
        if (!is)
            file->now = file->durable;
        bit = memory_file_crash(file, mask, bit);
        file->now.exists = exists;
        file->durable.exists = exists;
        file->durable_at = 0;
    }
    disk->pending_token = 0;
    disk->operations = 0;
    disk->crash_at = 0;
    disk->crashed = false;
}

#endif
