#include "sim/disk.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 80 };

// What is durable of a file is data[0, durable_size), but where bytes were cut off
// that were durable, these are kept in `old` until the cut is synced: then it is
// data[0, old_from) followed by `old` up to durable_size.
struct file {
    uint8_t *data;
    uint64_t size;
    uint64_t capacity;
    uint64_t durable_size;
    uint8_t *old; // NULL: nothing was cut
    uint64_t old_from;
    bool used;
    bool marked; // while collecting
};

struct entry {
    char name[NAME_BYTES_MAX];
    uint32_t file;
};

// Sorted by name.
struct directory {
    struct entry *entries;
    uint32_t count;
    uint32_t capacity;
};

enum change_kind {
    CHANGE_CREATE,
    CHANGE_RENAME,
    CHANGE_REMOVE,
};

// A change of the directory that is not durable yet.
struct change {
    enum change_kind kind;
    bool chosen; // while it is decided which become durable
    uint32_t file;
    uint64_t sequence;
    char from[NAME_BYTES_MAX]; // the only name, but of a rename
    char to[NAME_BYTES_MAX];
};

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

struct damage {
    uint32_t file;
    enum sim_disk_damage kind;
    uint64_t offset;
    uint64_t size;
};

struct sim_disk {
    struct sim_disk_hooks hooks;
    struct directory now;     // what can be read
    struct directory durable; // what a crash leaves at the least
    struct file *files;
    uint32_t file_count, file_capacity;
    struct change *changes;
    uint32_t change_count, change_capacity;
    struct flush *flushes;
    uint32_t flush_count, flush_capacity;
    struct damage *damages;
    uint32_t damage_count, damage_capacity;
    uint64_t sequence; // of the next change
    uint64_t sync;     // of the next sync
    uint64_t capacity_bytes;
    uint64_t failing_syncs;
    struct sim_disk_counters counters;
};

static void *grown(void *memory, size_t size)
{
    void *result = realloc(memory, size > 0 ? size : 1);
    if (result == NULL) {
        fprintf(stderr, "disk: out of memory\n");
        abort();
    }
    return result;
}

// Makes room for one more in an array.
static void *roomy(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    return grown(array, *capacity * size);
}

// ---- directories ----------------------------------------------------------------

// Where the name stands, or would stand.
static uint32_t position_of(const struct directory *directory, const char *name,
                            bool *found)
{
    uint32_t low = 0;
    uint32_t high = directory->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(directory->entries[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = false;
    return low;
}

static struct entry *entry_of(const struct directory *directory, const char *name)
{
    bool found;
    uint32_t position = position_of(directory, name, &found);
    return found ? &directory->entries[position] : NULL;
}

static void set_entry(struct directory *directory, const char *name, uint32_t file)
{
    bool found;
    uint32_t position = position_of(directory, name, &found);
    if (!found) {
        directory->entries = roomy(directory->entries, directory->count,
                                   &directory->capacity, sizeof(struct entry));
        struct entry *at = &directory->entries[position];
        memmove(at + 1, at, (directory->count - position) * sizeof(*at));
        directory->count++;
        snprintf(at->name, sizeof(at->name), "%s", name);
    }
    directory->entries[position].file = file;
}

static void erase_entry(struct directory *directory, const char *name)
{
    bool found;
    uint32_t position = position_of(directory, name, &found);
    if (found) {
        struct entry *at = &directory->entries[position];
        directory->count--;
        memmove(at, at + 1, (directory->count - position) * sizeof(*at));
    }
}

static void copy_directory(struct directory *to, const struct directory *from)
{
    to->capacity = to->count = from->count;
    to->entries = grown(to->entries, from->count * sizeof(*to->entries));
    if (from->count > 0) {
        memcpy(to->entries, from->entries, from->count * sizeof(*to->entries));
    }
}

// Applies a change where it fits what is there; what it depends on may have been lost.
static void apply_change(struct directory *directory, const struct change *change)
{
    const struct entry *entry = entry_of(directory, change->from);
    bool fits = entry != NULL && entry->file == change->file;
    switch (change->kind) {
    case CHANGE_CREATE:
        set_entry(directory, change->from, change->file);
        break;
    case CHANGE_RENAME:
        if (fits) {
            erase_entry(directory, change->from);
            set_entry(directory, change->to, change->file);
        }
        break;
    case CHANGE_REMOVE:
        if (fits) {
            erase_entry(directory, change->from);
        }
        break;
    }
}

static void add_change(struct sim_disk *disk, enum change_kind kind, uint32_t file,
                       const char *from, const char *to)
{
    disk->changes = roomy(disk->changes, disk->change_count, &disk->change_capacity,
                          sizeof(struct change));
    struct change *change = &disk->changes[disk->change_count++];
    *change = (struct change){.kind = kind, .file = file, .sequence = disk->sequence++};
    snprintf(change->from, sizeof(change->from), "%s", from);
    snprintf(change->to, sizeof(change->to), "%s", to);
}

// ---- files ----------------------------------------------------------------------

static struct file *file_named(struct sim_disk *disk, const char *name)
{
    const struct entry *entry = entry_of(&disk->now, name);
    return entry == NULL ? NULL : &disk->files[entry->file];
}

static uint32_t new_file(struct sim_disk *disk)
{
    uint32_t index = 0;
    while (index < disk->file_count && disk->files[index].used) {
        index++;
    }
    if (index == disk->file_count) {
        disk->files = roomy(disk->files, disk->file_count, &disk->file_capacity,
                            sizeof(struct file));
        disk->file_count++;
    }
    disk->files[index] = (struct file){.used = true};
    return index;
}

static void drop_old(struct file *file)
{
    free(file->old);
    file->old = NULL;
}

static void mark_entries(struct sim_disk *disk, const struct directory *directory)
{
    for (uint32_t i = 0; i < directory->count; i++) {
        disk->files[directory->entries[i].file].marked = true;
    }
}

// Frees the files that no name, change or sync refers to.
static void collect(struct sim_disk *disk)
{
    mark_entries(disk, &disk->now);
    mark_entries(disk, &disk->durable);
    for (uint32_t i = 0; i < disk->change_count; i++) {
        disk->files[disk->changes[i].file].marked = true;
    }
    for (uint32_t i = 0; i < disk->flush_count; i++) {
        disk->files[disk->flushes[i].file].marked = true;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < disk->damage_count; i++) {
        if (disk->files[disk->damages[i].file].marked) {
            disk->damages[kept++] = disk->damages[i];
        }
    }
    disk->damage_count = kept;
    for (uint32_t i = 0; i < disk->file_count; i++) {
        struct file *file = &disk->files[i];
        if (file->used && !file->marked) {
            drop_old(file);
            free(file->data);
            *file = (struct file){0};
        }
        file->marked = false;
    }
}

static void make_bytes_durable(struct file *file, uint64_t size)
{
    if (file->old != NULL) {
        drop_old(file);
        file->durable_size = size;
    } else if (file->durable_size < size) {
        file->durable_size = size;
    }
}

static bool touches(const struct change *change, const char *name)
{
    return strcmp(change->from, name) == 0 ||
           (change->kind == CHANGE_RENAME && strcmp(change->to, name) == 0);
}

// Chooses the changes older than `sequence` that a sync of `name` makes durable: those
// of that name, all removals, and whatever these stand upon.
static bool choose_changes(struct sim_disk *disk, const char *name, uint64_t sequence)
{
    bool any = false;
    for (uint32_t i = disk->change_count; i-- > 0;) {
        struct change *change = &disk->changes[i];
        change->chosen = false;
        if (change->sequence >= sequence) {
            continue;
        }
        bool wanted = change->kind == CHANGE_REMOVE || touches(change, name);
        for (uint32_t j = i + 1; j < disk->change_count && !wanted; j++) {
            const struct change *later = &disk->changes[j];
            wanted =
                later->chosen && (touches(change, later->from) ||
                                  (later->to[0] != '\0' && touches(change, later->to)));
        }
        change->chosen = wanted;
        any |= wanted;
    }
    return any;
}

static void make_names_durable(struct sim_disk *disk, const char *name,
                               uint64_t sequence)
{
    if (disk->change_count == 0 || !choose_changes(disk, name, sequence)) {
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < disk->change_count; i++) {
        if (disk->changes[i].chosen) {
            apply_change(&disk->durable, &disk->changes[i]);
        } else {
            disk->changes[kept++] = disk->changes[i];
        }
    }
    disk->change_count = kept;
    collect(disk);
}

// ---- the door -------------------------------------------------------------------

static int disk_append(void *context, const char *name, const void *data, size_t size)
{
    struct sim_disk *disk = context;
    if (strlen(name) >= NAME_BYTES_MAX) {
        return -ENAMETOOLONG;
    }
    if (entry_of(&disk->now, name) == NULL) {
        uint32_t index = new_file(disk);
        set_entry(&disk->now, name, index);
        add_change(disk, CHANGE_CREATE, index, name, "");
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
        file->data = grown(file->data, file->capacity);
    }
    if (taken > 0) {
        memcpy(file->data + file->size, data, taken);
    }
    file->size += taken;
    disk->counters.bytes_used += taken;
    disk->counters.bytes_appended += taken;
    disk->counters.appends++;
    return taken == size ? 0 : -ENOSPC;
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
    if (!flush->settled) {
        make_bytes_durable(&disk->files[flush->file], flush->size);
    }
    make_names_durable(disk, flush->name, flush->sequence);
}

static int disk_sync(void *context, const char *name, uint64_t token)
{
    struct sim_disk *disk = context;
    const struct entry *entry = entry_of(&disk->now, name);
    if (entry == NULL) {
        return -ENOENT;
    }
    const struct file *file = &disk->files[entry->file];
    struct flush flush = {.token = token,
                          .size = file->size,
                          .sequence = disk->sequence,
                          .file = entry->file,
                          .status = start_status(disk)};
    snprintf(flush.name, sizeof(flush.name), "%s", name);
    if (token == 0) {
        finish(disk, &flush);
        return flush.status;
    }
    flush.sync = ++disk->sync;
    disk->flushes = roomy(disk->flushes, disk->flush_count, &disk->flush_capacity,
                          sizeof(struct flush));
    disk->flushes[disk->flush_count++] = flush;
    uint64_t kept = file->old != NULL ? file->old_from : file->durable_size;
    disk->hooks.sync_started(disk->hooks.context, flush.sync, file->size - kept);
    return 0;
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
            finish(disk, &flush);
            *token = flush.token;
            *status = flush.status;
            return true;
        }
    }
    return false;
}

// Returns 0, or -EIO where the range holds an unreadable byte.
static int apply_damage(const struct sim_disk *disk, uint32_t file, uint64_t offset,
                        uint8_t *data, uint64_t size)
{
    for (uint32_t i = 0; i < disk->damage_count; i++) {
        const struct damage *damage = &disk->damages[i];
        if (damage->file != file) {
            continue;
        }
        uint64_t from = damage->offset > offset ? damage->offset : offset;
        uint64_t to = damage->offset + damage->size;
        to = to < offset + size ? to : offset + size;
        if (from < to && damage->kind == SIM_DISK_UNREADABLE) {
            return -EIO;
        }
        for (uint64_t at = from; at < to; at++) {
            uint8_t *byte = &data[at - offset];
            *byte = damage->kind == SIM_DISK_ZERO ? 0 : *byte ^ 0x10;
        }
    }
    return 0;
}

static int64_t disk_read(void *context, const char *name, uint64_t offset, void *data,
                         size_t size)
{
    struct sim_disk *disk = context;
    const struct entry *entry = entry_of(&disk->now, name);
    if (entry == NULL) {
        return -ENOENT;
    }
    const struct file *file = &disk->files[entry->file];
    if (offset >= file->size || size == 0) {
        return 0;
    }
    uint64_t left = file->size - offset;
    uint64_t given = size < left ? size : left;
    memcpy(data, file->data + offset, given);
    int status = apply_damage(disk, entry->file, offset, data, given);
    return status != 0 ? status : (int64_t)given;
}

static int disk_rename(void *context, const char *from, const char *to)
{
    struct sim_disk *disk = context;
    const struct entry *entry = entry_of(&disk->now, from);
    if (entry == NULL) {
        return -ENOENT;
    }
    if (strlen(to) >= NAME_BYTES_MAX) {
        return -ENAMETOOLONG;
    }
    if (strcmp(from, to) == 0) {
        return 0;
    }
    uint32_t file = entry->file;
    const struct file *replaced = file_named(disk, to);
    if (replaced != NULL) {
        disk->counters.bytes_used -= replaced->size;
    }
    erase_entry(&disk->now, from);
    set_entry(&disk->now, to, file);
    add_change(disk, CHANGE_RENAME, file, from, to);
    return 0;
}

static int disk_list(void *context,
                     void (*visit)(void *argument, const char *name, uint64_t size),
                     void *argument)
{
    struct sim_disk *disk = context;
    // The visitor may change the directory, so that it is shown a copy.
    struct directory seen = {0};
    copy_directory(&seen, &disk->now);
    for (uint32_t i = 0; i < seen.count; i++) {
        visit(argument, seen.entries[i].name, disk->files[seen.entries[i].file].size);
    }
    free(seen.entries);
    return 0;
}

static int disk_remove(void *context, const char *name)
{
    struct sim_disk *disk = context;
    const struct entry *entry = entry_of(&disk->now, name);
    if (entry == NULL) {
        return -ENOENT;
    }
    uint32_t file = entry->file;
    disk->counters.bytes_used -= disk->files[file].size;
    erase_entry(&disk->now, name);
    add_change(disk, CHANGE_REMOVE, file, name, "");
    return 0;
}

// Forgets damage at and beyond a size.
static void cut_damage(struct sim_disk *disk, uint32_t file, uint64_t size)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < disk->damage_count; i++) {
        struct damage damage = disk->damages[i];
        if (damage.file == file && damage.offset + damage.size > size) {
            damage.size = damage.offset < size ? size - damage.offset : 0;
        }
        if (damage.size > 0) {
            disk->damages[kept++] = damage;
        }
    }
    disk->damage_count = kept;
}

// Keeps the durable bytes that are about to be cut off.
static void save_old(struct file *file, uint64_t size)
{
    uint64_t from = file->old != NULL ? file->old_from : file->durable_size;
    if (size >= from) {
        return;
    }
    uint64_t old_size = file->durable_size - from;
    uint8_t *old = grown(NULL, file->durable_size - size);
    memcpy(old, file->data + size, from - size);
    if (old_size > 0) {
        memcpy(old + (from - size), file->old, old_size);
    }
    free(file->old);
    file->old = old;
    file->old_from = size;
}

static int disk_truncate(void *context, const char *name, uint64_t size)
{
    struct sim_disk *disk = context;
    const struct entry *entry = entry_of(&disk->now, name);
    if (entry == NULL) {
        return -ENOENT;
    }
    struct file *file = &disk->files[entry->file];
    if (size > file->size) {
        return -EINVAL;
    }
    // Syncs under way cover bytes that are about to go. That the disk was quick with
    // them, though it has not said so yet, is one of the things that may happen.
    for (uint32_t i = 0; i < disk->flush_count; i++) {
        struct flush *flush = &disk->flushes[i];
        if (flush->file == entry->file && !flush->settled && flush->status == 0) {
            make_bytes_durable(file, flush->size);
            flush->settled = true;
        }
    }
    save_old(file, size);
    disk->counters.bytes_used -= file->size - size;
    file->size = size;
    cut_damage(disk, entry->file, size);
    return 0;
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

// ---- crashes --------------------------------------------------------------------

// Decides which changes of the directory survive, and makes the rest undone.
static void crash_directory(struct sim_disk *disk, struct random *random,
                            enum sim_disk_crash_mode mode)
{
    uint32_t kept = mode == SIM_DISK_LOSE_ALL ? 0 : disk->change_count;
    if (mode == SIM_DISK_LOSE_TAIL) {
        kept = (uint32_t)random_between(random, 0, disk->change_count);
    }
    for (uint32_t i = 0; i < kept; i++) {
        if (mode != SIM_DISK_LOSE_SECTORS || random_chance(random, 500000)) {
            apply_change(&disk->durable, &disk->changes[i]);
        }
    }
    disk->change_count = 0;
    copy_directory(&disk->now, &disk->durable);
}

static void resize(struct file *file, uint64_t size)
{
    if (size > file->capacity) {
        file->capacity = size;
        file->data = grown(file->data, size);
    }
    file->size = size;
}

// Only what was durable is left.
static void keep_durable(struct file *file)
{
    resize(file, file->durable_size);
    if (file->old != NULL && file->durable_size > file->old_from) {
        memcpy(file->data + file->old_from, file->old,
               file->durable_size - file->old_from);
    }
}

// Gives one sector's part [from, to) back what was there before the file grew over it.
static uint64_t lose_sector(struct file *file, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at++) {
        bool old = file->old != NULL && at >= file->old_from && at < file->durable_size;
        file->data[at] = old ? file->old[at - file->old_from] : 0;
    }
    return to - from;
}

static uint64_t keep_sectors(struct file *file, struct random *random)
{
    static const uint32_t chances_ppm[3] = {100000, 500000, 900000};
    uint64_t from = file->old != NULL ? file->old_from : file->durable_size;
    uint64_t written = file->size;
    uint64_t size = random_between(random, from, written);
    if (file->old != NULL && random_chance(random, 500000)) {
        size = file->durable_size; // the cut itself was lost
    }
    uint32_t chance_ppm = chances_ppm[random_below(random, 3)];
    resize(file, size);
    uint64_t lost = 0;
    for (uint64_t at = from; at < size;) {
        uint64_t end = (at / SIM_DISK_SECTOR_BYTES + 1) * SIM_DISK_SECTOR_BYTES;
        end = end < size ? end : size;
        if (!random_chance(random, chance_ppm)) {
            lost += lose_sector(file, at, end);
        } else if (end > written) {
            lose_sector(file, at > written ? at : written, end);
        }
        at = end;
    }
    return lost;
}

static void crash_file(struct sim_disk *disk, struct file *file, struct random *random,
                       enum sim_disk_crash_mode mode)
{
    uint64_t before = file->size;
    uint64_t lost = 0;
    uint64_t from = file->old != NULL ? file->old_from : file->durable_size;
    switch (mode) {
    case SIM_DISK_LOSE_TAIL:
        if (file->old != NULL && random_chance(random, 500000)) {
            keep_durable(file);
        } else {
            file->size = random_between(random, from, file->size);
        }
        break;
    case SIM_DISK_LOSE_SECTORS:
        lost = keep_sectors(file, random);
        break;
    case SIM_DISK_LOSE_NOTHING:
        break;
    default:
        keep_durable(file);
        break;
    }
    lost += file->size < before ? before - file->size : 0;
    disk->counters.bytes_lost += lost;
    drop_old(file);
    file->durable_size = file->size;
}

void sim_disk_crash(struct sim_disk *disk, struct random *random,
                    enum sim_disk_crash_mode mode)
{
    assert(mode < SIM_DISK_CRASH_MODE_COUNT);
    disk->flush_count = 0;
    crash_directory(disk, random, mode);
    disk->counters.bytes_used = 0;
    for (uint32_t i = 0; i < disk->now.count; i++) {
        uint32_t index = disk->now.entries[i].file;
        crash_file(disk, &disk->files[index], random, mode);
        cut_damage(disk, index, disk->files[index].size);
        disk->counters.bytes_used += disk->files[index].size;
    }
    collect(disk);
}

// ---- faults and observing -------------------------------------------------------

bool sim_disk_damage(struct sim_disk *disk, const char *name, uint64_t offset,
                     uint64_t size, enum sim_disk_damage damage)
{
    const struct entry *entry = entry_of(&disk->now, name);
    if (entry == NULL) {
        return false;
    }
    uint64_t end = disk->files[entry->file].size;
    if (size == 0 || size > end || offset > end - size) {
        return false;
    }
    disk->damages = roomy(disk->damages, disk->damage_count, &disk->damage_capacity,
                          sizeof(struct damage));
    disk->damages[disk->damage_count++] =
        (struct damage){entry->file, damage, offset, size};
    return true;
}

void sim_disk_heal(struct sim_disk *disk)
{
    disk->damage_count = 0;
    disk->failing_syncs = 0;
    disk->capacity_bytes = UINT64_MAX;
}

void sim_disk_fail_syncs(struct sim_disk *disk, uint64_t count)
{
    disk->failing_syncs = count;
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
    for (uint32_t i = 0; i < disk->now.count; i++) {
        const struct entry *entry = &disk->now.entries[i];
        const struct file *file = &disk->files[entry->file];
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
    for (uint32_t i = 0; i < disk->now.count; i++) {
        const struct file *file = &disk->files[disk->now.entries[i].file];
        uint64_t from = file->old != NULL ? file->old_from : file->durable_size;
        counters->bytes_unsynced += file->size - from;
    }
}

// ---- life -----------------------------------------------------------------------

struct sim_disk *sim_disk_new(const struct sim_disk_hooks *hooks)
{
    struct sim_disk *disk = grown(NULL, sizeof(*disk));
    *disk = (struct sim_disk){.hooks = *hooks, .capacity_bytes = UINT64_MAX};
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    if (disk == NULL) {
        return;
    }
    for (uint32_t i = 0; i < disk->file_count; i++) {
        free(disk->files[i].data);
        free(disk->files[i].old);
    }
    free(disk->now.entries);
    free(disk->durable.entries);
    free(disk->files);
    free(disk->changes);
    free(disk->flushes);
    free(disk->damages);
    free(disk);
}

static void *copied(const void *array, uint64_t size)
{
    void *copy = grown(NULL, size);
    if (size > 0) {
        memcpy(copy, array, size);
    }
    return copy;
}

struct sim_disk *sim_disk_clone(const struct sim_disk *disk,
                                const struct sim_disk_hooks *hooks)
{
    struct sim_disk *copy = copied(disk, sizeof(*disk));
    copy->hooks = *hooks;
    copy->now.entries =
        copied(disk->now.entries, disk->now.capacity * sizeof(struct entry));
    copy->durable.entries =
        copied(disk->durable.entries, disk->durable.capacity * sizeof(struct entry));
    copy->files = copied(disk->files, disk->file_capacity * sizeof(struct file));
    copy->changes =
        copied(disk->changes, disk->change_capacity * sizeof(struct change));
    copy->flushes = copied(disk->flushes, disk->flush_capacity * sizeof(struct flush));
    copy->damages =
        copied(disk->damages, disk->damage_capacity * sizeof(struct damage));
    for (uint32_t i = 0; i < disk->file_count; i++) {
        struct file *file = &copy->files[i];
        file->capacity = file->size;
        file->data = copied(file->data, file->size);
        if (file->old != NULL) {
            file->old = copied(file->old, file->durable_size - file->old_from);
        }
    }
    return copy;
}
