#include "raft/host/rebuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/host/crc32c.h"

enum { PIECE_BYTES = 256 * 1024 };

static bool fail(struct rebuild *rebuild, const char *what, int status)
{
    snprintf(rebuild->error, rebuild->error_size, "%s cannot be written: %s", what,
             strerror(-status));
    return false;
}

// ---- the snapshot ---------------------------------------------------------------

struct copy {
    const struct disk *to;
    char name[SNAPSHOT_NAME_BYTES];
    uint32_t checksum;
};

static int copy_bytes(struct copy *copy, const void *bytes, size_t size)
{
    if (size == 0)
        return 0;
    copy->checksum = crc32c_extend(copy->checksum, bytes, size);
    return copy->to->append(copy->to->context, copy->name, bytes, size);
}

static int copy_header(struct copy *copy, const struct rebuild *rebuild,
                       const struct snapshot_header *old)
{
    struct snapshot_header header = *old;
    header.cluster_id = rebuild->cluster_id;
    if (rebuild->configuration != NULL)
        header.meta.configuration = *rebuild->configuration;
    uint8_t bytes[SNAPSHOT_HEADER_BYTES_MAX];
    return copy_bytes(copy, bytes, snapshot_format_put_header(bytes, &header));
}

static int copy_trailer(struct copy *copy, uint64_t body_size)
{
    uint8_t bytes[SNAPSHOT_TRAILER_BYTES];
    struct snapshot_trailer trailer = {.body_size = body_size};
    snapshot_format_put_trailer(bytes, &trailer, copy->checksum);
    return copy_bytes(copy, bytes, sizeof bytes);
}

bool rebuild_snapshot(struct rebuild *rebuild, const struct snapshot_reader *checked)
{
    struct snapshot_reader reader;
    uint8_t *buffer = malloc(PIECE_BYTES);
    struct copy copy = {.to = rebuild->to};
    memcpy(copy.name, checked->name, sizeof copy.name);
    bool opened =
        buffer != NULL && snapshot_file_open(&reader, rebuild->from, checked->name,
                                             checked->size, checked->header.cluster_id);
    int status = opened ? copy_header(&copy, rebuild, &reader.header) : 0;
    enum snapshot_read read = opened ? SNAPSHOT_READ_MORE : SNAPSHOT_READ_BAD;
    while (read == SNAPSHOT_READ_MORE && status == 0) {
        struct snapshot_piece piece;
        read = snapshot_file_next(&reader, rebuild->from, buffer, PIECE_BYTES, &piece);
        if (read != SNAPSHOT_READ_BAD)
            status = copy_bytes(&copy, piece.body, piece.size);
    }
    free(buffer);
    if (read == SNAPSHOT_READ_BAD) {
        snprintf(rebuild->error, rebuild->error_size,
                 "%s: has changed since it was checked", checked->name);
        return false;
    }
    if (status == 0)
        status = copy_trailer(&copy, reader.trailer.body_size);
    if (status == 0)
        status = copy.to->sync(copy.to->context, copy.name, 0);
    return status == 0 || fail(rebuild, "the snapshot", status);
}

// ---- the log --------------------------------------------------------------------

struct writer {
    struct rebuild *rebuild;
    struct durable_log log;
    int status;
};

static int write_entry(struct writer *writer, const struct raft_entry *entry)
{
    struct durable_log_write write = {.entries = entry, .entry_count = 1};
    writer->rebuild->last_index = entry->index;
    return durable_log_append(&writer->log, writer->rebuild->to, &write);
}

static enum raft_status copy_entry(void *context, const struct raft_entry *entry)
{
    struct writer *writer = context;
    struct raft_entry copy = *entry;
    if (writer->rebuild->configuration != NULL &&
        copy.type == RAFT_ENTRY_CONFIGURATION) {
        copy.type = RAFT_ENTRY_NOOP;
        copy.size = 0;
    }
    writer->status = write_entry(writer, &copy);
    return writer->status == 0 ? RAFT_OK : RAFT_LOG_FULL;
}

static int begin(struct writer *writer, const struct log_salvage *salvage)
{
    const struct rebuild *rebuild = writer->rebuild;
    struct raft_hard_state hard_state = salvage->hard_state;
    struct raft_snapshot_meta restart = {.last_included_index = salvage->snapshot_index,
                                         .last_included_term = salvage->snapshot_term};
    if (hard_state.current_term < restart.last_included_term)
        hard_state = (struct raft_hard_state){restart.last_included_term, 0};
    if (rebuild->configuration != NULL)
        hard_state = (struct raft_hard_state){hard_state.current_term + 1, 0};
    struct durable_log_write write = {.hard_state = &hard_state};
    if (restart.last_included_index != 0)
        write.restart = &restart;
    durable_log_init(&writer->log, rebuild->cluster_id, salvage->node_id,
                     rebuild->segment_bytes_max);
    int status = durable_log_create(&writer->log, rebuild->to);
    if (status != 0)
        return status;
    return durable_log_append(&writer->log, rebuild->to, &write);
}

static int write_configuration(struct writer *writer)
{
    const struct rebuild *rebuild = writer->rebuild;
    if (rebuild->configuration == NULL)
        return 0;
    char text[RAFT_CONFIGURATION_BYTES_MAX];
    uint32_t size = raft_configuration_encode(rebuild->configuration, text);
    struct raft_entry entry = {.index = rebuild->last_index + 1,
                               .term = writer->log.hard_state.current_term,
                               .type = RAFT_ENTRY_CONFIGURATION,
                               .size = size,
                               .data = text};
    return write_entry(writer, &entry);
}

static int finish(struct writer *writer)
{
    const struct disk *to = writer->rebuild->to;
    char name[LOG_NAME_BYTES];
    log_format_name(name, writer->log.segment.number);
    return to->sync(to->context, name, 0);
}

bool rebuild_log(struct rebuild *rebuild, const struct log_salvage *salvage)
{
    struct writer writer = {.rebuild = rebuild};
    rebuild->last_index = salvage->snapshot_index;
    writer.status = begin(&writer, salvage);
    struct log_loader loader = {.context = &writer, .load = copy_entry};
    bool loaded =
        writer.status == 0 &&
        log_salvage_load(salvage, &loader, rebuild->error, rebuild->error_size);
    if (writer.status == 0 && loaded)
        writer.status = write_configuration(&writer);
    if (writer.status == 0 && loaded)
        writer.status = finish(&writer);
    if (writer.status != 0)
        return fail(rebuild, "the log", writer.status);
    return loaded;
}
