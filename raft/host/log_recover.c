// log_recover.c: the rules of log_recover.h, one function each.
#include "raft/host/log_recover.h"

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
    return refuse(recovery, "%s: offset %" PRIu64 ": %s", recovery->reader.name, offset,
                  why);
}

static bool refuse_unread(struct log_recovery *recovery, uint64_t offset)
{
    return refuse(recovery, "%s: offset %" PRIu64 ": cannot be read: %s",
                  recovery->reader.name, offset, strerror(-recovery->reader.status));
}

// ---- the files (rule 1) ---------------------------------------------------------

// The items, with room for one more; NULL where there is no memory.
static void *reserve(void *items, uint32_t count, uint32_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    uint32_t more = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = more > *capacity ? realloc(items, more * item_size) : NULL;
    if (grown != NULL)
        *capacity = more;
    return grown;
}

static void visit_file(void *context, const char *name, uint64_t size)
{
    struct log_recovery *recovery = context;
    uint64_t number = log_format_number(name);
    if (number == 0)
        return; // not one of ours
    struct log_file *files = reserve(recovery->files, recovery->file_count,
                                     &recovery->file_capacity, sizeof *files);
    if (files == NULL) {
        recovery->out_of_memory = true;
        return;
    }
    recovery->files = files;
    files[recovery->file_count++] = (struct log_file){.number = number, .size = size};
}

static bool find_files(struct log_recovery *recovery)
{
    const struct disk *disk = recovery->disk;
    int status = disk->list(disk->context, visit_file, recovery);
    if (status != 0)
        return refuse(recovery, "cannot list the files: %s", strerror(-status));
    if (recovery->out_of_memory)
        return refuse(recovery, "out of memory");
    for (uint32_t i = 0; i < recovery->file_count; i++) {
        if (recovery->files[i].number == i + 1)
            continue;
        char name[LOG_NAME_BYTES];
        log_format_name(name, i + 1);
        return refuse(recovery, "%s: offset 0: this segment is missing", name);
    }
    return true;
}

// ---- records (rule 5) -----------------------------------------------------------

static bool replay_hard_state(struct log_recovery *recovery, uint64_t offset,
                              const struct raft_hard_state *next)
{
    const struct raft_hard_state *now = &recovery->hard_state;
    if (next->current_term < now->current_term)
        return refuse_at(recovery, offset, "the term goes back");
    if (next->current_term == now->current_term && now->voted_for != 0 &&
        next->voted_for != now->voted_for)
        return refuse_at(recovery, offset, "the vote changes within a term");
    recovery->hard_state = *next;
    return true;
}

// Forgets where entries from `index` on stand: a later record replaces them.
static void cut_runs(struct log_recovery *recovery, raft_index index)
{
    while (recovery->run_count > 0 &&
           recovery->runs[recovery->run_count - 1].first >= index)
        recovery->run_count--;
    if (recovery->run_count > 0 &&
        recovery->runs[recovery->run_count - 1].last >= index)
        recovery->runs[recovery->run_count - 1].last = index - 1;
}

static bool replay_entry(struct log_recovery *recovery, uint64_t offset,
                         const struct log_record *record)
{
    raft_index index = record->index;
    if (index > recovery->last_index + 1)
        return refuse_at(recovery, offset, "entries are missing before this one");
    if (record->term > recovery->hard_state.current_term)
        return refuse_at(recovery, offset, "an entry of a term yet to come");
    bool follows = index == recovery->last_index + 1 && recovery->run_count > 0;
    recovery->last_index = index;
    if (follows) {
        recovery->runs[recovery->run_count - 1].last = index;
        return true;
    }
    cut_runs(recovery, index);
    struct log_run *runs = reserve(recovery->runs, recovery->run_count,
                                   &recovery->run_capacity, sizeof *runs);
    if (runs == NULL)
        return refuse(recovery, "out of memory");
    recovery->runs = runs;
    runs[recovery->run_count++] = (struct log_run){.first = index,
                                                   .last = index,
                                                   .number = recovery->segment.number,
                                                   .offset = offset};
    return true;
}

static bool replay_record(struct log_recovery *recovery, uint64_t offset,
                          const struct log_record *record, const uint8_t *payload)
{
    if (record->type != LOG_RECORD_HARD_STATE) {
        if (offset == FIRST_RECORD_AT)
            return refuse_at(recovery, offset, "no hard state begins this segment");
        return replay_entry(recovery, offset, record);
    }
    struct raft_hard_state hard_state;
    log_format_get_hard_state(payload, record, &hard_state);
    return replay_hard_state(recovery, offset, &hard_state);
}

// ---- torn or damaged (rules 2 to 4) ---------------------------------------------

static bool is_last(const struct log_recovery *recovery)
{
    return recovery->segment.number == recovery->file_count;
}

// What stands at `offset` is no record: a tear, which is counted, or damage.
static bool judge(struct log_recovery *recovery, uint64_t offset)
{
    if (!is_last(recovery))
        return refuse_at(recovery, offset, "damaged, in a segment that was complete");
    enum log_read read = log_reader_find_proof(&recovery->reader, offset);
    if (read == LOG_READ_OK)
        return refuse_at(recovery, offset, "damaged, and it had been synced");
    uint64_t zeros = offset;
    if (read != LOG_READ_FAILED)
        read = log_reader_find_zeros(&recovery->reader, offset, &zeros);
    if (read == LOG_READ_FAILED)
        return refuse_unread(recovery, offset);
    recovery->torn_bytes = zeros - offset;
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

static bool check_header(struct log_recovery *recovery,
                         const struct log_segment *header, uint64_t number)
{
    if (header->cluster_id != recovery->cluster_id)
        return refuse_at(recovery, 0, "this segment is of another cluster");
    if (header->node_id != recovery->node_id)
        return refuse_at(recovery, 0, "this segment is of another node");
    if (header->number != number)
        return refuse_at(recovery, 0, "this segment has another's name");
    uint64_t previous_size = number == 1 ? 0 : recovery->files[number - 2].size;
    if (header->previous_size == previous_size)
        return true;
    char name[LOG_NAME_BYTES];
    log_format_name(name, number - 1);
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
    uint64_t offset = FIRST_RECORD_AT;
    for (;;) {
        struct log_record record;
        const uint8_t *payload;
        switch (log_reader_record(&recovery->reader, offset, &record, &payload)) {
        case LOG_READ_OK:
            if (!replay_record(recovery, offset, &record, payload))
                return false;
            offset += log_format_record_bytes(record.size);
            break;
        case LOG_READ_FAILED:
            return refuse_unread(recovery, offset);
        case LOG_READ_END:
        case LOG_READ_BAD:
            recovery->end = offset;
            if (offset == FIRST_RECORD_AT)
                return judge_beginning(recovery, offset);
            return offset == recovery->reader.size || judge(recovery, offset);
        }
    }
}

static bool replay_segment(struct log_recovery *recovery, const struct log_file *file)
{
    struct log_segment header;
    log_reader_open(&recovery->reader, file->number, file->size);
    enum log_read read = read_header(recovery, file->number, &header);
    if (read == LOG_READ_FAILED)
        return refuse_unread(recovery, 0);
    if (read == LOG_READ_END)
        return refuse_at(recovery, 0, "the log is of a later version of this program");
    if (read == LOG_READ_OK && !check_header(recovery, &header, file->number))
        return false;
    recovery->segment = header;
    recovery->reader.place = log_format_place(&header);
    if (read == LOG_READ_BAD)
        return judge_beginning(recovery, 0);
    return replay_records(recovery);
}

// ---- repairs --------------------------------------------------------------------

// Rule 4: the segment before goes on, if there is one.
static int remove_unused(struct log_recovery *recovery)
{
    const struct disk *disk = recovery->disk;
    char name[LOG_NAME_BYTES];
    log_format_name(name, recovery->segment.number);
    recovery->file_count--;
    recovery->segment.number--;
    recovery->end = 0;
    if (recovery->file_count > 0)
        recovery->end = recovery->files[recovery->file_count - 1].size;
    return disk->remove(disk->context, name);
}

// The sync matters also where nothing was repaired: a killed process leaves bytes that
// can be read and are not durable, and the core will take them to be.
static bool repair(struct log_recovery *recovery)
{
    const struct disk *disk = recovery->disk;
    int status = recovery->unused_segment ? remove_unused(recovery) : 0;
    if (status == 0 && recovery->file_count > 0) {
        char name[LOG_NAME_BYTES];
        log_format_name(name, recovery->segment.number);
        struct log_file *last = &recovery->files[recovery->file_count - 1];
        if (recovery->end < last->size)
            status = disk->truncate(disk->context, name, recovery->end);
        last->size = recovery->end;
        if (status == 0)
            status = disk->sync(disk->context, name, 0);
    }
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
    free(recovery->runs);
    recovery->files = NULL;
    recovery->runs = NULL;
}

bool log_recover_scan(struct log_recovery *recovery, const struct disk *disk)
{
    recovery->disk = disk;
    log_reader_init(&recovery->reader, disk);
    if (!find_files(recovery))
        return false;
    for (uint32_t i = 0; i < recovery->file_count; i++) {
        if (!replay_segment(recovery, &recovery->files[i]))
            return false;
    }
    return repair(recovery);
}

// ---- pass two -------------------------------------------------------------------

struct cursor {
    uint64_t number;
    uint64_t offset;
};

static void open_segment(struct log_recovery *recovery, uint64_t number)
{
    struct log_segment segment = {.cluster_id = recovery->cluster_id,
                                  .node_id = recovery->node_id,
                                  .number = number};
    log_reader_open(&recovery->reader, number, recovery->files[number - 1].size);
    recovery->reader.place = log_format_place(&segment);
}

// Reads the record at the cursor, over the end of a segment into the next.
static bool read_next(struct log_recovery *recovery, struct cursor *cursor,
                      struct log_record *record, const uint8_t **payload)
{
    enum log_read read =
        log_reader_record(&recovery->reader, cursor->offset, record, payload);
    if (read == LOG_READ_END && cursor->number < recovery->file_count) {
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
    struct cursor cursor = {.number = run->number, .offset = run->offset};
    open_segment(recovery, cursor.number);
    for (raft_index index = run->first; index <= run->last;) {
        struct log_record record;
        const uint8_t *payload;
        if (!read_next(recovery, &cursor, &record, &payload))
            return false;
        if (record.type != LOG_RECORD_HARD_STATE) {
            struct raft_entry entry = {
                .index = record.index,
                .term = record.term,
                .type = (enum raft_entry_type)(record.type - LOG_RECORD_ENTRY),
                .size = record.size,
                .data = payload};
            if (!load_entry(recovery, cursor.offset, &entry, loader))
                return false;
            index++;
        }
        cursor.offset += log_format_record_bytes(record.size);
    }
    return true;
}

bool log_recover_load(struct log_recovery *recovery, const struct log_loader *loader)
{
    for (uint32_t i = 0; i < recovery->run_count; i++) {
        if (!load_run(recovery, &recovery->runs[i], loader))
            return false;
    }
    return true;
}
