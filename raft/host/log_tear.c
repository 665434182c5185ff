#include "raft/host/log_tear.h"

// BEGIN SOLUTION lab3: STATE-0
// Looks behind `offset` for a record which says that the byte there was durable: OK
// where there is one, else END.
static enum log_read find_proof(struct log_reader *reader, uint64_t offset)
{
    const uint8_t *bytes;
    struct log_record record;
    for (uint64_t at = offset + LOG_ALIGN_BYTES;; at += LOG_ALIGN_BYTES) {
        enum log_read read =
            log_reader_bytes(reader, at, LOG_RECORD_HEADER_BYTES, &bytes);
        if (read == LOG_READ_BAD || read == LOG_READ_END)
            return LOG_READ_END;
        if (read != LOG_READ_OK)
            return read;
        if (log_format_get_record(bytes, reader->place, at, &record) &&
            record.durable > offset)
            return LOG_READ_OK;
    }
}

// Where, from `offset` on, the file has nothing but zeros.
static enum log_read find_zeros(struct log_reader *reader, uint64_t offset,
                                uint64_t *zeros)
{
    const uint8_t *byte;
    *zeros = offset;
    for (uint64_t at = offset; at < reader->size; at++) {
        enum log_read read = log_reader_bytes(reader, at, 1, &byte);
        if (read != LOG_READ_OK)
            return read;
        if (*byte != 0)
            *zeros = at + 1;
    }
    return LOG_READ_OK;
}
// END SOLUTION

enum log_tear log_tear_judge(struct log_reader *reader, uint64_t offset,
                             uint64_t *torn_bytes)
{
    // BEGIN SOLUTION lab3: STATE-0
    uint64_t zeros = offset;
    enum log_read read = find_proof(reader, offset);
    if (read == LOG_READ_OK)
        return LOG_TEAR_DAMAGED;
    if (read != LOG_READ_FAILED)
        read = find_zeros(reader, offset, &zeros);
    if (read == LOG_READ_FAILED)
        return LOG_TEAR_UNREADABLE;
    *torn_bytes = zeros - offset;
    return LOG_TEAR_TORN;
    // END SOLUTION
}
