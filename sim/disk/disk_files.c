#include "sim/disk/disk_files.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *disk_files_grown(void *memory, size_t size)
{
    void *result = realloc(memory, size > 0 ? size : 1);
    if (result == NULL) {
        fprintf(stderr, "disk: out of memory\n");
        abort();
    }
    return result;
}

void *disk_files_roomy(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    return disk_files_grown(array, *capacity * size);
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

struct entry *disk_files_entry(const struct directory *directory, const char *name)
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
        directory->entries =
            disk_files_roomy(directory->entries, directory->count, &directory->capacity,
                             sizeof(struct entry));
        struct entry *at = &directory->entries[position];
        memmove(at + 1, at, (directory->count - position) * sizeof(*at));
        directory->count++;
        snprintf(at->name, sizeof(at->name), "%s", name);
    }
    assert(directory->entries != NULL);
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

void disk_files_copy_directory(struct directory *to, const struct directory *from)
{
    to->capacity = to->count = from->count;
    to->entries = disk_files_grown(to->entries, from->count * sizeof(*to->entries));
    if (from->count > 0) {
        memcpy(to->entries, from->entries, from->count * sizeof(*to->entries));
    }
}

void disk_files_apply(struct directory *directory, const struct change *change)
{
    const struct entry *entry = disk_files_entry(directory, change->from);
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

static void add_change(struct disk_files *files, enum change_kind kind, uint32_t file,
                       const char *from, const char *to)
{
    files->changes = disk_files_roomy(files->changes, files->change_count,
                                      &files->change_capacity, sizeof(struct change));
    struct change *change = &files->changes[files->change_count++];
    *change =
        (struct change){.kind = kind, .file = file, .sequence = files->sequence++};
    snprintf(change->from, sizeof(change->from), "%s", from);
    snprintf(change->to, sizeof(change->to), "%s", to);
}

// ---- files ----------------------------------------------------------------------

static uint32_t new_file(struct disk_files *files)
{
    uint32_t index = 0;
    while (index < files->file_count && files->files[index].used) {
        index++;
    }
    if (index == files->file_count) {
        files->files = disk_files_roomy(files->files, files->file_count,
                                        &files->file_capacity, sizeof(struct file));
        files->file_count++;
    }
    files->files[index] = (struct file){.used = true};
    return index;
}

void disk_files_drop_old(struct file *file)
{
    free(file->old);
    file->old = NULL;
}

static void mark_entries(struct disk_files *files, const struct directory *directory)
{
    for (uint32_t i = 0; i < directory->count; i++) {
        files->files[directory->entries[i].file].marked = true;
    }
}

static bool is_of_use(const struct disk_files *files, const struct damage *damage)
{
    return files->files[damage->file].marked &&
           (damage->kind != SIM_DISK_ELSEWHERE || files->files[damage->other].marked);
}

// Frees the files that no name, change or sync refers to.
void disk_files_collect(struct disk_files *files)
{
    mark_entries(files, &files->now);
    mark_entries(files, &files->durable);
    for (uint32_t i = 0; i < files->change_count; i++) {
        files->files[files->changes[i].file].marked = true;
    }
    for (uint32_t i = 0; i < files->file_count; i++) {
        files->files[i].marked |= files->files[i].syncs > 0;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < files->damage_count; i++) {
        if (is_of_use(files, &files->damages[i])) {
            files->damages[kept++] = files->damages[i];
        }
    }
    files->damage_count = kept;
    for (uint32_t i = 0; i < files->file_count; i++) {
        struct file *file = &files->files[i];
        if (file->used && !file->marked) {
            disk_files_drop_old(file);
            free(file->data);
            *file = (struct file){0};
        }
        file->marked = false;
    }
}

void disk_files_make_bytes_durable(struct file *file, uint64_t size)
{
    if (file->old != NULL) {
        disk_files_drop_old(file);
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
static bool choose_changes(struct disk_files *files, const char *name,
                           uint64_t sequence)
{
    bool any = false;
    for (uint32_t i = files->change_count; i-- > 0;) {
        struct change *change = &files->changes[i];
        change->chosen = false;
        if (change->sequence >= sequence) {
            continue;
        }
        bool wanted = change->kind == CHANGE_REMOVE || touches(change, name);
        for (uint32_t j = i + 1; j < files->change_count && !wanted; j++) {
            const struct change *later = &files->changes[j];
            wanted =
                later->chosen && (touches(change, later->from) ||
                                  (later->to[0] != '\0' && touches(change, later->to)));
        }
        change->chosen = wanted;
        any |= wanted;
    }
    return any;
}

void disk_files_make_names_durable(struct disk_files *files, const char *name,
                                   uint64_t sequence)
{
    if (files->change_count == 0 || !choose_changes(files, name, sequence)) {
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < files->change_count; i++) {
        if (files->changes[i].chosen) {
            disk_files_apply(&files->durable, &files->changes[i]);
        } else {
            files->changes[kept++] = files->changes[i];
        }
    }
    files->change_count = kept;
    disk_files_collect(files);
}

uint64_t disk_files_synced_size(const struct file *file)
{
    return file->old != NULL && file->old_from < file->durable_size
               ? file->old_from
               : file->durable_size;
}

// ---- changes --------------------------------------------------------------------

void disk_files_create(struct disk_files *files, const char *name)
{
    uint32_t index = new_file(files);
    set_entry(&files->now, name, index);
    add_change(files, CHANGE_CREATE, index, name, "");
}

void disk_files_rename(struct disk_files *files, const char *from, const char *to)
{
    uint32_t index = disk_files_entry(&files->now, from)->file;
    erase_entry(&files->now, from);
    set_entry(&files->now, to, index);
    add_change(files, CHANGE_RENAME, index, from, to);
}

void disk_files_remove(struct disk_files *files, const char *name)
{
    uint32_t index = disk_files_entry(&files->now, name)->file;
    erase_entry(&files->now, name);
    add_change(files, CHANGE_REMOVE, index, name, "");
}

// ---- cuts and damage ------------------------------------------------------------

// Forgets damage at and beyond a size.
void disk_files_cut_damage(struct disk_files *files, uint32_t index, uint64_t size)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < files->damage_count; i++) {
        struct damage damage = files->damages[i];
        if (damage.file == index && damage.offset + damage.size > size) {
            damage.size = damage.offset < size ? size - damage.offset : 0;
        }
        if (damage.size > 0) {
            files->damages[kept++] = damage;
        }
    }
    files->damage_count = kept;
}

// Keeps the bytes that are about to be cut off: those that are durable, and those that
// the disk may have written without being asked to.
static void save_old(struct file *file, uint64_t size)
{
    bool cut_before = file->old != NULL;
    uint64_t from = cut_before && file->old_from < size ? file->old_from : size;
    uint64_t end =
        cut_before && file->old_end > file->size ? file->old_end : file->size;
    if (size >= file->size) {
        return;
    }
    uint8_t *old = disk_files_grown(NULL, end - from);
    memcpy(old, file->data + from, file->size - from);
    if (cut_before) { // what a cut that is not durable yet has saved is older
        memcpy(old + (file->old_from - from), file->old,
               file->old_end - file->old_from);
    }
    free(file->old);
    file->old = old;
    file->old_from = from;
    file->old_end = end;
}

static uint8_t damaged_byte(const struct disk_files *files, const struct damage *damage,
                            uint64_t at, uint8_t byte)
{
    const struct file *other = &files->files[damage->other];
    switch (damage->kind) {
    case SIM_DISK_ZERO:
        return 0;
    case SIM_DISK_ELSEWHERE:
        return at < other->size ? other->data[at] : 0;
    default:
        return byte ^ 0x10;
    }
}

int disk_files_apply_damage(const struct disk_files *files, uint32_t index,
                            uint64_t offset, uint8_t *data, uint64_t size)
{
    for (uint32_t i = 0; i < files->damage_count; i++) {
        const struct damage *damage = &files->damages[i];
        if (damage->file != index) {
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
            *byte = damaged_byte(files, damage, at, *byte);
        }
    }
    return 0;
}

void disk_files_truncate(struct disk_files *files, uint32_t index, uint64_t size)
{
    struct file *file = &files->files[index];
    save_old(file, size);
    file->size = size;
    disk_files_cut_damage(files, index, size);
}

// ---- life -----------------------------------------------------------------------

void disk_files_release(struct disk_files *files)
{
    for (uint32_t i = 0; i < files->file_count; i++) {
        free(files->files[i].data);
        free(files->files[i].old);
    }
    free(files->now.entries);
    free(files->durable.entries);
    free(files->files);
    free(files->changes);
    free(files->damages);
}

static void *copied(const void *array, uint64_t size)
{
    void *copy = disk_files_grown(NULL, size);
    if (size > 0) {
        memcpy(copy, array, size);
    }
    return copy;
}

void disk_files_copy(struct disk_files *to, const struct disk_files *from)
{
    *to = *from;
    to->now.entries = NULL;
    to->durable.entries = NULL;
    disk_files_copy_directory(&to->now, &from->now);
    disk_files_copy_directory(&to->durable, &from->durable);
    to->file_capacity = from->file_count;
    to->files = copied(from->files, from->file_count * sizeof(struct file));
    to->change_capacity = from->change_count;
    to->changes = copied(from->changes, from->change_count * sizeof(struct change));
    to->damage_capacity = from->damage_count;
    to->damages = copied(from->damages, from->damage_count * sizeof(struct damage));
    for (uint32_t i = 0; i < to->file_count; i++) {
        const struct file *file = &from->files[i];
        if (!file->used) { // the place of a new one, which is not freed first
            continue;
        }
        to->files[i].capacity = file->size;
        to->files[i].data = copied(file->data, file->size);
        if (file->old != NULL) {
            to->files[i].old = copied(file->old, file->old_end - file->old_from);
        }
    }
}
