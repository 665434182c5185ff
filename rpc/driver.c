// driver.c: see driver.h. Glue only: no rule of Raft is here.
//
// Invariant: the host is called between enter() and leave() alone; leave() draws what
// follows for the process: the timer, the peers, and a stop.
#include "rpc/driver.h"

#include "raft/host/disk_posix.h"
#include "rpc/raft_codec.h"
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
    d->io.machine = config->machine;
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

enum raft_status driver_propose(struct driver *d, const struct raft_command *commands,
                                uint32_t count, raft_index *index, raft_term *term)
{
    enter(d);
    enum raft_status status =
        host_propose(d->host, &d->io, uv_now(d->loop), commands, count, index, term);
    leave(d);
    return status;
}

enum raft_status driver_read(struct driver *d, uint64_t id)
{
    enter(d);
    enum raft_status status = host_read(d->host, &d->io, uv_now(d->loop), id);
    leave(d);
    return status;
}

enum raft_status driver_change(struct driver *d, const struct raft_member *members,
                               uint32_t count, raft_index *index, raft_term *term)
{
    enter(d);
    enum raft_status status =
        host_change(d->host, &d->io, uv_now(d->loop), members, count, index, term);
    leave(d);
    return status;
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
    return host_busy(d->host) || d->syncer.underway > 0;
}
