// host.c: the loop of raft.h around one core: persist, send, apply.
//
// Calls in from the driver end in host_deliver(), which feeds the core until it is
// quiet. Snapshots are next door, in host_snapshot.c.
#include "raft/host/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "raft/host/host_snapshot.h"
#include "raft/host/host_state.h"
#include "raft/host/log_recover.h"

enum {
    ALIGNMENT = 16,
    // In one call; what is still due then waits for the next, so that messages and
    // heartbeats have their turn while a long log is applied.
    TICKS_AT_ONCE_MAX = 64,
    APPLIES_AT_ONCE_MAX = 16,
    REWRITE_ENTRIES = 64, // of a backlog, in one append
};

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

struct raft *host_core(const struct host *host)
{
    return (struct raft *)((uintptr_t)host + (uintptr_t)host->core_offset);
}

// ---- the log --------------------------------------------------------------------

void host_stop(struct host *host, const char *what, int status)
{
    if (host->stopped)
        return;
    host->stopped = true;
    snprintf(host->reason, sizeof host->reason, "%s: %s", what, strerror(-status));
}

static void stop_log(struct host *host, const char *what, int status)
{
    char text[80];
    snprintf(text, sizeof text, "segment %" PRIu64 " of the log: %s",
             host->log.segment.number, what);
    host_stop(host, text, status);
}

// One sync is under way at a time; what is appended meanwhile goes with the next.
static void start_sync(struct host *host, const struct host_io *io)
{
    if (host->stopped || host->log_token != 0 ||
        host->write_appended == host->write_durable)
        return;
    host->write_syncing = host->write_appended;
    host->log_token = ++host->tokens;
    int status = durable_log_sync(&host->log, &io->disk, host->log_token);
    if (status != 0)
        stop_log(host, "sync", status);
}

// ---- a full disk ----------------------------------------------------------------

static bool is_full(int status)
{
    return status == -ENOSPC || status == -EDQUOT;
}

// What could not be written becomes part of one write, which is made from the core's
// state once there is space: what a later step has replaced need never be written.
static void keep_back(struct host *host, const struct raft_output *output)
{
    struct host_backlog *backlog = &host->backlog;
    if (backlog->write == 0)
        backlog->retry_ms = host->now_ms + HOST_RETRY_MS;
    backlog->write = output->write;
    backlog->hard_state = backlog->hard_state || output->hard_state_changed;
    if (output->snapshot_restore != NULL) {
        backlog->restart = true;
        backlog->snapshot = *output->snapshot_restore;
        backlog->first = 0;
    }
    if (output->entry_count > 0 &&
        (backlog->first == 0 || output->entries[0].index < backlog->first))
        backlog->first = output->entries[0].index;
}

// The next part of the backlog; all of them are one ordered write. Returns 0 or -errno.
static int write_part(struct host *host, const struct host_io *io)
{
    struct host_backlog *backlog = &host->backlog;
    struct raft_view view;
    raft_observe(host_core(host), &view);
    struct raft_hard_state hard_state = {.current_term = view.current_term,
                                         .voted_for = view.voted_for};
    struct raft_entry entries[REWRITE_ENTRIES];
    struct durable_log_write write = {
        .hard_state = backlog->hard_state ? &hard_state : NULL,
        .restart = backlog->restart ? &backlog->snapshot : NULL,
        .entries = entries};
    while (backlog->first != 0 && write.entry_count < REWRITE_ENTRIES &&
           raft_entry_at(host_core(host), backlog->first + write.entry_count,
                         &entries[write.entry_count]))
        write.entry_count++;
    int status = durable_log_append(&host->log, &io->disk, &write);
    if (status != 0)
        return status;
    backlog->hard_state = false;
    backlog->restart = false;
    backlog->first += write.entry_count;
    if (write.entry_count < REWRITE_ENTRIES)
        backlog->first = 0;
    return 0;
}

// A leader that cannot write hands over, at every try that fails: what its followers
// have committed meanwhile it cannot apply, and its reads would wait for that.
static void hand_over(struct host *host, const struct host_io *io)
{
    struct raft_view view;
    raft_observe(host_core(host), &view);
    if (view.role != RAFT_LEADER || view.transfer_to != 0 || view.peer_count == 0)
        return;
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER_LEADERSHIP};
    struct raft_output output;
    host_deliver(host, io, &event, &output);
}

static void write_backlog(struct host *host, const struct host_io *io)
{
    struct host_backlog *backlog = &host->backlog;
    int status = 0;
    do
        status = write_part(host, io);
    while (status == 0 && backlog->first != 0);
    if (is_full(status)) {
        backlog->retry_ms = host->now_ms + HOST_RETRY_MS;
        hand_over(host, io);
    } else if (status != 0) {
        stop_log(host, "append", status);
    } else {
        host->write_appended = backlog->write;
        backlog->write = 0;
        start_sync(host, io);
    }
}

static void persist(struct host *host, const struct host_io *io,
                    const struct raft_output *output)
{
    if (output->write == 0)
        return;
    assert(output->write > host->write_appended);
    if (host->backlog.write != 0) {
        keep_back(host, output);
        return;
    }
    struct durable_log_write write = {
        .hard_state = output->hard_state_changed ? &output->hard_state : NULL,
        .restart = output->snapshot_restore,
        .entries = output->entries,
        .entry_count = output->entry_count};
    int status = durable_log_append(&host->log, &io->disk, &write);
    if (is_full(status)) {
        keep_back(host, output);
    } else if (status != 0) {
        stop_log(host, "append", status);
    } else {
        host->write_appended = output->write;
        start_sync(host, io);
    }
}

// ---- the loop -------------------------------------------------------------------

static void apply(struct host *host, const struct host_io *io,
                  const struct raft_output *output)
{
    if (output->apply_count == 0)
        return;
    const struct state_machine *machine = &io->machine;
    machine->apply(machine->context, output->apply, output->apply_count);
    host_snapshot_note_applied(host, output->apply, output->apply_count);
    host->applied = output->apply[output->apply_count - 1].index;
}

static void answer_reads(const struct host_io *io, const struct raft_output *output)
{
    for (uint32_t i = 0; i < output->read_count; i++)
        io->machine.read_ready(io->machine.context, output->reads[i].id,
                               output->reads[i].status);
}

// One event in, its effects out.
static enum raft_status step(struct host *host, const struct host_io *io,
                             const struct raft_event *event, struct raft_output *output)
{
    enum raft_status status = raft_step(host_core(host), event, output);
    host->core_deadline_ms = output->deadline_ms;
    persist(host, io, output);
    if (host->stopped)
        return status; // nothing may leave that hides the failure
    if (output->message_count > 0)
        io->network.send(io->network.context, output->messages, output->message_count);
    apply(host, io, output);
    answer_reads(io, output);
    host_snapshot_take_output(host, io, output);
    if (io->observer.stepped != NULL)
        io->observer.stepped(io->observer.context, host_core(host), event, output);
    return status;
}

// The next event that follows from the core's own outputs; false where it is quiet.
static bool follow_up(struct host *host, struct raft_event *event)
{
    event->now_ms = host->now_ms;
    if (host->applied != 0) {
        event->type = RAFT_EVENT_APPLIED;
        event->applied.index = host->applied;
        host->applied = 0;
        return true;
    }
    event->type = RAFT_EVENT_TICK;
    return host->core_deadline_ms <= host->now_ms;
}

// Feeds the core until it is quiet, or until it is someone else's turn.
static void settle(struct host *host, const struct host_io *io)
{
    uint32_t ticks = 0;
    uint32_t applies = 0;
    while (!host->stopped) {
        if (ticks == TICKS_AT_ONCE_MAX || applies == APPLIES_AT_ONCE_MAX) {
            host->core_deadline_ms = host->now_ms;
            return;
        }
        struct raft_event event;
        if (!follow_up(host, &event))
            return;
        ticks += event.type == RAFT_EVENT_TICK;
        applies += event.type == RAFT_EVENT_APPLIED;
        struct raft_output output;
        step(host, io, &event, &output);
    }
}

// *output is that of the event itself, and what it borrows from the core is gone.
enum raft_status host_deliver(struct host *host, const struct host_io *io,
                              struct raft_event *event, struct raft_output *output)
{
    if (event->now_ms > host->now_ms)
        host->now_ms = event->now_ms;
    event->now_ms = host->now_ms;
    enum raft_status status = step(host, io, event, output);
    settle(host, io);
    return status;
}

// ---- opening --------------------------------------------------------------------

void host_config_default(struct host_config *config)
{
    memset(config, 0, sizeof *config);
    raft_config_default(&config->raft);
    config->segment_bytes_max = 64u << 20;
    config->snapshot_entries = 100000;
    config->snapshot_bytes = 256u << 20;
    config->snapshot_tail_entries = 5000;
    config->snapshot_chunk_bytes = 64u << 10;
}

static size_t piece_bytes(const struct host_config *config)
{
    return config->snapshot_chunk_bytes < SNAPSHOT_FILE_BYTES_MIN
               ? SNAPSHOT_FILE_BYTES_MIN
               : config->snapshot_chunk_bytes;
}

size_t host_size(const struct host_config *config)
{
    return aligned(sizeof(struct host)) + aligned(raft_size(&config->raft)) +
           aligned(piece_bytes(config));
}

static enum raft_status load(void *context, const struct raft_entry *entry)
{
    return raft_load(context, entry);
}

static bool refuse(struct log_recovery *recovery, const char *what, int status)
{
    snprintf(recovery->error, recovery->error_size, "%s: %s", what, strerror(-status));
    return false;
}

// The newest good snapshot; a newer one that is damaged is told of.
static bool open_snapshots(struct host *host, const struct disk *disk,
                           struct log_recovery *recovery, struct snapshot_found *found)
{
    int status =
        snapshot_shelf_open(&host->shelf, disk, host->config.cluster_id, found);
    if (status != 0)
        return refuse(recovery, "the snapshots cannot be read", status);
    if (found->damaged > 0)
        snprintf(host->warning, sizeof host->warning, "not used: %s", found->damage);
    return true;
}

// The log as it was found, or a new one.
static bool open_log(struct host *host, const struct disk *disk,
                     struct log_recovery *recovery, const struct snapshot_found *found)
{
    const struct host_config *config = &host->config;
    if (!log_recover_scan(recovery, disk, found->meta.last_included_index,
                          found->meta.last_included_term)) {
        size_t used = strlen(recovery->error);
        if (found->damaged > 0)
            snprintf(recovery->error + used, recovery->error_size - used, " (%s)",
                     found->damage);
        return false;
    }
    durable_log_init(&host->log, config->cluster_id, config->raft.id,
                     config->segment_bytes_max);
    if (recovery->found.segment.number != 0) {
        durable_log_resume(&host->log, &recovery->found);
    } else {
        int status = durable_log_create(&host->log, disk);
        if (status != 0)
            return refuse(recovery, "the log cannot be created", status);
    }
    durable_log_compact(&host->log, snapshot_shelf_covered(&host->shelf));
    return true;
}

// A snapshot has its name only once it is whole and durable, and may have been
// acknowledged from then on: where it is damaged, log and older snapshot have to reach
// as far, or the node has forgotten what a majority counts on.
static bool reaches_newest(const struct raft *raft, struct log_recovery *recovery,
                           const struct snapshot_found *found)
{
    struct raft_view view;
    raft_observe(raft, &view);
    if (view.last_index >= found->newest)
        return true;
    snprintf(recovery->error, recovery->error_size,
             "the log ends at %llu, before a snapshot that cannot be used: remove this "
             "node, and add it anew with an empty directory (%s)",
             (unsigned long long)view.last_index, found->damage);
    return false;
}

// The core and the state machine on top of what was found.
static bool open_state(struct host *host, const struct host_io *io,
                       struct log_recovery *recovery,
                       const struct snapshot_found *found)
{
    struct raft *raft = raft_init(host_core(host), &host->config.raft,
                                  &recovery->found.hard_state, &found->meta);
    host->core_offset = (uint64_t)((uintptr_t)raft - (uintptr_t)host);
    int status = host_snapshot_load(host, io);
    if (status != 0)
        return refuse(recovery, "the snapshot cannot be restored", status);
    struct log_loader loader = {.context = raft, .load = load};
    return log_recover_load(recovery, &loader) && reaches_newest(raft, recovery, found);
}

static void lay_out(struct host *host, const struct host_config *config,
                    const struct host_io *io, uint64_t now_ms)
{
    memset(host, 0, aligned(sizeof *host));
    host->core_offset = aligned(sizeof *host);
    host->piece_offset = host->core_offset + aligned(raft_size(&config->raft));
    host->piece_bytes = (uint32_t)piece_bytes(config);
    host->config = *config;
    host->config.raft.start_ms = now_ms;
    host->pruning = true; // a crash may have left some
    host->can_snapshot = io->machine.snapshot_begin != NULL;
    host->now_ms = now_ms;
    host->core_deadline_ms = now_ms;
}

struct host *host_open(void *memory, const struct host_config *config,
                       const struct host_io *io, uint64_t now_ms, char *error,
                       size_t error_size)
{
    assert((uintptr_t)memory % ALIGNMENT == 0);
    const char *problem = raft_config_problem(&config->raft);
    if (problem != NULL) {
        snprintf(error, error_size, "the configuration cannot be used: %s", problem);
        return NULL;
    }
    struct host *host = memory;
    lay_out(host, config, io, now_ms);
    struct log_recovery recovery;
    log_recover_init(&recovery, config->cluster_id, config->raft.id, error, error_size);
    struct snapshot_found found;
    bool opened = open_snapshots(host, &io->disk, &recovery, &found) &&
                  open_log(host, &io->disk, &recovery, &found) &&
                  open_state(host, io, &recovery, &found);
    host->counters.torn_bytes = recovery.torn_bytes;
    log_recover_release(&recovery);
    return opened ? host : NULL;
}

// ---- what the driver calls ------------------------------------------------------

void host_tick(struct host *host, const struct host_io *io, uint64_t now_ms)
{
    if (host->stopped)
        return;
    struct raft_event event = {.type = RAFT_EVENT_TICK, .now_ms = now_ms};
    struct raft_output output;
    host_deliver(host, io, &event, &output);
    if (!host->stopped && host->backlog.write != 0 &&
        host->now_ms >= host->backlog.retry_ms)
        write_backlog(host, io);
    if (!host->stopped)
        host_snapshot_work(host, io);
}

uint64_t host_deadline_ms(const struct host *host)
{
    if (host->stopped)
        return UINT64_MAX;
    uint64_t deadline_ms = host->core_deadline_ms;
    uint64_t snapshot_ms = host_snapshot_deadline_ms(host);
    if (snapshot_ms < deadline_ms)
        deadline_ms = snapshot_ms;
    if (host->backlog.write != 0 && host->backlog.retry_ms < deadline_ms)
        deadline_ms = host->backlog.retry_ms;
    return deadline_ms;
}

void host_receive(struct host *host, const struct host_io *io, uint64_t now_ms,
                  const struct raft_message *message)
{
    if (host->stopped)
        return;
    struct raft_event event = {
        .type = RAFT_EVENT_MESSAGE, .now_ms = now_ms, .message = message};
    struct raft_output output;
    host_deliver(host, io, &event, &output);
}

enum raft_status host_propose(struct host *host, const struct host_io *io,
                              uint64_t now_ms, const struct raft_command *commands,
                              uint32_t count, raft_index *index, raft_term *term)
{
    if (host->stopped)
        return RAFT_NOT_LEADER;
    if (host->backlog.write != 0)
        return RAFT_DISK_FULL;
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE, .now_ms = now_ms};
    event.propose.commands = commands;
    event.propose.count = count;
    struct raft_output output;
    enum raft_status status = host_deliver(host, io, &event, &output);
    *index = output.proposed_index;
    *term = output.proposed_term;
    return status;
}

enum raft_status host_change(struct host *host, const struct host_io *io,
                             uint64_t now_ms, const struct raft_member *members,
                             uint32_t count, raft_index *index, raft_term *term)
{
    if (host->stopped)
        return RAFT_NOT_LEADER;
    if (host->backlog.write != 0)
        return RAFT_DISK_FULL;
    struct raft_event event = {.type = RAFT_EVENT_CHANGE_MEMBERSHIP, .now_ms = now_ms};
    event.change.members = members;
    event.change.count = count;
    struct raft_output output;
    enum raft_status status = host_deliver(host, io, &event, &output);
    *index = output.proposed_index;
    *term = output.proposed_term;
    return status;
}

enum raft_status host_transfer(struct host *host, const struct host_io *io,
                               uint64_t now_ms, raft_id to)
{
    if (host->stopped)
        return RAFT_NOT_LEADER;
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER_LEADERSHIP,
                               .now_ms = now_ms};
    event.transfer.to = to;
    struct raft_output output;
    return host_deliver(host, io, &event, &output);
}

void host_snapshot(struct host *host, const struct host_io *io, uint64_t now_ms)
{
    if (now_ms > host->now_ms)
        host->now_ms = now_ms;
    if (host->taking.aside.state == SNAPSHOT_ASIDE_NONE)
        host->snapshot_asked = host->can_snapshot;
    (void)io; // the next turn begins it
}

enum raft_status host_read(struct host *host, const struct host_io *io, uint64_t now_ms,
                           uint64_t id)
{
    if (host->stopped)
        return RAFT_NOT_LEADER;
    struct raft_event event = {.type = RAFT_EVENT_READ, .now_ms = now_ms};
    event.read.id = id;
    struct raft_output output;
    return host_deliver(host, io, &event, &output);
}

static void log_synced(struct host *host, const struct host_io *io, uint64_t now_ms)
{
    host->log_token = 0;
    durable_log_synced(&host->log);
    host->counters.syncs++;
    host->counters.writes += host->write_syncing - host->write_durable;
    host->write_durable = host->write_syncing;
    start_sync(host, io); // at once: the disk works while the core does
    if (host->stopped)
        return;
    struct raft_event event = {.type = RAFT_EVENT_PERSISTED, .now_ms = now_ms};
    event.persisted.write = host->write_durable;
    struct raft_output output;
    host_deliver(host, io, &event, &output);
}

void host_synced(struct host *host, const struct host_io *io, uint64_t now_ms,
                 uint64_t token, int status)
{
    bool of_log = token != 0 && token == host->log_token;
    if (host->stopped || (!of_log && !host_snapshot_awaits(host, token)))
        return;
    // Never tried again: what the kernel has dropped, a second sync would not see. A
    // snapshot's sync is no other: it is the same disk that has lost what it was given.
    if (status != 0 && of_log)
        stop_log(host, "sync", status);
    else if (status != 0)
        host_stop(host, "the sync of a snapshot", status);
    else if (of_log)
        log_synced(host, io, now_ms);
    else
        host_snapshot_synced(host, token);
}

// ---- observing ------------------------------------------------------------------

const char *host_stopped(const struct host *host)
{
    return host->stopped ? host->reason : NULL;
}

const char *host_warning(const struct host *host)
{
    return host->warning[0] != '\0' ? host->warning : NULL;
}

bool host_disk_full(const struct host *host)
{
    return host->backlog.write != 0;
}

bool host_busy(const struct host *host)
{
    return !host->stopped &&
           (host->write_durable != host->write_appended || host->backlog.write != 0);
}

const struct raft *host_raft(const struct host *host)
{
    return host_core(host);
}

void host_count(const struct host *host, struct host_counters *counters)
{
    *counters = host->counters;
    counters->bytes_appended = host->log.bytes_appended;
    counters->segments = host->log.segments_created;
    counters->segments_removed = host->log.segments_removed;
    counters->snapshot_bytes_last = host->shelf.kept[0].size;
    counters->snapshot_underway = host->taking.aside.state != SNAPSHOT_ASIDE_NONE;
}
