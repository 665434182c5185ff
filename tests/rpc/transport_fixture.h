// transport_fixture.h: transports over loopback. Each has its own loop; a test turns
// them in turn until what it waits for has come, or fails after far too many turns.
#ifndef TESTS_RPC_TRANSPORT_FIXTURE_H
#define TESTS_RPC_TRANSPORT_FIXTURE_H

#include "rpc/transport.h"

#include "rpc/frame.h"
#include "rpc/json.h"
#include "rpc/raft_codec.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { LOG_BYTES = 4096, WAIT_MS_MAX = 20000 };

struct node {
    uv_loop_t loop;
    struct transport *transport;
    struct transport_config config;
    raft_id id;
    uint32_t received;
    struct raft_message last; // its entries are not to be followed
    char last_data[64];
    const char *host;   // to listen at; NULL: 127.0.0.1
    bool answers;       // each message with a reply
    bool closes;        // at the first message
    bool removes;       // who sent it, at each message
    uint32_t bytes_max; // of lines and queues; 0: the default
    uint32_t stall_ms;  // 0: the default
    bool closed;
    char log[LOG_BYTES];
};

static inline void on_closed(void *context)
{
    ((struct node *)context)->closed = true;
}

static inline void on_message(void *context, const struct raft_message *message)
{
    struct node *node = context;
    node->received++;
    node->last = *message;
    if (message->type == RAFT_APPEND_ENTRIES && message->append_entries.count > 0) {
        const struct raft_entry *entry = &message->append_entries.entries[0];
        snprintf(node->last_data, sizeof node->last_data, "%.*s", (int)entry->size,
                 (const char *)entry->data);
    }
    if (node->answers) {
        struct raft_message reply = {.type = RAFT_APPEND_ENTRIES_REPLY};
        reply.from = node->id;
        reply.to = message->from;
        transport_send(node->transport, &reply, 1);
    }
    if (node->removes) {
        transport_remove_peer(node->transport, message->from);
    }
    if (node->closes) {
        transport_close(node->transport, on_closed, node);
        node->transport = NULL;
    }
}

static inline void on_log(void *context, const char *line)
{
    struct node *node = context;
    size_t used = strlen(node->log);
    snprintf(node->log + used, LOG_BYTES - used, "%s\n", line);
}

static inline void start(struct node *node, raft_id id, const char *cluster,
                         uint16_t port)
{
    char error[200];
    const struct transport_callbacks callbacks = {node, on_message, on_log};
    transport_config_default(&node->config);
    if (node->bytes_max > 0) {
        node->config.line_bytes_max = node->bytes_max;
        node->config.queue_bytes_max = node->bytes_max;
    }
    if (node->stall_ms > 0) {
        node->config.stall_timeout_ms = node->stall_ms;
    }
    node->config.cluster = cluster;
    node->config.node = id;
    node->config.host = node->host != NULL ? node->host : "127.0.0.1";
    node->config.port = port;
    node->config.seed = id;
    node->id = id;
    node->closed = false;
    node->log[0] = '\0';
    CHECK_EQ(uv_loop_init(&node->loop), 0);
    node->transport =
        transport_new(&node->loop, &node->config, &callbacks, error, sizeof error);
    CHECK(node->transport != NULL);
}

static inline void stop(struct node *node)
{
    transport_close(node->transport, on_closed, node);
    uv_run(&node->loop, UV_RUN_DEFAULT);
    CHECK(node->closed);
    CHECK_EQ(uv_loop_close(&node->loop), 0);
    node->transport = NULL;
}

static inline void know(struct node *node, const struct node *peer)
{
    CHECK(transport_set_peer(node->transport, peer->id, "127.0.0.1",
                             transport_port(peer->transport)));
}

static inline uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

// One turn of each loop. A short pause keeps the wait from eating a core.
static inline void turn(struct node *nodes, uint32_t count)
{
    const struct timespec pause = {0, 200000};
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].transport != NULL) {
            uv_run(&nodes[i].loop, UV_RUN_NOWAIT);
        }
    }
    nanosleep(&pause, NULL);
}

#define TURN_UNTIL(nodes, count, condition)              \
    for (uint64_t start_ms_ = now_ms(); !(condition);) { \
        CHECK(now_ms() - start_ms_ < WAIT_MS_MAX);       \
        turn(nodes, count);                              \
    }

static inline struct transport_peer_counters peer_of(const struct node *node,
                                                     raft_id id)
{
    struct transport_peer_counters counters;
    CHECK(transport_count_peer(node->transport, id, &counters));
    return counters;
}

static inline struct transport_counters counters_of(const struct node *node)
{
    struct transport_counters counters;
    transport_count(node->transport, &counters);
    return counters;
}

static inline void send_data(struct node *node, raft_id to, const char *data)
{
    const struct raft_entry entry = {1, 1, RAFT_ENTRY_COMMAND, (uint32_t)strlen(data),
                                     data};
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .from = node->id};
    message.to = to;
    message.term = 1;
    message.append_entries.count = 1;
    message.append_entries.entries = &entry;
    transport_send(node->transport, &message, 1);
}

// Not an address to libuv, so that it goes to the resolver, which knows it even where
// no /etc/hosts tells what localhost is.
#define NAME_OF_LOOPBACK "127.1"

// ---- a peer made by hand --------------------------------------------------------

static inline int dial(uint16_t port)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_EQ(uv_ip4_addr("127.0.0.1", port, &address), 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    CHECK_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

// Turns the node until a whole line has come, or the end ("" then).
static inline void hear(int fd, struct node *node, char *line, size_t size)
{
    size_t used = 0;
    uint64_t start_ms = now_ms();
    for (;;) {
        ssize_t count = recv(fd, line + used, 1, 0);
        CHECK(now_ms() - start_ms < WAIT_MS_MAX);
        if (count < 0 && errno == EAGAIN) {
            turn(node, 1);
            continue;
        }
        if (count <= 0 || line[used] == '\n') {
            line[count <= 0 ? 0 : used] = '\0';
            return;
        }
        CHECK(++used < size);
    }
}

#define HELLO(cluster, node)                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":" \
    "{\"cluster\":\"" cluster "\",\"node\":" node ",\"version\":1}}\n"
#define HELLO_UNSUMMED(cluster, node)                                \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":" \
    "{\"cluster\":\"" cluster "\",\"node\":" node                    \
    ",\"version\":1,\"checksums\":false}}\n"
#define REFUSAL(id, code, text)                                    \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code \
    ",\"message\":\"" text "\"}}"
#define STRANGER "this port is for nodes, and their first line is a hello"

static inline void check_refused(struct node *node, const char *line,
                                 const char *answer)
{
    char heard[512];
    uint64_t before = counters_of(node).hellos_refused;
    int fd = dial(transport_port(node->transport));
    say(fd, line);
    hear(fd, node, heard, sizeof heard);
    CHECK_TEXT(heard, answer);
    hear(fd, node, heard, sizeof heard);
    CHECK_TEXT(heard, "");
    CHECK_EQ(counters_of(node).hellos_refused, before + 1);
    close(fd);
}

static inline int join(struct node *node, const char *hello)
{
    char heard[512];
    int fd = dial(transport_port(node->transport));
    say(fd, hello);
    hear(fd, node, heard, sizeof heard);
    CHECK_TEXT(heard, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
                      "{\"cluster\":\"c\",\"node\":1,\"version\":1}}");
    return fd;
}

static inline int listen_by_hand(uint16_t *port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(listen(fd, 8), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

#endif
