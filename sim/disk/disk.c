#include "sim/disk/disk.h"

#include "sim/disk/disk_crash.h"
#include "sim/disk/disk_files.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A sync under way.
struct flush {
    uint64_t sync;
    uint64_t token;
    uint64_t size;     // of the file when it started
    uint64_t sequence; // changes before this one go with it
    uint32_t file;
    int status;
    bool settled; // its bytes were made durable early
    char name[NAME_BYTES_MAX];
};

struct sim_disk {
    struct sim_disk_hooks hooks;
    struct disk_files files;
    struct flush *flushes;
    uint32_t flush_count, flush_capacity;
    uint64_t sync; // of the last that was started with a token
    uint64_t capacity_bytes;
    uint64_t failing_syncs;
    bool lying;
    struct sim_disk_counters counters; // but those that are counted when asked for
};

static struct file *file_named(struct sim_disk *disk, const char *name)
{
    const struct entry *entry = disk_files_entry(&disk->files.now, name);
    return entry == NULL ? NULL : &disk->files.files[entry->file];
}

// ---- the door -------------------------------------------------------------------

static int changed(struct sim_disk *disk, int status)
{
    if (disk->hooks.changed != NULL) {
        disk->hooks.changed(disk->hooks.context);
    }
    return status;
}

static int disk_append(void *context, const char *name, const void *data, size_t size)
{
    struct sim_disk *disk = context;
    if (strlen(name) >= NAME_BYTES_MAX) {
        return -ENAMETOOLONG;
    }
    if (disk_files_entry(&disk->files.now, name) == NULL) {
        disk_files_create(&disk->files, name);
    }
    struct file *file = file_named(disk, name);
    uint64_t room = 0;
    if (disk->counters.bytes_used < disk->capacity_bytes) {
        room = disk->capacity_bytes - disk->counters.bytes_used;
    }
    size_t taken = size <= room ? size : (size_t)room;
    if (file->size + taken > file->capacity) {
        uint64_t doubled = file->capacity * 2 + 256;
        file->capacity = doubled > file->size + taken ? doubled : file->size + taken;
        file->data = disk_files_grown(file->data, file->capacity);
    }
    if (taken > 0) {
        memcpy(file->data + file->size, data, taken);
    }
    file->size += taken;
    disk->counters.bytes_used += taken;
    disk->counters.bytes_appended += taken;
    disk->counters.appends++;
    return changed(disk, taken == size ? 0 : -ENOSPC);
}

static int start_status(struct sim_disk *disk)
{
    if (disk->failing_syncs == 0) {
        return 0;
    }
    if (disk->failing_syncs != UINT64_MAX) {
        disk->failing_syncs--;
    }
    return -EIO;
}

static void finish(struct sim_disk *disk, struct flush *flush)
{
    if (flush->status != 0) {
        disk->counters.syncs_failed++;
        return;
    }
    disk->counters.syncs++;
    if (disk->lying) {
        return;
    }
    if (!flush->settled) {
        disk_files_make_bytes_durable(&disk->files.files[flush->file], flush->size);
    }
    disk_files_make_names_durable(&disk->files, flush->name, flush->sequence);
}

static int disk_sync(void *context, const char *name, uint64_t token)
{
    struct sim_disk *disk = context;
    const struct entry *entry = disk_files_entry(&disk->files.now, name);
    if (entry == NULL) {
        return -ENOENT;
    }
    struct file *file = &disk->files.files[entry->file];
    struct flush flush; // the name is not cleared first: there is one at each write
    flush.sync = 0;
    flush.token = token;
    flush.size = file->size;
    flush.sequence = disk->files.sequence;
    flush.file = entry->file;
    flush.status = start_status(disk);
    flush.settled = false;
    memcpy(flush.name, name, strlen(name) + 1); // it fits: a file has it
    if (token == 0) {
        finish(disk, &flush);
        return changed(disk, flush.status);
    }
    flush.sync = ++disk->sync;
    file->syncs++;
    disk->flushes = disk_files_roomy(disk->flushes, disk->flush_count,
                                     &disk->flush_capacity, sizeof(struct flush));
    disk->flushes[disk->flush_count++] = flush;
    uint64_t bytes = file->size - disk_files_synced_size(file);
    disk->hooks.sync_started(disk->hooks.context, flush.sync, bytes);
    return changed(disk, 0);
}

bool sim_disk_complete(struct sim_disk *disk, uint64_t sync, uint64_t *token,
                       int *status)
{
    for (uint32_t i = 0; i < disk->flush_count; i++) {
        if (disk->flushes[i].sync == sync) {
            struct flush flush = disk->flushes[i];
            disk->flush_count--;
            memmove(&disk->flushes[i], &disk->flushes[i + 1],
                    (disk->flush_count - i) * sizeof(flush));
            disk->files.files[flush.file].syncs--;
            finish(disk, &flush);
            *token = flush.token;
            *status = flush.status;
            return true;
        }
    }
    return false;
}

static int64_t disk_read(void *context, const char *name, uint64_t offset, void *data,
                         size_t size)
{
    struct sim_disk *disk = context;
    const struct entry *entry = disk_files_entry(&disk->files.now, name);
    if (entry == NULL) {
        return -ENOENT;
    }
    const struct file *file = &disk->files.files[entry->file];
    if (offset >= file->size || size == 0) {
        return 0;
    }
    uint64_t left = file->size - offset;
    uint64_t given = size < left ? size : left;
    // A read may return less than was asked for; here it ends with its block.
    uint64_t block = SIM_DISK_SECTOR_BYTES - offset % SIM_DISK_SECTOR_BYTES;
    if (given > block) {
        given = block;
    }
    memcpy(data, file->data + offset, given);
    int status =
        disk_files_apply_damage(&disk->files, entry->file, offset, data, given);
    return status != 0 ? status : (int64_t)given;
}

static int disk_rename(void *context, const char *from, const char *to)
{
    struct sim_disk *disk = context;
    const struct entry *entry = disk_files_entry(&disk->files.now, from);
    if (entry == NULL) {
        return -ENOENT;
    }
    if (strlen(to) >= NAME_BYTES_MAX) {
        return -ENAMETOOLONG;
    }
    if (strcmp(from, to) == 0) {
        return 0;
    }
    const struct file *replaced = file_named(disk, to);
    if (replaced != NULL) {
        disk->counters.bytes_used -= replaced->size;
    }
    disk_files_rename(&disk->files, from, to);
    return changed(disk, 0);
}

static int disk_list(void *context,
                     void (*visit)(void *argument, const char *name, uint64_t size),
                     void *argument)
{
    struct sim_disk *disk = context;
    // The visitor may change the directory, so that it is shown a copy.
    struct directory seen = {0};
    disk_files_copy_directory(&seen, &disk->files.now);
    for (uint32_t i = 0; i < seen.count; i++) {
        visit(argument, seen.entries[i].name,
              disk->files.files[seen.entries[i].file].size);
    }
    free(seen.entries);
    return 0;
}

static int disk_remove(void *context, const char *name)
{
    struct sim_disk *disk = context;
    const struct file *file = file_named(disk, name);
    if (file == NULL) {
        return -ENOENT;
    }
    disk->counters.bytes_used -= file->size;
    disk_files_remove(&disk->files, name);
    return changed(disk, 0);
}

static int disk_truncate(void *context, const char *name, uint64_t size)
{
    struct sim_disk *disk = context;
    const struct entry *entry = disk_files_entry(&disk->files.now, name);
    if (entry == NULL) {
        return -ENOENT;
    }
    struct file *file = &disk->files.files[entry->file];
    if (size > file->size) {
        return -EINVAL;
    }
    // Syncs under way cover bytes that are about to go. That the disk was quick with
    // them, though it has not said so yet, is one of the things that may happen.
    for (uint32_t i = 0; i < disk->flush_count; i++) {
        struct flush *flush = &disk->flushes[i];
        if (flush->file == entry->file && !flush->settled && flush->status == 0) {
            disk_files_make_bytes_durable(file, flush->size);
            flush->settled = true;
        }
    }
    disk->counters.bytes_used -= file->size - size;
    disk_files_truncate(&disk->files, entry->file, size);
    return changed(disk, 0);
}

void sim_disk_door(struct sim_disk *disk, struct disk *door)
{
    *door = (struct disk){.context = disk,
                          .append = disk_append,
                          .sync = disk_sync,
                          .read = disk_read,
                          .rename = disk_rename,
                          .list = disk_list,
                          .remove = disk_remove,
                          .truncate = disk_truncate};
}

// ---- crashes, faults and observing
// ------------------------------------------------------

void sim_disk_crash(struct sim_disk *disk, struct random *random,
                    enum sim_disk_crash_mode mode)
{
    assert(mode < SIM_DISK_CRASH_MODE_COUNT);
    disk->flush_count = 0;
    disk->counters.bytes_lost += disk_crash_files(&disk->files, random, mode);
    disk->counters.bytes_used = 0;
    for (uint32_t i = 0; i < disk->files.now.count; i++) {
        uint32_t index = disk->files.now.entries[i].file;
        disk->counters.bytes_used += disk->files.files[index].size;
    }
}

bool sim_disk_damage(struct sim_disk *disk, const char *name, uint64_t offset,
                     uint64_t size, enum sim_disk_damage damage)
{
    const struct entry *entry = disk_files_entry(&disk->files.now, name);
    if (entry == NULL) {
        return false;
    }
    uint64_t end = disk->files.files[entry->file].size;
    if (size == 0 || size > end || offset > end - size) {
        return false;
    }
    disk->files.damages =
        disk_files_roomy(disk->files.damages, disk->files.damage_count,
                         &disk->files.damage_capacity, sizeof(struct damage));
    disk->files.damages[disk->files.damage_count++] =
        (struct damage){entry->file, damage, offset, size, 0};
    return true;
}

bool sim_disk_misdirect(struct sim_disk *disk, const char *name, const char *other)
{
    const struct entry *there = disk_files_entry(&disk->files.now, other);
    const struct file *file = file_named(disk, name);
    if (there == NULL || file == NULL ||
        !sim_disk_damage(disk, name, 0, file->size, SIM_DISK_ELSEWHERE)) {
        return false;
    }
    disk->files.damages[disk->files.damage_count - 1].other = there->file;
    return true;
}

void sim_disk_heal(struct sim_disk *disk)
{
    disk->files.damage_count = 0;
    disk->failing_syncs = 0;
    disk->lying = false;
    disk->capacity_bytes = UINT64_MAX;
}

void sim_disk_fail_syncs(struct sim_disk *disk, uint64_t count)
{
    disk->failing_syncs = count;
}

void sim_disk_lie(struct sim_disk *disk)
{
    disk->lying = true;
}

void sim_disk_set_capacity(struct sim_disk *disk, uint64_t bytes)
{
    disk->capacity_bytes = bytes;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, uint64_t size)
{
    const uint8_t *bytes = data;
    for (uint64_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

uint64_t sim_disk_hash(const struct sim_disk *disk)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < disk->files.now.count; i++) {
        const struct entry *entry = &disk->files.now.entries[i];
        const struct file *file = &disk->files.files[entry->file];
        hash = hash_bytes(hash, entry->name, strlen(entry->name) + 1);
        hash = (hash ^ file->size) * UINT64_C(0x100000001b3);
        hash = hash_bytes(hash, file->data, file->size);
    }
    return hash;
}

void sim_disk_count(const struct sim_disk *disk, struct sim_disk_counters *counters)
{
    *counters = disk->counters;
    counters->syncs_pending = disk->flush_count;
    counters->bytes_unsynced = 0;
    for (uint32_t i = 0; i < disk->files.now.count; i++) {
        const struct file *file = &disk->files.files[disk->files.now.entries[i].file];
        counters->bytes_unsynced += file->size - disk_files_synced_size(file);
    }
}

// ---- life -----------------------------------------------------------------------

struct sim_disk *sim_disk_new(const struct sim_disk_hooks *hooks)
{
    struct sim_disk *disk = disk_files_grown(NULL, sizeof(*disk));
    *disk = (struct sim_disk){.hooks = *hooks, .capacity_bytes = UINT64_MAX};
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    if (disk != NULL) {
        disk_files_release(&disk->files);
        free(disk->flushes);
        free(disk);
    }
}

struct sim_disk *sim_disk_clone(const struct sim_disk *disk,
                                const struct sim_disk_hooks *hooks)
{
    struct sim_disk *copy = sim_disk_new(hooks);
    *copy = *disk;
    copy->hooks = *hooks;
    disk_files_copy(&copy->files, &disk->files);
    copy->flush_capacity = disk->flush_count;
    size_t size = disk->flush_count * sizeof(*copy->flushes);
    copy->flushes = disk_files_grown(NULL, size);
    if (size > 0) {
        memcpy(copy->flushes, disk->flushes, size);
    }
    return copy;
}
