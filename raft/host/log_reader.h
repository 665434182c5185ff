// log_reader.h: reads one segment through a window of memory; for recovery only.
//
// Every length is checked against the file's size before it is believed. A disk that
// fails to read is told apart from bytes that are wrong: what cannot be read may be
// whole, and must never be cut off.
#ifndef RAFT_HOST_LOG_READER_H
#define RAFT_HOST_LOG_READER_H

#include "raft/host/disk.h"
#include "raft/host/log_format.h"

enum log_read {
    LOG_READ_OK,
    LOG_READ_END, // nothing stands at this offset: it is the file's end
    LOG_READ_BAD, // bytes that are no record, or not the whole of one
    LOG_READ_FAILED,
};

struct log_reader {
    const struct disk *disk;
    char name[LOG_NAME_BYTES];
    uint64_t size;  // of the file
    uint32_t place; // set by the caller, once the header is known
    int status;     // -errno of the read that failed

    uint8_t *window; // malloc
    size_t window_capacity;
    uint64_t window_offset;
    size_t window_bytes;
};

void log_reader_init(struct log_reader *reader, const struct disk *disk);
void log_reader_release(struct log_reader *reader);
void log_reader_open(struct log_reader *reader, uint64_t number, uint64_t size);

// Bytes of the file, borrowed until the next call. END where it ends at the offset,
// BAD where it ends within.
enum log_read log_reader_bytes(struct log_reader *reader, uint64_t offset, size_t size,
                               const uint8_t **bytes);

// The record at `offset` and its payload, borrowed until the next call.
enum log_read log_reader_record(struct log_reader *reader, uint64_t offset,
                                struct log_record *record, const uint8_t **payload);

#endif
