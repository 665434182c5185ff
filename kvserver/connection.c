#include "kvserver/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kvserver/json_front.h"
#include "kvserver/resp_front.h"
#include "kvserver/server.h"

enum {
    OUTPUT_PAUSE_BYTES = 1 << 20, // unsent: beyond, no further requests are taken
    BUFFER_KEPT_BYTES = 64 << 10, // of an idle connection's buffers
    REQUEST_ROOM = 256,           // behind a request that is kept for reuse
    REQUESTS_KEPT = 4096,
    UNREAD_READS_MAX = 4096,      // when a connection ends
    LINGER_MS_MAX = 1000,         // for what its client is still sending then
    WAITING_BYTES_MAX = 16 << 20, // of words: beyond, no further requests are taken
};

// ---- requests -------------------------------------------------------------------

static struct request *request_new(struct server *server, size_t room)
{
    struct request *request = server->spare_requests;

    if (request != NULL && room <= REQUEST_ROOM) {
        server->spare_requests = request->next;
        server->spare_request_count--;
        room = REQUEST_ROOM;
    } else {
        room = room < REQUEST_ROOM ? REQUEST_ROOM : room;
        request = malloc(sizeof *request + room);
        if (request == NULL)
            abort();
    }
    memset(request, 0, sizeof *request);
    request->room = room;
    return request;
}

static void request_free(struct server *server, struct request *request)
{
    buffer_free(&request->reply);
    buffer_free(&request->json_text);
    if (request->room != REQUEST_ROOM || server->spare_request_count == REQUESTS_KEPT) {
        free(request);
        return;
    }
    request->next = server->spare_requests;
    server->spare_requests = request;
    server->spare_request_count++;
}

static void words_copy(struct request *request, const struct bytes *words,
                       uint32_t count)
{
    char *to = (char *)(request + 1) + count * sizeof *words;

    request->words = (struct bytes *)(request + 1);
    request->word_count = count;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(to, words[i].data, words[i].size);
        request->words[i] = (struct bytes){.data = to, .size = words[i].size};
        to += words[i].size;
    }
}

static struct request *queue(struct connection *connection, size_t room)
{
    struct request *request = request_new(connection->server, room);

    request->connection = connection;
    if (connection->last != NULL)
        connection->last->next = request;
    else
        connection->first = request;
    connection->last = request;
    connection->depth++;
    connection->waiting_bytes += request->room;
    return request;
}

struct request *connection_request(struct connection *connection,
                                   enum request_kind kind, const struct bytes *words,
                                   uint32_t count)
{
    struct request *request;
    size_t room = 0;

    if (kind != REQUEST_WRITE)
        for (uint32_t i = 0; i < count; i++)
            room += sizeof *words + words[i].size;
    request = queue(connection, room);
    request->kind = kind;
    if (kind != REQUEST_WRITE)
        words_copy(request, words, count);
    return request;
}

static void mark_dirty(struct connection *connection)
{
    // After uv_close() nothing is left to do in a turn, and the memory soon goes.
    if (connection->dirty || uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    connection->dirty = true;
    connection->dirty_next = connection->server->dirty;
    connection->server->dirty = connection;
}

struct buffer *connection_reply(struct connection *connection)
{
    struct request *request;

    mark_dirty(connection);
    if (connection->first == NULL)
        return &connection->output;
    request = queue(connection, 0);
    request->kind = REQUEST_LOCAL;
    request->done = true;
    request->verbatim = true;
    return &request->reply;
}

static struct buffer *reply_to(struct request *request)
{
    struct connection *connection = request->connection;

    if (connection->first == request && connection->front->deliver == NULL)
        return &connection->output;
    return &request->reply;
}

static void pop(struct connection *connection)
{
    struct request *request = connection->first;

    connection->first = request->next;
    if (connection->first == NULL)
        connection->last = NULL;
    connection->depth--;
    connection->waiting_bytes -= request->room;
    request_free(connection->server, request);
}

// The first request is done: its reply goes to the output.
static void deliver(struct connection *connection)
{
    struct request *request = connection->first;

    if (connection->front->deliver != NULL && !request->verbatim)
        connection->front->deliver(request, &connection->output);
    else if (request->reply.size > 0)
        buffer_append(&connection->output, request->reply.data, request->reply.size);
    pop(connection);
    if (connection->output.size > connection->server->options->output_bytes_max) {
        connection->overrun = true;
        buffer_clear(&connection->output);
    }
}

static void run(struct request *request)
{
    request->connection->front->run(request, reply_to(request));
    request->done = true;
}

void connection_advance(struct connection *connection)
{
    struct request *request;

    mark_dirty(connection);
    while ((request = connection->first) != NULL) {
        bool ready = request->kind == REQUEST_LOCAL ||
                     (request->kind == REQUEST_READ && request->confirmed);

        if (!request->done && !ready)
            return;
        if (!request->done)
            run(request);
        deliver(connection);
    }
}

// ---- what the node says ---------------------------------------------------------

// A write is about to be applied, so the reads that were asked before it are due. They
// need no other confirmation: they arrived before this write was proposed, and that it
// was committed shows that this node led then (dissertation 6.4).
static void node_applying(struct request *write)
{
    struct connection *connection = write->connection;

    while (connection->first != write) {
        struct request *request = connection->first;

        if (!request->done) {
            if (request->kind != REQUEST_READ && request->kind != REQUEST_LOCAL)
                return;
            node_forget(connection->server->node, request);
            run(request);
        }
        deliver(connection);
    }
}

static void node_replied(struct request *request)
{
    request->done = true;
    connection_advance(request->connection);
}

static void node_confirmed(struct request *request)
{
    request->confirmed = true;
    connection_advance(request->connection);
}

const struct node_client connection_node_client = {
    .applying = node_applying,
    .reply_to = reply_to,
    .replied = node_replied,
    .confirmed = node_confirmed,
};

// ---- closing --------------------------------------------------------------------

static void connection_gone(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    struct server *server = connection->server;

    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    server->connection_count--;
    resp_parser_release(&connection->parser);
    buffer_free(&connection->input);
    buffer_free(&connection->output);
    buffer_free(&connection->sending);
    free(connection);
}

static void socket_gone(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    uv_close((uv_handle_t *)&connection->linger, connection_gone);
}

void connection_close(struct connection *connection)
{
    if (connection->closed)
        return;
    connection->closed = true;
    while (connection->first != NULL) {
        node_forget(connection->server->node, connection->first);
        pop(connection);
    }
    // The list of the dirty is walked in every turn, so let the turn take it out first.
    mark_dirty(connection);
}

void connection_end(struct connection *connection)
{
    connection->ending = true;
    uv_read_stop((uv_stream_t *)&connection->tcp);
    mark_dirty(connection);
}

// ---- reading --------------------------------------------------------------------

bool connection_paused(const struct connection *connection)
{
    const struct options *options = connection->server->options;

    return connection->depth >= options->pipeline_max ||
           connection->waiting_bytes >= WAITING_BYTES_MAX ||
           connection->output.size + connection->sending.size >= OUTPUT_PAUSE_BYTES;
}

static size_t front_read(struct connection *connection, const char *data, size_t size)
{
    if (connection->ending || connection->closed || size == 0)
        return 0;
    if (connection->front == NULL)
        connection->front = data[0] == '{' ? &json_front : &resp_front;
    return connection->front->read(connection, data, size);
}

static void stall(struct connection *connection)
{
    if (connection->stalled || connection->ending || !connection_paused(connection))
        return;
    connection->stalled = true;
    uv_read_stop((uv_stream_t *)&connection->tcp);
    mark_dirty(connection);
}

static void take_in(struct connection *connection, const char *data, size_t size)
{
    struct buffer *input = &connection->input;

    if (input->size > 0) {
        buffer_append(input, data, size);
        buffer_consume(input, front_read(connection, input->data, input->size));
        if (input->size == 0 && input->capacity > BUFFER_KEPT_BYTES)
            buffer_free(input);
    } else {
        size_t used = front_read(connection, data, size);

        if (!connection->ending && !connection->closed)
            buffer_append(input, data + used, size - used);
    }
    stall(connection);
}

static void read_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct connection *connection = handle->data;

    (void)suggested;
    *room = uv_buf_init(connection->server->read_buffer, SERVER_READ_BYTES);
}

static void read_done(uv_stream_t *stream, ssize_t size, const uv_buf_t *room)
{
    struct connection *connection = stream->data;

    if (size > 0) {
        connection->server->counters.bytes_in += (uint64_t)size;
        connection->active_ms = uv_now(connection->server->loop);
        take_in(connection, room->base, (size_t)size);
    } else if (size == UV_EOF) {
        connection_end(connection); // what it asked is still answered
    } else if (size < 0) {
        connection_close(connection);
    }
}

// ---- the end of a turn ----------------------------------------------------------

static void write_done(uv_write_t *write, int status)
{
    struct connection *connection = write->data;

    connection->writing = false;
    buffer_clear(&connection->sending);
    if (status < 0)
        connection_close(connection);
    mark_dirty(connection);
}

// What the socket does not take at once is left to libuv.
static void write_rest(struct connection *connection, size_t sent)
{
    struct buffer empty = connection->sending;
    uv_buf_t rest;

    buffer_free(&empty);
    connection->sending = connection->output;
    connection->output = (struct buffer){0};
    rest = uv_buf_init(connection->sending.data + sent,
                       (unsigned)(connection->sending.size - sent));
    connection->write.data = connection;
    connection->writing = true;
    if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &rest, 1,
                 write_done) != 0) {
        connection->writing = false;
        connection_close(connection);
    }
}

static void output_send(struct connection *connection)
{
    struct buffer *output = &connection->output;
    uv_buf_t all = uv_buf_init(output->data, (unsigned)output->size);
    int sent = uv_try_write((uv_stream_t *)&connection->tcp, &all, 1);

    if (sent < 0 && sent != UV_EAGAIN) {
        connection_close(connection);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    connection->server->counters.bytes_out += output->size;
    if ((size_t)sent < output->size) {
        write_rest(connection, (size_t)sent);
        return;
    }
    buffer_clear(output);
    if (output->capacity > BUFFER_KEPT_BYTES)
        buffer_free(output);
}

static void resume(struct connection *connection)
{
    if (!connection->stalled || connection->ending || connection_paused(connection))
        return;
    if (connection->input.size > 0)
        take_in(connection, NULL, 0);
    if (connection->ending || connection->closed || connection_paused(connection))
        return;
    connection->stalled = false;
    uv_read_start((uv_stream_t *)&connection->tcp, read_room, read_done);
}

// Reads what nobody will answer; whether there was any, and more may come.
static bool drain(uv_os_fd_t fd, bool unread)
{
    char bytes[4096];
    ssize_t size;

    for (int i = 0; i < UNREAD_READS_MAX; i++) {
        size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size == 0)
            return false;
        if (size < 0)
            return unread && (errno == EAGAIN || errno == EWOULDBLOCK);
        unread = true;
    }
    return true;
}

static void discard(uv_stream_t *stream, ssize_t size, const uv_buf_t *room)
{
    (void)room;
    if (size < 0) // the client has closed, too
        connection_close(stream->data);
}

static void linger_over(uv_timer_t *timer)
{
    connection_close(timer->data);
}

// A socket that is closed with bytes unread, or that gets some afterwards, resets the
// connection, and the replies that are still on their way are lost with it. So who may
// still be sending is told that there will be no more, and read from for a moment.
static void leave_politely(struct connection *connection)
{
    bool unread = connection->stalled || connection->input.size > 0;
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)&connection->tcp, &fd) != 0) {
        connection_close(connection);
        return;
    }
    unread = drain(fd, unread);
    shutdown(fd, SHUT_WR);
    if (!unread) {
        connection_close(connection);
        return;
    }
    connection->lingering = true;
    uv_read_start((uv_stream_t *)&connection->tcp, read_room, discard);
    uv_timer_start(&connection->linger, linger_over, LINGER_MS_MAX, 0);
}

void connection_flush(struct connection *connection)
{
    struct server *server = connection->server;

    if (connection->overrun && !connection->closed) {
        server->counters.connections_overrun++;
        connection_close(connection);
    }
    if (!connection->closed && connection->output.size > 0 && !connection->writing)
        output_send(connection);
    if (!connection->closed)
        resume(connection);
    if (connection->ending && connection->first == NULL &&
        connection->output.size == 0 && !connection->writing &&
        !connection->lingering && !connection->closed)
        leave_politely(connection);
    if (connection->closed && !uv_is_closing((uv_handle_t *)&connection->tcp)) {
        uv_timer_stop(&connection->linger);
        uv_close((uv_handle_t *)&connection->tcp, socket_gone);
    }
}

// ---- opening --------------------------------------------------------------------

static void turned_away(uv_handle_t *handle)
{
    free(handle);
}

static void turn_away(struct server *server, uv_stream_t *listener)
{
    static char text[] = "-ERR max number of clients reached\r\n";
    uv_buf_t reply = uv_buf_init(text, sizeof text - 1);
    uv_tcp_t *tcp = malloc(sizeof *tcp);

    if (tcp == NULL)
        abort();
    server->counters.connections_rejected++;
    uv_tcp_init(server->loop, tcp);
    if (uv_accept(listener, (uv_stream_t *)tcp) == 0)
        uv_try_write((uv_stream_t *)tcp, &reply, 1);
    uv_close((uv_handle_t *)tcp, turned_away);
}

void connection_accept(struct server *server, uv_stream_t *listener)
{
    const struct options *options = server->options;
    struct connection *connection;

    if (server->connection_count >= options->clients_max) {
        turn_away(server, listener);
        return;
    }
    connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        abort();
    connection->server = server;
    connection->id = ++server->connection_id_last;
    connection->opened_ms = connection->active_ms = uv_now(server->loop);
    resp_parser_init(&connection->parser, options->value_bytes_max,
                     UINT64_C(4) * options->value_bytes_max + SERVER_READ_BYTES);
    uv_tcp_init(server->loop, &connection->tcp);
    connection->tcp.data = connection;
    uv_timer_init(server->loop, &connection->linger);
    connection->linger.data = connection;
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
    server->counters.connections_accepted++;
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0) {
        connection_close(connection);
        return;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
    uv_tcp_keepalive(&connection->tcp, 1, 300);
    uv_read_start((uv_stream_t *)&connection->tcp, read_room, read_done);
}
