// transport_test.c: connections, bounded queues, and callers that are no peers.
#include "tests/rpc/transport_fixture.h"

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
                  REFUSAL("1", "-32602",
                          "hello is {cluster, node, version}, and maybe checksums"));
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

TEST(a_refused_line_is_answered_and_the_next_one_still_counts)
{
    static struct node node;
    char heard[512];
    start(&node, 1, "c", 0);
    CHECK(transport_set_peer(node.transport, 2, "127.0.0.1", 1));
    int fd = join(&node, HELLO_UNSUMMED("c", "2"));
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

TEST(a_line_without_a_checksum_is_refused_unless_the_hello_announced_it)
{
    static struct node node;
    char heard[512];
    start(&node, 1, "c", 0);
    CHECK(transport_set_peer(node.transport, 2, "127.0.0.1", 1));
    int fd = join(&node, HELLO("c", "2"));
    say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"timeout_now\","
            "\"params\":{\"from\":2,\"term\":1}}\n");
    hear(fd, &node, heard, sizeof heard);
    CHECK_TEXT(heard, REFUSAL("null", "-32602", "crc32c is missing"));
    CHECK_EQ(node.received, 0);
    CHECK_EQ(peer_of(&node, 2).decode_errors, 1);
    close(fd);
    check_refused(&node,
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":"
                  "{\"cluster\":\"c\",\"node\":2,\"version\":1,\"sums\":false}}\n",
                  REFUSAL("1", "-32602",
                          "hello is {cluster, node, version}, and maybe checksums"));
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
