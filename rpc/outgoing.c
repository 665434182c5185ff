// outgoing.c: see outgoing.h.
#include "rpc/outgoing.h"

#include "rpc/line.h"
#include "rpc/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_MAX = 64, HOST_BYTES_MAX = 255 };

enum outgoing_state {
    OUTGOING_WAITING = 0,
    OUTGOING_RESOLVING,
    OUTGOING_CONNECTING,
    OUTGOING_GREETING,
    OUTGOING_READY,
    OUTGOING_CLOSED,
};

// One socket from its creation to its close.
struct attempt {
    struct outgoing *outgoing;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t greeting;
    uv_write_t write;
    struct line line;
    struct frame *hello;
    struct frame *batch[BATCH_MAX]; // being written by libuv
    uint32_t batch_count;
};

struct outgoing {
    struct outgoing_owner owner;
    struct transport_peer_counters *counters;
    uv_loop_t *loop;
    raft_id peer;
    char host[HOST_BYTES_MAX + 1];
    uint16_t port;

    enum outgoing_state state;
    uv_timer_t timer; // the pause, the limit for connecting, or the watch for stalls
    uv_getaddrinfo_t resolve;
    struct attempt *attempt; // the current one, or NULL
    uint32_t pending;        // callbacks that must come before it may be freed
    uint32_t failures;       // in a row
    uint64_t random;
    size_t unsent;   // libuv's backlog when the watch last looked
    bool told;       // of the present trouble
    bool complained; // the peer did, on this connection
    bool moved;      // while its old name was being resolved

    struct frame **queue; // a ring
    uint32_t queue_capacity;
    uint32_t queue_first;
    uint32_t queue_count;
};

static void on_pause_over(uv_timer_t *timer);
static void on_late(uv_timer_t *timer);

static void tell(struct outgoing *o, const char *what)
{
    if (o->owner.log != NULL) {
        char line[640];
        snprintf(line, sizeof line, "peer %u at %s:%u: %s", (unsigned)o->peer, o->host,
                 (unsigned)o->port, what);
        o->owner.log(o->owner.context, line);
    }
}

// ---- the queue ------------------------------------------------------------------

static struct frame *pop(struct outgoing *o)
{
    struct frame *frame = o->queue[o->queue_first];
    o->queue_first = (o->queue_first + 1) % o->queue_capacity;
    o->queue_count--;
    return frame;
}

static void drop(struct outgoing *o, struct frame *frame)
{
    o->counters->frames_dropped++;
    o->counters->queue_bytes -= frame->size;
    frame_release(frame);
}

static void drop_queue(struct outgoing *o)
{
    while (o->queue_count > 0) {
        drop(o, pop(o));
    }
}

static void sent(struct outgoing *o, struct frame *frame)
{
    o->counters->frames_sent++;
    o->counters->bytes_sent += frame->size;
    o->counters->queue_bytes -= frame->size;
    frame_release(frame);
}

static void grow_queue(struct outgoing *o)
{
    uint32_t capacity = o->queue_capacity == 0 ? 64 : o->queue_capacity * 2;
    struct frame **queue = socket_alloc(capacity * sizeof(*queue));
    for (uint32_t i = 0; i < o->queue_count; i++) {
        queue[i] = o->queue[(o->queue_first + i) % o->queue_capacity];
    }
    free(o->queue);
    o->queue = queue;
    o->queue_capacity = capacity;
    o->queue_first = 0;
}

void outgoing_push(struct outgoing *o, struct frame *frame)
{
    size_t room = o->owner.config->queue_bytes_max - o->counters->queue_bytes;
    if (o->state == OUTGOING_CLOSED || frame->size > room) {
        o->counters->frames_dropped++;
        return;
    }
    if (o->queue_count == o->queue_capacity) {
        grow_queue(o);
    }
    o->queue[(o->queue_first + o->queue_count) % o->queue_capacity] = frame_hold(frame);
    o->queue_count++;
    o->counters->queue_bytes += frame->size;
}

// ---- the end of an attempt, and the pause before the next ------------------------

static void one_less(struct outgoing *o)
{
    assert(o->pending > 0);
    if (--o->pending == 0 && o->state == OUTGOING_CLOSED) {
        o->owner.closed(o->owner.context, o);
    }
}

static void on_attempt_closed(uv_handle_t *handle)
{
    struct attempt *attempt = handle->data;
    struct outgoing *o = attempt->outgoing;
    line_release(&attempt->line);
    frame_release(attempt->hello);
    free(attempt);
    one_less(o);
}

static void end_attempt(struct outgoing *o)
{
    struct attempt *attempt = o->attempt;
    o->attempt = NULL;
    o->counters->connected = false;
    if (attempt != NULL) {
        for (uint32_t i = 0; i < attempt->batch_count; i++) {
            o->counters->frames_dropped++;
            o->counters->queue_bytes -= attempt->batch[i]->size;
        }
        uv_close((uv_handle_t *)&attempt->tcp, on_attempt_closed);
    }
}

// splitmix64: a few bits of jitter, the same for the same seed.
static uint64_t draw(struct outgoing *o)
{
    uint64_t x = o->random += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

// Doubles with each failure in a row; the upper half of it is drawn, so that nodes
// which lost each other at the same time do not call at the same time.
static uint64_t pause_ms(struct outgoing *o)
{
    uint64_t most = o->owner.config->reconnect_ms_max;
    uint64_t pause = o->owner.config->reconnect_ms_min;
    for (uint32_t i = 0; i < o->failures && pause < most; i++) {
        pause *= 2;
    }
    pause = pause < most ? pause : most;
    return pause - draw(o) % (pause / 2 + 1);
}

static void failed(struct outgoing *o, const char *why)
{
    if (o->state == OUTGOING_CLOSED) {
        return;
    }
    if (!o->told) {
        tell(o, why);
        o->told = true;
    }
    end_attempt(o);
    drop_queue(o);
    o->counters->failures++;
    o->state = OUTGOING_WAITING;
    uv_timer_start(&o->timer, on_pause_over, pause_ms(o), 0);
    o->failures++;
}

// ---- writing --------------------------------------------------------------------

static void on_written(uv_write_t *write, int status)
{
    struct attempt *attempt = write->data;
    struct outgoing *o = attempt->outgoing;
    bool current = o->attempt == attempt;
    for (uint32_t i = 0; i < attempt->batch_count; i++) {
        if (current && status == 0) {
            sent(o, attempt->batch[i]);
        } else if (current) {
            drop(o, attempt->batch[i]);
        } else {
            frame_release(attempt->batch[i]); // end_attempt() has counted it
        }
    }
    attempt->batch_count = 0;
    if (!current) {
        return;
    }
    uv_timer_stop(&o->timer);
    if (status < 0) {
        failed(o, uv_strerror(status));
    } else {
        outgoing_flush(o);
    }
}

// Nothing went out for the whole time, with something to send: the link is dead.
static void on_stall_check(uv_timer_t *timer)
{
    struct outgoing *o = timer->data;
    size_t unsent = uv_stream_get_write_queue_size((uv_stream_t *)&o->attempt->tcp);
    if (unsent == o->unsent) {
        failed(o, "nothing can be sent to it");
        return;
    }
    o->unsent = unsent;
}

static uint32_t gather(struct outgoing *o, uv_buf_t *buffers, size_t *total)
{
    uint32_t count = o->queue_count < BATCH_MAX ? o->queue_count : BATCH_MAX;
    *total = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = o->queue[(o->queue_first + i) % o->queue_capacity];
        buffers[i] = uv_buf_init(frame->data, (unsigned)frame->size);
        *total += frame->size;
    }
    return count;
}

// The kernel took `done` bytes of the batch; libuv writes the rest when it can.
static void write_rest(struct outgoing *o, uv_buf_t *buffers, uint32_t count,
                       size_t done)
{
    struct attempt *attempt = o->attempt;
    uint32_t first = 0;
    while (done >= buffers[first].len) {
        done -= buffers[first].len;
        sent(o, pop(o));
        first++;
    }
    buffers[first].base += done;
    buffers[first].len -= done;
    for (uint32_t i = first; i < count; i++) {
        attempt->batch[attempt->batch_count++] = pop(o);
    }
    attempt->write.data = attempt;
    int status = uv_write(&attempt->write, (uv_stream_t *)&attempt->tcp,
                          buffers + first, count - first, on_written);
    if (status < 0) {
        while (attempt->batch_count > 0) {
            drop(o, attempt->batch[--attempt->batch_count]);
        }
        failed(o, uv_strerror(status));
        return;
    }
    uint32_t stall_ms = o->owner.config->stall_timeout_ms;
    o->unsent = uv_stream_get_write_queue_size((uv_stream_t *)&attempt->tcp);
    uv_timer_start(&o->timer, on_stall_check, stall_ms, stall_ms);
}

void outgoing_flush(struct outgoing *o)
{
    while (o->state == OUTGOING_READY && o->queue_count > 0 &&
           o->attempt->batch_count == 0) {
        uv_buf_t buffers[BATCH_MAX];
        size_t total;
        uint32_t count = gather(o, buffers, &total);
        int done = uv_try_write((uv_stream_t *)&o->attempt->tcp, buffers, count);
        if (done < 0 && done != UV_EAGAIN) {
            failed(o, uv_strerror(done));
        } else if (done >= 0 && (size_t)done == total) {
            for (uint32_t i = 0; i < count; i++) {
                sent(o, pop(o));
            }
        } else {
            write_rest(o, buffers, count, done > 0 ? (size_t)done : 0);
        }
    }
}

// ---- the hello ------------------------------------------------------------------

static void become_ready(struct outgoing *o)
{
    uv_timer_stop(&o->timer);
    o->state = OUTGOING_READY;
    o->failures = 0;
    o->told = false;
    o->complained = false;
    o->counters->connects++;
    o->counters->connected = true;
    tell(o, "connected");
    outgoing_flush(o);
}

// Before it is ready: the answer to the hello. Later: complaints about what was sent.
static void take_line(struct outgoing *o, const char *text, size_t size)
{
    struct jsonrpc_problem problem;
    char complaint[320];
    int shown = (int)(size < 200 ? size : 200);
    if (o->state == OUTGOING_READY && o->complained) {
        return;
    }
    if (o->state == OUTGOING_READY) {
        o->complained = true;
        snprintf(complaint, sizeof complaint, "it says %.*s", shown, text);
        tell(o, complaint);
    } else if (hello_check(text, size, o->owner.self, o->peer, &problem)) {
        become_ready(o);
    } else {
        snprintf(complaint, sizeof complaint, "%s: %.*s", problem.text, shown, text);
        o->told = o->told && o->complained; // also where the call before failed
        o->complained = true;
        failed(o, complaint);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct attempt *attempt = handle->data;
    size_t room;
    buffer->base = line_room(&attempt->line, &room);
    buffer->len = room;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    (void)buffer;
    struct attempt *attempt = stream->data;
    struct outgoing *o = attempt->outgoing;
    if (count < 0) {
        failed(o,
               count == UV_EOF ? "it closed the connection" : uv_strerror((int)count));
        return;
    }
    line_filled(&attempt->line, (size_t)count);
    const char *text;
    size_t size;
    enum line_status status = LINE_READY;
    while (o->attempt == attempt && status != LINE_NONE) {
        status = line_next(&attempt->line, &text, &size);
        if (status == LINE_READY) {
            take_line(o, text, size);
        }
    }
}

static void on_hello_written(uv_write_t *write, int status)
{
    struct attempt *attempt = write->data;
    if (attempt->outgoing->attempt == attempt && status < 0) {
        failed(attempt->outgoing, uv_strerror(status));
    }
}

static void greet(struct outgoing *o, struct attempt *attempt)
{
    uv_stream_t *stream = (uv_stream_t *)&attempt->tcp;
    attempt->hello = frame_new(256);
    hello_add_request(attempt->hello, o->owner.self);
    uv_buf_t buffer = uv_buf_init(attempt->hello->data, (unsigned)attempt->hello->size);
    attempt->greeting.data = attempt;
    int status = uv_read_start(stream, on_room, on_read);
    if (status == 0) {
        status = uv_write(&attempt->greeting, stream, &buffer, 1, on_hello_written);
    }
    if (status < 0) {
        failed(o, uv_strerror(status));
        return;
    }
    o->state = OUTGOING_GREETING;
    uv_timer_start(&o->timer, on_late, o->owner.config->connect_timeout_ms, 0);
}

// ---- connecting -----------------------------------------------------------------

static void on_late(uv_timer_t *timer)
{
    struct outgoing *o = timer->data;
    failed(o, o->state == OUTGOING_GREETING ? "no answer to the hello"
                                            : "cannot connect in time");
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct attempt *attempt = connect->data;
    struct outgoing *o = attempt->outgoing;
    if (o->attempt != attempt) {
        return;
    }
    if (status < 0) {
        failed(o, uv_strerror(status));
        return;
    }
    socket_tune(&attempt->tcp, o->owner.config->stall_timeout_ms);
    greet(o, attempt);
}

static void connect_to(struct outgoing *o, const struct sockaddr *address)
{
    struct attempt *attempt = socket_alloc(sizeof *attempt);
    attempt->outgoing = o;
    line_init(&attempt->line, HELLO_LINE_BYTES_MAX);
    uv_tcp_init(o->loop, &attempt->tcp);
    attempt->tcp.data = attempt;
    attempt->connect.data = attempt;
    o->pending++;
    o->attempt = attempt;
    o->state = OUTGOING_CONNECTING;
    uv_timer_start(&o->timer, on_late, o->owner.config->connect_timeout_ms, 0);
    int status =
        uv_tcp_connect(&attempt->connect, &attempt->tcp, address, on_connected);
    if (status < 0) {
        failed(o, uv_strerror(status));
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct outgoing *o = request->data;
    if (o->state == OUTGOING_RESOLVING) {
        if (status < 0 || o->moved) {
            failed(o, o->moved ? "it moved" : uv_strerror(status));
        } else {
            connect_to(o, found->ai_addr);
        }
    }
    o->moved = false;
    uv_freeaddrinfo(found);
    one_less(o);
}

static void resolve(struct outgoing *o)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)o->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    o->resolve.data = o;
    o->state = OUTGOING_RESOLVING;
    int status =
        uv_getaddrinfo(o->loop, &o->resolve, on_resolved, o->host, service, &hints);
    if (status < 0) {
        failed(o, uv_strerror(status));
        return;
    }
    o->pending++;
}

static void on_pause_over(uv_timer_t *timer)
{
    struct outgoing *o = timer->data;
    struct sockaddr_storage address;
    if (socket_address(o->host, o->port, &address)) {
        connect_to(o, (const struct sockaddr *)&address);
    } else {
        resolve(o);
    }
}

// ---- life cycle -----------------------------------------------------------------

struct outgoing *outgoing_new(uv_loop_t *loop, const struct outgoing_owner *owner,
                              raft_id peer, struct transport_peer_counters *counters)
{
    struct outgoing *o = socket_alloc(sizeof *o);
    o->owner = *owner;
    o->counters = counters;
    o->loop = loop;
    o->peer = peer;
    o->random = owner->config->seed ^ ((uint64_t)owner->config->node << 32 | peer);
    uv_timer_init(loop, &o->timer);
    o->timer.data = o;
    o->pending = 1;
    return o;
}

bool outgoing_move(struct outgoing *o, const char *host, uint16_t port)
{
    size_t length = strlen(host);
    if (length > HOST_BYTES_MAX) {
        return false;
    }
    if (strcmp(o->host, host) == 0 && o->port == port) {
        return true;
    }
    memcpy(o->host, host, length + 1);
    o->port = port;
    // A name that is being resolved is the old one: its answer is passed over, and the
    // request must end before the next may start.
    if (o->state == OUTGOING_RESOLVING) {
        o->moved = true;
        uv_cancel((uv_req_t *)&o->resolve);
        return true;
    }
    end_attempt(o);
    o->failures = 0;
    o->state = OUTGOING_WAITING;
    uv_timer_start(&o->timer, on_pause_over, 0, 0);
    return true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    one_less(handle->data);
}

void outgoing_close(struct outgoing *o)
{
    if (o->state == OUTGOING_RESOLVING) {
        uv_cancel((uv_req_t *)&o->resolve);
    }
    o->state = OUTGOING_CLOSED;
    end_attempt(o);
    drop_queue(o);
    uv_close((uv_handle_t *)&o->timer, on_timer_closed);
}

void outgoing_free(struct outgoing *o)
{
    assert(o->pending == 0 && o->queue_count == 0);
    free(o->queue);
    free(o);
}
