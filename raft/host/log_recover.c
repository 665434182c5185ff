// log_recover.c: the rules of log_recover.h, one function each.
#include "raft/host/log_recover.h"

#include "raft/host/log_tear.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_RECORD_AT = LOG_SEGMENT_HEADER_BYTES };

// ---- errors ---------------------------------------------------------------------

// Always false, so that a caller can return it.
static bool __attribute__((format(printf, 2, 3)))
refuse(struct log_recovery *recovery, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(recovery->error, recovery->error_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool refuse_at(struct log_recovery *recovery, uint64_t offset, const char *why)
{
    recovery->refused = (struct log_position){recovery->reading, offset};
    return refuse(recovery, "%s: offset %" PRIu64 ": %s", recovery->reader.name, offset,
                  why);
}

static bool refuse_unread(struct log_recovery *recovery, uint64_t offset)
{
    recovery->refused = (struct log_position){recovery->reading, offset};
    return refuse(recovery, "%s: offset %" PRIu64 ": cannot be read: %s",
                  recovery->reader.name, offset, strerror(-recovery->reader.status));
}

// ---- the files (rule 1) ---------------------------------------------------------

static void visit_file(void *context, const char *name, uint64_t size)
{
    struct log_recovery *recovery = context;
    uint64_t number = log_format_number(name);
    if (number < recovery->from_number || number == 0 || recovery->out_of_memory)
        return; // not one of ours
    if (recovery->file_count == recovery->file_capacity) {
        uint32_t more = recovery->file_capacity == 0 ? 16 : recovery->file_capacity * 2;
        struct log_file *files = realloc(recovery->files, more * sizeof *files);
        if (files == NULL) {
            recovery->out_of_memory = true;
            return;
        }
        recovery->files = files;
        recovery->file_capacity = more;
    }
    recovery->files[recovery->file_count++] =
        (struct log_file){.number = number, .size = size};
}

static bool refuse_missing(struct log_recovery *recovery, uint64_t number)
{
    char name[LOG_NAME_BYTES];
    log_format_name(name, number);
    recovery->refused = (struct log_position){.number = number};
    return refuse(recovery, "%s: offset 0: this segment is missing", name);
}

static uint64_t first_number(const struct log_recovery *recovery)
{
    return recovery->file_count == 0 ? 0 : recovery->files[0].number;
}

static bool find_files(struct log_recovery *recovery)
{
    const struct disk *disk = recovery->disk;
    int status = disk->list(disk->context, visit_file, recovery);
    if (status != 0)
        return refuse(recovery, "cannot list the files: %s", strerror(-status));
    if (recovery->out_of_memory)
        return refuse(recovery, "out of memory");
    return true;
}

// ---- torn or damaged (rules 2 to 4) ---------------------------------------------

static bool is_last(const struct log_recovery *recovery)
{
    return recovery->found.segment.number ==
           recovery->files[recovery->file_count - 1].number;
}

// What stands at `offset` is no record: a tear, which is counted, or damage.
static bool judge(struct log_recovery *recovery, uint64_t offset)
{
    if (!is_last(recovery))
        return refuse_at(recovery, offset, "damaged, in a segment that was complete");
    switch (log_tear_judge(&recovery->reader, offset, &recovery->torn_bytes)) {
    case LOG_TEAR_TORN:
        break;
    case LOG_TEAR_DAMAGED:
        return refuse_at(recovery, offset, "damaged, and it had been synced");
    case LOG_TEAR_UNREADABLE:
        return refuse_unread(recovery, offset);
    }
    return true;
}

// The header or the first hard state was never completed: the segment before is the
// last one in use.
static bool judge_beginning(struct log_recovery *recovery, uint64_t offset)
{
    if (!judge(recovery, offset))
        return false;
    recovery->torn_bytes += offset;
    recovery->unused_segment = true;
    return true;
}

// ---- segments -------------------------------------------------------------------

static uint64_t size_of(const struct log_recovery *recovery, uint64_t number)
{
    return recovery->files[number - first_number(recovery)].size;
}

static bool check_header(struct log_recovery *recovery,
                         const struct log_segment *header, uint64_t number)
{
    if (header->cluster_id != recovery->cluster_id)
        return refuse_at(recovery, 0, "this segment is of another cluster");
    if (header->node_id != recovery->node_id)
        return refuse_at(recovery, 0, "this segment is of another node");
    if (header->number != number)
        return refuse_at(recovery, 0, "this segment has another's name");
    if (number == first_number(recovery) && number > 1)
        return true; // the one before was removed
    if (number == 1)
        return header->previous_size == 0 ||
               refuse_at(recovery, 0, "the first segment tells of one before it");
    uint64_t previous_size = size_of(recovery, number - 1);
    if (header->previous_size == previous_size)
        return true;
    char name[LOG_NAME_BYTES];
    log_format_name(name, number - 1);
    recovery->refused = (struct log_position){number - 1, previous_size};
    return refuse(recovery,
                  "%s: offset %" PRIu64 ": ends here, but had %" PRIu64
                  " bytes when it was complete",
                  name, previous_size, header->previous_size);
}

// The header's values where it is whole; what they have to be where it is not, since
// a search for records behind it needs to know the place.
static enum log_read read_header(struct log_recovery *recovery, uint64_t number,
                                 struct log_segment *header)
{
    *header = (struct log_segment){.cluster_id = recovery->cluster_id,
                                   .node_id = recovery->node_id,
                                   .number = number};
    const uint8_t *bytes;
    enum log_read read =
        log_reader_bytes(&recovery->reader, 0, LOG_SEGMENT_HEADER_BYTES, &bytes);
    if (read != LOG_READ_OK)
        return read == LOG_READ_FAILED ? read : LOG_READ_BAD;
    switch (log_format_get_segment(bytes, header)) {
    case LOG_HEADER_VALID:
        return LOG_READ_OK;
    case LOG_HEADER_UNKNOWN:
        return LOG_READ_END;
    case LOG_HEADER_BAD:
        break;
    }
    return LOG_READ_BAD;
}

static bool replay_records(struct log_recovery *recovery)
{
    struct log_position at = {.number = recovery->found.segment.number};
    uint64_t offset = FIRST_RECORD_AT;
    for (;;) {
        struct log_record record;
        const char *why;
        const uint8_t *payload;
        switch (log_reader_record(&recovery->reader, offset, &record, &payload)) {
        case LOG_READ_OK:
            at.offset = offset;
            why = log_replay_record(&recovery->replay, &at, &record, payload);
            if (why != NULL)
                return refuse_at(recovery, offset, why);
            offset += log_format_record_bytes(record.size);
            break;
        case LOG_READ_FAILED:
            return refuse_unread(recovery, offset);
        case LOG_READ_END:
        case LOG_READ_BAD:
            recovery->found.end = offset;
            if (offset == FIRST_RECORD_AT)
                return judge_beginning(recovery, offset);
            return offset == recovery->reader.size || judge(recovery, offset);
        }
    }
}

static bool replay_segment(struct log_recovery *recovery, const struct log_file *file)
{
    struct log_segment header;
    recovery->reading = file->number;
    log_reader_open(&recovery->reader, file->number, file->size);
    enum log_read read = read_header(recovery, file->number, &header);
    if (read == LOG_READ_FAILED)
        return refuse_unread(recovery, 0);
    if (read == LOG_READ_END)
        return refuse_at(recovery, 0, "the log is of a later version of this program");
    if (read == LOG_READ_OK && !check_header(recovery, &header, file->number))
        return false;
    recovery->found.segment = header;
    log_replay_segment(&recovery->replay, file->number);
    recovery->reader.place = log_format_place(&header);
    if (read == LOG_READ_BAD)
        return judge_beginning(recovery, 0);
    return replay_records(recovery);
}

// ---- log and snapshot (rule 6) --------------------------------------------------

static bool refuse_beginning(struct log_recovery *recovery)
{
    const struct log_replay *replay = &recovery->replay;
    recovery->refused = replay->begin;
    char name[LOG_NAME_BYTES];
    log_format_name(name, replay->begin.number);
    char reason[80] = "there is no good snapshot";
    if (recovery->snapshot_index != 0)
        snprintf(reason, sizeof reason, "the newest good snapshot ends at %" PRIu64,
                 recovery->snapshot_index);
    return refuse(recovery,
                  "%s: offset %" PRIu64 ": the log begins with entry %" PRIu64
                  " here, but %s",
                  name, replay->begin.offset, replay->first_index, reason);
}

// Where the log begins right behind the snapshot.
static bool check_beginning(struct log_recovery *recovery)
{
    const struct log_replay *replay = &recovery->replay;
    if (!replay->begin_term_known || replay->begin_term == recovery->snapshot_term)
        return true;
    recovery->refused = replay->begin;
    char name[LOG_NAME_BYTES];
    log_format_name(name, replay->begin.number);
    return refuse(recovery,
                  "%s: offset %" PRIu64 ": the log begins behind entry %" PRIu64
                  " of term %" PRIu64 ", but in the snapshot its term is %" PRIu64,
                  name, replay->begin.offset, recovery->snapshot_index,
                  replay->begin_term, recovery->snapshot_term);
}

// Only a first segment that was never used is no log at all.
static bool check_no_log(struct log_recovery *recovery)
{
    uint64_t number = recovery->file_count == 0 ? 1 : first_number(recovery);
    if (number == 1 && recovery->snapshot_index == 0)
        return true;
    recovery->refused = (struct log_position){.number = number};
    char name[LOG_NAME_BYTES];
    log_format_name(name, number);
    return refuse(recovery,
                  "%s: offset 0: there is a snapshot, but no log: the node's vote "
                  "is lost",
                  name);
}

static bool settle(struct log_recovery *recovery)
{
    struct log_replay *replay = &recovery->replay;
    raft_index snapshot_index = recovery->snapshot_index;
    uint32_t used = recovery->file_count - (recovery->unused_segment ? 1 : 0);
    if (used == 0)
        return check_no_log(recovery);
    // Only what a snapshot holds may have been removed.
    if (first_number(recovery) > 1 && snapshot_index == 0)
        return refuse_missing(recovery, first_number(recovery) - 1);
    if (!replay->begins) {
        replay->first_index = snapshot_index + 1;
        replay->last_index = snapshot_index;
        return true;
    }
    if (snapshot_index + 1 < replay->first_index)
        return refuse_beginning(recovery);
    if (snapshot_index + 1 == replay->first_index)
        return check_beginning(recovery);
    recovery->dropped = snapshot_index > replay->last_index ||
                        replay->asked_term != recovery->snapshot_term;
    return true;
}

// ---- repairs --------------------------------------------------------------------

// Rule 4: the segment before goes on, if there is one.
static int remove_unused(struct log_recovery *recovery)
{
    const struct disk *disk = recovery->disk;
    char name[LOG_NAME_BYTES];
    log_format_name(name, recovery->found.segment.number);
    recovery->file_count--;
    recovery->found.segment.number--;
    segment_table_remove_last(&recovery->found.table);
    recovery->found.end = 0;
    if (recovery->file_count > 0)
        recovery->found.end = recovery->files[recovery->file_count - 1].size;
    return disk->remove(disk->context, name);
}

// The sync matters also where nothing was repaired: a killed process leaves bytes that
// can be read and are not durable, and the core will take them to be.
static int cut_tail(struct log_recovery *recovery)
{
    const struct disk *disk = recovery->disk;
    char name[LOG_NAME_BYTES];
    log_format_name(name, recovery->found.segment.number);
    struct log_file *last = &recovery->files[recovery->file_count - 1];
    int status = 0;
    if (recovery->found.end < last->size)
        status = disk->truncate(disk->context, name, recovery->found.end);
    last->size = recovery->found.end;
    return status != 0 ? status : disk->sync(disk->context, name, 0);
}

// Rule 6. The snapshot's term may be ahead of ours: then no vote was given in it.
static int begin_anew(struct log_recovery *recovery)
{
    const struct disk *disk = recovery->disk;
    struct durable_log_found *found = &recovery->found;
    struct durable_log log;
    durable_log_init(&log, recovery->cluster_id, recovery->node_id, UINT64_MAX);
    durable_log_resume(&log, found);
    struct raft_snapshot_meta restart = {.last_included_index =
                                             recovery->snapshot_index,
                                         .last_included_term = recovery->snapshot_term};
    struct raft_hard_state hard_state = {.current_term = recovery->snapshot_term};
    struct durable_log_write write = {.restart = &restart};
    if (found->hard_state.current_term < hard_state.current_term)
        write.hard_state = &hard_state;
    int status = durable_log_append(&log, disk, &write);
    if (status != 0)
        return status;
    found->end = log.end;
    found->hard_state = log.hard_state;
    found->table = log.table;
    recovery->files[recovery->file_count - 1].size = log.end;
    recovery->replay.run_count = 0;
    recovery->first_index = recovery->snapshot_index + 1;
    recovery->last_index = recovery->snapshot_index;
    char name[LOG_NAME_BYTES];
    log_format_name(name, found->segment.number);
    return disk->sync(disk->context, name, 0);
}

static bool repair(struct log_recovery *recovery)
{
    const struct log_replay *replay = &recovery->replay;
    recovery->found.hard_state = replay->hard_state;
    recovery->found.table = replay->table;
    recovery->first_index = replay->first_index;
    recovery->last_index = replay->last_index;
    int status = recovery->unused_segment ? remove_unused(recovery) : 0;
    if (status == 0 && recovery->file_count > 0)
        status = cut_tail(recovery);
    if (status == 0 && recovery->dropped)
        status = begin_anew(recovery);
    if (recovery->file_count == 0)
        recovery->found.segment.number = 0;
    if (status != 0)
        return refuse(recovery, "the log cannot be repaired: %s", strerror(-status));
    return true;
}

// ---- pass one -------------------------------------------------------------------

void log_recover_init(struct log_recovery *recovery, uint64_t cluster_id,
                      raft_id node_id, char *error, size_t error_size)
{
    memset(recovery, 0, sizeof *recovery);
    recovery->cluster_id = cluster_id;
    recovery->node_id = node_id;
    recovery->error = error;
    recovery->error_size = error_size;
}

void log_recover_release(struct log_recovery *recovery)
{
    log_reader_release(&recovery->reader);
    free(recovery->files);
    log_replay_release(&recovery->replay);
    recovery->files = NULL;
}

static bool replay_segments(struct log_recovery *recovery)
{
    uint64_t expected = first_number(recovery);
    for (uint32_t i = 0; i < recovery->file_count; i++, expected++) {
        const struct log_file *file = &recovery->files[i];
        if (file->number != expected)
            return refuse_missing(recovery, expected);
        if (!replay_segment(recovery, file))
            return false;
    }
    return true;
}

bool log_recover_check(struct log_recovery *recovery, const struct disk *disk,
                       raft_index index, raft_term term)
{
    recovery->disk = disk;
    recovery->snapshot_index = index;
    recovery->snapshot_term = term;
    log_reader_init(&recovery->reader, disk);
    if (!find_files(recovery))
        return false;
    log_replay_init(&recovery->replay, first_number(recovery) <= 1, index);
    return replay_segments(recovery) && settle(recovery);
}

bool log_recover_scan(struct log_recovery *recovery, const struct disk *disk,
                      raft_index index, raft_term term)
{
    return log_recover_check(recovery, disk, index, term) && repair(recovery);
}

// ---- pass two -------------------------------------------------------------------

static void open_segment(struct log_recovery *recovery, uint64_t number)
{
    struct log_segment segment = {.cluster_id = recovery->cluster_id,
                                  .node_id = recovery->node_id,
                                  .number = number};
    log_reader_open(&recovery->reader, number, size_of(recovery, number));
    recovery->reader.place = log_format_place(&segment);
}

// Reads the record at the cursor, over the end of a segment into the next.
static bool read_next(struct log_recovery *recovery, struct log_position *cursor,
                      struct log_record *record, const uint8_t **payload)
{
    enum log_read read =
        log_reader_record(&recovery->reader, cursor->offset, record, payload);
    if (read == LOG_READ_END && cursor->number < recovery->found.segment.number) {
        open_segment(recovery, ++cursor->number);
        cursor->offset = FIRST_RECORD_AT;
        read = log_reader_record(&recovery->reader, cursor->offset, record, payload);
    }
    if (read == LOG_READ_FAILED)
        return refuse_unread(recovery, cursor->offset);
    return read == LOG_READ_OK ||
           refuse_at(recovery, cursor->offset, "has changed since it was checked");
}

static bool load_entry(struct log_recovery *recovery, uint64_t offset,
                       const struct raft_entry *entry, const struct log_loader *loader)
{
    enum raft_status status = loader->load(loader->context, entry);
    return status == RAFT_OK || refuse_at(recovery, offset, raft_status_text(status));
}

static bool load_run(struct log_recovery *recovery, const struct log_run *run,
                     const struct log_loader *loader)
{
    struct log_position cursor = run->at;
    open_segment(recovery, cursor.number);
    for (raft_index index = run->first; index <= run->last;) {
        struct log_record record;
        const uint8_t *payload;
        if (!read_next(recovery, &cursor, &record, &payload))
            return false;
        if (record.type != LOG_RECORD_HARD_STATE &&
            index++ > recovery->snapshot_index) {
            struct raft_entry entry = {
                .index = record.index,
                .term = record.term,
                .type = (enum raft_entry_type)(record.type - LOG_RECORD_ENTRY),
                .size = record.size,
                .data = payload};
            if (!load_entry(recovery, cursor.offset, &entry, loader))
                return false;
        }
        cursor.offset += log_format_record_bytes(record.size);
    }
    return true;
}

bool log_recover_load(struct log_recovery *recovery, const struct log_loader *loader)
{
    for (uint32_t i = 0; i < recovery->replay.run_count; i++) {
        const struct log_run *run = &recovery->replay.runs[i];
        if (run->last <= recovery->snapshot_index)
            continue;
        if (!load_run(recovery, run, loader))
            return false;
    }
    return true;
}
