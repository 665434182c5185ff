// counter.c: a replicated counter on libraftlab, complete: disk, network, snapshots.
//
//     counter ID DIRECTORY HOST:PORT...    the peer ports of node 1, of node 2, ...
//
// Clients connect to a node's peer port + 100 and send a line: `incr`, `add N` or
// `get`, and the next one after the answer: `count N` (a write is now on the disks of a
// majority), `refused: WHY; leader ID` (not done, 0: nobody leads), or `unknown`.
#include <errno.h>
#include <inttypes.h>
#include <raftlab/driver.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static struct driver *driver;

// The state machine: a number.
static int64_t state;
static char bytes[sizeof state]; // of a snapshot,
static size_t bytes_done;        // read or written so far

static void apply(void *context, const struct raft_entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t by = 0;
        if (entries[i].type == RAFT_ENTRY_COMMAND)
            memcpy(&by, entries[i].data, sizeof by);
        state += by;
    }
}

static int begin(void *context) // a snapshot, or the restoring of one
{
    memcpy(bytes, &state, sizeof bytes);
    bytes_done = 0;
    return 0;
}

static int64_t snapshot_read(void *context, void *data, size_t size)
{
    size_t left = sizeof bytes - bytes_done;
    size_t piece = size < left ? size : left;
    memcpy(data, bytes + bytes_done, piece);
    bytes_done += piece;
    return (int64_t)piece;
}

static void snapshot_end(void *context)
{
}

static int restore_write(void *context, const void *data, size_t size)
{
    if (size > sizeof bytes - bytes_done)
        return -EBADMSG;
    memcpy(bytes + bytes_done, data, size);
    bytes_done += size;
    return 0;
}

static int restore_end(void *context, raft_index index)
{
    if (bytes_done != sizeof bytes)
        return -EBADMSG;
    memcpy(&state, bytes, sizeof state);
    return 0;
}

static const struct state_machine machine = {.apply = apply,
                                             .snapshot_begin = begin,
                                             .snapshot_read = snapshot_read,
                                             .snapshot_end = snapshot_end,
                                             .restore_begin = begin,
                                             .restore_write = restore_write,
                                             .restore_end = restore_end};

struct client {
    uv_tcp_t tcp;
    struct driver_request request;
    bool waits;
    bool ended;
    char line[64];
    size_t used;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void answer(struct driver_request *request, enum driver_outcome outcome)
{
    struct client *client = request->context;
    char text[96] = "unknown\n";
    if (outcome == DRIVER_DONE)
        snprintf(text, sizeof text, "count %" PRId64 "\n", state);
    else if (outcome == DRIVER_NOT_DONE)
        snprintf(text, sizeof text, "refused: %s; leader %u\n",
                 raft_status_text(request->status), (unsigned)driver_leader(driver));
    uv_buf_t line = uv_buf_init(text, (unsigned)strlen(text));
    uv_try_write((uv_stream_t *)&client->tcp, &line, 1); // there is room for one line
    client->waits = false;
    if (client->ended)
        uv_close((uv_handle_t *)&client->tcp, on_closed);
}

static void ask(struct client *client)
{
    int64_t by = 1;
    const struct raft_command command = {&by, sizeof by};
    client->waits = true;
    if (strcmp(client->line, "get\n") == 0) {
        driver_read(driver, &client->request);
    } else if (strcmp(client->line, "incr\n") == 0 ||
               sscanf(client->line, "add %" SCNd64, &by) == 1) {
        driver_propose(driver, &command, 1, &client->request);
    } else {
        client->request.status = RAFT_INVALID;
        answer(&client->request, DRIVER_NOT_DONE);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct client *c = handle->data;
    *buffer = uv_buf_init(c->line + c->used, (unsigned)(sizeof c->line - 1 - c->used));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct client *client = stream->data;
    if (count < 0 || client->waits) { // the end, no room, or one that does not wait
        uv_read_stop(stream);
        client->ended = true; // what it asked for is still answered
        if (!client->waits)
            uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    client->used += (size_t)count;
    client->line[client->used] = '\0';
    if (strchr(client->line, '\n') != NULL) {
        client->used = 0;
        ask(client);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client = calloc(1, sizeof *client);
    client->tcp.data = client->request.context = client;
    client->request.done = answer;
    uv_tcp_init(listener->loop, &client->tcp);
    uv_accept(listener, (uv_stream_t *)&client->tcp);
    uv_read_start((uv_stream_t *)&client->tcp, on_room, on_read);
}

static void on_stopped(void *context, const char *why)
{
    fprintf(stderr, "counter: %s\n", why);
    exit(1);
}

int main(int argc, char **argv)
{
    static struct driver_config config;
    struct raft_config *raft = &config.host.raft;
    char host[64], error[256];
    int port;
    driver_config_default(&config);
    config.machine = machine;
    config.stopped = on_stopped;
    for (int i = 3; i < argc && i < 3 + RAFT_MEMBERS_MAX; i++) {
        struct raft_member *member = &raft->configuration.members[i - 3];
        *member = (struct raft_member){.id = (raft_id)i - 2, .role = RAFT_VOTER};
        snprintf(member->address, sizeof member->address, "%s", argv[i]);
        raft->configuration.count++;
    }
    raft->id = argc > 3 ? (raft_id)atoi(argv[1]) : 0;
    if (raft->id < 1 || raft->id > raft->configuration.count ||
        sscanf(argv[2 + raft->id], "%63[^:]:%d", host, &port) != 2) {
        fprintf(stderr, "usage: counter ID DIRECTORY HOST:PORT...\n");
        return 2;
    }
    config.directory = argv[2];
    driver = driver_open(uv_default_loop(), &config, error, sizeof error);

    struct sockaddr_in place;
    uv_tcp_t listener;
    uv_tcp_init(uv_default_loop(), &listener);
    uv_ip4_addr(host, port + 100, &place);
    uv_tcp_bind(&listener, (const struct sockaddr *)&place, 0);
    if (driver == NULL || uv_listen((uv_stream_t *)&listener, 64, on_connection) != 0) {
        fprintf(stderr, "counter: %s\n", driver == NULL ? error : "cannot listen");
        return 1;
    }
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
