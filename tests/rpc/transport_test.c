// transport_test.c: transports over loopback. Each has its own loop; the test turns
// them in turn until what it waits for has come, or fails after far too many turns.
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
    uint32_t bytes_max; // of lines and queues; 0: the default
    uint32_t stall_ms;  // 0: the default
    bool closed;
    char log[LOG_BYTES];
};

static void on_closed(void *context)
{
    ((struct node *)context)->closed = true;
}

static void on_message(void *context, const struct raft_message *message)
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
    if (node->closes) {
        transport_close(node->transport, on_closed, node);
        node->transport = NULL;
    }
}

static void on_log(void *context, const char *line)
{
    struct node *node = context;
    size_t used = strlen(node->log);
    snprintf(node->log + used, LOG_BYTES - used, "%s\n", line);
}

static void start(struct node *node, raft_id id, const char *cluster, uint16_t port)
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

static void stop(struct node *node)
{
    transport_close(node->transport, on_closed, node);
    uv_run(&node->loop, UV_RUN_DEFAULT);
    CHECK(node->closed);
    CHECK_EQ(uv_loop_close(&node->loop), 0);
    node->transport = NULL;
}

static void know(struct node *node, const struct node *peer)
{
    CHECK(transport_set_peer(node->transport, peer->id, "127.0.0.1",
                             transport_port(peer->transport)));
}

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

// One turn of each loop. A short pause keeps the wait from eating a core.
static void turn(struct node *nodes, uint32_t count)
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

static struct transport_peer_counters peer_of(const struct node *node, raft_id id)
{
    struct transport_peer_counters counters;
    CHECK(transport_count_peer(node->transport, id, &counters));
    return counters;
}

static struct transport_counters counters_of(const struct node *node)
{
    struct transport_counters counters;
    transport_count(node->transport, &counters);
    return counters;
}

static void send_data(struct node *node, raft_id to, const char *data)
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

// ---- two nodes ------------------------------------------------------------------

TEST(messages_reach_their_receiver_and_answers_come_back)
{
    static struct node nodes[2];
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    know(&nodes[0], &nodes[1]);
    know(&nodes[1], &nodes[0]);
    nodes[1].answers = true;
    send_data(&nodes[0], 2, "hello");
    TURN_UNTIL(nodes, 2, nodes[0].received == 1);
    CHECK_EQ(nodes[1].received, 1);
    CHECK_EQ(nodes[1].last.from, 1);
    CHECK_EQ(nodes[1].last.to, 2);
    CHECK_TEXT(nodes[1].last_data, "hello");
    CHECK_EQ(nodes[0].last.type, RAFT_APPEND_ENTRIES_REPLY);
    struct transport_peer_counters sent = peer_of(&nodes[0], 2);
    struct transport_peer_counters got = peer_of(&nodes[1], 1);
    CHECK(sent.connected);
    CHECK_EQ(sent.frames_sent, 1);
    CHECK_EQ(got.frames_received, 1);
    CHECK_EQ(got.bytes_received, sent.bytes_sent);
    CHECK_EQ(sent.queue_bytes, 0);
    CHECK_EQ(sent.frames_dropped, 0);
    stop(&nodes[0]);
    stop(&nodes[1]);
}

TEST(one_message_to_many_is_encoded_once)
{
    static struct node nodes[3];
    struct raft_message messages[4];
    for (raft_id i = 0; i < 3; i++) {
        start(&nodes[i], i + 1, "c", 0);
    }
    know(&nodes[0], &nodes[1]);
    know(&nodes[0], &nodes[2]);
    memset(messages, 0, sizeof messages);
    for (raft_id i = 0; i < 4; i++) {
        messages[i].type = RAFT_TIMEOUT_NOW;
        messages[i].from = 1;
        messages[i].to = 2 + i % 2;
        messages[i].term = 5 + i / 2;
    }
    transport_send(nodes[0].transport, messages, 4);
    TURN_UNTIL(nodes, 3, nodes[1].received == 2 && nodes[2].received == 2);
    CHECK_EQ(counters_of(&nodes[0]).frames_encoded, 2);
    CHECK_EQ(counters_of(&nodes[0]).frames_shared, 2);
    CHECK_EQ(nodes[2].last.term, 6);
    messages[0].to = 9;
    transport_send(nodes[0].transport, messages, 1);
    CHECK_EQ(counters_of(&nodes[0]).unroutable, 1);
    for (int i = 0; i < 3; i++) {
        stop(&nodes[i]);
    }
}

TEST(a_peer_that_went_away_and_came_back_is_found_again)
{
    static struct node nodes[2];
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    uint16_t port = transport_port(nodes[1].transport);
    know(&nodes[0], &nodes[1]);
    TURN_UNTIL(nodes, 2, peer_of(&nodes[0], 2).connected);
    stop(&nodes[1]);
    TURN_UNTIL(nodes, 1, peer_of(&nodes[0], 2).failures >= 3);
    CHECK(!peer_of(&nodes[0], 2).connected);
    start(&nodes[1], 2, "c", port);
    TURN_UNTIL(nodes, 2, peer_of(&nodes[0], 2).connects == 2);
    nodes[1].received = 0;
    send_data(&nodes[0], 2, "again");
    TURN_UNTIL(nodes, 2, nodes[1].received == 1);
    CHECK_TEXT(nodes[1].last_data, "again");
    stop(&nodes[0]);
    stop(&nodes[1]);
}

TEST(what_waits_for_an_unreachable_peer_is_dropped_and_counted)
{
    static struct node nodes[2];
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    know(&nodes[0], &nodes[1]);
    stop(&nodes[1]);
    send_data(&nodes[0], 2, "into the void");
    CHECK(peer_of(&nodes[0], 2).queue_bytes > 0);
    TURN_UNTIL(nodes, 1, peer_of(&nodes[0], 2).frames_dropped == 1);
    CHECK_EQ(peer_of(&nodes[0], 2).queue_bytes, 0);
    stop(&nodes[0]);
}

TEST(a_large_message_passes_in_one_piece)
{
    static struct node nodes[2];
    enum { SIZE = 4 << 20 };
    char *data = malloc(SIZE + 1);
    memset(data, 'x', SIZE);
    data[SIZE] = '\0';
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    know(&nodes[0], &nodes[1]);
    know(&nodes[1], &nodes[0]);
    for (int i = 0; i < 3; i++) {
        send_data(&nodes[0], 2, data);
    }
    TURN_UNTIL(nodes, 2, nodes[1].received == 3);
    CHECK_EQ(peer_of(&nodes[0], 2).frames_sent, 3);
    CHECK(peer_of(&nodes[1], 1).bytes_received > 3 * (uint64_t)SIZE);
    stop(&nodes[0]);
    stop(&nodes[1]);
    free(data);
}

// Not an address to libuv, so that it goes to the resolver, which knows it even where
// no /etc/hosts tells what localhost is.
#define NAME_OF_LOOPBACK "127.1"

TEST(a_transport_closes_cleanly_with_work_under_way)
{
    static struct node nodes[2];
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    CHECK(transport_set_peer(nodes[0].transport, 2, NAME_OF_LOOPBACK,
                             transport_port(nodes[1].transport)));
    CHECK(transport_set_peer(nodes[0].transport, 3, "no-such-host.invalid", 1));
    know(&nodes[1], &nodes[0]);
    for (int i = 0; i < 100; i++) {
        send_data(&nodes[0], 2, "x");
    }
    stop(&nodes[0]);
    stop(&nodes[1]);
}

TEST(a_transport_may_be_closed_from_its_own_callback)
{
    static struct node nodes[2];
    nodes[1].closes = true;
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    know(&nodes[0], &nodes[1]);
    know(&nodes[1], &nodes[0]);
    for (int i = 0; i < 10; i++) {
        send_data(&nodes[0], 2, "x");
    }
    TURN_UNTIL(nodes, 2, nodes[1].transport == NULL);
    uv_run(&nodes[1].loop, UV_RUN_DEFAULT);
    CHECK(nodes[1].closed);
    CHECK_EQ(nodes[1].received, 1);
    CHECK_EQ(uv_loop_close(&nodes[1].loop), 0);
    stop(&nodes[0]);
}

TEST(a_transport_listens_at_a_name_and_says_when_there_is_none)
{
    static struct node node;
    char error[200];
    node.host = NAME_OF_LOOPBACK;
    start(&node, 1, "c", 0);
    CHECK(transport_port(node.transport) > 0);
    struct transport_config config = node.config;
    const struct transport_callbacks callbacks = {&node, on_message, on_log};
    config.host = "no-such-host.invalid";
    config.port = 7101;
    CHECK(transport_new(&node.loop, &config, &callbacks, error, sizeof error) == NULL);
    CHECK(strstr(error, "cannot listen at no-such-host.invalid:7101: ") != NULL);
    stop(&node);
}

TEST(a_port_that_is_taken_is_told_by_name)
{
    static struct node node;
    char error[200];
    start(&node, 1, "c", 0);
    struct transport_config config = node.config;
    const struct transport_callbacks callbacks = {&node, on_message, on_log};
    config.port = transport_port(node.transport);
    config.node = 2;
    CHECK(transport_new(&node.loop, &config, &callbacks, error, sizeof error) == NULL);
    CHECK(strstr(error, "cannot listen at 127.0.0.1:") != NULL);
    CHECK(strstr(error, "address already in use") != NULL);
    stop(&node);
}

// ---- the bounded queue ----------------------------------------------------------

TEST(a_full_queue_drops_what_is_new_and_keeps_its_bound)
{
    static struct node nodes[2];
    enum { BOUND = 64 * 1024 };
    char data[1001];
    memset(data, 'x', 1000);
    data[1000] = '\0';
    nodes[0].bytes_max = BOUND;
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    know(&nodes[0], &nodes[1]);
    TURN_UNTIL(nodes, 2, peer_of(&nodes[0], 2).connected);
    for (int i = 0; i < 1000; i++) {
        send_data(&nodes[0], 2, data); // no turn of the loop: nothing leaves
        CHECK(peer_of(&nodes[0], 2).queue_bytes <= BOUND);
    }
    uint64_t dropped = peer_of(&nodes[0], 2).frames_dropped;
    CHECK(dropped > 900 && dropped < 1000);
    TURN_UNTIL(nodes, 2, nodes[1].received == 1000 - dropped);
    CHECK_EQ(peer_of(&nodes[0], 2).frames_sent, 1000 - dropped);
    CHECK_EQ(peer_of(&nodes[0], 2).queue_bytes, 0);
    stop(&nodes[0]);
    stop(&nodes[1]);
}

// ---- a peer made by hand --------------------------------------------------------

static int dial(uint16_t port)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_EQ(uv_ip4_addr("127.0.0.1", port, &address), 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

// Turns the node until a whole line has come, or the end ("" then).
static void hear(int fd, struct node *node, char *line, size_t size)
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
#define REFUSAL(id, code, text)                                    \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code \
    ",\"message\":\"" text "\"}}"
#define STRANGER "this port is for nodes, and their first line is a hello"

static void check_refused(struct node *node, const char *line, const char *answer)
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

TEST(callers_that_are_no_peers_are_refused_with_a_reason)
{
    static struct node node;
    char long_line[5000];
    start(&node, 1, "c", 0);
    memset(long_line, 'x', sizeof long_line);
    long_line[sizeof long_line - 1] = '\0';
    check_refused(&node, HELLO("d", "2"), REFUSAL("1", "-32010", "another cluster"));
    check_refused(&node, HELLO("c", "1"),
                  REFUSAL("1", "-32010", "the same node number as this node's"));
    check_refused(&node, HELLO("c", "0"),
                  REFUSAL("1", "-32602", "hello is {cluster, node, version}"));
    check_refused(&node,
                  "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"hello\",\"params\":"
                  "{\"cluster\":\"c\",\"node\":2,\"version\":2}}\n",
                  REFUSAL("\"a\"", "-32010", "another version of the protocol"));
    check_refused(&node, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"kv.get\"}\n",
                  REFUSAL("3", "-32010", STRANGER));
    check_refused(
        &node, "*1\r\n$4\r\nPING\r\n",
        REFUSAL("null", "-32700", "not one JSON value (RFC 8259, UTF-8, no NUL)"));
    check_refused(&node, long_line, REFUSAL("null", "-32600", "the line is too long"));
    CHECK_EQ(node.received, 0);
    CHECK(strstr(node.log, "refused a caller: another cluster") != NULL);
    stop(&node);
}

static int join(struct node *node, const char *hello)
{
    char heard[512];
    int fd = dial(transport_port(node->transport));
    say(fd, hello);
    hear(fd, node, heard, sizeof heard);
    CHECK_TEXT(heard, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
                      "{\"cluster\":\"c\",\"node\":1,\"version\":1}}");
    return fd;
}

TEST(a_refused_line_is_answered_and_the_next_one_still_counts)
{
    static struct node node;
    char heard[512];
    start(&node, 1, "c", 0);
    CHECK(transport_set_peer(node.transport, 2, "127.0.0.1", 1));
    int fd = join(&node, HELLO("c", "2"));
    say(fd, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"nothing\"}\n");
    hear(fd, &node, heard, sizeof heard);
    CHECK_TEXT(heard, REFUSAL("9", "-32600",
                              "what nodes say to each other are notifications, "
                              "without an id"));
    say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"timeout_now\","
            "\"params\":{\"from\":3,\"term\":1}}\n");
    hear(fd, &node, heard, sizeof heard);
    CHECK_TEXT(heard, REFUSAL("null", "-32602", "from is not the node of the hello"));
    CHECK_EQ(node.received, 0);
    CHECK_EQ(peer_of(&node, 2).decode_errors, 2);
    say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"timeout_now\","
            "\"params\":{\"from\":2,\"term\":1}}\n");
    TURN_UNTIL(&node, 1, node.received == 1);
    CHECK_EQ(node.last.to, 1);
    close(fd);
    stop(&node);
}

TEST(a_peer_that_calls_again_replaces_its_older_connection)
{
    static struct node node;
    char heard[512];
    start(&node, 1, "c", 0);
    int older = join(&node, HELLO("c", "2"));
    int newer = join(&node, HELLO("c", "2"));
    hear(older, &node, heard, sizeof heard);
    CHECK_TEXT(heard, "");
    TURN_UNTIL(&node, 1, counters_of(&node).incoming_open == 1);
    close(older);
    close(newer);
    stop(&node);
}

TEST(another_node_at_a_peers_address_is_not_taken_for_it)
{
    static struct node nodes[3];
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    start(&nodes[2], 3, "other", 0);
    uint16_t second = transport_port(nodes[1].transport);
    uint16_t third = transport_port(nodes[2].transport);
    CHECK(transport_set_peer(nodes[0].transport, 4, "127.0.0.1", second));
    CHECK(transport_set_peer(nodes[0].transport, 3, "127.0.0.1", third));
    send_data(&nodes[0], 4, "for four only");
    TURN_UNTIL(nodes, 3,
               peer_of(&nodes[0], 4).failures > 1 &&
                   peer_of(&nodes[0], 3).failures > 1);
    CHECK_EQ(nodes[1].received + nodes[2].received, 0);
    CHECK(strstr(nodes[0].log, "another node answers there") != NULL);
    CHECK(strstr(nodes[0].log, "it refuses this node's hello") != NULL);
    CHECK(transport_set_peer(nodes[0].transport, 2, "127.0.0.1", second));
    TURN_UNTIL(nodes, 3, peer_of(&nodes[0], 2).connected);
    for (int i = 0; i < 3; i++) {
        stop(&nodes[i]);
    }
}

static int listen_by_hand(uint16_t *port)
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

TEST(a_peer_that_stops_reading_is_given_up_and_called_again)
{
    static struct node node;
    static char data[1 << 20];
    char heard[512];
    uint16_t port;
    int listener = listen_by_hand(&port);
    node.stall_ms = 50;
    start(&node, 1, "c", 0);
    CHECK(transport_set_peer(node.transport, 2, "127.0.0.1", port));
    int fd = -1;
    TURN_UNTIL(&node, 1, (fd = accept(listener, NULL, NULL)) >= 0);
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    hear(fd, &node, heard, sizeof heard);
    CHECK(strstr(heard, "\"method\":\"hello\"") != NULL);
    say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
            "{\"cluster\":\"c\",\"node\":2,\"version\":1}}\n");
    TURN_UNTIL(&node, 1, peer_of(&node, 2).connected);
    memset(data, 'x', sizeof data - 1);
    for (int i = 0; i < 20; i++) {
        send_data(&node, 2, data);
    }
    TURN_UNTIL(&node, 1, peer_of(&node, 2).failures == 1);
    CHECK_EQ(peer_of(&node, 2).queue_bytes, 0);
    CHECK_EQ(peer_of(&node, 2).frames_sent + peer_of(&node, 2).frames_dropped, 20);
    CHECK(strstr(node.log, "nothing can be sent to it") != NULL);
    int again = -1;
    TURN_UNTIL(&node, 1, (again = accept(listener, NULL, NULL)) >= 0);
    close(again);
    close(fd);
    close(listener);
    stop(&node);
}

TEST(a_peer_that_moved_is_reached_at_its_new_place)
{
    static struct node nodes[2];
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    CHECK(transport_set_peer(nodes[0].transport, 2, "127.0.0.1", 1));
    TURN_UNTIL(nodes, 2, peer_of(&nodes[0], 2).failures > 0);
    know(&nodes[0], &nodes[1]);
    TURN_UNTIL(nodes, 2, peer_of(&nodes[0], 2).connected);
    stop(&nodes[0]);
    stop(&nodes[1]);
}

TEST_MAIN
