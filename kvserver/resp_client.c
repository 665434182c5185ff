#include "kvserver/resp_client.h"

#include <stdio.h>
#include <string.h>

#include "kvserver/server.h"
#include "kvserver/service/command.h"
#include "kvserver/service/number.h"
#include "kvserver/service/resp.h"

#define REDIS_VERSION "7.0.15" // the one whose replies these are

struct subcommand {
    const char *name;
    uint32_t words_min;
    uint32_t words_max;
    void (*run)(struct connection *connection, const struct bytes *words,
                uint32_t count, struct buffer *reply);
};

// ---- CLIENT ---------------------------------------------------------------------

static void address_text(uv_tcp_t *tcp, bool own, char *text, size_t size)
{
    struct sockaddr_storage address = {0};
    int length = sizeof address;
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;

    if (own)
        uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &length);
    else
        uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &length);
    if (address.ss_family == AF_INET) {
        uv_ip4_name((struct sockaddr_in *)&address, host, sizeof host);
        port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    } else if (address.ss_family == AF_INET6) {
        uv_ip6_name((struct sockaddr_in6 *)&address, host, sizeof host);
        port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    }
    snprintf(text, size, address.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
             port);
}

static void client_line(struct connection *connection, struct buffer *text)
{
    uint64_t now = uv_now(connection->server->loop);
    char peer[80], own[80];

    address_text(&connection->tcp, false, peer, sizeof peer);
    address_text(&connection->tcp, true, own, sizeof own);
    buffer_format(
        text,
        "id=%llu addr=%s laddr=%s name=%s age=%llu idle=%llu flags=%s db=0 sub=0 "
        "psub=0 multi=-1 qbuf=%zu qbuf-free=%zu obl=%zu omem=%zu cmd=%s tot-cmds=%llu "
        "pending=%u user=default resp=2\n",
        (unsigned long long)connection->id, peer, own, connection->name,
        (unsigned long long)(now - connection->opened_ms) / 1000,
        (unsigned long long)(now - connection->active_ms) / 1000,
        connection->readonly ? "r" : "N", connection->input.size,
        connection->input.capacity - connection->input.size, connection->output.size,
        connection->sending.size,
        connection->command != NULL ? connection->command->name : "NULL",
        (unsigned long long)connection->commands, connection->depth);
}

static void client_id(struct connection *connection, const struct bytes *words,
                      uint32_t count, struct buffer *reply)
{
    (void)words;
    (void)count;
    resp_integer(reply, (int64_t)connection->id);
}

static void client_getname(struct connection *connection, const struct bytes *words,
                           uint32_t count, struct buffer *reply)
{
    (void)words;
    (void)count;
    if (connection->name[0] == '\0')
        resp_null(reply);
    else
        resp_bulk_text(reply, connection->name);
}

static bool name_set(struct connection *connection, struct bytes name,
                     struct buffer *reply)
{
    const unsigned char *text = name.data;

    for (size_t i = 0; i < name.size; i++) {
        if (text[i] < '!' || text[i] > '~') {
            resp_error(reply, "ERR Client names cannot contain spaces, newlines or "
                              "special characters.");
            return false;
        }
    }
    if (name.size >= CONNECTION_NAME_MAX) {
        resp_error(reply, "ERR the client's name is too long");
        return false;
    }
    memcpy(connection->name, name.data, name.size);
    connection->name[name.size] = '\0';
    return true;
}

static void client_setname(struct connection *connection, const struct bytes *words,
                           uint32_t count, struct buffer *reply)
{
    (void)count;
    if (name_set(connection, words[2], reply))
        resp_simple(reply, "OK");
}

static void client_list(struct connection *connection, const struct bytes *words,
                        uint32_t count, struct buffer *reply)
{
    struct buffer text = {0};

    (void)words;
    (void)count;
    for (struct connection *at = connection->server->connections; at != NULL;
         at = at->next)
        if (!at->closed)
            client_line(at, &text);
    resp_bulk(reply, (struct bytes){text.data, text.size});
    buffer_free(&text);
}

static void client_info(struct connection *connection, const struct bytes *words,
                        uint32_t count, struct buffer *reply)
{
    struct buffer text = {0};

    (void)words;
    (void)count;
    client_line(connection, &text);
    resp_bulk(reply, (struct bytes){text.data, text.size});
    buffer_free(&text);
}

// NO-EVICT and SETINFO say what makes no difference here.
static void client_accept(struct connection *connection, const struct bytes *words,
                          uint32_t count, struct buffer *reply)
{
    (void)connection;
    (void)words;
    (void)count;
    resp_simple(reply, "OK");
}

static void client_no_evict(struct connection *connection, const struct bytes *words,
                            uint32_t count, struct buffer *reply)
{
    if (command_word_is(words[2], "ON") || command_word_is(words[2], "OFF"))
        client_accept(connection, words, count, reply);
    else
        resp_error(reply, "ERR syntax error");
}

static void client_reply_mode(struct connection *connection, const struct bytes *words,
                              uint32_t count, struct buffer *reply)
{
    if (command_word_is(words[2], "ON"))
        client_accept(connection, words, count, reply);
    else
        resp_error(reply, "ERR every command is answered here: only CLIENT REPLY ON");
}

static void client_help(struct connection *connection, const struct bytes *words,
                        uint32_t count, struct buffer *reply)
{
    static const char *const lines[] = {
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GETNAME",
        "    Return the name of the current connection.",
        "ID",
        "    Return the ID of the current connection.",
        "INFO",
        "    Return information about the current client connection.",
        "LIST",
        "    Return information about client connections.",
        "NO-EVICT (ON|OFF)",
        "    Accepted: no client is evicted for memory here.",
        "REPLY ON",
        "    Accepted: every command is answered here.",
        "SETINFO <option> <value>",
        "    Accepted and not kept.",
        "SETNAME <name>",
        "    Assign the name <name> to the current connection.",
        "HELP",
        "    Print this help."};
    enum { LINES = sizeof lines / sizeof lines[0] };

    (void)connection;
    (void)words;
    (void)count;
    resp_array(reply, LINES);
    for (int i = 0; i < LINES; i++)
        resp_simple(reply, lines[i]);
}

void resp_client_reply(struct connection *connection, const struct bytes *words,
                       uint32_t count)
{
    static const struct subcommand subcommands[] = {
        {"getname", 2, 2, client_getname},
        {"help", 2, 2, client_help},
        {"id", 2, 2, client_id},
        {"info", 2, 2, client_info},
        {"list", 2, UINT32_MAX, client_list},
        {"no-evict", 3, 3, client_no_evict},
        {"reply", 3, 3, client_reply_mode},
        {"setinfo", 4, 4, client_accept},
        {"setname", 3, 3, client_setname},
    };
    struct buffer *reply = connection_reply(connection);

    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        const struct subcommand *at = &subcommands[i];

        if (words[1].size != strlen(at->name) ||
            strncasecmp(words[1].data, at->name, words[1].size) != 0)
            continue;
        if (count < at->words_min || count > at->words_max)
            resp_error_format(reply,
                              "ERR wrong number of arguments for 'client|%s' command",
                              at->name);
        else
            at->run(connection, words, count, reply);
        return;
    }
    resp_client_unknown(words, "CLIENT", reply);
}

void resp_client_unknown(const struct bytes *words, const char *command,
                         struct buffer *reply)
{
    int size = words[1].size < 128 ? (int)words[1].size : 128;

    resp_error_format(reply, "ERR unknown subcommand '%.*s'. Try %s HELP.", size,
                      (const char *)words[1].data, command);
}

// ---- HELLO, AUTH, RESET ---------------------------------------------------------

static void hello_map(struct connection *connection, struct buffer *reply)
{
    bool leads = node_leads(connection->server->node);

    resp_array(reply, 14);
    resp_bulk_text(reply, "server");
    resp_bulk_text(reply, "redis");
    resp_bulk_text(reply, "version");
    resp_bulk_text(reply, REDIS_VERSION);
    resp_bulk_text(reply, "proto");
    resp_integer(reply, 2);
    resp_bulk_text(reply, "id");
    resp_integer(reply, (int64_t)connection->id);
    resp_bulk_text(reply, "mode");
    resp_bulk_text(reply, "standalone");
    resp_bulk_text(reply, "role");
    resp_bulk_text(reply, leads ? "master" : "replica");
    resp_bulk_text(reply, "modules");
    resp_array(reply, 0);
}

static bool user_ok(struct bytes user, struct buffer *reply)
{
    if (user.size == 7 && memcmp(user.data, "default", 7) == 0)
        return true;
    resp_error(reply, "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

void resp_client_hello(struct connection *connection, const struct bytes *words,
                       uint32_t count)
{
    struct buffer *reply = connection_reply(connection);
    int64_t version = 2;

    if (count > 1 && !number_parse(words[1], &version)) {
        resp_error(reply, "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (version != 2) {
        resp_error(reply, "NOPROTO unsupported protocol version");
        return;
    }
    for (uint32_t i = 2; i < count;) {
        if (command_word_is(words[i], "AUTH") && count - i > 2) {
            if (!user_ok(words[i + 1], reply))
                return;
            i += 3;
        } else if (command_word_is(words[i], "SETNAME") && count - i > 1) {
            if (!name_set(connection, words[i + 1], reply))
                return;
            i += 2;
        } else {
            resp_error_format(reply, "ERR Syntax error in HELLO option '%.*s'",
                              words[i].size < 128 ? (int)words[i].size : 128,
                              (const char *)words[i].data);
            return;
        }
    }
    hello_map(connection, reply);
}

void resp_client_auth(struct connection *connection, const struct bytes *words,
                      uint32_t count)
{
    struct buffer *reply = connection_reply(connection);

    if (count > 3)
        resp_error(reply, "ERR syntax error");
    else if (count == 2)
        resp_error(reply,
                   "ERR AUTH <password> called without any password configured for the "
                   "default user. Are you sure your configuration is correct?");
    else if (user_ok(words[1], reply))
        resp_simple(reply, "OK");
}

void resp_client_reset(struct connection *connection, const struct bytes *words,
                       uint32_t count)
{
    (void)words;
    (void)count;
    connection->name[0] = '\0';
    connection->readonly = connection->stale = false;
    resp_simple(connection_reply(connection), "RESET");
}
