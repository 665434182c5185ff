// durable_log.c: encodes writes, goes on to a new segment where one is full.
#include "raft/host/durable_log.h"

#include <string.h>

// Records are gathered here, so that one append() carries many small ones.
struct gather {
    struct durable_log *log;
    const struct disk *disk;
    int status; // the first failure; nothing is appended after it
    char name[LOG_NAME_BYTES];
    uint32_t used;
    uint8_t bytes[32 * 1024];
};

static void gather_init(struct gather *gather, struct durable_log *log,
                        const struct disk *disk)
{
    gather->log = log;
    gather->disk = disk;
    gather->status = 0;
    gather->used = 0;
    log_format_name(gather->name, log->segment.number);
}

static void flush(struct gather *gather)
{
    if (gather->used == 0 || gather->status != 0)
        return;
    gather->status = gather->disk->append(gather->disk->context, gather->name,
                                          gather->bytes, gather->used);
    if (gather->status != 0)
        return;
    gather->log->end += gather->used;
    gather->log->bytes_appended += gather->used;
    gather->used = 0;
}

static void put(struct gather *gather, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    while (size > 0 && gather->status == 0) {
        size_t room = sizeof gather->bytes - gather->used;
        size_t part = size < room ? size : room;
        memcpy(gather->bytes + gather->used, bytes, part);
        gather->used += (uint32_t)part;
        bytes += part;
        size -= part;
        if (gather->used == sizeof gather->bytes)
            flush(gather);
    }
}

// Completes the record: only size, type, index and term need to be filled in.
static void put_record(struct gather *gather, struct log_record *record,
                       const void *payload)
{
    static const uint8_t zeros[LOG_ALIGN_BYTES];
    const struct durable_log *log = gather->log;
    record->durable = log->durable;
    record->payload_checksum = log_format_payload_checksum(payload, record->size);
    uint8_t header[LOG_RECORD_HEADER_BYTES];
    log_format_put_record(header, log->place, log->end + gather->used, record);
    put(gather, header, sizeof header);
    put(gather, payload, record->size);
    put(gather, zeros, log_format_padding(record->size));
}

static void put_hard_state(struct gather *gather,
                           const struct raft_hard_state *hard_state)
{
    uint8_t payload[LOG_HARD_STATE_BYTES];
    log_format_put_hard_state(payload, hard_state);
    struct log_record record = {.type = LOG_RECORD_HARD_STATE,
                                .term = hard_state->current_term,
                                .size = sizeof payload};
    put_record(gather, &record, payload);
}

static void put_entry(struct gather *gather, const struct raft_entry *entry)
{
    assert(entry->index != 0 && entry->type < RAFT_ENTRY_TYPE_COUNT);
    struct log_record record = {
        .type = (enum log_record_type)(LOG_RECORD_ENTRY + (int)entry->type),
        .index = entry->index,
        .term = entry->term,
        .size = entry->size};
    put_record(gather, &record, entry->data);
}

// ---- segments -------------------------------------------------------------------

static int begin_segment(struct durable_log *log, const struct disk *disk)
{
    log->segment.previous_size = log->end;
    log->segment.number++;
    log->place = log_format_place(&log->segment);
    log->end = 0;
    log->durable = 0;
    struct gather gather;
    gather_init(&gather, log, disk);
    uint8_t header[LOG_SEGMENT_HEADER_BYTES];
    log_format_put_segment(header, &log->segment);
    put(&gather, header, sizeof header);
    put_hard_state(&gather, &log->hard_state);
    flush(&gather);
    if (gather.status != 0)
        return gather.status;
    int status = disk->sync(disk->context, gather.name, 0);
    if (status != 0)
        return status;
    log->durable = log->end;
    log->segments_created++;
    return 0;
}

// A later segment is proof that this one is whole: it has to be, before that exists.
static int seal_segment(struct durable_log *log, const struct disk *disk)
{
    char name[LOG_NAME_BYTES];
    log_format_name(name, log->segment.number);
    int status = disk->truncate(disk->context, name, log->end);
    if (status != 0)
        return status;
    status = disk->sync(disk->context, name, 0);
    if (status == 0)
        log->durable = log->end;
    return status;
}

// ---- the log --------------------------------------------------------------------

void durable_log_init(struct durable_log *log, uint64_t cluster_id, raft_id node_id,
                      uint64_t segment_bytes_max)
{
    memset(log, 0, sizeof *log);
    log->segment.cluster_id = cluster_id;
    log->segment.node_id = node_id;
    log->segment_bytes_max = segment_bytes_max;
}

int durable_log_create(struct durable_log *log, const struct disk *disk)
{
    assert(log->segment.number == 0);
    return begin_segment(log, disk);
}

void durable_log_resume(struct durable_log *log, const struct log_segment *segment,
                        uint64_t end, const struct raft_hard_state *hard_state)
{
    assert(log->segment.number == 0 && segment->number != 0);
    log->segment = *segment;
    log->place = log_format_place(segment);
    log->end = end;
    log->durable = end;
    log->hard_state = *hard_state;
}

int durable_log_append(struct durable_log *log, const struct disk *disk,
                       const struct durable_log_write *write)
{
    assert(log->segment.number != 0);
    // Only between writes, so that one write never spans two segments.
    if (log->end >= log->segment_bytes_max) {
        int status = seal_segment(log, disk);
        if (status == 0)
            status = begin_segment(log, disk);
        if (status != 0)
            return status;
    }
    struct gather gather;
    gather_init(&gather, log, disk);
    // First, so that an entry's term is never ahead of the durable current term.
    if (write->hard_state != NULL) {
        put_hard_state(&gather, write->hard_state);
        log->hard_state = *write->hard_state;
    }
    for (uint32_t i = 0; i < write->entry_count; i++)
        put_entry(&gather, &write->entries[i]);
    flush(&gather);
    return gather.status;
}

int durable_log_sync(struct durable_log *log, const struct disk *disk, uint64_t token)
{
    assert(token != 0 && log->syncing_number == 0);
    char name[LOG_NAME_BYTES];
    log_format_name(name, log->segment.number);
    log->syncing_number = log->segment.number;
    log->syncing_end = log->end;
    return disk->sync(disk->context, name, token);
}

void durable_log_synced(struct durable_log *log)
{
    assert(log->syncing_number != 0);
    // Where a new segment was begun meanwhile, what is durable of that is not known
    // from this sync, and the old one was synced when it was sealed.
    if (log->syncing_number == log->segment.number && log->syncing_end > log->durable)
        log->durable = log->syncing_end;
    log->syncing_number = 0;
}
