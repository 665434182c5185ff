// transport_remove_test.c: peers that are removed, at any moment, and set again.
#include "tests/rpc/transport_fixture.h"

#define REMOVED "this node was removed from the cluster"

static bool is_set(const struct node *node, raft_id id)
{
    struct transport_peer_counters counters;
    return transport_count_peer(node->transport, id, &counters);
}

TEST(a_removed_peer_is_cut_off_both_ways_and_refused_until_it_is_set_again)
{
    static struct node nodes[2];
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    know(&nodes[0], &nodes[1]);
    know(&nodes[1], &nodes[0]);
    TURN_UNTIL(nodes, 2,
               peer_of(&nodes[0], 2).connected && peer_of(&nodes[1], 1).connected);
    transport_remove_peer(nodes[0].transport, 2);
    CHECK(!is_set(&nodes[0], 2));
    send_data(&nodes[0], 2, "lost");
    CHECK_EQ(counters_of(&nodes[0]).unroutable, 1);
    TURN_UNTIL(nodes, 2, counters_of(&nodes[0]).hellos_refused >= 2);
    CHECK(!peer_of(&nodes[1], 1).connected);
    CHECK(strstr(nodes[1].log, REMOVED) != NULL);
    CHECK_EQ(nodes[1].received, 0);
    know(&nodes[0], &nodes[1]);
    TURN_UNTIL(nodes, 2,
               peer_of(&nodes[0], 2).connected && peer_of(&nodes[1], 1).connected);
    CHECK_EQ(peer_of(&nodes[0], 2).connects, 1); // counted anew
    send_data(&nodes[0], 2, "there");
    send_data(&nodes[1], 1, "back");
    TURN_UNTIL(nodes, 2, nodes[0].received == 1 && nodes[1].received == 1);
    CHECK_TEXT(nodes[1].last_data, "there");
    stop(&nodes[0]);
    stop(&nodes[1]);
}

TEST(a_peer_may_be_removed_while_its_name_is_resolved_and_while_it_is_called)
{
    static struct node nodes[2];
    uint16_t silent;
    int listener = listen_by_hand(&silent); // takes the call, never answers the hello
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    for (raft_id id = 2; id < 10; id++) {
        const char *host = id % 2 == 0 ? "127.0.0.1" : NAME_OF_LOOPBACK;
        CHECK(transport_set_peer(nodes[0].transport, id, host, silent));
        for (raft_id turns = 0; turns < id / 2; turns++) {
            turn(nodes, 1);
        }
        send_data(&nodes[0], id, "x");
        transport_remove_peer(nodes[0].transport, id);
        CHECK(!is_set(&nodes[0], id));
    }
    know(&nodes[0], &nodes[1]); // in the same turn as it goes
    transport_remove_peer(nodes[0].transport, 2);
    know(&nodes[0], &nodes[1]);
    TURN_UNTIL(nodes, 2, peer_of(&nodes[0], 2).connected);
    transport_remove_peer(nodes[0].transport, 2);
    stop(&nodes[0]); // with a removed one that still closes
    stop(&nodes[1]);
    close(listener);
}

TEST(a_removed_peers_full_queue_is_freed_and_another_may_take_its_place)
{
    static struct node nodes[2];
    static char data[1 << 20];
    uint16_t port;
    int listener = listen_by_hand(&port);
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    memset(data, 'x', sizeof data - 1);
    for (raft_id round = 0; round < 3 * TRANSPORT_PEERS_MAX; round++) {
        CHECK(transport_set_peer(nodes[0].transport, 10 + round, "127.0.0.1", port));
        for (int i = 0; i < 3; i++) {
            send_data(&nodes[0], 10 + round, data);
        }
        CHECK(peer_of(&nodes[0], 10 + round).queue_bytes > 3u << 20);
        transport_remove_peer(nodes[0].transport, 10 + round);
    }
    know(&nodes[0], &nodes[1]);
    TURN_UNTIL(nodes, 2, peer_of(&nodes[0], 2).connected);
    data[100] = '\0';
    for (int i = 0; i < 1000; i++) {
        send_data(&nodes[0], 2, data);
    }
    transport_remove_peer(nodes[0].transport, 2); // queued, and the flush is due
    turn(nodes, 2);
    CHECK_EQ(nodes[1].received, 0);
    stop(&nodes[0]);
    stop(&nodes[1]);
    close(listener);
}

TEST(a_peer_may_be_removed_from_the_callback_of_its_own_message)
{
    static struct node nodes[2];
    nodes[1].removes = true;
    start(&nodes[0], 1, "c", 0);
    start(&nodes[1], 2, "c", 0);
    know(&nodes[0], &nodes[1]);
    know(&nodes[1], &nodes[0]);
    for (int i = 0; i < 10; i++) {
        send_data(&nodes[0], 2, "x"); // all ten arrive in one read
    }
    TURN_UNTIL(nodes, 2, counters_of(&nodes[1]).hellos_refused > 0);
    CHECK_EQ(nodes[1].received, 1);
    CHECK(!is_set(&nodes[1], 1));
    nodes[1].removes = false;
    know(&nodes[1], &nodes[0]);
    TURN_UNTIL(nodes, 2, peer_of(&nodes[0], 2).connected);
    send_data(&nodes[0], 2, "y");
    TURN_UNTIL(nodes, 2, nodes[1].received == 2);
    stop(&nodes[0]);
    stop(&nodes[1]);
}

TEST(a_removed_node_that_calls_by_hand_is_told_so_and_a_stranger_is_let_in)
{
    static struct node node;
    char heard[512];
    start(&node, 1, "c", 0);
    int fd = join(&node, HELLO("c", "2")); // never set: it may be about to join
    transport_remove_peer(node.transport, 2);
    hear(fd, &node, heard, sizeof heard);
    CHECK_TEXT(heard, "");
    close(fd);
    check_refused(&node, HELLO("c", "2"), REFUSAL("1", "-32010", REMOVED));
    close(join(&node, HELLO("c", "3")));
    CHECK(transport_set_peer(node.transport, 2, "127.0.0.1", 1));
    close(join(&node, HELLO("c", "2")));
    stop(&node);
}

TEST_MAIN
