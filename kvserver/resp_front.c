#include "kvserver/resp_front.h"

#include <string.h>

#include "kvserver/info.h"
#include "kvserver/notice.h"
#include "kvserver/resp_client.h"
#include "kvserver/resp_config.h"
#include "kvserver/server.h"
#include "kvserver/service/command.h"
#include "kvserver/service/command_info.h"
#include "kvserver/service/number.h"
#include "kvserver/service/resp.h"
#include "kvserver/status.h"

struct session {
    uint64_t id; // 0: none
    uint64_t sequence;
};

// ---- commands over the keys -----------------------------------------------------

static void write_ask(struct connection *connection, const struct session *session,
                      const struct bytes *words, uint32_t count)
{
    struct node *node = connection->server->node;

    if (!node_takes(node))
        node_redirect(node, connection_reply(connection));
    else
        node_write(node, connection_request(connection, REQUEST_WRITE, NULL, 0),
                   session->id, session->sequence, words, count);
}

static void read_ask(struct connection *connection, const struct bytes *words,
                     uint32_t count)
{
    struct node *node = connection->server->node;
    struct request *request;

    if (connection->stale && !node_leads(node)) {
        connection_request(connection, REQUEST_LOCAL, words, count);
        connection_advance(connection);
    } else if (node_takes(node) || connection->readonly) {
        request = connection_request(connection, REQUEST_READ, words, count);
        request->follower = connection->readonly;
        node_read(node, request);
    } else {
        node_redirect(node, connection_reply(connection));
    }
}

static void service_ask(struct connection *connection, const struct session *session,
                        const struct bytes *words, uint32_t count)
{
    struct buffer error = {0};

    switch (service_classify(words, count, &error)) {
    case SERVICE_WRITE:
        write_ask(connection, session, words, count);
        break;
    case SERVICE_READ:
        read_ask(connection, words, count);
        break;
    case SERVICE_UNKNOWN:
    case SERVICE_REFUSED:
        connection->server->counters.commands_failed++;
        buffer_append(connection_reply(connection), error.data, error.size);
        buffer_free(&error);
        break;
    }
}

// RAFT.SESSION <session> <sequence> <command...>
static void session_ask(struct connection *connection, const struct bytes *words,
                        uint32_t count)
{
    struct session session;

    if (!number_parse_unsigned(words[1], &session.id) || session.id == 0 ||
        !number_parse_unsigned(words[2], &session.sequence) || session.sequence == 0) {
        resp_error(connection_reply(connection),
                   "ERR session and sequence must be positive whole numbers");
        return;
    }
    service_ask(connection, &session, words + 3, count - 3);
}

// ---- commands over the connection and the node ----------------------------------

static void ping(struct connection *connection, const struct bytes *words,
                 uint32_t count)
{
    struct buffer *reply = connection_reply(connection);

    if (count == 1)
        resp_simple(reply, "PONG");
    else if (count == 2)
        resp_bulk(reply, words[1]);
    else
        resp_error(reply, "ERR wrong number of arguments for 'ping' command");
}

static void echo(struct connection *connection, const struct bytes *words,
                 uint32_t count)
{
    (void)count;
    resp_bulk(connection_reply(connection), words[1]);
}

static void quit(struct connection *connection, const struct bytes *words,
                 uint32_t count)
{
    (void)words;
    (void)count;
    resp_simple(connection_reply(connection), "OK");
    connection_end(connection);
}

static void select_database(struct connection *connection, const struct bytes *words,
                            uint32_t count)
{
    struct buffer *reply = connection_reply(connection);
    int64_t database;

    (void)count;
    if (!number_parse(words[1], &database))
        resp_error(reply, "ERR value is not an integer or out of range");
    else if (database != 0)
        resp_error(reply, "ERR DB index is out of range");
    else
        resp_simple(reply, "OK");
}

static void command(struct connection *connection, const struct bytes *words,
                    uint32_t count)
{
    command_info_reply(words, count, connection_reply(connection));
}

// READONLY: a follower answers reads, too, once its leader has confirmed them. With
// STALE it does not even ask.
static void set_readonly(struct connection *connection, const struct bytes *words,
                         uint32_t count)
{
    bool readonly = command_word_is(words[0], "READONLY");
    bool stale = readonly && count == 2 && command_word_is(words[1], "STALE");

    if (count > 1 && !stale) {
        resp_error(connection_reply(connection), "ERR syntax error");
        return;
    }
    connection->readonly = readonly;
    connection->stale = stale;
    resp_simple(connection_reply(connection), "OK");
}

// RAFT.MEMBER, RAFT.TRANSFER, RAFT.SNAPSHOT: for the node, as a write is.
static void admin_ask(struct connection *connection, const struct bytes *words,
                      uint32_t count)
{
    node_admin(connection->server->node,
               connection_request(connection, REQUEST_ADMIN, words, count));
}

// What tells of the state must wait for the writes before it.
static void in_turn(struct connection *connection, const struct bytes *words,
                    uint32_t count)
{
    connection_request(connection, REQUEST_LOCAL, words, count);
    connection_advance(connection);
}

static void member_ask(struct connection *connection, const struct bytes *words,
                       uint32_t count)
{
    if (command_word_is(words[1], "LIST"))
        in_turn(connection, words, count);
    else
        admin_ask(connection, words, count);
}

struct local {
    const char *name;
    uint32_t words_min;
    void (*run)(struct connection *connection, const struct bytes *words,
                uint32_t count);
};

static const struct local locals[] = {
    {"PING", 1, ping},
    {"ECHO", 2, echo},
    {"QUIT", 1, quit},
    {"SELECT", 2, select_database},
    {"COMMAND", 1, command},
    {"READONLY", 1, set_readonly},
    {"READWRITE", 1, set_readonly},
    {"INFO", 1, in_turn},
    {"RAFT.STATUS", 1, in_turn},
    {"RAFT.HASH", 1, in_turn},
    {"RAFT.SESSION", 4, session_ask},
    {"RAFT.MEMBER", 2, member_ask},
    {"RAFT.TRANSFER", 1, admin_ask},
    {"RAFT.SNAPSHOT", 1, admin_ask},
    {"CONFIG", 2, resp_config_reply},
    {"CLIENT", 2, resp_client_reply},
    {"HELLO", 1, resp_client_hello},
    {"AUTH", 2, resp_client_auth},
    {"RESET", 1, resp_client_reset},
};

static const struct local *local_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof locals / sizeof locals[0]; i++)
        if (command_word_is(name, locals[i].name))
            return &locals[i];
    return NULL;
}

// ---- the stream -----------------------------------------------------------------

// A browser that was led to this port sends its request line and headers as commands:
// it must not get as far as the body.
static bool is_http(struct connection *connection, struct bytes name)
{
    if (!command_word_is(name, "POST") && !command_word_is(name, "HOST:"))
        return false;
    notice_line("closed a client that spoke HTTP");
    connection->server->counters.protocol_errors++;
    connection_close(connection);
    return true;
}

static void dispatch(struct connection *connection, const struct bytes *words,
                     uint32_t count)
{
    const struct command *known = command_find(words[0]);
    const struct local *local;
    struct session none = {0};

    connection->commands++;
    connection->server->counters.commands++;
    connection->command = known;
    if (known == NULL && is_http(connection, words[0]))
        return;
    local =
        known == NULL || known->kind == SERVICE_UNKNOWN ? local_find(words[0]) : NULL;
    if (local == NULL)
        service_ask(connection, &none, words, count);
    else if (known != NULL && !command_arity_ok(known, count))
        command_error_arity(connection_reply(connection), known);
    else if (count < local->words_min)
        resp_error(connection_reply(connection), "ERR wrong number of arguments");
    else
        local->run(connection, words, count);
}

static void protocol_error(struct connection *connection)
{
    connection->server->counters.protocol_errors++;
    resp_error_format(connection_reply(connection), "ERR %s", connection->parser.error);
    connection_end(connection);
}

static size_t front_read(struct connection *connection, const char *data, size_t size)
{
    struct resp_parser *parser = &connection->parser;
    size_t used = 0;

    while (!connection->ending && !connection->closed &&
           !connection_paused(connection)) {
        size_t length = 0;

        switch (resp_parser_next(parser, data + used, size - used, &length)) {
        case RESP_MORE:
            return used;
        case RESP_BAD:
            protocol_error(connection);
            return used;
        case RESP_REQUEST:
            if (parser->count > 0)
                dispatch(connection, parser->words, parser->count);
            used += length;
            break;
        }
    }
    return used;
}

static void hash_reply(const struct server *server, struct buffer *reply)
{
    char text[STATUS_HASH_SIZE];

    status_hash(server, text);
    resp_array(reply, 2);
    resp_bulk_text(reply, text);
    resp_integer(reply, (int64_t)status_applied_index(server));
}

static void store_read(const struct request *request, struct buffer *reply)
{
    struct node *node = request->connection->server->node;

    if (node_service(node) == NULL)
        resp_error(reply, "LOADING a snapshot is being restored");
    else
        service_read(node_service(node), request->words, request->word_count,
                     node_wall_ms(node), reply);
}

static void front_run(struct request *request, struct buffer *reply)
{
    struct server *server = request->connection->server;
    struct bytes name = request->words[0];

    if (request->kind == REQUEST_READ)
        store_read(request, reply);
    else if (command_word_is(name, "INFO"))
        info_reply(server, request->words, request->word_count, reply);
    else if (command_word_is(name, "RAFT.STATUS"))
        info_status(server, reply);
    else if (command_word_is(name, "RAFT.HASH"))
        hash_reply(server, reply);
    else if (command_word_is(name, "RAFT.MEMBER"))
        info_members(server, reply);
    else // a stale read, which READONLY STALE allowed
        store_read(request, reply);
}

const struct front resp_front = {
    .name = "resp", .read = front_read, .run = front_run, .deliver = NULL};
