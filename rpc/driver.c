// driver.c: see driver.h. Glue only: no rule of Raft is here.
//
// Invariant: the host is called between enter() and leave() alone; leave() draws what
// follows for the process: the timer, the peers, and a stop.
#include "rpc/driver.h"

#include "raft/host/disk_posix.h"
#include "rpc/requests.h"
#include "rpc/socket.h"
#include "rpc/syncer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <uv.h>

struct place {
    char host[RAFT_ADDRESS_BYTES];
    uint16_t port;
};

struct driver {
    uv_loop_t *loop;
    struct driver_config config;
    struct host *host; // NULL until it is open
    struct host_io io;
    void *memory;
    size_t memory_size;
    struct disk_posix *disk;
    struct transport *transport;
    struct syncer syncer;
    struct requests requests;
    uv_timer_t timer;
    uint64_t timer_ms; // when it rings; UINT64_MAX: it is not set

    // The members whose addresses the transport was given.
    struct raft_configuration followed;

    bool inside; // of a call to the host
    bool told;   // that the host has stopped
    bool closing;
    uint32_t open; // timer and transport, until they are closed
    void (*done)(void *context);
    void *done_context;
};

static void note(void *context, const char *line)
{
    struct driver *d = context;
    if (d->config.log != NULL) {
        d->config.log(d->config.context, line);
    }
}

// "host:port" or "[address]:port".
static bool parse_place(const char *address, struct place *place)
{
    const char *colon = strrchr(address, ':');
    const char *start = address;
    const char *end = colon;
    if (colon == NULL || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        return false;
    }
    if (*start == '[' && end > start + 1 && end[-1] == ']') {
        start++;
        end--;
    }
    unsigned long port = strtoul(colon + 1, NULL, 10);
    size_t length = (size_t)(end - start);
    if (length == 0 || length >= sizeof place->host || port > UINT16_MAX) {
        return false;
    }
    memcpy(place->host, start, length);
    place->host[length] = '\0';
    place->port = (uint16_t)port;
    return true;
}

// ---- what follows a call to the host --------------------------------------------

static void enter(struct driver *d)
{
    assert(!d->inside && !d->closing);
    d->inside = true;
}

static bool same_members(const struct raft_configuration *a,
                         const struct raft_configuration *b)
{
    for (uint32_t i = 0; i < a->count && a->count == b->count; i++) {
        if (a->members[i].id != b->members[i].id ||
            strcmp(a->members[i].address, b->members[i].address) != 0) {
            return false;
        }
    }
    return a->count == b->count;
}

// The configuration that is in use says who is a peer, also before it is committed.
static void follow_members(struct driver *d)
{
    struct raft_view view;
    raft_observe(host_raft(d->host), &view);
    if (same_members(&d->followed, view.configuration)) {
        return;
    }
    for (uint32_t i = 0; i < d->followed.count; i++) {
        raft_id id = d->followed.members[i].id;
        if (id != view.id && raft_member_find(view.configuration, id) == NULL) {
            transport_remove_peer(d->transport, id);
        }
    }
    d->followed = *view.configuration;
    for (uint32_t i = 0; i < d->followed.count; i++) {
        const struct raft_member *member = &d->followed.members[i];
        if (member->id != view.id) {
            driver_set_peer(d, member->id, member->address);
        }
    }
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct driver *d)
{
    uint64_t now_ms = uv_now(d->loop);
    uint64_t due_ms = host_deadline_ms(d->host);
    if (due_ms == d->timer_ms) {
        return;
    }
    d->timer_ms = due_ms;
    if (due_ms == UINT64_MAX) {
        uv_timer_stop(&d->timer);
    } else {
        uv_timer_start(&d->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    }
}

static void leave(struct driver *d)
{
    const char *why = host_stopped(d->host);
    follow_members(d);
    set_timer(d);
    d->inside = false;
    if (why != NULL && !d->told) {
        d->told = true;
        note(d, why);
        requests_end(&d->requests);
        if (d->config.stopped != NULL) {
            d->config.stopped(d->config.context, why);
        }
    }
}

// ---- what comes from the loop ---------------------------------------------------

static void on_timer(uv_timer_t *timer)
{
    struct driver *d = timer->data;
    enter(d);
    d->timer_ms = UINT64_MAX;
    host_tick(d->host, &d->io, uv_now(d->loop));
    leave(d);
}

static void on_message(void *context, const struct raft_message *message)
{
    struct driver *d = context;
    enter(d);
    uv_update_time(d->loop); // a promise counts from when it was asked for (leases)
    host_receive(d->host, &d->io, uv_now(d->loop), message);
    leave(d);
}

static void one_less(struct driver *d);

static void on_synced(void *context, uint64_t token, int status)
{
    struct driver *d = context;
    if (d->closing) {
        one_less(d);
        return;
    }
    enter(d);
    host_synced(d->host, &d->io, uv_now(d->loop), token, status);
    leave(d);
}

static void on_send(void *context, const struct raft_message *messages, uint32_t count)
{
    transport_send(((struct driver *)context)->transport, messages, count);
}

// ---- the state machine, and who waits for it --------------------------------------

// One by one, so that who waits for an entry sees the state right behind it.
static void on_apply(void *context, const struct raft_entry *entries, uint32_t count)
{
    struct driver *d = context;
    for (uint32_t i = 0; i < count; i++) {
        d->config.machine.apply(d->config.machine.context, &entries[i], 1);
        requests_applied(&d->requests, entries[i].index, entries[i].term);
    }
}

static void on_read_ready(void *context, uint64_t id, enum raft_status status)
{
    requests_read_ready(&((struct driver *)context)->requests, id, status);
}

static int on_snapshot_begin(void *context)
{
    const struct state_machine *machine = &((struct driver *)context)->config.machine;
    return machine->snapshot_begin(machine->context);
}

static int64_t on_snapshot_read(void *context, void *data, size_t size)
{
    const struct state_machine *machine = &((struct driver *)context)->config.machine;
    return machine->snapshot_read(machine->context, data, size);
}

static void on_snapshot_end(void *context)
{
    const struct state_machine *machine = &((struct driver *)context)->config.machine;
    machine->snapshot_end(machine->context);
}

static int on_restore_begin(void *context)
{
    const struct state_machine *machine = &((struct driver *)context)->config.machine;
    return machine->restore_begin(machine->context);
}

static int on_restore_write(void *context, const void *data, size_t size)
{
    const struct state_machine *machine = &((struct driver *)context)->config.machine;
    return machine->restore_write(machine->context, data, size);
}

static int on_restore_end(void *context, raft_index index)
{
    struct driver *d = context;
    int status = d->config.machine.restore_end(d->config.machine.context, index);
    if (status == 0) {
        requests_restored(&d->requests, index);
    }
    return status;
}

static struct state_machine machine_of(struct driver *d)
{
    const struct state_machine *machine = &d->config.machine;
    bool snapshots = machine->snapshot_begin != NULL;
    return (struct state_machine){
        .context = d,
        .apply = on_apply,
        .read_ready = on_read_ready,
        .snapshot_begin = snapshots ? on_snapshot_begin : NULL,
        .snapshot_read = on_snapshot_read,
        .snapshot_end = on_snapshot_end,
        .restore_begin = on_restore_begin,
        .restore_write = on_restore_write,
        .restore_end = on_restore_end,
    };
}

// ---- closing --------------------------------------------------------------------

static void one_less(struct driver *d)
{
    assert(d->closing && d->open > 0);
    if (--d->open > 0) {
        return;
    }
    void (*done)(void *) = d->done;
    void *context = d->done_context;
    if (d->disk != NULL) {
        disk_posix_close(d->disk);
    }
    if (d->memory != NULL) {
        munmap(d->memory, d->memory_size);
    }
    syncer_release(&d->syncer);
    free(d);
    if (done != NULL) {
        done(context);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    one_less(handle->data);
}

static void on_transport_closed(void *context)
{
    one_less(context);
}

void driver_close(struct driver *d, void (*done)(void *context), void *context)
{
    assert(!d->closing && !d->inside);
    d->closing = true;
    requests_end(&d->requests);
    d->done = done;
    d->done_context = context;
    d->open = 1 + (d->transport != NULL) + d->syncer.underway;
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
    if (d->transport != NULL) {
        transport_close(d->transport, on_transport_closed, d);
    }
}

// ---- opening --------------------------------------------------------------------

void driver_config_default(struct driver_config *config)
{
    memset(config, 0, sizeof *config);
    host_config_default(&config->host);
}

static bool start_transport(struct driver *d, char *error, size_t error_size)
{
    const struct host_config *host = &d->config.host;
    const struct raft_member *self =
        raft_member_find(&host->raft.configuration, host->raft.id);
    const char *listen = d->config.listen;
    struct place place;
    if (listen == NULL) {
        listen = self != NULL ? self->address : "";
    }
    if (!parse_place(listen, &place)) {
        snprintf(error, error_size, "\"%s\" is no host:port to listen at", listen);
        return false;
    }
    char cluster[32];
    struct transport_config config;
    snprintf(cluster, sizeof cluster, "raftlab-%llu",
             (unsigned long long)host->cluster_id);
    transport_config_default(&config);
    config.cluster = cluster;
    config.node = host->raft.id;
    config.host = place.host;
    config.port = place.port;
    config.seed = host->raft.seed;
    config.entries_max = host->raft.message_entries_max;
    config.line_bytes_max =
        transport_line_bytes_max(&host->raft, host->snapshot_chunk_bytes);
    if (config.queue_bytes_max < 2 * config.line_bytes_max) {
        config.queue_bytes_max = 2 * config.line_bytes_max;
    }
    const struct transport_callbacks callbacks = {d, on_message, note};
    d->transport = transport_new(d->loop, &config, &callbacks, error, error_size);
    return d->transport != NULL;
}

static bool start_disk(struct driver *d, char *error, size_t error_size)
{
    struct disk_posix_options options;
    disk_posix_options_default(&options);
    options.path = d->config.directory;
    options.start_sync = syncer_start;
    options.context = &d->syncer;
    d->disk = disk_posix_open(&options, error, error_size);
    if (d->disk != NULL) {
        d->io.disk = disk_posix_disk(d->disk);
    }
    return d->disk != NULL;
}

// The log's memory is a promise: only the pages that are used cost anything.
static bool start_host(struct driver *d, char *error, size_t error_size)
{
    d->memory_size = host_size(&d->config.host);
    d->memory = mmap(NULL, d->memory_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (d->memory == MAP_FAILED) {
        d->memory = NULL;
        snprintf(error, error_size, "cannot map %zu bytes for the log: %s",
                 d->memory_size, strerror(errno));
        return false;
    }
    d->host = host_open(d->memory, &d->config.host, &d->io, uv_now(d->loop), error,
                        error_size);
    return d->host != NULL;
}

static bool check_config(struct driver *d, char *error, size_t error_size)
{
    struct raft_config *raft = &d->config.host.raft;
    raft->start_ms = uv_now(d->loop);
    // Only spreads the election timeouts.
    if (raft->seed == 0 &&
        getrandom(&raft->seed, sizeof raft->seed, GRND_NONBLOCK) < 0) {
        raft->seed = raft->id;
    }
    const char *problem = raft_config_problem(raft);
    if (problem != NULL) {
        snprintf(error, error_size, "the configuration cannot be used: %s", problem);
    }
    return problem == NULL;
}

struct driver *driver_open(uv_loop_t *loop, const struct driver_config *config,
                           char *error, size_t error_size)
{
    struct driver *d = socket_alloc(sizeof *d);
    d->loop = loop;
    d->config = *config;
    d->timer_ms = UINT64_MAX;
    d->syncer = (struct syncer){.loop = loop, .context = d, .synced = on_synced};
    d->io.machine = machine_of(d);
    d->io.network = (struct network){d, on_send};
    uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    // The port first: a second process beside a first leaves nothing behind.
    if (!check_config(d, error, error_size) || !start_transport(d, error, error_size) ||
        !start_disk(d, error, error_size) || !start_host(d, error, error_size)) {
        driver_close(d, NULL, NULL);
        return NULL;
    }
    d->config.directory = d->config.listen = NULL; // borrowed for this call only
    enter(d);
    leave(d);
    return d;
}

// ---- asking ---------------------------------------------------------------------

// What the host has said to a write, whose last entry stands at `index` where it was
// taken.
static void placed(struct driver *d, struct driver_request *request,
                   enum raft_status status, raft_index index, raft_term term)
{
    if (request != NULL && status == RAFT_OK) {
        request->index = index;
        request->term = term;
        requests_add_write(&d->requests, request);
    } else if (request != NULL) {
        requests_refuse(request, status);
    }
}

void driver_propose(struct driver *d, const struct raft_command *commands,
                    uint32_t count, struct driver_request *request)
{
    raft_index index = 0;
    raft_term term = 0;
    enter(d);
    enum raft_status status =
        host_propose(d->host, &d->io, uv_now(d->loop), commands, count, &index, &term);
    placed(d, request, status, index + count - 1, term);
    leave(d);
}

void driver_change(struct driver *d, const struct raft_member *members, uint32_t count,
                   struct driver_request *request)
{
    raft_index index = 0;
    raft_term term = 0;
    enter(d);
    enum raft_status status =
        host_change(d->host, &d->io, uv_now(d->loop), members, count, &index, &term);
    placed(d, request, status, index, term);
    leave(d);
}

void driver_read(struct driver *d, struct driver_request *request)
{
    enter(d);
    requests_add_read(&d->requests, request); // it may be ready at once
    uint64_t id = request->index;
    uv_update_time(d->loop); // the lease may have ended since this turn began
    enum raft_status status = host_read(d->host, &d->io, uv_now(d->loop), id);
    if (status != RAFT_OK) {
        requests_read_ready(&d->requests, id, status);
    }
    leave(d);
}

void driver_forget(struct driver *d, struct driver_request *request)
{
    requests_forget(&d->requests, request);
}

enum raft_status driver_transfer(struct driver *d, raft_id to)
{
    enter(d);
    enum raft_status status = host_transfer(d->host, &d->io, uv_now(d->loop), to);
    leave(d);
    return status;
}

void driver_snapshot(struct driver *d)
{
    enter(d);
    host_snapshot(d->host, &d->io, uv_now(d->loop));
    leave(d);
}

bool driver_set_peer(struct driver *d, raft_id id, const char *address)
{
    struct place place;
    char line[RAFT_ADDRESS_BYTES + 80];
    if (parse_place(address, &place) &&
        transport_set_peer(d->transport, id, place.host, place.port)) {
        return true;
    }
    snprintf(line, sizeof line, "node %u cannot be reached at \"%.*s\"", (unsigned)id,
             RAFT_ADDRESS_BYTES, address);
    note(d, line);
    return false;
}

// ---- observing ------------------------------------------------------------------

raft_id driver_leader(const struct driver *d)
{
    struct raft_view view;
    raft_observe(host_raft(d->host), &view);
    return view.leader_id;
}

const struct raft *driver_raft(const struct driver *d)
{
    return host_raft(d->host);
}

const struct host *driver_host(const struct driver *d)
{
    return d->host;
}

const struct transport *driver_transport(const struct driver *d)
{
    return d->transport;
}

bool driver_busy(const struct driver *d)
{
    return host_busy(d->host) || d->syncer.underway > 0 || d->requests.first != NULL;
}
