#include "kvserver/node.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "kvserver/notice.h"
#include "kvserver/leadership.h"
#include "kvserver/node_config.h"
#include "kvserver/pending.h"
#include "kvserver/proposals.h"
#include "kvserver/reads.h"
#include "kvserver/service/resp.h"
#include "rpc/syncer.h"
#include "kvserver/waits.h"
#include "raft/host/disk_posix.h"
#include "rpc/transport.h"

#define NOT_DONE "TRYAGAIN the leader changed and the write was not done"
#define UNKNOWN  "TIMEOUT not committed yet; the outcome of this write is unknown"

struct node {
    uv_loop_t *loop;
    const struct options *options;
    struct node_client client;

    struct host *host;
    struct host_io io;
    void *memory;
    size_t memory_size;
    struct disk_posix *disk;
    struct transport *transport; // NULL: a single node
    struct service *service;
    struct leadership leadership; // as of the last node_flush()
    bool touched;                 // the host was called since

    uv_timer_t timer;
    uint64_t timer_ms;       // when it rings; UINT64_MAX: it is not set
    uint64_t clock_asked_ms; // a bare clock entry is under way since; 0: none
    raft_index clock_index;

    struct proposals proposals; // what this turn of the loop gathered
    uint32_t entries_max;       // of one step
    uint32_t command_bytes_max;
    struct pending pending;
    struct reads reads;
    struct waits waits;

    struct syncer syncer;

    struct node_counters counters;
};

// ---- who leads -----------------------------------------------------------------

static void view_refresh(struct node *node)
{
    leadership_observe(&node->leadership, host_raft(node->host), uv_now(node->loop));
    node->touched = false;
}

// ---- requests that wait ---------------------------------------------------------

void node_forget(struct node *node, struct request *request)
{
    if (!request->waiting)
        return;
    waits_remove(&node->waits, request);
    if (request->kind == REQUEST_READ)
        reads_forget(request);
    else if (request->index > 0)
        pending_forget(&node->pending, request);
    else
        proposals_forget(&node->proposals, request);
}

static void answer(struct node *node, struct request *request, const char *error)
{
    node_forget(node, request);
    resp_error(node->client.reply_to(request), error);
    node->client.replied(request);
}

void node_redirect(struct node *node, struct buffer *reply)
{
    node->counters.refused++;
    leadership_redirect(&node->leadership, reply);
}

static void redirect(struct node *node, struct request *request)
{
    node_forget(node, request);
    node_redirect(node, node->client.reply_to(request));
    node->client.replied(request);
}

static void give_up(struct node *node, struct request *request)
{
    node->counters.timeouts++;
    if (request->kind == REQUEST_READ)
        answer(node, request, "TIMEOUT no majority confirmed the read in time");
    else
        answer(node, request, UNKNOWN);
}

// Answers what has waited for too long, and what an earlier leadership left behind.
static void waits_expire(struct node *node)
{
    uint64_t now = uv_now(node->loop);

    while (node->waits.oldest != NULL &&
           node->waits.oldest->asked_ms + node->options->request_timeout_ms <= now)
        give_up(node, node->waits.oldest);
    if (node->leadership.lost_ms == 0 || now < node->leadership.lost_deadline_ms)
        return;
    while (node->waits.oldest != NULL &&
           node->waits.oldest->asked_ms <= node->leadership.lost_ms)
        give_up(node, node->waits.oldest);
    node->leadership.lost_ms = 0;
}

// ---- the state machine ----------------------------------------------------------

static void apply_one(struct node *node, const struct raft_entry *entry)
{
    struct request *request = pending_take(&node->pending, entry->index);
    struct buffer *reply = NULL;

    if (request != NULL && request->term != entry->term) {
        // host.h: it has failed for good, so this is certain and not a -TIMEOUT.
        answer(node, request, NOT_DONE);
        request = NULL;
    }
    if (request != NULL) {
        waits_remove(&node->waits, request);
        node->client.applying(request);
        reply = node->client.reply_to(request);
    }
    if (entry->type == RAFT_ENTRY_COMMAND)
        service_apply(node->service, entry->index, entry->data, entry->size, reply);
    else
        service_skip(node->service, entry->index);
    if (request != NULL)
        node->client.replied(request);
    if (entry->index >= node->clock_index)
        node->clock_asked_ms = 0;
}

static void machine_apply(void *context, const struct raft_entry *entries,
                          uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        apply_one(context, &entries[i]);
}

static void machine_read_ready(void *context, uint64_t id, enum raft_status status)
{
    struct node *node = context;
    struct read_batch *batch = reads_find(&node->reads, id);
    struct request *request;

    if (batch == NULL)
        return;
    if (status != RAFT_OK)
        view_refresh(node);
    while ((request = reads_take(batch)) != NULL) {
        if (status != RAFT_OK) {
            redirect(node, request);
        } else {
            waits_remove(&node->waits, request);
            node->client.confirmed(request);
        }
    }
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

bool node_gathered(const struct node *node)
{
    return node->proposals.count > 0 || reads_can_start(&node->reads);
}

static void clock_propose(struct node *node)
{
    uint64_t now = uv_now(node->loop);

    if (!leadership_ours(&node->leadership) ||
        node_wall_ms(node) < service_next_deadline_ms(node->service))
        return;
    // An entry that was lost with an earlier leadership is asked for again.
    if (node->clock_asked_ms != 0 &&
        now < node->clock_asked_ms + node->options->request_timeout_ms)
        return;
    node_write(node, NULL, 0, 0, NULL, 0);
    node->clock_asked_ms = now;
    node->clock_index = UINT64_MAX; // until it has its place
    node->counters.clock_entries++;
}

static void proposal_placed(struct node *node, struct request *request,
                            raft_index index, raft_term term)
{
    struct request *loser;

    if (request == NULL) {
        if (node->clock_index == UINT64_MAX)
            node->clock_index = index;
        return;
    }
    request->index = index;
    request->term = term;
    loser = pending_add(&node->pending, request);
    if (loser != NULL)
        answer(node, loser, UNKNOWN); // pending.h: another node may still commit it
}

static void proposal_failed(struct node *node, struct request *request,
                            enum raft_status status)
{
    if (request == NULL)
        return; // the clock: it is asked for again in a while
    if (status == RAFT_NOT_LEADER)
        redirect(node, request);
    else if (status == RAFT_LOG_FULL)
        answer(node, request,
               "ERR the Raft log is full and this version does not compact it: "
               "restart with a larger --log-entries-max or --log-bytes-max");
    else if (status == RAFT_TOO_LARGE)
        answer(node, request, "ERR the command is too large for one log entry");
    else
        answer(node, request, "ERR the node has stopped");
}

// Hands over [from, to), which are few enough for one step.
static void propose(struct node *node, uint32_t from, uint32_t to)
{
    struct request **requests = node->proposals.requests;
    raft_index index = 0;
    raft_term term = 0;
    enum raft_status status =
        host_propose(node->host, &node->io, uv_now(node->loop),
                     &node->proposals.commands[from], to - from, &index, &term);

    if (status == RAFT_NOT_LEADER)
        view_refresh(node);
    for (uint32_t i = from; i < to; i++) {
        if (status == RAFT_OK)
            proposal_placed(node, requests[i], index + (i - from), term);
        else
            proposal_failed(node, requests[i], status);
    }
    node->counters.proposals++;
    node->counters.writes += to - from;
}

// The most that may go in one step without being refused as a whole.
static uint32_t chunk_end(const struct node *node, uint32_t from)
{
    uint32_t to = from + 1;

    if (node->proposals.commands[from].size > node->command_bytes_max)
        return to;
    while (to < node->proposals.count && to - from < node->entries_max &&
           node->proposals.commands[to].size <= node->command_bytes_max)
        to++;
    return to;
}

static void proposals_flush(struct node *node)
{
    uint32_t from = 0;

    if (node->proposals.count == 0)
        return;
    proposals_seal(&node->proposals);
    while (from < node->proposals.count) {
        uint32_t to = chunk_end(node, from);

        propose(node, from, to);
        from = to;
    }
    node->touched = true;
    proposals_clear(&node->proposals);
}

static void reads_flush(struct node *node)
{
    uint32_t count = node->reads.gathering.count;
    uint64_t id = reads_start(&node->reads);
    enum raft_status status;

    if (id == 0)
        return;
    node->touched = true;
    status = host_read(node->host, &node->io, uv_now(node->loop), id);
    if (status == RAFT_OK) {
        node->counters.confirmations++;
        node->counters.reads += count;
    } else if (status == RAFT_READS_FULL) {
        reads_put_back(&node->reads, id);
    } else {
        machine_read_ready(node, id, RAFT_NOT_LEADER);
    }
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
    uint64_t expiry = service_next_deadline_ms(node->service);
    uint64_t oldest;

    if (leadership_ours(&node->leadership) && expiry != UINT64_MAX &&
        node->clock_asked_ms == 0) {
        uint64_t wall = node_wall_ms(node);
        uint64_t wait = expiry > wall ? expiry - wall : 1;

        due = now + wait < due ? now + wait : due;
    }
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
    clock_propose(node);
    // Without a sync to wait for, each step may allow the next at once.
    do {
        proposals_flush(node);
        reads_flush(node);
    } while (syncer_report(&node->syncer));
    waits_expire(node);
    if (node->touched)
        view_refresh(node);
    timer_set(node);
}

// ---- life cycle -----------------------------------------------------------------

static void network_send(void *context, const struct raft_message *messages,
                         uint32_t count)
{
    struct node *node = context;

    if (node->transport != NULL)
        transport_send(node->transport, messages, count);
}

static void network_receive(void *context, const struct raft_message *message)
{
    struct node *node = context;

    if (node_stopped(node) != NULL)
        return;
    node->counters.messages_received++;
    node->touched = true;
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
    node->command_bytes_max = config.raft.command_bytes_max;
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

    if (node->options->member_count == 1)
        return true; // there is no one to listen for
    node->transport =
        node_config_connect(node->loop, node->options, &callbacks, error, error_size);
    return node->transport != NULL;
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
    node->service = node_config_service(options);
    uv_timer_init(loop, &node->timer);
    node->timer.data = node;
    node->io.machine = (struct state_machine){
        .context = node, .apply = machine_apply, .read_ready = machine_read_ready};
    node->io.network = (struct network){.context = node, .send = network_send};
    if (!disk_start(node, error, error_size) || !host_start(node, error, error_size) ||
        !peers_start(node, error, error_size)) {
        node_close(node);
        uv_run(loop, UV_RUN_DEFAULT);
        node_free(node);
        return NULL;
    }
    raft_observe(host_raft(node->host), &node->leadership.view);
    node->touched = true;
    timer_set(node);
    return node;
}

void node_close(struct node *node)
{
    uv_close((uv_handle_t *)&node->timer, NULL);
    if (node->transport != NULL)
        transport_close(node->transport, NULL, NULL);
    node->transport = NULL;
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

bool node_leads(const struct node *node)
{
    return leadership_ours(&node->leadership);
}

const struct raft_view *node_view(const struct node *node)
{
    return &node->leadership.view;
}

const struct transport *node_transport(const struct node *node)
{
    return node->transport;
}

struct host_counters node_host_counters(const struct node *node)
{
    struct host_counters counters;

    host_count(node->host, &counters);
    return counters;
}

struct service *node_service(struct node *node)
{
    return node->service;
}

uint64_t node_wall_ms(const struct node *node)
{
    struct timespec now;

    (void)node;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
