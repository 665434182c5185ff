#include "kvserver/server.h"

#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>

#include "kvserver/join.h"
#include "kvserver/notice.h"
#include "kvserver/recover.h"

enum {
    BACKLOG = 511,
    STOP_MS_MAX = 5000, // to finish what is under way
    LEAD_AWAY_MS = 500, // for clients to ask once more, and learn who leads now
    ROUNDS_MAX = 8,     // within one turn, before sockets are looked at again
};

// ---- the turn of the loop -------------------------------------------------------

static void connections_flush(struct server *server)
{
    struct connection *dirty = server->dirty;

    server->dirty = NULL;
    while (dirty != NULL) {
        struct connection *connection = dirty;

        dirty = connection->dirty_next;
        connection->dirty = false;
        connection_flush(connection);
    }
}

static void finish(struct server *server, int exit_code)
{
    if (server->finished)
        return;
    server->finished = true;
    server->exit_code = exit_code;
    for (struct connection *at = server->connections; at != NULL; at = at->next)
        connection_close(at);
    uv_close((uv_handle_t *)&server->idle, NULL);
    uv_close((uv_handle_t *)&server->terminated, NULL);
    uv_close((uv_handle_t *)&server->interrupted, NULL);
    uv_close((uv_handle_t *)&server->stop_timer, NULL);
    if (!uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, NULL);
    uv_unref((uv_handle_t *)&server->prepare); // the last turns still flush
    uv_unref((uv_handle_t *)&server->check);
    node_close(server->node);
    connections_flush(server);
}

static void idle_turn(uv_idle_t *idle)
{
    (void)idle; // that it is there is enough: the loop does not wait
}

// Whether everything is done that a clean stop waits for.
static bool at_rest(const struct server *server)
{
    return server->connection_count == 0 && !node_busy(server->node);
}

static void stop_now(struct server *server);

static void lead_away_over(uv_timer_t *timer)
{
    stop_now(timer->data);
}

// The leader is about to stop: its clients must not notice more than a redirection, so
// it goes on to answer until leadership is elsewhere, and a moment longer.
static void hand_over(struct server *server)
{
    server->handing_over = node_hand_over(server->node);
    if (server->handing_over)
        return;
    if (node_leads(server->node)) {
        notice_line("stops as the leader: nobody took over");
        stop_now(server);
        return;
    }
    notice_line("has handed leadership over");
    uv_timer_start(&server->stop_timer, lead_away_over, LEAD_AWAY_MS, 0);
}

static void server_turn(struct server *server)
{
    int rounds = 0;

    do {
        if (!server->finished)
            node_flush(server->node);
        connections_flush(server);
    } while (++rounds < ROUNDS_MAX && !server->finished &&
             (node_gathered(server->node) || server->dirty != NULL));
    if (server->finished)
        return;
    if (server->handing_over)
        hand_over(server);
    if (node_stopped(server->node) != NULL) {
        notice_line("stops: %s", node_stopped(server->node));
        finish(server, 1);
    } else if (server->stopping && at_rest(server)) {
        finish(server, 0);
    } else if (node_gathered(server->node) || server->dirty != NULL) {
        uv_idle_start(&server->idle, idle_turn);
    } else {
        uv_idle_stop(&server->idle);
    }
}

static void before_waiting(uv_prepare_t *prepare)
{
    server_turn(prepare->data);
}

static void after_reading(uv_check_t *check)
{
    server_turn(check->data);
}

// ---- stopping -------------------------------------------------------------------

static void stop_late(uv_timer_t *timer)
{
    struct server *server = timer->data;

    notice_line("stops with work under way: it took too long");
    finish(server, 0);
}

static void stop_now(struct server *server)
{
    if (server->stopping)
        return;
    server->stopping = true;
    server->handing_over = false;
    uv_close((uv_handle_t *)&server->listener, NULL);
    for (struct connection *at = server->connections; at != NULL; at = at->next)
        connection_end(at);
    uv_timer_start(&server->stop_timer, stop_late, STOP_MS_MAX, 0);
}

static void stop(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    if (server->stop_asked)
        return;
    notice_line("stopping (%s)", number == SIGTERM ? "SIGTERM" : "SIGINT");
    server->stop_asked = true;
    server->handing_over = node_hand_over(server->node);
    if (server->handing_over)
        uv_timer_start(&server->stop_timer, lead_away_over, STOP_MS_MAX, 0);
    else
        stop_now(server);
}

// ---- starting -------------------------------------------------------------------

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;

    if (status == 0)
        connection_accept(server, listener);
    else
        notice_line("cannot accept a client: %s", uv_strerror(status));
}

static int resolve(uv_loop_t *loop, const char *host, uint16_t port,
                   struct sockaddr_storage *address)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t request;
    char service[8];
    int status;

    snprintf(service, sizeof service, "%u", port);
    // Without a callback this waits, which is right before anything is served.
    status = uv_getaddrinfo(loop, &request, NULL, host, service, &hints);
    if (status != 0)
        return status;
    memcpy(address, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    return 0;
}

static bool refused(const struct server *server, int status)
{
    notice_line("cannot listen for clients on %s:%u: %s",
                options_address(server->options),
                options_self(server->options)->place.client_port, uv_strerror(status));
    return false;
}

// The port is asked for before a log is made or opened: a second server beside a first
// leaves nothing behind.
static bool bind_for_clients(struct server *server)
{
    const struct options *options = server->options;
    const struct options_member *self = options_self(options);
    const char *host = options_address(options);
    struct sockaddr_storage address = {0};
    int length = sizeof address;
    int status = resolve(server->loop, host, self->place.client_port, &address);

    uv_tcp_init(server->loop, &server->listener);
    server->listener.data = server;
    if (status == 0)
        status = uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
    // This also tells what libuv keeps to itself until then: that the port is taken.
    if (status == 0)
        status =
            uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &length);
    if (status != 0)
        return refused(server, status);
    // The port lies at the same place for both families.
    server->client_port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    return true;
}

static bool listen_for_clients(struct server *server)
{
    int status = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);

    return status == 0 || refused(server, status);
}

static void handles_start(struct server *server)
{
    uv_prepare_init(server->loop, &server->prepare);
    uv_check_init(server->loop, &server->check);
    uv_idle_init(server->loop, &server->idle);
    uv_signal_init(server->loop, &server->terminated);
    uv_signal_init(server->loop, &server->interrupted);
    uv_timer_init(server->loop, &server->stop_timer);
    server->prepare.data = server->check.data = server->stop_timer.data = server;
    server->terminated.data = server->interrupted.data = server;
    uv_prepare_start(&server->prepare, before_waiting);
    uv_check_start(&server->check, after_reading);
    uv_signal_start(&server->terminated, stop, SIGTERM);
    uv_signal_start(&server->interrupted, stop, SIGINT);
}

// Every client needs a descriptor.
static void raise_file_limit(const struct options *options)
{
    const rlim_t others = 128; // log files, peers, the loop's own
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < options->clients_max + others) {
        limit.rlim_cur = options->clients_max + others;
        if (limit.rlim_max != RLIM_INFINITY && limit.rlim_cur > limit.rlim_max)
            limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < options->clients_max + others)
        notice_line("only %llu files may be open: fewer than %u clients fit",
                    (unsigned long long)limit.rlim_cur, options->clients_max);
}

static void tell_start(const struct server *server)
{
    const struct options *options = server->options;
    const struct raft_view *view = node_view(server->node);
    unsigned long long entries = view->last_index - view->first_index + 1;
    uint32_t members = view->configuration->count;

    if (view->snapshot_index > 0)
        notice_line("recovered a snapshot of entries 1 to %llu",
                    (unsigned long long)view->snapshot_index);
    notice_line("recovered %llu %sentries, term %llu, from %s", entries,
                view->snapshot_index > 0 ? "later " : "",
                (unsigned long long)view->current_term, options->dir);
    notice_line("serves clients on %s:%u, %u member%s", options_address(options),
                server->client_port, members, members == 1 ? "" : "s");
    if (members == 0)
        notice_line("waits for the leader of its cluster");
    if (node_warning(server->node) != NULL)
        notice_line("WARNING: %s", node_warning(server->node));
    if (!options->fsync)
        notice_line("WARNING: --fsync no: acknowledged writes are LOST when this "
                    "machine stops");
}

static void spare_requests_free(struct server *server)
{
    while (server->spare_requests != NULL) {
        struct request *request = server->spare_requests;

        server->spare_requests = request->next;
        free(request);
    }
}

// What was bound, and the node where there is one, go; nothing was served.
static int start_failed(struct server *server)
{
    uv_close((uv_handle_t *)&server->listener, NULL);
    if (server->node != NULL)
        node_close(server->node);
    uv_run(server->loop, UV_RUN_DEFAULT);
    if (server->node != NULL)
        node_free(server->node);
    return 1;
}

// A new node asks to be added before it has a log; one that was stopped before it heard
// from the leader has a log that knows no members, and asks again.
static bool node_start(struct server *server, struct options *options, char *error)
{
    bool joins = options->join[0] != '\0';
    uint64_t found = options->cluster_id;
    bool is_new = joins && join_is_new(options->dir, &found);

    if (joins && !options->cluster_id_given)
        options->cluster_id = found;
    if (is_new && !join_cluster(options, true, error))
        return false;
    server->node = node_open(server->loop, options, &connection_node_client, error,
                             OPTIONS_ERROR_MAX);
    if (server->node == NULL)
        return false;
    if (joins && !is_new && node_view(server->node)->configuration->count == 0) {
        if (!join_cluster(options, false, error))
            return false;
        node_meet(server->node);
    }
    return true;
}

static int server_serve(struct server *server, struct options *options)
{
    char error[OPTIONS_ERROR_MAX];

    if (!bind_for_clients(server))
        return start_failed(server);
    if (!node_start(server, options, error)) {
        notice_line("cannot start: %s", error);
        recover_advise(error, server->options->dir);
        return start_failed(server);
    }
    if (!listen_for_clients(server))
        return start_failed(server);
    handles_start(server);
    tell_start(server);
    uv_run(server->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&server->prepare, NULL);
    uv_close((uv_handle_t *)&server->check, NULL);
    uv_run(server->loop, UV_RUN_DEFAULT);
    node_free(server->node);
    notice_line("stopped");
    return server->exit_code;
}

int server_run(struct options *options)
{
    struct server *server = calloc(1, sizeof *server);
    uv_loop_t loop;
    int exit_code;

    if (server == NULL)
        abort();
    notice_name(options->id);
    signal(SIGPIPE, SIG_IGN); // a write tells
    signal(SIGXFSZ, SIG_IGN);
    raise_file_limit(options);
    uv_loop_init(&loop);
    server->loop = &loop;
    server->options = options;
    server->started_ms = uv_now(&loop);
    exit_code = server_serve(server, options);
    uv_loop_close(&loop);
    spare_requests_free(server);
    free(server);
    return exit_code;
}
