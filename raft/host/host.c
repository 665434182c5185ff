// host.c: the loop of raft.h around one core: persist, send, apply.
//
// The host lies at the start of the memory handed in, its core behind it; the core is
// found by its offset, so that a copy of the memory is a node of its own. Calls in from
// the driver end in run(), which feeds the core until it is quiet.
//
// Invariant: write_durable <= write_syncing <= write_appended. RAFT_EVENT_PERSISTED is
// given write_durable alone, when the sync that was started after the append has ended.
#include "raft/host/host.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "raft/host/durable_log.h"
#include "raft/host/log_recover.h"

enum {
    ALIGNMENT = 16,
    // In one call; what is still due then waits for the next, so that messages and
    // heartbeats have their turn while a long log is applied.
    TICKS_AT_ONCE_MAX = 64,
    APPLIES_AT_ONCE_MAX = 16,
    REASON_BYTES = 120,
};

struct host {
    uint64_t core_offset; // from this struct
    struct durable_log log;

    // Numbers of the core's writes.
    uint64_t write_appended; // the newest in the log
    uint64_t write_syncing;  // the newest that the sync under way covers
    uint64_t write_durable;  // the newest that a completed sync has covered

    bool syncing;
    uint64_t token; // of the newest sync

    uint64_t now_ms;
    uint64_t deadline_ms;
    raft_index applied; // not yet reported to the core; 0: nothing is owed

    bool stopped;
    char reason[REASON_BYTES];
    struct host_counters counters;
};

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct raft *core(const struct host *host)
{
    return (struct raft *)((uintptr_t)host + (uintptr_t)host->core_offset);
}

// ---- the log --------------------------------------------------------------------

static void stop(struct host *host, const char *what, int status)
{
    if (host->stopped)
        return;
    host->stopped = true;
    host->deadline_ms = UINT64_MAX;
    snprintf(host->reason, sizeof host->reason,
             "segment %" PRIu64 " of the log: %s: %s", host->log.segment.number, what,
             strerror(-status));
}

// One sync is under way at a time; what is appended meanwhile goes with the next.
static void start_sync(struct host *host, const struct host_io *io)
{
    if (host->stopped || host->syncing || host->write_appended == host->write_durable)
        return;
    host->syncing = true;
    host->write_syncing = host->write_appended;
    int status = durable_log_sync(&host->log, &io->disk, ++host->token);
    if (status != 0)
        stop(host, "sync", status);
}

static void persist(struct host *host, const struct host_io *io,
                    const struct raft_output *output)
{
    if (output->write == 0)
        return;
    assert(output->write > host->write_appended);
    struct durable_log_write write = {
        .hard_state = output->hard_state_changed ? &output->hard_state : NULL,
        .entries = output->entries,
        .entry_count = output->entry_count};
    int status = durable_log_append(&host->log, &io->disk, &write);
    if (status != 0) {
        stop(host, "append", status);
        return;
    }
    host->write_appended = output->write;
    start_sync(host, io);
}

// ---- the loop -------------------------------------------------------------------

static void apply(struct host *host, const struct host_io *io,
                  const struct raft_output *output)
{
    if (output->apply_count == 0)
        return;
    const struct state_machine *machine = &io->machine;
    machine->apply(machine->context, output->apply, output->apply_count);
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
    enum raft_status status = raft_step(core(host), event, output);
    host->deadline_ms = output->deadline_ms;
    persist(host, io, output);
    if (host->stopped)
        return status; // nothing may leave that hides the failure
    if (output->message_count > 0)
        io->network.send(io->network.context, output->messages, output->message_count);
    apply(host, io, output);
    answer_reads(io, output);
    if (io->observer.stepped != NULL)
        io->observer.stepped(io->observer.context, core(host), event, output);
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
    return host->deadline_ms <= host->now_ms;
}

// Feeds the core until it is quiet, or until it is someone else's turn.
static void settle(struct host *host, const struct host_io *io)
{
    uint32_t ticks = 0;
    uint32_t applies = 0;
    while (!host->stopped) {
        if (ticks == TICKS_AT_ONCE_MAX || applies == APPLIES_AT_ONCE_MAX) {
            host->deadline_ms = host->now_ms;
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

// An event from outside and all that follows. *output is that of the event itself, and
// what it borrows from the core is gone.
static enum raft_status run(struct host *host, const struct host_io *io,
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
}

size_t host_size(const struct host_config *config)
{
    return aligned(sizeof(struct host)) + aligned(raft_size(&config->raft));
}

static enum raft_status load(void *context, const struct raft_entry *entry)
{
    return raft_load(context, entry);
}

// The log as it was found, or a new one; then the core on top of it.
static bool open_log(struct host *host, const struct host_config *config,
                     const struct disk *disk, struct log_recovery *recovery)
{
    if (!log_recover_scan(recovery, disk, 0, 0))
        return false;
    durable_log_init(&host->log, config->cluster_id, config->raft.id,
                     config->segment_bytes_max);
    if (recovery->found.segment.number != 0) {
        durable_log_resume(&host->log, &recovery->found);
    } else {
        int status = durable_log_create(&host->log, disk);
        if (status != 0) {
            snprintf(recovery->error, recovery->error_size,
                     "the log cannot be created: %s", strerror(-status));
            return false;
        }
    }
    static const struct raft_snapshot_meta no_snapshot;
    struct raft *raft =
        raft_init(core(host), &config->raft, &recovery->found.hard_state, &no_snapshot);
    host->core_offset = (uint64_t)((uintptr_t)raft - (uintptr_t)host);
    struct log_loader loader = {.context = raft, .load = load};
    return log_recover_load(recovery, &loader);
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
    struct host_config at = *config;
    at.raft.start_ms = now_ms;
    struct host *host = memory;
    memset(host, 0, aligned(sizeof *host));
    host->core_offset = aligned(sizeof *host);
    host->now_ms = now_ms;
    host->deadline_ms = now_ms;

    struct log_recovery recovery;
    log_recover_init(&recovery, at.cluster_id, at.raft.id, error, error_size);
    bool opened = open_log(host, &at, &io->disk, &recovery);
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
    run(host, io, &event, &output);
}

uint64_t host_deadline_ms(const struct host *host)
{
    return host->deadline_ms;
}

void host_receive(struct host *host, const struct host_io *io, uint64_t now_ms,
                  const struct raft_message *message)
{
    if (host->stopped)
        return;
    struct raft_event event = {
        .type = RAFT_EVENT_MESSAGE, .now_ms = now_ms, .message = message};
    struct raft_output output;
    run(host, io, &event, &output);
}

enum raft_status host_propose(struct host *host, const struct host_io *io,
                              uint64_t now_ms, const struct raft_command *commands,
                              uint32_t count, raft_index *index, raft_term *term)
{
    if (host->stopped)
        return RAFT_NOT_LEADER;
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE, .now_ms = now_ms};
    event.propose.commands = commands;
    event.propose.count = count;
    struct raft_output output;
    enum raft_status status = run(host, io, &event, &output);
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
    struct raft_event event = {.type = RAFT_EVENT_CHANGE_MEMBERSHIP, .now_ms = now_ms};
    event.change.members = members;
    event.change.count = count;
    struct raft_output output;
    enum raft_status status = run(host, io, &event, &output);
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
    return run(host, io, &event, &output);
}

enum raft_status host_read(struct host *host, const struct host_io *io, uint64_t now_ms,
                           uint64_t id)
{
    if (host->stopped)
        return RAFT_NOT_LEADER;
    struct raft_event event = {.type = RAFT_EVENT_READ, .now_ms = now_ms};
    event.read.id = id;
    struct raft_output output;
    return run(host, io, &event, &output);
}

void host_synced(struct host *host, const struct host_io *io, uint64_t now_ms,
                 uint64_t token, int status)
{
    if (host->stopped || !host->syncing || token != host->token)
        return;
    host->syncing = false;
    if (status != 0) {
        // Never tried again: what the kernel has dropped, a second sync would not see.
        stop(host, "sync", status);
        return;
    }
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
    run(host, io, &event, &output);
}

// ---- observing ------------------------------------------------------------------

const char *host_stopped(const struct host *host)
{
    return host->stopped ? host->reason : NULL;
}

bool host_busy(const struct host *host)
{
    return !host->stopped && host->write_durable != host->write_appended;
}

const struct raft *host_raft(const struct host *host)
{
    return core(host);
}

void host_count(const struct host *host, struct host_counters *counters)
{
    *counters = host->counters;
    counters->bytes_appended = host->log.bytes_appended;
    counters->segments = host->log.segments_created;
}
