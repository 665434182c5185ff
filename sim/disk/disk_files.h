// disk_files.h: the files of a simulated disk, as they are and as they are durable.
//
// Private to sim/disk/disk.c and sim/disk/disk_crash.c. Bytes are kept once: what is
// durable of a file is said by lengths, and only a cut that is not synced keeps bytes
// of its own. A name refers to a file by number, so that a name used again means
// another file.
#ifndef SIM_DISK_FILES_H
#define SIM_DISK_FILES_H

#include "sim/disk/disk.h"

enum { NAME_BYTES_MAX = 80 };

// What is durable of a file is data[0, durable_size), but where bytes were cut off,
// these are kept in `old` until the cut is synced: then it is data[0, old_from)
// followed by `old` up to durable_size. What `old` has behind that was never synced;
// the disk may have written it all the same.
struct file {
    uint8_t *data;
    uint64_t size;
    uint64_t capacity;
    uint64_t durable_size;
    uint8_t *old; // NULL: nothing was cut
    uint64_t old_from;
    uint64_t old_end;
    uint32_t syncs; // under way
    bool used;
    bool marked; // while collecting, or a crash
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

struct damage {
    uint32_t file;
    enum sim_disk_damage kind;
    uint64_t offset;
    uint64_t size;
    uint32_t other; // SIM_DISK_ELSEWHERE: the file that is read in its place
};

struct disk_files {
    struct directory now;     // what can be read
    struct directory durable; // what a crash leaves at the least
    struct file *files;
    uint32_t file_count, file_capacity;
    struct change *changes;
    uint32_t change_count, change_capacity;
    struct damage *damages;
    uint32_t damage_count, damage_capacity;
    uint64_t sequence; // of the next change
};

void disk_files_release(struct disk_files *files);
void disk_files_copy(struct disk_files *to, const struct disk_files *from);

// Memory that is there, or the process ends; and room for one more in an array.
void *disk_files_grown(void *memory, size_t size);
void *disk_files_roomy(void *array, uint32_t count, uint32_t *capacity, size_t size);

struct entry *disk_files_entry(const struct directory *directory, const char *name);
void disk_files_copy_directory(struct directory *to, const struct directory *from);

// Each changes what can be read, and notes that it is not durable.
void disk_files_create(struct disk_files *files, const char *name);
void disk_files_rename(struct disk_files *files, const char *from, const char *to);
void disk_files_remove(struct disk_files *files, const char *name);
void disk_files_truncate(struct disk_files *files, uint32_t index, uint64_t size);

void disk_files_make_bytes_durable(struct file *file, uint64_t size);

// What a sync of `name` that started at `sequence` does to the directory.
void disk_files_make_names_durable(struct disk_files *files, const char *name,
                                   uint64_t sequence);

// Applies a change where it fits what is there; what it depends on may have been lost.
void disk_files_apply(struct directory *directory, const struct change *change);

void disk_files_drop_old(struct file *file);
void disk_files_collect(struct disk_files *files); // frees what nothing refers to

// How far the file's bytes and the durable ones are the same.
uint64_t disk_files_synced_size(const struct file *file);

// Damages what was read. Returns 0, or -EIO where the range holds an unreadable byte.
int disk_files_apply_damage(const struct disk_files *files, uint32_t index,
                            uint64_t offset, uint8_t *data, uint64_t size);
void disk_files_cut_damage(struct disk_files *files, uint32_t index, uint64_t size);

#endif
