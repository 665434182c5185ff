#include "sim/disk/disk_crash.h"

#include <string.h>

// Decides which changes of the directory survive, and makes the rest undone.
static void crash_directory(struct disk_files *files, struct random *random,
                            enum sim_disk_crash_mode mode)
{
    uint32_t kept = mode == SIM_DISK_LOSE_ALL ? 0 : files->change_count;
    if (mode == SIM_DISK_LOSE_TAIL) {
        kept = (uint32_t)random_between(random, 0, files->change_count);
    }
    for (uint32_t i = 0; i < kept; i++) {
        if (mode != SIM_DISK_LOSE_SECTORS || random_chance(random, 500000)) {
            disk_files_apply(&files->durable, &files->changes[i]);
        }
    }
    files->change_count = 0;
    disk_files_copy_directory(&files->now, &files->durable);
}

static void resize(struct file *file, uint64_t size)
{
    if (size > file->capacity) {
        file->capacity = size;
        file->data = disk_files_grown(file->data, size);
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
        bool old = file->old != NULL && at >= file->old_from && at < file->old_end;
        file->data[at] = old ? file->old[at - file->old_from] : 0;
    }
    return to - from;
}

static uint64_t keep_sectors(struct file *file, struct random *random)
{
    static const uint32_t chances_ppm[3] = {100000, 500000, 900000};
    uint64_t from = disk_files_synced_size(file);
    uint64_t written = file->size;
    uint64_t size = random_between(random, from, written);
    if (file->old != NULL && random_chance(random, 500000)) {
        size = file->durable_size; // the cut itself was lost
        if (file->old_end > size && random_chance(random, 500000)) {
            size = file->old_end; // of more than was ever asked for
        }
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

// Leaves of one file what survives; returns how many bytes were lost.
static uint64_t crash_file(struct file *file, struct random *random,
                           enum sim_disk_crash_mode mode)
{
    uint64_t before = file->size;
    uint64_t lost = 0;
    uint64_t from = disk_files_synced_size(file);
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
    disk_files_drop_old(file);
    file->durable_size = file->size;
    return lost;
}

static void mark_named(struct disk_files *files, bool marked)
{
    for (uint32_t i = 0; i < files->now.count; i++) {
        files->files[files->now.entries[i].file].marked = marked;
    }
}

// Returns the bytes of the files that lose their names.
static uint64_t crash_names(struct disk_files *files, struct random *random,
                            enum sim_disk_crash_mode mode)
{
    mark_named(files, true);
    crash_directory(files, random, mode);
    mark_named(files, false);
    uint64_t lost = 0;
    for (uint32_t i = 0; i < files->file_count; i++) {
        lost += files->files[i].marked ? files->files[i].size : 0;
        files->files[i].marked = false;
    }
    return lost;
}

uint64_t disk_crash_files(struct disk_files *files, struct random *random,
                          enum sim_disk_crash_mode mode)
{
    for (uint32_t i = 0; i < files->file_count; i++) {
        files->files[i].syncs = 0;
    }
    uint64_t lost = crash_names(files, random, mode);
    for (uint32_t i = 0; i < files->now.count; i++) {
        uint32_t index = files->now.entries[i].file;
        lost += crash_file(&files->files[index], random, mode);
        disk_files_cut_damage(files, index, files->files[index].size);
    }
    disk_files_collect(files);
    return lost;
}
