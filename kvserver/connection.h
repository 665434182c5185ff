// connection.h: one client's socket: bytes in, requests in order, replies in order.
//
// A connection reads into its front, which is chosen by the first byte: '{' speaks
// JSON-RPC, all else RESP. Requests stand in a queue; the reply of the first goes out
// when it is known, and none before it. What one turn of the loop brings goes out in
// one write. A client that asks faster than it is served, or does not read, is not
// read from either, and beyond --output-bytes-max it is cut off.
//
// Order within a pipeline: a read sees every write that stands before it and none that
// stands behind it.
#ifndef KVSERVER_CONNECTION_H
#define KVSERVER_CONNECTION_H

#include <uv.h>

#include "kvserver/node.h"
#include "kvserver/request.h"
#include "kvserver/resp_parser.h"

struct command;
struct server;

struct front {
    const char *name;
    // Takes requests from the bytes until connection_paused(); returns how many it
    // used.
    size_t (*read)(struct connection *connection, const char *data, size_t size);
    // Adds the RESP reply of a read or local request, whose turn has come.
    void (*run)(struct request *request, struct buffer *reply);
    // Turns a request's RESP reply into what the client gets. NULL: it gets that.
    void (*deliver)(struct request *request, struct buffer *output);
};

enum { CONNECTION_NAME_MAX = 64 };

struct connection {
    struct server *server;
    uv_tcp_t tcp;
    uv_timer_t linger;
    struct connection *previous;
    struct connection *next;
    struct connection *dirty_next;
    uint64_t id;
    uint64_t opened_ms;
    uint64_t active_ms;
    uint64_t commands;
    char name[CONNECTION_NAME_MAX];
    const struct command *command; // the last one, for CLIENT LIST

    const struct front *front; // NULL before the first byte
    struct resp_parser parser;
    struct buffer input;
    size_t searched; // of input, without a line's end (JSON)

    struct request *first;
    struct request *last;
    uint32_t depth;       // requests in the queue
    size_t waiting_bytes; // of their words

    struct buffer output;
    struct buffer sending; // with libuv while `writing`
    uv_write_t write;

    bool writing;
    bool dirty;     // in the server's list for the end of the turn
    bool stalled;   // not read from, until there is room
    bool ending;    // nothing more is taken in; closes when all is answered
    bool lingering; // all is sent, and what still comes is not taken in
    bool overrun;   // too much output
    bool closed;    // uv_close() was called
    bool readonly;  // READONLY: a follower may answer reads
    bool stale;     // READONLY STALE: from its own state, however old
};

// The node speaks to connections through these.
extern const struct node_client connection_node_client;

void connection_accept(struct server *server, uv_stream_t *listener);

// At the end of a turn: sends, resumes reading, closes.
void connection_flush(struct connection *connection);

// No further input; the connection closes once all is answered and sent.
void connection_end(struct connection *connection);
void connection_close(struct connection *connection);

// True where the front must leave the rest of its input for later.
bool connection_paused(const struct connection *connection);

// Queues a request. The words of reads and local requests are copied.
struct request *connection_request(struct connection *connection,
                                   enum request_kind kind, const struct bytes *words,
                                   uint32_t count);

// Where a reply that is known already goes: add it at once. It is sent as it is.
struct buffer *connection_reply(struct connection *connection);

// Runs what can be run and moves finished replies to the output, in order.
void connection_advance(struct connection *connection);

#endif
