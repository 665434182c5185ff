// transport.c: see transport.h. The meeting point of outgoing.c and incoming.c.
#include "rpc/transport.h"

#include "rpc/incoming.h"
#include "rpc/outgoing.h"
#include "rpc/raft_codec.h"
#include "rpc/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKLOG = 64, SHARED_MAX = 4, REMOVED_MAX = 256 };

struct peer {
    struct peer *next;
    raft_id id; // 0: removed, and only waits for its handles to close
    struct outgoing *outgoing;
    struct transport_peer_counters counters;
};

struct transport {
    uv_loop_t *loop;
    struct transport_config config;
    struct transport_callbacks callbacks;
    struct hello self;
    struct transport_counters counters;

    uv_tcp_t listener;
    uv_idle_t flusher; // active while something was queued in this turn
    struct incoming_owner incoming_owner;
    struct incoming *incoming; // all that are not yet freed
    struct raft_codec_arena arena;

    struct peer *peers;  // in the order of their setting
    uint32_t peer_count; // of them, without the removed ones

    // Whose hello is refused; a ring, so that many removals cost no more than these.
    raft_id removed[REMOVED_MAX];
    uint32_t removed_next;

    bool closing;
    uint32_t open; // handles and connections that must still close
    void (*done)(void *context);
    void *done_context;
};

void transport_config_default(struct transport_config *config)
{
    memset(config, 0, sizeof *config);
    config->entries_max = 4096;
    config->line_bytes_max = raft_codec_line_bytes_max(4096, 4u << 20);
    config->queue_bytes_max = 32u << 20;
    config->incoming_max = 64;
    config->reconnect_ms_min = 20;
    config->reconnect_ms_max = 500;
    config->connect_timeout_ms = 1000;
    config->stall_timeout_ms = 3000;
}

size_t transport_line_bytes_max(const struct raft_config *config,
                                uint32_t snapshot_chunk_bytes)
{
    // A message holds many entries up to a limit, or a single one that is larger.
    size_t bytes = (size_t)config->message_bytes_max + config->command_bytes_max;
    size_t entries = raft_codec_line_bytes_max(config->message_entries_max, bytes);
    size_t chunk = raft_codec_line_bytes_max(0, snapshot_chunk_bytes);
    return entries > chunk ? entries : chunk;
}

static void note(void *context, const char *line)
{
    struct transport *t = context;
    if (t->callbacks.log != NULL) {
        t->callbacks.log(t->callbacks.context, line);
    }
}

// The first, second, fourth, eighth...: what someone repeats does not fill the log.
static bool worth_telling(uint64_t count)
{
    return (count & (count - 1)) == 0;
}

static struct peer *find(const struct transport *t, raft_id id)
{
    struct peer *peer = t->peers;
    while (peer != NULL && peer->id != id) {
        peer = peer->next;
    }
    return id != 0 ? peer : NULL;
}

// Its place among the removed, or REMOVED_MAX.
static uint32_t find_removed(const struct transport *t, raft_id id)
{
    uint32_t at = 0;
    while (at < REMOVED_MAX && t->removed[at] != id) {
        at++;
    }
    return at;
}

// ---- receiving ------------------------------------------------------------------

// Who was never named is let in: a node that joins is not known everywhere yet.
static bool on_hello(void *context, raft_id node)
{
    return find_removed(context, node) == REMOVED_MAX;
}

// A peer that calls again has lost its older connection, whether or not we saw it.
static void on_greeted(void *context, struct incoming *newest)
{
    struct transport *t = context;
    for (struct incoming *in = t->incoming; in != NULL; in = in->next) {
        if (in != newest && in->node == newest->node) {
            incoming_close(in);
        }
    }
}

static void on_refused(void *context, const char *why)
{
    struct transport *t = context;
    char line[160];
    t->counters.hellos_refused++;
    snprintf(line, sizeof line, "refused a caller: %s", why);
    if (worth_telling(t->counters.hellos_refused)) {
        note(t, line);
    }
}

static void on_received(void *context, const struct raft_message *message, size_t bytes)
{
    struct transport *t = context;
    struct peer *peer = find(t, message->from);
    if (peer != NULL) {
        peer->counters.frames_received++;
        peer->counters.bytes_received += bytes;
    }
    t->callbacks.receive(t->callbacks.context, message);
}

static void on_undecodable(void *context, raft_id node, const char *why)
{
    struct transport *t = context;
    struct peer *peer = find(t, node);
    char line[160];
    t->counters.lines_refused++;
    if (peer != NULL) {
        peer->counters.decode_errors++;
    }
    snprintf(line, sizeof line, "refused a line from node %u: %s", (unsigned)node, why);
    if (worth_telling(t->counters.lines_refused)) {
        note(t, line);
    }
}

// ---- closing --------------------------------------------------------------------

static void free_all(struct transport *t)
{
    void (*done)(void *) = t->done;
    void *context = t->done_context;
    raft_codec_arena_release(&t->arena);
    free(t);
    if (done != NULL) {
        done(context);
    }
}

static void one_less(struct transport *t)
{
    assert(t->open > 0);
    if (--t->open == 0) {
        free_all(t);
    }
}

static void on_incoming_closed(void *context, struct incoming *closed)
{
    struct transport *t = context;
    struct incoming **link = &t->incoming;
    while (*link != closed) {
        link = &(*link)->next;
    }
    *link = closed->next;
    t->counters.incoming_open--;
    one_less(t);
}

static void on_outgoing_closed(void *context, struct outgoing *outgoing)
{
    struct transport *t = context;
    struct peer **link = &t->peers;
    while ((*link)->outgoing != outgoing) {
        link = &(*link)->next;
    }
    struct peer *peer = *link;
    *link = peer->next;
    outgoing_free(outgoing);
    free(peer);
    one_less(t);
}

static void on_handle_closed(uv_handle_t *handle)
{
    one_less(handle->data);
}

void transport_close(struct transport *t, void (*done)(void *context), void *context)
{
    assert(!t->closing);
    t->closing = true;
    t->done = done;
    t->done_context = context;
    uv_close((uv_handle_t *)&t->listener, on_handle_closed);
    uv_close((uv_handle_t *)&t->flusher, on_handle_closed);
    for (struct peer *peer = t->peers; peer != NULL; peer = peer->next) {
        if (peer->id != 0) {
            outgoing_close(peer->outgoing);
        }
    }
    for (struct incoming *in = t->incoming; in != NULL; in = in->next) {
        incoming_close(in);
    }
}

// ---- listening ------------------------------------------------------------------

static void on_connection(uv_stream_t *listener, int status)
{
    struct transport *t = listener->data;
    if (status < 0) {
        note(t, uv_strerror(status));
        return;
    }
    struct incoming *in = incoming_accept(listener, &t->incoming_owner);
    in->next = t->incoming;
    t->incoming = in;
    t->open++;
    t->counters.incoming_open++;
    if (t->counters.incoming_open > t->config.incoming_max) {
        t->counters.incoming_dropped++;
        incoming_close(in);
    }
}

// A name is looked up on the spot: nothing else is running yet.
static int bind_to_name(struct transport *t)
{
    char service[8];
    uv_getaddrinfo_t request;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    snprintf(service, sizeof service, "%u", (unsigned)t->config.port);
    int status =
        uv_getaddrinfo(t->loop, &request, NULL, t->config.host, service, &hints);
    if (status == 0) {
        status = uv_tcp_bind(&t->listener, request.addrinfo->ai_addr, 0);
        uv_freeaddrinfo(request.addrinfo);
    }
    return status;
}

static int start_listening(struct transport *t)
{
    struct sockaddr_storage address;
    int status;
    if (socket_address(t->config.host, t->config.port, &address)) {
        status = uv_tcp_bind(&t->listener, (const struct sockaddr *)&address, 0);
    } else {
        status = bind_to_name(t);
    }
    if (status < 0) {
        return status;
    }
    return uv_listen((uv_stream_t *)&t->listener, BACKLOG, on_connection);
}

static void on_turn(uv_idle_t *flusher)
{
    transport_flush(flusher->data);
}

static void check_config(const struct transport_config *config)
{
    assert(strlen(config->cluster) <= HELLO_CLUSTER_BYTES_MAX);
    assert(config->node != 0);
    assert(config->queue_bytes_max >= config->line_bytes_max);
    assert(config->line_bytes_max >= HELLO_LINE_BYTES_MAX);
    assert(config->line_bytes_max <= UINT32_MAX / 4);
    assert(config->reconnect_ms_min > 0);
    (void)config;
}

struct transport *transport_new(uv_loop_t *loop, const struct transport_config *config,
                                const struct transport_callbacks *callbacks,
                                char *error, size_t error_size)
{
    check_config(config);
    struct transport *t = socket_alloc(sizeof *t);
    t->loop = loop;
    t->config = *config;
    t->callbacks = *callbacks;
    t->self.node = config->node;
    strcpy(t->self.cluster, config->cluster);
    raft_codec_arena_init(&t->arena, config->line_bytes_max, config->entries_max);
    t->incoming_owner = (struct incoming_owner){
        .config = &t->config,
        .self = &t->self,
        .arena = &t->arena,
        .context = t,
        .admits = on_hello,
        .greeted = on_greeted,
        .refused = on_refused,
        .received = on_received,
        .undecodable = on_undecodable,
        .closed = on_incoming_closed,
    };
    uv_tcp_init(loop, &t->listener);
    uv_idle_init(loop, &t->flusher);
    t->listener.data = t;
    t->flusher.data = t;
    t->open = 2;
    int status = start_listening(t);
    // Borrowed for this call only.
    t->config.cluster = t->self.cluster;
    t->config.host = NULL;
    if (status < 0) {
        snprintf(error, error_size, "cannot listen at %s:%u: %s", config->host,
                 (unsigned)config->port, uv_strerror(status));
        transport_close(t, NULL, NULL);
        return NULL;
    }
    return t;
}

uint16_t transport_port(const struct transport *t)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    if (uv_tcp_getsockname(&t->listener, (struct sockaddr *)&address, &size) < 0) {
        return 0;
    }
    return address.ss_family == AF_INET6
               ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
               : ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static struct peer *add_peer(struct transport *t, raft_id id)
{
    const struct outgoing_owner owner = {
        .config = &t->config,
        .self = &t->self,
        .context = t,
        .log = note,
        .closed = on_outgoing_closed,
    };
    struct peer *peer = socket_alloc(sizeof *peer);
    struct peer **link = &t->peers;
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = peer;
    peer->id = id;
    peer->outgoing = outgoing_new(t->loop, &owner, id, &peer->counters);
    t->peer_count++;
    t->open++;
    return peer;
}

bool transport_set_peer(struct transport *t, raft_id id, const char *host,
                        uint16_t port)
{
    assert(!t->closing && id != 0 && id != t->config.node);
    struct peer *peer = find(t, id);
    uint32_t removed = find_removed(t, id);
    if (removed < REMOVED_MAX) {
        t->removed[removed] = 0;
    }
    if (peer != NULL) {
        return outgoing_move(peer->outgoing, host, port);
    }
    if (t->peer_count == TRANSPORT_PEERS_MAX) {
        return false;
    }
    peer = add_peer(t, id);
    return outgoing_move(peer->outgoing, host, port);
}

void transport_remove_peer(struct transport *t, raft_id id)
{
    assert(!t->closing && id != 0);
    struct peer *peer = find(t, id);
    if (find_removed(t, id) == REMOVED_MAX) {
        t->removed[t->removed_next++ % REMOVED_MAX] = id;
    }
    for (struct incoming *in = t->incoming; in != NULL; in = in->next) {
        if (in->node == id) {
            incoming_close(in);
        }
    }
    if (peer != NULL) {
        peer->id = 0;
        t->peer_count--;
        outgoing_close(peer->outgoing);
    }
}

// ---- sending --------------------------------------------------------------------

// The last few messages of one call and their frames.
struct shared {
    const struct raft_message *messages[SHARED_MAX];
    struct frame *frames[SHARED_MAX];
    uint32_t next;
};

// NULL where the message cannot be sent at all. Borrowed from `shared`.
static struct frame *frame_for(struct transport *t, struct shared *shared,
                               const struct raft_message *message)
{
    for (uint32_t i = 0; i < SHARED_MAX; i++) {
        if (shared->messages[i] != NULL &&
            raft_codec_same_frame(shared->messages[i], message)) {
            t->counters.frames_shared++;
            return shared->frames[i];
        }
    }
    struct frame *frame = frame_new(512);
    if (!raft_codec_encode(frame, message) || frame->size > t->config.line_bytes_max) {
        frame_release(frame);
        t->counters.unencodable++;
        return NULL;
    }
    t->counters.frames_encoded++;
    uint32_t slot = shared->next++ % SHARED_MAX;
    frame_release(shared->frames[slot]);
    shared->frames[slot] = frame;
    shared->messages[slot] = message;
    return frame;
}

void transport_send(struct transport *t, const struct raft_message *messages,
                    uint32_t count)
{
    assert(!t->closing);
    struct shared shared = {.next = 0};
    for (uint32_t i = 0; i < count; i++) {
        struct peer *peer = find(t, messages[i].to);
        if (peer == NULL) {
            t->counters.unroutable++;
            continue;
        }
        struct frame *frame = frame_for(t, &shared, &messages[i]);
        if (frame != NULL) {
            outgoing_push(peer->outgoing, frame);
        }
    }
    for (uint32_t i = 0; i < SHARED_MAX; i++) {
        frame_release(shared.frames[i]);
    }
    if (count > 0 && !uv_is_active((uv_handle_t *)&t->flusher)) {
        uv_idle_start(&t->flusher, on_turn);
    }
}

void transport_flush(struct transport *t)
{
    uv_idle_stop(&t->flusher);
    for (struct peer *peer = t->peers; peer != NULL; peer = peer->next) {
        outgoing_flush(peer->outgoing);
    }
}

// ---- observing ------------------------------------------------------------------

bool transport_count_peer(const struct transport *t, raft_id id,
                          struct transport_peer_counters *counters)
{
    const struct peer *peer = find(t, id);
    if (peer == NULL) {
        return false;
    }
    *counters = peer->counters;
    return true;
}

void transport_count(const struct transport *t, struct transport_counters *counters)
{
    *counters = t->counters;
}
