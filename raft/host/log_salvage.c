#include "raft/host/log_salvage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// ---- the files ------------------------------------------------------------------

struct identity {
    const struct disk *disk;
    bool known;
    struct log_segment segment;
};

static void identify(void *context, const char *name, uint64_t size)
{
    struct identity *identity = context;
    uint64_t number = log_format_number(name);
    if (identity->known || number == 0)
        return;
    struct log_reader reader;
    const uint8_t *bytes;
    log_reader_init(&reader, identity->disk);
    log_reader_open(&reader, number, size);
    if (log_reader_bytes(&reader, 0, LOG_SEGMENT_HEADER_BYTES, &bytes) == LOG_READ_OK)
        identity->known =
            log_format_get_segment(bytes, &identity->segment) == LOG_HEADER_VALID;
    log_reader_release(&reader);
}

bool log_salvage_identify(const struct disk *disk, uint64_t *cluster_id,
                          raft_id *node_id)
{
    struct identity identity = {.disk = disk};
    if (disk->list(disk->context, identify, &identity) != 0)
        return false;
    *cluster_id = identity.segment.cluster_id;
    *node_id = identity.segment.node_id;
    return identity.known;
}

static void count_file(void *context, const char *name, uint64_t size)
{
    struct log_salvage *salvage = context;
    uint64_t number = log_format_number(name);
    if (number == 0)
        return;
    if (salvage->segment_count++ == 0)
        salvage->first_number = number;
    salvage->last_number = number;
    salvage->bytes += size;
}

// ---- what can be used -----------------------------------------------------------

static void see_hard_state(struct log_salvage *salvage,
                           const struct raft_hard_state *seen)
{
    struct raft_hard_state *newest = &salvage->hard_state;
    bool newer = seen->current_term > newest->current_term;
    bool votes = seen->current_term == newest->current_term && seen->voted_for != 0;
    if (newer || votes)
        *newest = *seen;
}

static void see_index(struct log_salvage *salvage, raft_index index)
{
    if (index > salvage->index_seen)
        salvage->index_seen = index;
}

enum { UNREADABLE_BYTES = 4096 }; // skipped at once, where the disk refuses to read

// What stands between damage and the end of its segment.
static void see_behind(struct log_salvage *salvage, struct log_recovery *recovery)
{
    struct log_reader *reader = &recovery->reader;
    if (recovery->refused.number != recovery->reading)
        return; // all of the segment was read, or it is missing
    for (uint64_t at = recovery->refused.offset; at < reader->size;
         at += LOG_ALIGN_BYTES) {
        struct log_record record;
        const uint8_t *payload;
        enum log_read read = log_reader_record(reader, at, &record, &payload);
        if (read == LOG_READ_FAILED)
            at += UNREADABLE_BYTES - LOG_ALIGN_BYTES;
        if (read != LOG_READ_OK)
            continue;
        if (record.type != LOG_RECORD_HARD_STATE) {
            see_index(salvage, record.index);
            continue;
        }
        struct raft_hard_state hard_state;
        log_format_get_hard_state(payload, &record, &hard_state);
        see_hard_state(salvage, &hard_state);
    }
}

// The last index of what this replay can add to the snapshot; false: nothing.
static bool usable(const struct log_salvage *salvage, const struct log_replay *replay,
                   raft_index *last_index)
{
    if (!replay->begins || replay->first_index > salvage->snapshot_index + 1)
        return false;
    bool behind = replay->first_index == salvage->snapshot_index + 1;
    bool matches = behind ? !replay->begin_term_known ||
                                replay->begin_term == salvage->snapshot_term
                          : replay->asked_term == salvage->snapshot_term;
    *last_index = replay->last_index;
    return replay->last_index > salvage->snapshot_index && matches;
}

// The records from some segment on, up to what is refused. True: go on behind that.
static bool try_from(struct log_salvage *salvage, uint64_t number,
                     struct log_position *refused, int *status)
{
    char error[LOG_SALVAGE_PROBLEM_BYTES] = "";
    struct log_recovery recovery;
    log_recover_init(&recovery, salvage->cluster_id, salvage->node_id, error,
                     sizeof error);
    recovery.from_number = number;
    bool whole = log_recover_check(&recovery, salvage->disk, salvage->snapshot_index,
                                   salvage->snapshot_term);
    *refused = recovery.refused;
    if (!whole && number == 0) {
        memcpy(salvage->problem, error, sizeof error);
        salvage->damage = recovery.refused;
    }
    if (recovery.out_of_memory)
        *status = -ENOMEM;
    const struct log_replay *replay = &recovery.replay;
    for (uint32_t i = 0; i < replay->table.count; i++)
        see_index(salvage, replay->table.spans[i].highest_index);
    see_hard_state(salvage, &replay->hard_state);
    raft_index last_index;
    if (usable(salvage, replay, &last_index) && last_index > salvage->last_index) {
        salvage->last_index = last_index;
        salvage->from_number = number;
        salvage->until = recovery.refused;
    }
    if (!whole)
        see_behind(salvage, &recovery);
    log_recover_release(&recovery);
    // Not where it is refused because of what is missing before.
    return !whole && refused->number != 0 && refused->number >= number &&
           refused->number < salvage->last_number;
}

// ---- what is lost ---------------------------------------------------------------

static void count_lost(void *context, const char *name, uint64_t size)
{
    struct log_salvage *salvage = context;
    uint64_t number = log_format_number(name);
    const struct log_position *until = &salvage->until;
    if (number == until->number && size > until->offset)
        salvage->bytes_lost += size - until->offset;
    if (number <= until->number)
        return;
    salvage->bytes_lost += size;
    salvage->segments_lost++;
}

static int sum_up(struct log_salvage *salvage)
{
    if (salvage->until.number == 0)
        return 0; // all that is used goes on to the log's end
    if (salvage->index_seen > salvage->last_index)
        salvage->index_lost = salvage->index_seen;
    return salvage->disk->list(salvage->disk->context, count_lost, salvage);
}

static enum raft_status keep_term(void *context, const struct raft_entry *entry)
{
    struct log_salvage *salvage = context;
    salvage->last_term = entry->term;
    return RAFT_OK;
}

int log_salvage_read(struct log_salvage *salvage, const struct disk *disk,
                     uint64_t cluster_id, raft_id node_id,
                     const struct raft_snapshot_meta *snapshot)
{
    memset(salvage, 0, sizeof *salvage);
    salvage->disk = disk;
    salvage->cluster_id = cluster_id;
    salvage->node_id = node_id;
    salvage->snapshot_index = snapshot->last_included_index;
    salvage->snapshot_term = snapshot->last_included_term;
    salvage->last_index = salvage->snapshot_index;
    salvage->last_term = salvage->snapshot_term;
    int status = disk->list(disk->context, count_file, salvage);
    struct log_position refused = {0};
    // Where nothing better is found, what is lost begins where the log is refused.
    bool more = status == 0 && try_from(salvage, 0, &refused, &status);
    if (salvage->last_index == salvage->snapshot_index)
        salvage->until = salvage->damage;
    while (more && status == 0)
        more = try_from(salvage, refused.number + 1, &refused, &status);
    if (status == 0)
        status = sum_up(salvage);
    char error[LOG_SALVAGE_PROBLEM_BYTES];
    struct log_loader loader = {.context = salvage, .load = keep_term};
    if (status == 0 && !log_salvage_load(salvage, &loader, error, sizeof error))
        status = -EIO;
    return status;
}

bool log_salvage_load(const struct log_salvage *salvage,
                      const struct log_loader *loader, char *error, size_t error_size)
{
    if (salvage->last_index == salvage->snapshot_index)
        return true;
    struct log_recovery recovery;
    log_recover_init(&recovery, salvage->cluster_id, salvage->node_id, error,
                     error_size);
    recovery.from_number = salvage->from_number;
    log_recover_check(&recovery, salvage->disk, salvage->snapshot_index,
                      salvage->snapshot_term);
    bool same = recovery.replay.last_index == salvage->last_index;
    // Why the rest is refused is known.
    snprintf(error, error_size, "%s",
             same ? "" : "the log has changed since it was looked at");
    bool loaded = same && log_recover_load(&recovery, loader);
    log_recover_release(&recovery);
    return loaded;
}
