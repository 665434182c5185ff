#include "raft/host/host_snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "raft/host/crc32c.h"

static uint8_t *piece_of(const struct host *host)
{
    return (uint8_t *)((uintptr_t)host + (uintptr_t)host->piece_offset);
}

static bool is_full(int status)
{
    return status == -ENOSPC || status == -EDQUOT;
}

// ---- taking one -----------------------------------------------------------------

// Small logs are compacted in time, whatever was asked for.
static uint64_t least(uint64_t asked, uint64_t capacity)
{
    return asked != 0 && asked > capacity / 4 ? capacity / 4 : asked;
}

static bool is_due(const struct host *host)
{
    const struct host_config *config = &host->config;
    if (host->applied_index <= host->shelf.kept[0].index)
        return false;
    if (host->snapshot_asked)
        return true;
    uint64_t entries = least(config->snapshot_entries, config->raft.log_entries_max);
    uint64_t bytes = least(config->snapshot_bytes, config->raft.log_bytes_max);
    return (entries != 0 &&
            host->applied_index - host->shelf.kept[0].index >= entries) ||
           (bytes != 0 && host->applied_bytes >= bytes);
}

// A transfer under way has to be able to end: the two newest snapshots are kept, and a
// third would take its file away. But not at the price of a log that is full.
static bool has_to_wait(const struct host *host)
{
    struct raft_view view;
    raft_observe(host_core(host), &view);
    uint64_t entries = view.last_index + 1 - view.first_index;
    if (entries > host->config.raft.log_entries_max / 4 * 3 ||
        view.log_bytes > host->config.raft.log_bytes_max / 4 * 3)
        return false;
    for (uint32_t i = 0; i < view.peer_count; i++) {
        const struct raft_peer_view *peer = &view.peers[i];
        if (peer->state == RAFT_SNAPSHOT &&
            host->now_ms - peer->contact_ms < host->config.raft.election_timeout_ms)
            return true;
    }
    return false;
}

// What a sync under way tells of the disk still counts, whatever became of its file: it
// may be the one that the removal of a segment leans on.
static void drop_aside(struct host *host, const struct host_io *io,
                       struct snapshot_aside *aside)
{
    if (aside->token != 0)
        host->orphan_token = aside->token;
    snapshot_aside_drop(aside, &io->disk);
}

static void give_up_taking(struct host *host, const struct host_io *io)
{
    if (host->taking.frozen)
        io->machine.snapshot_end(io->machine.context);
    host->taking.frozen = false;
    drop_aside(host, io, &host->taking.aside);
}

static void taking_failed(struct host *host, const struct host_io *io, int status)
{
    give_up_taking(host, io);
    host->counters.snapshots_failed++;
    host->snapshot_asked = true; // whatever it was that asked for this one
    host->snapshot_retry_ms = host->now_ms + 10 * HOST_RETRY_MS;
    if (!is_full(status))
        host_stop(host, "a snapshot cannot be written", status);
}

static int append_taken(struct host *host, const struct host_io *io, const void *data,
                        size_t size)
{
    host->taking.checksum = crc32c_extend(host->taking.checksum, data, size);
    return snapshot_aside_append(&host->taking.aside, &io->disk, data, size);
}

static int begin_file(struct host *host, const struct host_io *io)
{
    struct host_taking *taking = &host->taking;
    struct snapshot_header header = {.cluster_id = host->config.cluster_id,
                                     .meta = taking->meta};
    uint8_t bytes[SNAPSHOT_HEADER_BYTES_MAX];
    uint32_t size = snapshot_format_put_header(bytes, &header);
    taking->checksum = 0;
    taking->body_size = 0;
    int status = snapshot_aside_begin(&taking->aside, &io->disk);
    return status != 0 ? status : append_taken(host, io, bytes, size);
}

static void begin_taking(struct host *host, const struct host_io *io)
{
    struct host_taking *taking = &host->taking;
    host->snapshot_retry_ms = host->now_ms + HOST_RETRY_MS;
    if (has_to_wait(host) ||
        !raft_snapshot_meta_at(host_core(host), host->applied_index, &taking->meta))
        return;
    int status = io->machine.snapshot_begin(io->machine.context);
    if (status != 0) { // no memory: again in a while
        host->counters.snapshots_failed++;
        return;
    }
    taking->frozen = true;
    host->snapshot_asked = false;
    host->applied_bytes = 0;
    status = begin_file(host, io);
    if (status != 0)
        taking_failed(host, io, status);
}

static int end_file(struct host *host, const struct host_io *io)
{
    struct host_taking *taking = &host->taking;
    io->machine.snapshot_end(io->machine.context);
    taking->frozen = false;
    struct snapshot_trailer trailer = {.body_size = taking->body_size};
    uint8_t bytes[SNAPSHOT_TRAILER_BYTES];
    snapshot_format_put_trailer(bytes, &trailer, taking->checksum);
    taking->checksum = trailer.checksum;
    int status = snapshot_aside_append(&taking->aside, &io->disk, bytes, sizeof bytes);
    if (status == 0)
        snapshot_aside_complete(&taking->aside);
    return status;
}

static void write_piece(struct host *host, const struct host_io *io)
{
    uint8_t *piece = piece_of(host);
    int64_t got =
        io->machine.snapshot_read(io->machine.context, piece, host->piece_bytes);
    int status = got < 0 ? (int)got : 0;
    if (got > 0) {
        host->taking.body_size += (uint64_t)got;
        status = append_taken(host, io, piece, (size_t)got);
    } else if (got == 0) {
        status = end_file(host, io);
    }
    if (status != 0)
        taking_failed(host, io, status);
}

// The snapshot is durable under its name: what only it holds may go.
static void put_on_shelf(struct host *host, const struct snapshot_kept *kept)
{
    snapshot_shelf_put(&host->shelf, kept);
    host->pruning = true;
    durable_log_compact(&host->log, snapshot_shelf_covered(&host->shelf));
}

static void prune(struct host *host, const struct host_io *io)
{
    int status = snapshot_shelf_prune(&host->shelf, &io->disk, &host->pruning);
    if (status != 0)
        host_stop(host, "an old snapshot cannot be removed", status);
}

static void tell_taken(struct host *host, const struct host_io *io, raft_index index)
{
    uint64_t tail =
        least(host->config.snapshot_tail_entries, host->config.raft.log_entries_max);
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_TAKEN};
    event.snapshot_taken.index = index;
    event.snapshot_taken.keep_from = index + 1 > tail ? index + 1 - tail : 1;
    struct raft_output output;
    host_deliver(host, io, &event, &output);
}

static void end_taking(struct host *host, const struct host_io *io)
{
    struct host_taking *taking = &host->taking;
    raft_index index = taking->meta.last_included_index;
    struct snapshot_kept kept = {.index = index,
                                 .term = taking->meta.last_included_term,
                                 .size = taking->aside.size,
                                 .checksum = taking->checksum};
    taking->aside.state = SNAPSHOT_ASIDE_NONE;
    host->counters.snapshots_taken++;
    put_on_shelf(host, &kept);
    tell_taken(host, io, index);
}

// ---- what grows aside, one's own or another's -----------------------------------

// Starts the sync that is due, gives the file its name once it is ready. True once the
// name is durable, too.
static bool advance_aside(struct host *host, const struct host_io *io,
                          struct snapshot_aside *aside, raft_index index)
{
    int status = snapshot_aside_sync(aside, &io->disk, &host->tokens);
    bool may_be_named =
        aside == &host->taking.aside ||
        (host->receiving.checked && host->write_durable >= host->receiving.needs_write);
    if (status == 0 && may_be_named && snapshot_aside_is_ready(aside))
        status = snapshot_aside_name_it(aside, &io->disk, index, &host->tokens);
    if (status != 0)
        host_stop(host, "a snapshot cannot be made durable", status);
    return aside->state == SNAPSHOT_ASIDE_DURABLE;
}

// ---- sending one ----------------------------------------------------------------

static void send_chunk(struct host *host, const struct host_io *io,
                       const struct raft_snapshot_send *send)
{
    const struct snapshot_kept *kept =
        snapshot_shelf_find(&host->shelf, send->last_included_index);
    if (kept == NULL)
        return;
    uint64_t offset = send->offset < kept->size ? send->offset : 0;
    int64_t size =
        snapshot_shelf_read(kept, &io->disk, offset, piece_of(host), host->piece_bytes);
    if (size <= 0)
        return; // the core asks again; a file that is damaged is found by who gets it
    struct raft_view view;
    raft_observe(host_core(host), &view);
    struct raft_message message;
    memset(&message, 0, sizeof message);
    message.type = RAFT_INSTALL_SNAPSHOT;
    message.from = view.id;
    message.to = send->to;
    message.term = view.current_term;
    message.install_snapshot.last_included_index = kept->index;
    message.install_snapshot.last_included_term = kept->term;
    message.install_snapshot.offset = offset;
    message.install_snapshot.total = kept->size;
    message.install_snapshot.checksum = kept->checksum;
    message.install_snapshot.size = (uint32_t)size;
    message.install_snapshot.data = piece_of(host);
    host->counters.snapshot_chunks_sent++;
    io->network.send(io->network.context, &message, 1);
}

// ---- receiving one --------------------------------------------------------------

static void receiving_failed(struct host *host, const struct host_io *io)
{
    drop_aside(host, io, &host->receiving.aside);
    host->receiving.checking = false;
    host->receiving.checked = false;
    host->receiving.failed = true;
    host->counters.snapshots_failed++;
}

static void store_chunk(struct host *host, const struct host_io *io,
                        const struct raft_install_snapshot *chunk)
{
    struct host_receiving *receiving = &host->receiving;
    struct snapshot_aside *aside = &receiving->aside;
    int status = 0;
    if (chunk->offset == 0) {
        drop_aside(host, io, aside);
        aside->receiving = true;
        receiving->checking = false;
        receiving->checked = false;
        receiving->failed = false;
        status = snapshot_aside_begin(aside, &io->disk);
    } else if (receiving->failed || aside->state != SNAPSHOT_ASIDE_GROWS) {
        return; // the core is about to hear of it
    }
    receiving->announced = *chunk;
    receiving->announced.data = NULL;
    if (io->machine.restore_begin == NULL) {
        receiving_failed(host, io);
        return;
    }
    if (status == 0)
        status = snapshot_aside_append(aside, &io->disk, chunk->data, chunk->size);
    if (status != 0) {
        receiving_failed(host, io);
        if (!is_full(status))
            host_stop(host, "a snapshot that arrives cannot be stored", status);
        return;
    }
    if (aside->size == chunk->total) {
        snapshot_aside_complete(aside);
        receiving->needs_write =
            host->backlog.write != 0 ? host->backlog.write : host->write_appended;
    }
}

static bool is_as_announced(const struct host_receiving *receiving)
{
    const struct raft_snapshot_meta *meta = &receiving->reader.header.meta;
    return meta->last_included_index == receiving->announced.last_included_index &&
           meta->last_included_term == receiving->announced.last_included_term &&
           receiving->reader.trailer.checksum == receiving->announced.checksum;
}

// The file as it stands on this disk, piece by piece.
static void check_piece(struct host *host, const struct host_io *io)
{
    struct host_receiving *receiving = &host->receiving;
    struct snapshot_reader *reader = &receiving->reader;
    bool good = true;
    enum snapshot_read read = SNAPSHOT_READ_MORE;
    if (!receiving->checking) {
        receiving->checking = true;
        good = snapshot_file_open(reader, &io->disk,
                                  snapshot_aside_name(&receiving->aside),
                                  receiving->aside.size, host->config.cluster_id) &&
               is_as_announced(receiving);
    }
    if (good) {
        struct snapshot_piece piece;
        read = snapshot_file_next(reader, &io->disk, piece_of(host), host->piece_bytes,
                                  &piece);
    }
    if (!good || read == SNAPSHOT_READ_BAD)
        receiving_failed(host, io);
    else if (read == SNAPSHOT_READ_END)
        receiving->checked = true;
}

static void tell_core(struct host *host, const struct host_io *io, bool failed)
{
    struct raft_snapshot_meta meta = {
        .last_included_index = host->receiving.announced.last_included_index,
        .last_included_term = host->receiving.announced.last_included_term};
    if (!failed)
        meta = host->receiving.reader.header.meta;
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_RECEIVED};
    event.snapshot_received.meta = &meta;
    event.snapshot_received.failed = failed;
    struct raft_output output;
    host_deliver(host, io, &event, &output);
}

static void end_receiving(struct host *host, const struct host_io *io)
{
    struct host_receiving *receiving = &host->receiving;
    struct snapshot_kept kept = {.index = receiving->announced.last_included_index,
                                 .term = receiving->announced.last_included_term,
                                 .size = receiving->aside.size,
                                 .checksum = (uint32_t)receiving->announced.checksum};
    receiving->aside.state = SNAPSHOT_ASIDE_NONE;
    receiving->checked = false;
    receiving->checking = false;
    put_on_shelf(host, &kept);
    host->compacting = true;
    if (!host->stopped)
        tell_core(host, io, false);
}

// A snapshot that came while the log went on by itself is as good as one of the own
// state, once that is as far: else a log that is full would wait for the next one, and
// that for entries which the log has no room for.
static bool may_compact(const struct host *host)
{
    return host->compacting && host->applied == 0 && !host->restoring.underway &&
           host->applied_index >= host->shelf.kept[0].index;
}

// ---- restoring one --------------------------------------------------------------

static bool open_restore(struct host *host, const struct host_io *io, raft_index index)
{
    const struct snapshot_kept *kept = snapshot_shelf_find(&host->shelf, index);
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, index);
    return kept != NULL && snapshot_file_open(&host->restoring.reader, &io->disk, name,
                                              kept->size, host->config.cluster_id);
}

static int begin_restore(struct host *host, const struct host_io *io, raft_index index)
{
    if (io->machine.restore_begin == NULL)
        return -ENOTSUP;
    if (!open_restore(host, io, index))
        return -EIO;
    host->restoring.underway = true;
    return io->machine.restore_begin(io->machine.context);
}

// Returns 0 or -errno.
static int restore_piece(struct host *host, const struct host_io *io)
{
    struct snapshot_reader *reader = &host->restoring.reader;
    struct snapshot_piece piece;
    enum snapshot_read read = snapshot_file_next(reader, &io->disk, piece_of(host),
                                                 host->piece_bytes, &piece);
    if (read == SNAPSHOT_READ_BAD)
        return reader->problem == SNAPSHOT_UNREADABLE ? reader->status : -EBADMSG;
    int status = 0;
    if (piece.size > 0)
        status = io->machine.restore_write(io->machine.context, piece.body, piece.size);
    if (status != 0 || read == SNAPSHOT_READ_MORE)
        return status;
    host->restoring.underway = false;
    host->applied_index = reader->header.meta.last_included_index;
    host->applied_bytes = 0;
    return io->machine.restore_end(io->machine.context, host->applied_index);
}

static void restore_step(struct host *host, const struct host_io *io)
{
    int status = restore_piece(host, io);
    if (status != 0) {
        host_stop(host, "the snapshot cannot be restored", status);
    } else if (!host->restoring.underway) {
        host->counters.snapshots_received++;
        struct raft_event event = {.type = RAFT_EVENT_APPLIED};
        event.applied.index = host->applied_index;
        struct raft_output output;
        host_deliver(host, io, &event, &output);
    }
}

int host_snapshot_load(struct host *host, const struct host_io *io)
{
    raft_index index = host->shelf.kept[0].index;
    int status = index == 0 ? 0 : begin_restore(host, io, index);
    while (status == 0 && host->restoring.underway)
        status = restore_piece(host, io);
    return status;
}

// ---- the host's calls -----------------------------------------------------------

void host_snapshot_take_output(struct host *host, const struct host_io *io,
                               const struct raft_output *output)
{
    for (uint32_t i = 0; i < output->snapshot_send_count; i++)
        send_chunk(host, io, &output->snapshot_sends[i]);
    if (output->snapshot_store != NULL)
        store_chunk(host, io, output->snapshot_store);
    if (output->snapshot_restore == NULL)
        return;
    give_up_taking(host, io); // of a state that is no more
    int status = begin_restore(host, io, output->snapshot_restore->last_included_index);
    if (status != 0)
        host_stop(host, "the snapshot cannot be restored", status);
}

void host_snapshot_note_applied(struct host *host, const struct raft_entry *entries,
                                uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        host->applied_bytes += entries[i].size;
    host->applied_index = entries[count - 1].index;
}

static bool may_begin(const struct host *host)
{
    return host->taking.aside.state == SNAPSHOT_ASIDE_NONE && host->applied == 0 &&
           !host->restoring.underway && is_due(host);
}

// Whether a piece can be done at once.
static bool has_work(const struct host *host)
{
    const struct snapshot_aside *taking = &host->taking.aside;
    const struct snapshot_aside *receiving = &host->receiving.aside;
    return host->receiving.failed || host->restoring.underway || host->pruning ||
           may_compact(host) ||
           (taking->state == SNAPSHOT_ASIDE_GROWS &&
            !snapshot_aside_is_behind(taking)) ||
           taking->state == SNAPSHOT_ASIDE_DURABLE ||
           (taking->state == SNAPSHOT_ASIDE_WHOLE && taking->token == 0) ||
           (receiving->state == SNAPSHOT_ASIDE_WHOLE && !host->receiving.checked) ||
           (receiving->state == SNAPSHOT_ASIDE_WHOLE && receiving->token == 0 &&
            host->write_durable >= host->receiving.needs_write) ||
           receiving->state == SNAPSHOT_ASIDE_DURABLE;
}

uint64_t host_snapshot_deadline_ms(const struct host *host)
{
    if (has_work(host))
        return host->now_ms;
    if (!host->can_snapshot || !may_begin(host))
        return UINT64_MAX;
    return host->snapshot_retry_ms > host->now_ms ? host->snapshot_retry_ms
                                                  : host->now_ms;
}

static void work_on_taking(struct host *host, const struct host_io *io)
{
    struct host_taking *taking = &host->taking;
    if (taking->aside.state == SNAPSHOT_ASIDE_GROWS &&
        !snapshot_aside_is_behind(&taking->aside))
        write_piece(host, io);
    if (taking->aside.state != SNAPSHOT_ASIDE_NONE &&
        advance_aside(host, io, &taking->aside, taking->meta.last_included_index))
        end_taking(host, io);
}

static void work_on_receiving(struct host *host, const struct host_io *io)
{
    struct host_receiving *receiving = &host->receiving;
    if (receiving->failed) {
        receiving->failed = false;
        tell_core(host, io, true);
        return;
    }
    if (receiving->aside.state == SNAPSHOT_ASIDE_WHOLE && !receiving->checked)
        check_piece(host, io);
    if (receiving->aside.state != SNAPSHOT_ASIDE_NONE &&
        advance_aside(host, io, &receiving->aside,
                      receiving->announced.last_included_index))
        end_receiving(host, io);
}

void host_snapshot_work(struct host *host, const struct host_io *io)
{
    if (host->restoring.underway) {
        restore_step(host, io);
        return; // nothing else is worth doing on a state that is not whole
    }
    if (host->can_snapshot && may_begin(host) &&
        host->now_ms >= host->snapshot_retry_ms)
        begin_taking(host, io);
    work_on_taking(host, io);
    if (!host->stopped)
        work_on_receiving(host, io);
    if (!host->stopped && may_compact(host)) {
        host->compacting = false;
        tell_taken(host, io, host->shelf.kept[0].index);
    }
    if (!host->stopped && host->pruning)
        prune(host, io);
}

bool host_snapshot_awaits(const struct host *host, uint64_t token)
{
    return token != 0 &&
           (token == host->taking.aside.token || token == host->receiving.aside.token ||
            token == host->orphan_token);
}

void host_snapshot_synced(struct host *host, uint64_t token)
{
    if (!snapshot_aside_synced(&host->taking.aside, token))
        snapshot_aside_synced(&host->receiving.aside, token);
}
