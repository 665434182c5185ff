// server.h: the process: a node, the client port, the signals, and the turn of the
// loop.
//
// One thread. In each turn everything that arrived is read and gathered; then
// server_turn() hands it to the node and sends what became known (node.h).
#ifndef KVSERVER_SERVER_H
#define KVSERVER_SERVER_H

#include "kvserver/connection.h"

enum { SERVER_READ_BYTES = 64 * 1024 };

struct server_counters {
    uint64_t connections_accepted;
    uint64_t connections_rejected;
    uint64_t connections_overrun;
    uint64_t commands;
    uint64_t commands_failed; // refused before they were run
    uint64_t protocol_errors;
    uint64_t bytes_in;
    uint64_t bytes_out;
};

struct server {
    uv_loop_t *loop;
    const struct options *options;
    struct node *node;

    uv_tcp_t listener;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; // keeps the loop from sleeping while work is left over
    uv_signal_t terminated;
    uv_signal_t interrupted;
    uv_timer_t stop_timer;

    struct connection *connections;
    uint32_t connection_count;
    uint64_t connection_id_last;
    struct connection *dirty;
    struct request *spare_requests;
    uint32_t spare_request_count;
    char read_buffer[SERVER_READ_BYTES]; // every connection's next bytes

    uint64_t started_ms;
    uint16_t client_port; // as bound
    bool stop_asked;
    bool handing_over; // before that: leadership goes elsewhere first
    bool stopping;
    bool finished;
    int exit_code;
    struct server_counters counters;
};

// Runs until a signal or a failure; returns the process's exit code. What a cluster
// that is joined tells goes into the options.
int server_run(struct options *options);

#endif
