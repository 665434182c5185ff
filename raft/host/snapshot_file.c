#include "raft/host/snapshot_file.h"

#include "raft/host/crc32c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_BYTES = 256 * 1024 }; // read at once by snapshot_file_check()

// ---- which there are ------------------------------------------------------------

static void visit(void *context, const char *name, uint64_t size)
{
    struct snapshot_listing *listing = context;
    raft_index index = snapshot_format_index(name);
    if (index == 0)
        return; // not one of ours
    if (listing->count == listing->capacity) {
        uint32_t capacity = listing->capacity == 0 ? 8 : listing->capacity * 2;
        struct snapshot_listed *files =
            realloc(listing->files, capacity * sizeof *files);
        if (files == NULL) {
            listing->out_of_memory = true;
            return;
        }
        listing->files = files;
        listing->capacity = capacity;
    }
    listing->files[listing->count++] =
        (struct snapshot_listed){.index = index, .size = size};
}

int snapshot_file_list(struct snapshot_listing *listing, const struct disk *disk)
{
    memset(listing, 0, sizeof *listing);
    int status = disk->list(disk->context, visit, listing);
    if (status == 0 && listing->out_of_memory)
        status = -ENOMEM;
    // They came in the order of their names, which is that of their indices.
    for (uint32_t i = 0; i < listing->count / 2; i++) {
        struct snapshot_listed *low = &listing->files[i];
        struct snapshot_listed *high = &listing->files[listing->count - 1 - i];
        struct snapshot_listed moved = *low;
        *low = *high;
        *high = moved;
    }
    return status;
}

void snapshot_file_list_release(struct snapshot_listing *listing)
{
    free(listing->files);
    listing->files = NULL;
    listing->count = 0;
}

int snapshot_file_remove(const struct disk *disk, const char *name)
{
    int status = disk->remove(disk->context, name);
    return status == -ENOENT ? 0 : status;
}

int snapshot_file_remove_aside(const struct disk *disk)
{
    int status = snapshot_file_remove(disk, SNAPSHOT_FILE_WRITING);
    if (status == 0)
        status = snapshot_file_remove(disk, SNAPSHOT_FILE_RECEIVING);
    return status;
}

// ---- reading one ----------------------------------------------------------------

static bool refuse(struct snapshot_reader *reader, enum snapshot_problem problem)
{
    reader->problem = problem;
    return false;
}

static bool read_bytes(struct snapshot_reader *reader, const struct disk *disk,
                       uint64_t offset, void *data, size_t size)
{
    uint8_t *bytes = data;
    while (size > 0) {
        int64_t got = disk->read(disk->context, reader->name, offset, bytes, size);
        if (got <= 0) { // at 0 the file was longer when it was listed
            reader->status = got < 0 ? (int)got : -EIO;
            return refuse(reader, SNAPSHOT_UNREADABLE);
        }
        offset += (uint64_t)got;
        bytes += got;
        size -= (size_t)got;
    }
    return true;
}

static bool open_header(struct snapshot_reader *reader, const struct disk *disk,
                        uint64_t cluster_id)
{
    uint8_t bytes[SNAPSHOT_HEADER_BYTES_MAX];
    size_t held = reader->size < sizeof bytes ? (size_t)reader->size : sizeof bytes;
    if (!read_bytes(reader, disk, 0, bytes, held))
        return false;
    struct snapshot_header *header = &reader->header;
    enum snapshot_problem problem =
        snapshot_format_get_header(bytes, held, header, &reader->header_size);
    if (problem != SNAPSHOT_GOOD)
        return refuse(reader, problem);
    if (header->cluster_id != cluster_id)
        return refuse(reader, SNAPSHOT_OTHER_CLUSTER);
    raft_index named = snapshot_format_index(reader->name);
    if (named != 0 && named != header->meta.last_included_index)
        return refuse(reader, SNAPSHOT_OTHER_NAME);
    return true;
}

static bool open_trailer(struct snapshot_reader *reader, const struct disk *disk)
{
    uint8_t bytes[SNAPSHOT_TRAILER_BYTES];
    if (reader->size < (uint64_t)reader->header_size + sizeof bytes)
        return refuse(reader, SNAPSHOT_TOO_SHORT);
    if (!read_bytes(reader, disk, reader->size - sizeof bytes, bytes, sizeof bytes))
        return false;
    if (!snapshot_format_get_trailer(bytes, &reader->trailer))
        return refuse(reader, SNAPSHOT_NO_TRAILER);
    uint64_t body = reader->size - reader->header_size - sizeof bytes;
    if (reader->trailer.body_size != body)
        return refuse(reader, SNAPSHOT_OTHER_SIZE);
    return true;
}

bool snapshot_file_open(struct snapshot_reader *reader, const struct disk *disk,
                        const char *name, uint64_t size, uint64_t cluster_id)
{
    memset(reader, 0, sizeof *reader);
    snprintf(reader->name, sizeof reader->name, "%s", name);
    reader->size = size;
    if (size < SNAPSHOT_FILE_BYTES_MIN)
        return refuse(reader, SNAPSHOT_TOO_SHORT);
    return open_header(reader, disk, cluster_id) && open_trailer(reader, disk);
}

// Which of the bytes from `offset` on, that lie at `bytes`, are the body's.
static struct snapshot_piece body_part(const struct snapshot_reader *reader,
                                       uint64_t offset, const uint8_t *bytes,
                                       uint64_t size)
{
    uint64_t first = reader->header_size;
    uint64_t end = first + reader->trailer.body_size;
    if (first < offset)
        first = offset;
    if (end > offset + size)
        end = offset + size;
    if (first >= end)
        return (struct snapshot_piece){.body = bytes, .size = 0};
    return (struct snapshot_piece){.body = bytes + (first - offset),
                                   .size = (size_t)(end - first)};
}

enum snapshot_read snapshot_file_next(struct snapshot_reader *reader,
                                      const struct disk *disk, void *buffer,
                                      size_t size, struct snapshot_piece *piece)
{
    assert(size > 0 && reader->problem == SNAPSHOT_GOOD);
    uint64_t checked_end = reader->size - SNAPSHOT_CHECKSUM_BYTES;
    assert(reader->offset < checked_end);
    uint64_t left = checked_end - reader->offset;
    size_t part = left < size ? (size_t)left : size;
    *piece = (struct snapshot_piece){.body = buffer, .size = 0};
    if (!read_bytes(reader, disk, reader->offset, buffer, part))
        return SNAPSHOT_READ_BAD;
    *piece = body_part(reader, reader->offset, buffer, part);
    reader->checksum = crc32c_extend(reader->checksum, buffer, part);
    reader->offset += part;
    if (reader->offset < checked_end)
        return SNAPSHOT_READ_MORE;
    if (reader->checksum == reader->trailer.checksum)
        return SNAPSHOT_READ_END;
    refuse(reader, SNAPSHOT_OTHER_CHECKSUM);
    return SNAPSHOT_READ_BAD;
}

bool snapshot_file_check(struct snapshot_reader *reader, const struct disk *disk,
                         const struct snapshot_listed *file, uint64_t cluster_id)
{
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, file->index);
    if (!snapshot_file_open(reader, disk, name, file->size, cluster_id))
        return false;
    uint8_t *buffer = malloc(CHECK_BYTES);
    if (buffer == NULL) {
        reader->status = -ENOMEM;
        return refuse(reader, SNAPSHOT_UNREADABLE);
    }
    struct snapshot_piece piece;
    enum snapshot_read read;
    do
        read = snapshot_file_next(reader, disk, buffer, CHECK_BYTES, &piece);
    while (read == SNAPSHOT_READ_MORE);
    free(buffer);
    return read == SNAPSHOT_READ_END;
}

void snapshot_file_describe(const struct snapshot_reader *reader, char *text,
                            size_t size)
{
    if (reader->problem == SNAPSHOT_UNREADABLE)
        snprintf(text, size, "%s: cannot be read: %s", reader->name,
                 strerror(-reader->status));
    else
        snprintf(text, size, "%s: %s", reader->name,
                 snapshot_format_problem_text(reader->problem));
}
