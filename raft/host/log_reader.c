#include "raft/host/log_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW_BYTES = 256 * 1024 }; // read at once, where no record is longer

void log_reader_init(struct log_reader *reader, const struct disk *disk)
{
    memset(reader, 0, sizeof *reader);
    reader->disk = disk;
}

void log_reader_release(struct log_reader *reader)
{
    free(reader->window);
    reader->window = NULL;
}

void log_reader_open(struct log_reader *reader, uint64_t number, uint64_t size)
{
    log_format_name(reader->name, number);
    reader->size = size;
    reader->place = 0;
    reader->window_offset = 0;
    reader->window_bytes = 0;
}

static enum log_read fail(struct log_reader *reader, int status)
{
    reader->status = status;
    return LOG_READ_FAILED;
}

static bool grow_window(struct log_reader *reader, size_t size)
{
    if (size < WINDOW_BYTES)
        size = WINDOW_BYTES;
    if (size <= reader->window_capacity)
        return true;
    uint8_t *window = realloc(reader->window, size);
    if (window == NULL)
        return false;
    reader->window = window;
    reader->window_capacity = size;
    return true;
}

// Fills the window with what stands at `offset`: at least `size` bytes.
static enum log_read fill_window(struct log_reader *reader, uint64_t offset,
                                 size_t size)
{
    if (!grow_window(reader, size))
        return fail(reader, -ENOMEM);
    uint64_t left = reader->size - offset;
    size_t wanted =
        left < reader->window_capacity ? (size_t)left : reader->window_capacity;
    reader->window_offset = offset;
    reader->window_bytes = 0;
    while (reader->window_bytes < wanted) {
        int64_t got = reader->disk->read(
            reader->disk->context, reader->name, offset + reader->window_bytes,
            reader->window + reader->window_bytes, wanted - reader->window_bytes);
        if (got <= 0) // the file was longer when it was listed
            return fail(reader, got < 0 ? (int)got : -EIO);
        reader->window_bytes += (size_t)got;
    }
    return LOG_READ_OK;
}

enum log_read log_reader_bytes(struct log_reader *reader, uint64_t offset, size_t size,
                               const uint8_t **bytes)
{
    if (offset >= reader->size)
        return LOG_READ_END;
    if (size > reader->size - offset)
        return LOG_READ_BAD;
    if (offset < reader->window_offset ||
        offset + size > reader->window_offset + reader->window_bytes) {
        enum log_read read = fill_window(reader, offset, size);
        if (read != LOG_READ_OK)
            return read;
    }
    *bytes = reader->window + (offset - reader->window_offset);
    return LOG_READ_OK;
}

enum log_read log_reader_record(struct log_reader *reader, uint64_t offset,
                                struct log_record *record, const uint8_t **payload)
{
    const uint8_t *bytes;
    enum log_read read =
        log_reader_bytes(reader, offset, LOG_RECORD_HEADER_BYTES, &bytes);
    if (read != LOG_READ_OK)
        return read;
    if (!log_format_get_record(bytes, reader->place, offset, record))
        return LOG_READ_BAD;
    uint64_t whole = log_format_record_bytes(record->size);
    if (whole > reader->size - offset)
        return LOG_READ_BAD;
    read = log_reader_bytes(reader, offset, (size_t)whole, &bytes);
    if (read != LOG_READ_OK)
        return read;
    *payload = bytes + LOG_RECORD_HEADER_BYTES;
    uint64_t padded = whole - LOG_RECORD_HEADER_BYTES;
    // The stored padding is checked too: the checksum of zeros is that of its length.
    if (log_format_padded_checksum(*payload, (size_t)padded) !=
        record->payload_checksum)
        return LOG_READ_BAD;
    return LOG_READ_OK;
}
