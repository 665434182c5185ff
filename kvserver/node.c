#include "kvserver/node.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "kvserver/node_admin.h"
#include "kvserver/node_answers.h"
#include "kvserver/node_config.h"
#include "kvserver/node_gather.h"
#include "kvserver/node_machine.h"
#include "kvserver/node_state.h"
#include "kvserver/notice.h"

// ---- who leads -----------------------------------------------------------------

void node_look(struct node *node)
{
    struct leadership *leadership = &node->leadership;
    const struct raft_view *view = &leadership->view;

    leadership_observe(leadership, host_raft(node->host), uv_now(node->loop));
    peers_follow(&node->peers, &leadership->configuration,
                 leadership->configuration_changed,
                 view->commit_index >= view->configuration_index);
    if (!leadership_moves(leadership))
        node->holding = false;
    node->touched = false;
}

bool node_leads(const struct node *node)
{
    return leadership_ours(&node->leadership);
}

bool node_takes(const struct node *node)
{
    return node_leads(node) || leadership_moves(&node->leadership);
}

void node_redirect(struct node *node, struct buffer *reply)
{
    node->counters.refused++;
    leadership_redirect(&node->leadership, reply);
}

bool node_place(const struct node *node, raft_id id, struct place *place)
{
    return leadership_place(&node->leadership, id, place);
}

// ---- requests that wait ---------------------------------------------------------

void node_forget(struct node *node, struct request *request)
{
    if (!request->waiting)
        return;
    waits_remove(&node->waits, request);
    if (request == node->transfer)
        node->transfer = NULL;
    else if (request == node->leaving)
        node->leaving = NULL;
    else if (request->index > 0)
        pending_forget(&node->pending, request);
    else if (request->kind != REQUEST_WRITE)
        reads_forget(request);
    else
        proposals_forget(&node->proposals, request);
}

// ---- the disk -------------------------------------------------------------------

static void disk_synced(void *context, uint64_t token, int status)
{
    struct node *node = context;

    node->touched = true;
    host_synced(node->host, &node->io, uv_now(node->loop), token, status);
}

// ---- what a turn gathered -------------------------------------------------------

void node_write(struct node *node, struct request *request, uint64_t session,
                uint64_t sequence, const struct bytes *words, uint32_t count)
{
    proposals_begin(&node->proposals, request);
    service_encode(&node->proposals.bytes, node_wall_ms(node), session, sequence, words,
                   count);
    if (request != NULL)
        waits_add(&node->waits, request, uv_now(node->loop));
}

void node_read(struct node *node, struct request *request)
{
    waits_add(&node->waits, request, uv_now(node->loop));
    reads_add(&node->reads, request);
}

void node_admin(struct node *node, struct request *request)
{
    waits_add(&node->waits, request, uv_now(node->loop));
    reads_add(&node->asks, request);
}

bool node_gathered(const struct node *node)
{
    return node_gather_ready(node) || node->asks.gathering.count > 0;
}

// ---- the turn of the loop -------------------------------------------------------

static void timer_rang(uv_timer_t *timer)
{
    struct node *node = timer->data;

    node->timer_ms = UINT64_MAX;
    node->touched = true;
    if (uv_now(node->loop) >= host_deadline_ms(node->host))
        host_tick(node->host, &node->io, uv_now(node->loop));
}

static void timer_set(struct node *node)
{
    uint64_t now = uv_now(node->loop);
    uint64_t due = host_deadline_ms(node->host);
    uint64_t expiry =
        node->restoring ? UINT64_MAX : service_next_deadline_ms(node->service);
    uint64_t oldest;

    if (leadership_ours(&node->leadership) && expiry != UINT64_MAX &&
        node->clock_asked_ms == 0) {
        uint64_t wall = node_wall_ms(node);
        uint64_t wait = expiry > wall ? expiry - wall : 1;

        due = now + wait < due ? now + wait : due;
    }
    if (leadership_moves(&node->leadership) &&
        node->leadership.handover_deadline_ms < due)
        due = node->leadership.handover_deadline_ms;
    if (node->waits.oldest != NULL) {
        oldest = node->waits.oldest->asked_ms + node->options->request_timeout_ms;
        due = oldest < due ? oldest : due;
    }
    if (due == node->timer_ms)
        return;
    node->timer_ms = due;
    uv_timer_start(&node->timer, timer_rang, due > now ? due - now : 0, 0);
}

void node_flush(struct node *node)
{
    if (node_stopped(node) != NULL)
        return;
    node_gather_clock(node);
    // Without a sync to wait for, each step may allow the next at once.
    do {
        node_gather_flush(node);
        node_admin_flush(node);
    } while (syncer_report(&node->syncer));
    node_answers_expire(node);
    if (node->touched)
        node_look(node);
    node_admin_watch(node);
    timer_set(node);
}

bool node_hand_over(struct node *node)
{
    const struct raft_view *view = &node->leadership.view;

    if (node->handed_over || node_stopped(node) != NULL)
        return leadership_moves(&node->leadership) && node_stopped(node) == NULL;
    node->handed_over = true;
    node_look(node);
    if (view->role != RAFT_LEADER || view->configuration->count == 1)
        return false;
    // Where one is under way already, that will do.
    host_transfer(node->host, &node->io, uv_now(node->loop), 0);
    node_look(node);
    return leadership_moves(&node->leadership);
}

// ---- life cycle -----------------------------------------------------------------

static void network_send(void *context, const struct raft_message *messages,
                         uint32_t count)
{
    struct node *node = context;

    peers_send(&node->peers, messages, count);
}

static void network_receive(void *context, const struct raft_message *message)
{
    struct node *node = context;

    if (node_stopped(node) != NULL)
        return;
    node->counters.messages_received++;
    node->touched = true;
    if (node->options->lease_drift_percent > 0)
        uv_update_time(node->loop); // a promise counts from when it was asked for
    host_receive(node->host, &node->io, uv_now(node->loop), message);
}

static void network_log(void *context, const char *line)
{
    (void)context;
    notice_line("%s", line);
}

// The log's memory is a promise: only the pages that are used cost anything.
static void *memory_map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static bool host_start(struct node *node, char *error, size_t error_size)
{
    struct host_config config;
    const char *problem;

    node_config_host(node->options, &config);
    node->entries_max = config.raft.message_entries_max;
    config.raft.start_ms = uv_now(node->loop);
    problem = raft_config_problem(&config.raft);
    if (problem != NULL) {
        snprintf(error, error_size, "%s", problem);
        return false;
    }
    node->memory_size = host_size(&config);
    node->memory = memory_map(node->memory_size);
    if (node->memory == NULL) {
        snprintf(error, error_size, "cannot map %zu bytes for the log: %s",
                 node->memory_size, strerror(errno));
        return false;
    }
    node->host = host_open(node->memory, &config, &node->io, uv_now(node->loop), error,
                           error_size);
    return node->host != NULL;
}

static bool peers_start(struct node *node, char *error, size_t error_size)
{
    struct transport_callbacks callbacks = {
        .context = node, .receive = network_receive, .log = network_log};

    return peers_open(&node->peers, node->loop, node->options, &callbacks, error,
                      error_size);
}

static bool disk_start(struct node *node, char *error, size_t error_size)
{
    struct disk_posix_options options;

    disk_posix_options_default(&options);
    options.path = node->options->dir;
    options.start_sync = syncer_start;
    options.context = &node->syncer;
    node->disk = disk_posix_open(&options, error, error_size);
    if (node->disk == NULL)
        return false;
    node->io.disk = disk_posix_disk(node->disk);
    return true;
}

struct node *node_open(uv_loop_t *loop, const struct options *options,
                       const struct node_client *client, char *error, size_t error_size)
{
    struct node *node = calloc(1, sizeof *node);

    if (node == NULL)
        abort();
    node->loop = loop;
    node->options = options;
    node->leadership.options = options;
    node->client = *client;
    node->timer_ms = UINT64_MAX;
    node->syncer = (struct syncer){
        .loop = loop, .skip = !options->fsync, .context = node, .synced = disk_synced};
    pending_init(&node->pending);
    reads_init(&node->reads);
    reads_init(&node->asks);
    node->service = node_config_service(options);
    uv_timer_init(loop, &node->timer);
    node->timer.data = node;
    node_machine_init(node);
    node->io.network = (struct network){.context = node, .send = network_send};
    if (!disk_start(node, error, error_size) || !host_start(node, error, error_size) ||
        !peers_start(node, error, error_size)) {
        node_close(node);
        uv_run(loop, UV_RUN_DEFAULT);
        node_free(node);
        return NULL;
    }
    node_meet(node);
    node_look(node);
    timer_set(node);
    return node;
}

void node_meet(struct node *node)
{
    peers_follow(&node->peers, &node->options->known, true, false);
}

void node_close(struct node *node)
{
    uv_close((uv_handle_t *)&node->timer, NULL);
    peers_close(&node->peers);
}

void node_free(struct node *node)
{
    assert(node->waits.oldest == NULL);
    service_free(node->service);
    if (node->disk != NULL)
        disk_posix_close(node->disk);
    if (node->memory != NULL)
        munmap(node->memory, node->memory_size);
    pending_release(&node->pending);
    reads_release(&node->reads);
    reads_release(&node->asks);
    proposals_release(&node->proposals);
    syncer_release(&node->syncer);
    free(node);
}

bool node_busy(const struct node *node)
{
    return node->waits.oldest != NULL || host_busy(node->host) ||
           node->syncer.underway > 0;
}

const char *node_stopped(const struct node *node)
{
    return host_stopped(node->host);
}

// ---- observing ------------------------------------------------------------------

const struct node_counters *node_count(const struct node *node)
{
    return &node->counters;
}

const struct raft_view *node_view(const struct node *node)
{
    return &node->leadership.view;
}

const struct transport *node_transport(const struct node *node)
{
    return node->peers.transport;
}

bool node_disk_full(const struct node *node)
{
    return host_disk_full(node->host);
}

const char *node_warning(const struct node *node)
{
    return host_warning(node->host);
}

struct host_counters node_host_counters(const struct node *node)
{
    struct host_counters counters;

    host_count(node->host, &counters);
    return counters;
}

struct service *node_service(struct node *node)
{
    return node->restoring ? NULL : node->service;
}

uint64_t node_wall_ms(const struct node *node)
{
    struct timespec now;

    (void)node;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
