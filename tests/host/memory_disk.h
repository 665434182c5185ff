// memory_disk.h: struct disk in plain memory, with a crash at any operation.
//
// Each file has two contents: what reads see, and what is on stable storage. A crash
// mixes them, sector by sector, as a mask says. Plain data: assignment copies a disk,
// memory_disk_copy what is in use of it.
#ifndef TESTS_HOST_MEMORY_DISK_H
#define TESTS_HOST_MEMORY_DISK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "raft/host/disk.h"
#include "tests/test.h"

#ifndef MEMORY_FILES_MAX
#define MEMORY_FILES_MAX 10
#endif
#ifndef MEMORY_FILE_BYTES
#define MEMORY_FILE_BYTES (40 * 1024)
#endif

enum {
    MEMORY_SECTOR_BYTES = 512,
    MEMORY_SYNCS_MAX = 6, // under way
};

// Bits of a crash's mask above those of the sectors (0: what was not synced is lost).
#define KEEP_LENGTH ((uint64_t)1 << 63) // lost sectors at the end are read as zeros
#define KEEP_NEW    ((uint64_t)1 << 62) // unsynced entries of the directory survive
// The removal of the file in this slot, which is unsynced, is undone.
#define KEEP_REMOVED(slot) ((uint64_t)1 << (61 - (slot) % 24))

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

    // It was renamed, and that is not durable: where from (1 + the slot), and when.
    uint32_t renamed_from;
    uint64_t renamed_at;
};

// A sync under way, and what there was when it began.
struct memory_sync {
    uint64_t token;
    uint64_t at;
    uint32_t file;
    bool exists[MEMORY_FILES_MAX];
    struct memory_content content;
};

struct memory_disk {
    uint32_t file_count;
    uint32_t pending_count;
    uint64_t pending_token; // of the oldest sync under way; 0: none is

    uint64_t operations; // that change something
    uint64_t crash_at;   // the operation that is cut short; 0: none
    bool crashed;        // every call fails

    uint64_t directory_durable_at; // the operation that the durable names are as of

    int read_status; // what reads return, if not 0
    int sync_status; // what syncs return, if not 0

    // Bytes of all files together that fit; 0: no bound.
    uint64_t capacity;
    uint64_t full_at; // the append that finds the disk full, whatever it holds; 0: none
    uint64_t full_from; // the first of the appends that all do; 0: none
    int full_status;    // what they return, if not -ENOSPC
    uint64_t bytes_appended;
    uint64_t appends;
    uint64_t syncs_waited_for;
    uint64_t syncs_started;

    struct memory_sync pending[MEMORY_SYNCS_MAX]; // the oldest first
    struct memory_file files[MEMORY_FILES_MAX];
};

// From all disks together: a disk that was only read compares equal.
static uint64_t memory_disk_bytes_read;

static inline struct memory_file *memory_disk_find(struct memory_disk *disk,
                                                   const char *name)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        if (strcmp(disk->files[i].name, name) == 0)
            return &disk->files[i];
    }
    return NULL;
}

// Where there are thousands of copies, the slots that nobody uses are what costs.
static inline void memory_disk_copy(struct memory_disk *to,
                                    const struct memory_disk *from)
{
    memcpy(to, from, offsetof(struct memory_disk, pending));
    memcpy(to->pending, from->pending, from->pending_count * sizeof *from->pending);
    memcpy(to->files, from->files, from->file_count * sizeof *from->files);
}

// False where the crash comes now, or came before.
static inline bool memory_disk_goes_on(struct memory_disk *disk)
{
    if (!disk->crashed && ++disk->operations == disk->crash_at)
        disk->crashed = true;
    return !disk->crashed;
}

// A slot that no name and no sync under way needs any more.
static inline struct memory_file *memory_disk_spare(struct memory_disk *disk)
{
    for (uint32_t i = 0; i < disk->file_count; i++) {
        struct memory_file *file = &disk->files[i];
        bool needed = file->now.exists || file->durable.exists;
        for (uint32_t j = 0; j < disk->pending_count; j++)
            needed = needed || disk->pending[j].file == i || disk->pending[j].exists[i];
        for (uint32_t j = 0; j < disk->file_count; j++)
            needed = needed || disk->files[j].renamed_from == i + 1;
        if (!needed)
            return file;
    }
    return NULL;
}

static inline struct memory_file *memory_disk_create(struct memory_disk *disk,
                                                     const char *name)
{
    struct memory_file *file = memory_disk_find(disk, name);
    if (file == NULL) {
        bool full = disk->file_count == MEMORY_FILES_MAX;
        file = full ? memory_disk_spare(disk) : &disk->files[disk->file_count++];
        CHECK(file != NULL); // too many files
        memset(file, 0, sizeof *file);
        snprintf(file->name, sizeof file->name, "%s", name);
    }
    if (!file->now.exists)
        file->now.size = 0;
    file->now.exists = true;
    return file;
}

static inline uint64_t memory_disk_used(const struct memory_disk *disk)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < disk->file_count; i++) {
        if (disk->files[i].now.exists)
            used += disk->files[i].now.size;
    }
    return used;
}

// How many bytes more fit at the end of this file.
static inline uint64_t memory_disk_room(const struct memory_disk *disk,
                                        const struct memory_file *file)
{
    uint64_t room = MEMORY_FILE_BYTES - file->now.size;
    uint64_t used = memory_disk_used(disk);
    if (disk->capacity != 0 && disk->capacity < used + room)
        room = disk->capacity > used ? disk->capacity - used : 0;
    return room;
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
    disk->appends++;
    uint64_t room = memory_disk_room(disk, file);
    bool full = part > room || disk->appends == disk->full_at ||
                (disk->full_from != 0 && disk->appends >= disk->full_from);
    if (full) // what fits was written, as a real disk may
        part = part > room ? (size_t)room : part / 3;
    memcpy(file->now.bytes + file->now.size, data, part);
    file->now.size += part;
    disk->bytes_appended += part;
    if (full)
        return disk->full_status != 0 ? disk->full_status : -ENOSPC;
    return whole ? 0 : -EIO;
}

// The names as they were at some operation are durable: renames first, with the bytes
// that were durable under the name before.
static inline void memory_disk_keep_names(struct memory_disk *disk, const bool *exists,
                                          uint64_t at)
{
    if (at <= disk->directory_durable_at)
        return;
    disk->directory_durable_at = at;
    for (uint32_t i = 0; i < disk->file_count; i++) {
        struct memory_file *file = &disk->files[i];
        if (file->renamed_from != 0 && file->renamed_at <= at) {
            file->durable = disk->files[file->renamed_from - 1].durable;
            file->renamed_from = 0;
        }
    }
    for (uint32_t i = 0; i < disk->file_count; i++)
        disk->files[i].durable.exists = exists[i];
}

static inline int memory_disk_sync(void *context, const char *name, uint64_t token)
{
    struct memory_disk *disk = context;
    if (!memory_disk_goes_on(disk))
        return -EIO;
    struct memory_file *file = memory_disk_find(disk, name);
    if (file == NULL || !file->now.exists)
        return -ENOENT;
    bool exists[MEMORY_FILES_MAX] = {false};
    for (uint32_t i = 0; i < disk->file_count; i++)
        exists[i] = disk->files[i].now.exists;
    if (token == 0) {
        disk->syncs_waited_for++;
        if (disk->sync_status != 0)
            return disk->sync_status;
        memory_disk_keep_names(disk, exists, disk->operations);
        file->durable = file->now;
        file->durable_at = disk->operations;
        return 0;
    }
    CHECK(disk->pending_count < MEMORY_SYNCS_MAX);
    struct memory_sync *sync = &disk->pending[disk->pending_count++];
    disk->syncs_started++;
    sync->token = token;
    sync->file = (uint32_t)(file - disk->files);
    sync->at = disk->operations;
    sync->content = file->now;
    memcpy(sync->exists, exists, sizeof exists);
    disk->pending_token = disk->pending[0].token;
    return 0;
}

// One of the syncs under way ends: returns its status, to be reported with its token.
static inline int memory_disk_end_one_sync(struct memory_disk *disk, uint32_t which,
                                           uint64_t *token)
{
    CHECK(which < disk->pending_count);
    static struct memory_sync sync;
    sync = disk->pending[which];
    *token = sync.token;
    disk->pending_count--;
    for (uint32_t i = which; i < disk->pending_count; i++)
        disk->pending[i] = disk->pending[i + 1];
    disk->pending_token = disk->pending_count > 0 ? disk->pending[0].token : 0;
    if (!memory_disk_goes_on(disk))
        return -EIO;
    if (disk->sync_status != 0)
        return disk->sync_status;
    memory_disk_keep_names(disk, sync.exists, sync.at);
    struct memory_file *file = &disk->files[sync.file];
    if (file->durable_at < sync.at) {
        bool exists = file->durable.exists;
        file->durable = sync.content;
        file->durable.exists = exists;
        file->durable_at = sync.at;
    }
    return 0;
}

// The oldest sync under way ends.
static inline int memory_disk_end_sync(struct memory_disk *disk)
{
    uint64_t token;
    return memory_disk_end_one_sync(disk, 0, &token);
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
    memory_disk_bytes_read += size;
    return (int64_t)size;
}

static inline int memory_disk_rename(void *context, const char *from, const char *to)
{
    struct memory_disk *disk = context;
    if (!memory_disk_goes_on(disk))
        return -EIO;
    struct memory_file *source = memory_disk_find(disk, from);
    if (source == NULL || !source->now.exists)
        return -ENOENT;
    struct memory_file *target = memory_disk_create(disk, to);
    target->now = source->now;
    source->now.exists = false;
    target->renamed_from = (uint32_t)(source - disk->files) + 1;
    target->renamed_at = disk->operations;
    return 0;
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

// A rename that was not made durable has happened, or has not.
static inline void memory_disk_crash_rename(struct memory_disk *disk,
                                            struct memory_file *file, bool happened)
{
    struct memory_file *source = &disk->files[file->renamed_from - 1];
    file->renamed_from = 0;
    if (happened) {
        file->durable = source->durable;
        file->durable.exists = true;
        source->durable.exists = false;
        return;
    }
    if (source->durable.exists && !source->now.exists)
        source->now = file->now;
    file->now = file->durable;
}

// Power is lost and comes back.
static inline void memory_disk_crash(struct memory_disk *disk, uint64_t mask)
{
    uint32_t bit = 0;
    for (uint32_t i = 0; i < disk->file_count; i++) {
        if (disk->files[i].renamed_from != 0)
            memory_disk_crash_rename(disk, &disk->files[i], mask & KEEP_NEW);
    }
    for (uint32_t i = 0; i < disk->file_count; i++) {
        struct memory_file *file = &disk->files[i];
        bool was = file->durable.exists;
        bool is = file->now.exists;
        bool exists = was && is;
        if (is && !was)
            exists = mask & KEEP_NEW;
        if (was && !is)
            exists = mask & KEEP_REMOVED(i);
        if (!was)
            file->durable.size = 0;
        if (!is)
            file->now = file->durable;
        bit = memory_file_crash(file, mask, bit);
        file->now.exists = exists;
        file->durable.exists = exists;
        file->durable_at = 0;
    }
    disk->pending_count = 0;
    disk->pending_token = 0;
    disk->directory_durable_at = 0;
    disk->operations = 0;
    disk->crash_at = 0;
    disk->crashed = false;
}

#endif
