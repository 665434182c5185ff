// fuzz_disk.h: a directory made of the input, behind struct disk.
//
//     input = u8 flags, files;   file = u8 kind, u16 number, u16 bytes, the bytes
//
// Kind, modulo 4: a segment of the log with that number, a snapshot at that index, and
// the two aside names. With flag 1 all checksums are made right after that, so that
// what stands in records and headers is looked at, too. What is written is durable at
// once; a sync with a token waits until fuzz_disk_synced() takes it.
#ifndef TESTS_FUZZ_FUZZ_DISK_H
#define TESTS_FUZZ_FUZZ_DISK_H

#include "raft/host/crc32c.h"
#include "raft/host/disk.h"
#include "raft/host/log_format.h"
#include "raft/host/snapshot_file.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>

enum { FUZZ_FILES_MAX = 24, FUZZ_INPUT_FILES_MAX = 8, FUZZ_SYNCS_MAX = 64 };

struct fuzz_file {
    char name[40];
    uint8_t *bytes;
    size_t size;
};

struct fuzz_disk {
    struct fuzz_file files[FUZZ_FILES_MAX]; // in the order of their names
    uint32_t count;
    uint64_t tokens[FUZZ_SYNCS_MAX]; // of syncs that are under way
    uint32_t token_count;
};

static inline struct fuzz_file *fuzz_disk_find(struct fuzz_disk *disk, const char *name)
{
    for (uint32_t i = 0; i < disk->count; i++)
        if (strcmp(disk->files[i].name, name) == 0)
            return &disk->files[i];
    return NULL;
}

static inline int fuzz_disk_append(void *context, const char *name, const void *data,
                                   size_t size)
{
    struct fuzz_disk *disk = context;
    struct fuzz_file *file = fuzz_disk_find(disk, name);
    if (file == NULL) {
        uint32_t at = 0;
        if (disk->count == FUZZ_FILES_MAX)
            return -ENOSPC;
        while (at < disk->count && strcmp(disk->files[at].name, name) < 0)
            at++;
        file = &disk->files[at];
        memmove(file + 1, file, (disk->count - at) * sizeof *file);
        disk->count++;
        *file = (struct fuzz_file){0};
        snprintf(file->name, sizeof file->name, "%s", name);
    }
    // Each has exactly the bytes that it needs: a read beyond is seen.
    uint8_t *bytes = malloc(file->size + size + 1);
    memcpy(bytes, file->bytes != NULL ? file->bytes : (const uint8_t *)"", file->size);
    if (size > 0)
        memcpy(bytes + file->size, data, size);
    free(file->bytes);
    file->bytes = bytes;
    file->size += size;
    return 0;
}

static inline int fuzz_disk_sync(void *context, const char *name, uint64_t token)
{
    struct fuzz_disk *disk = context;
    (void)name;
    if (token != 0) {
        FUZZ_CHECK(disk->token_count < FUZZ_SYNCS_MAX);
        disk->tokens[disk->token_count++] = token;
    }
    return 0;
}

static inline int64_t fuzz_disk_read(void *context, const char *name, uint64_t offset,
                                     void *data, size_t size)
{
    const struct fuzz_file *file = fuzz_disk_find(context, name);
    if (file == NULL)
        return -ENOENT;
    if (offset >= file->size)
        return 0;
    if (size > file->size - offset)
        size = file->size - offset;
    memcpy(data, file->bytes + offset, size);
    return (int64_t)size;
}

static inline int fuzz_disk_remove(void *context, const char *name)
{
    struct fuzz_disk *disk = context;
    struct fuzz_file *file = fuzz_disk_find(disk, name);
    if (file == NULL)
        return -ENOENT;
    free(file->bytes);
    disk->count--;
    memmove(file, file + 1, (size_t)(disk->files + disk->count - file) * sizeof *file);
    return 0;
}

static inline int fuzz_disk_rename(void *context, const char *from, const char *to)
{
    struct fuzz_disk *disk = context;
    const struct fuzz_file *file = fuzz_disk_find(disk, from);
    if (file == NULL)
        return -ENOENT;
    size_t size = file->size;
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes, file->bytes, size);
    fuzz_disk_remove(disk, from);
    if (fuzz_disk_find(disk, to) != NULL)
        fuzz_disk_remove(disk, to);
    int status = fuzz_disk_append(disk, to, bytes, size);
    free(bytes);
    return status;
}

static inline int fuzz_disk_list(void *context,
                                 void (*visit)(void *argument, const char *name,
                                               uint64_t size),
                                 void *argument)
{
    struct fuzz_disk *disk = context;
    for (uint32_t i = 0; i < disk->count; i++)
        visit(argument, disk->files[i].name, disk->files[i].size);
    return 0;
}

static inline int fuzz_disk_truncate(void *context, const char *name, uint64_t size)
{
    struct fuzz_file *file = fuzz_disk_find(context, name);
    if (file == NULL)
        return -ENOENT;
    FUZZ_CHECK(size <= file->size);
    file->size = size;
    return 0;
}

static inline struct disk fuzz_disk_door(struct fuzz_disk *disk)
{
    return (struct disk){disk,
                         fuzz_disk_append,
                         fuzz_disk_sync,
                         fuzz_disk_read,
                         fuzz_disk_rename,
                         fuzz_disk_list,
                         fuzz_disk_remove,
                         fuzz_disk_truncate};
}

static inline void fuzz_disk_release(struct fuzz_disk *disk)
{
    for (uint32_t i = 0; i < disk->count; i++)
        free(disk->files[i].bytes);
    *disk = (struct fuzz_disk){0};
}

// The token of the oldest sync under way; 0: there is none.
static inline uint64_t fuzz_disk_synced(struct fuzz_disk *disk)
{
    if (disk->token_count == 0)
        return 0;
    uint64_t token = disk->tokens[0];
    disk->token_count--;
    memmove(disk->tokens, disk->tokens + 1, disk->token_count * sizeof *disk->tokens);
    return token;
}

// ---- checksums made right -------------------------------------------------------

static inline uint32_t fuzz_get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static inline void fuzz_put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static inline void fuzz_mend_segment(uint8_t *bytes, size_t size)
{
    struct log_segment segment;
    if (size < LOG_SEGMENT_HEADER_BYTES)
        return;
    fuzz_put_u32(bytes + 44, crc32c_extend(0, bytes, 44));
    if (log_format_get_segment(bytes, &segment) != LOG_HEADER_VALID)
        return;
    uint32_t place = log_format_place(&segment);
    size_t at = LOG_SEGMENT_HEADER_BYTES;
    while (size - at >= LOG_RECORD_HEADER_BYTES) {
        uint8_t *head = bytes + at;
        uint32_t payload = fuzz_get_u32(head + 32);
        if (payload > size || log_format_record_bytes(payload) > size - at)
            return;
        size_t padded = log_format_record_bytes(payload) - LOG_RECORD_HEADER_BYTES;
        uint8_t where[8];
        uint32_t sum =
            log_format_padded_checksum(head + LOG_RECORD_HEADER_BYTES, padded);
        fuzz_put_u32(head + 4, sum);
        fuzz_put_u32(where, (uint32_t)at);
        fuzz_put_u32(where + 4, 0);
        sum = crc32c_extend(place, where, sizeof where);
        fuzz_put_u32(head, crc32c_extend(sum, head + 4, LOG_RECORD_HEADER_BYTES - 4));
        at += LOG_RECORD_HEADER_BYTES + padded;
    }
}

static inline void fuzz_mend_snapshot(uint8_t *bytes, size_t size)
{
    if (size < SNAPSHOT_FILE_BYTES_MIN)
        return;
    uint32_t text = fuzz_get_u32(bytes + 12);
    if (text <= size - SNAPSHOT_FILE_BYTES_MIN)
        fuzz_put_u32(bytes + 48 + text, crc32c_extend(0, bytes, 48 + text));
    fuzz_put_u32(bytes + size - 4, crc32c_extend(0, bytes, size - 4));
}

static inline void fuzz_disk_fill(struct fuzz_disk *disk, struct fuzz_input *input)
{
    uint8_t flags = fuzz_u8(input);
    for (int i = 0; i < FUZZ_INPUT_FILES_MAX && input->left > 0; i++) {
        uint8_t kind = fuzz_u8(input) % 4;
        uint32_t number = fuzz_u16(input);
        size_t size;
        const uint8_t *bytes = fuzz_bytes(input, fuzz_u16(input), &size);
        char name[40];
        if (kind < 2) // also number 0, which nobody gives
            snprintf(name, sizeof name, "%020u.%s", number,
                     kind == 0 ? "log" : "snapshot");
        else
            snprintf(name, sizeof name, "%s",
                     kind == 2 ? SNAPSHOT_FILE_WRITING : SNAPSHOT_FILE_RECEIVING);
        if (fuzz_disk_find(disk, name) != NULL)
            continue;
        fuzz_disk_append(disk, name, bytes, size);
        struct fuzz_file *file = fuzz_disk_find(disk, name);
        if ((flags & 1) != 0 && kind == 0)
            fuzz_mend_segment(file->bytes, size);
        if ((flags & 1) != 0 && kind != 0)
            fuzz_mend_snapshot(file->bytes, size);
    }
}

#endif
