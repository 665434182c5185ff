// durable_log.c: encodes writes, goes on to a new segment where one is full.
#include "raft/host/durable_log.h"

#include <errno.h>
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

static void put_restart(struct gather *gather, const struct raft_snapshot_meta *restart)
{
    assert(restart->last_included_index != 0);
    assert(restart->last_included_term <= gather->log->hard_state.current_term);
    struct log_record record = {.type = LOG_RECORD_SNAPSHOT,
                                .index = restart->last_included_index,
                                .term = restart->last_included_term};
    put_record(gather, &record, NULL);
    segment_table_note(&gather->log->table, record.index);
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
    segment_table_note(&gather->log->table, record.index);
}

// ---- segments -------------------------------------------------------------------

// A full disk is told by the failure to write; where a sync reports it, what was
// written is lost, and nothing can be tried again.
static int final(int status)
{
    return status == -ENOSPC || status == -EDQUOT ? -EIO : status;
}

static bool disk_full(int status)
{
    return status == -ENOSPC || status == -EDQUOT;
}

// Waits until the last segment and all removals are durable.
static int sync_now(struct durable_log *log, const struct disk *disk)
{
    char name[LOG_NAME_BYTES];
    log_format_name(name, log->segment.number);
    int status = disk->sync(disk->context, name, 0);
    if (status != 0)
        return final(status);
    log->durable = log->end;
    return 0;
}

static int write_beginning(struct durable_log *log, const struct disk *disk)
{
    struct gather gather;
    gather_init(&gather, log, disk);
    uint8_t header[LOG_SEGMENT_HEADER_BYTES];
    log_format_put_segment(header, &log->segment);
    put(&gather, header, sizeof header);
    put_hard_state(&gather, &log->hard_state);
    flush(&gather);
    return gather.status;
}

// A file without a beginning is no segment: another try begins it again, and a crash
// before finds nothing, or what rule 4 of log_recover.h removes.
static int give_up_segment(struct durable_log *log, const struct disk *disk)
{
    char name[LOG_NAME_BYTES];
    log_format_name(name, log->segment.number);
    int status = disk->remove(disk->context, name);
    return status == -ENOENT ? 0 : final(status);
}

static int begin_segment(struct durable_log *log, const struct disk *disk)
{
    const struct durable_log before = *log;
    log->segment.previous_size = log->end;
    log->segment.number++;
    log->place = log_format_place(&log->segment);
    log->end = 0;
    log->durable = 0;
    int status = write_beginning(log, disk);
    if (disk_full(status)) {
        int failed = give_up_segment(log, disk);
        *log = before;
        return failed != 0 ? failed : status;
    }
    if (status == 0)
        status = sync_now(log, disk);
    if (status != 0)
        return status;
    segment_table_add(&log->table, log->segment.number);
    log->segments_created++;
    return 0;
}

// A later segment is proof that this one is whole: it has to be, before that exists.
static int seal_segment(struct durable_log *log, const struct disk *disk)
{
    char name[LOG_NAME_BYTES];
    log_format_name(name, log->segment.number);
    int status = disk->truncate(disk->context, name, log->end);
    return status == 0 ? sync_now(log, disk) : status;
}

// Removes a segment that nobody needs; its removal has to be durable before the next
// one goes, since a crash that undid it alone would leave a hole.
static int remove_segment(struct durable_log *log, const struct disk *disk,
                          uint64_t number)
{
    assert(number < log->segment.number);
    char name[LOG_NAME_BYTES];
    log_format_name(name, number);
    int status = disk->remove(disk->context, name);
    if (status != 0)
        return final(status);
    segment_table_remove_first(&log->table);
    log->segments_removed++;
    return 0;
}

// On a full disk there may be nothing to sync, so that no sync would do it. The one
// under way may be what makes the last removal durable, and so it is waited for.
static int make_space(struct durable_log *log, const struct disk *disk)
{
    uint64_t number = segment_table_removable(&log->table, log->compact_index);
    if (number == 0)
        return 0;
    int status = sync_now(log, disk);
    if (status == 0)
        status = remove_segment(log, disk, number);
    return status == 0 ? sync_now(log, disk) : status;
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

void durable_log_resume(struct durable_log *log, const struct durable_log_found *found)
{
    assert(log->segment.number == 0 && found->segment.number != 0);
    assert(found->table.count > 0);
    log->segment = found->segment;
    log->place = log_format_place(&log->segment);
    log->end = found->end;
    log->durable = found->end;
    log->hard_state = found->hard_state;
    log->table = found->table;
}

// What a write that finds the disk full has to put back.
struct rollback {
    uint64_t end;
    uint64_t bytes_appended;
    struct raft_hard_state hard_state;
    raft_index highest_index; // of the last span
};

// The cut has to be durable before anything else is written there: records of the
// write that failed would be valid behind shorter ones of the next.
static int roll_back(struct durable_log *log, const struct disk *disk,
                     const struct rollback *to)
{
    char name[LOG_NAME_BYTES];
    log_format_name(name, log->segment.number);
    log->end = to->end;
    log->bytes_appended = to->bytes_appended;
    log->hard_state = to->hard_state;
    log->table.spans[log->table.count - 1].highest_index = to->highest_index;
    int status = disk->truncate(disk->context, name, log->end);
    if (status != 0)
        return final(status);
    return sync_now(log, disk);
}

static int write_records(struct durable_log *log, const struct disk *disk,
                         const struct durable_log_write *write)
{
    const struct rollback before = {
        .end = log->end,
        .bytes_appended = log->bytes_appended,
        .hard_state = log->hard_state,
        .highest_index = log->table.spans[log->table.count - 1].highest_index};
    struct gather gather;
    gather_init(&gather, log, disk);
    // First, so that an entry's term is never ahead of the durable current term.
    if (write->hard_state != NULL) {
        put_hard_state(&gather, write->hard_state);
        log->hard_state = *write->hard_state;
    }
    if (write->restart != NULL)
        put_restart(&gather, write->restart);
    for (uint32_t i = 0; i < write->entry_count; i++)
        put_entry(&gather, &write->entries[i]);
    flush(&gather);
    if (!disk_full(gather.status))
        return gather.status;
    int failed = roll_back(log, disk, &before);
    return failed != 0 ? failed : gather.status;
}

int durable_log_append(struct durable_log *log, const struct disk *disk,
                       const struct durable_log_write *write)
{
    assert(log->segment.number != 0);
    int status = 0;
    // Only between writes, so that one write never spans two segments.
    if (log->end >= log->segment_bytes_max) {
        status = seal_segment(log, disk);
        if (status == 0)
            status = begin_segment(log, disk);
    }
    if (status == 0)
        status = write_records(log, disk, write);
    if (!disk_full(status))
        return status;
    int failed = make_space(log, disk);
    return failed != 0 ? failed : status;
}

int durable_log_sync(struct durable_log *log, const struct disk *disk, uint64_t token)
{
    assert(token != 0 && log->syncing_number == 0);
    uint64_t number = segment_table_removable(&log->table, log->compact_index);
    int status = number == 0 ? 0 : remove_segment(log, disk, number);
    if (status != 0)
        return status;
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

void durable_log_compact(struct durable_log *log, raft_index index)
{
    if (index > log->compact_index)
        log->compact_index = index;
}
