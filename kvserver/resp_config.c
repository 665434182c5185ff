#include "kvserver/resp_config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kvserver/resp_client.h"
#include "kvserver/server.h"
#include "kvserver/service/command.h"
#include "kvserver/service/glob.h"
#include "kvserver/service/resp.h"

enum { VALUE_MAX = OPTIONS_CLUSTER_MAX };

struct parameter {
    const char *name;
    const char *text; // NULL: asked of `get`
    void (*get)(const struct server *server, char *text);
};

static void get_fsync(const struct server *server, char *text)
{
    strcpy(text, server->options->fsync ? "always" : "no");
}

static void get_dir(const struct server *server, char *text)
{
    strcpy(text, server->options->dir);
}

static void get_port(const struct server *server, char *text)
{
    snprintf(text, VALUE_MAX, "%u", server->client_port);
}

static void get_bind(const struct server *server, char *text)
{
    strcpy(text, options_address(server->options));
}

static void get_clients(const struct server *server, char *text)
{
    snprintf(text, VALUE_MAX, "%u", server->options->clients_max);
}

static void get_bulk(const struct server *server, char *text)
{
    snprintf(text, VALUE_MAX, "%u", server->options->value_bytes_max);
}

static void get_output(const struct server *server, char *text)
{
    snprintf(text, VALUE_MAX, "normal %llu 0 0",
             (unsigned long long)server->options->output_bytes_max);
}

static const struct parameter parameters[] = {
    {"appendfsync", NULL, get_fsync},
    {"appendonly", "yes", NULL},
    {"bind", NULL, get_bind},
    {"client-output-buffer-limit", NULL, get_output},
    {"cluster-enabled", "no", NULL},
    {"databases", "1", NULL},
    {"dir", NULL, get_dir},
    {"io-threads", "1", NULL},
    {"maxclients", NULL, get_clients},
    {"maxmemory", "0", NULL},
    {"maxmemory-policy", "noeviction", NULL},
    {"port", NULL, get_port},
    {"proto-max-bulk-len", NULL, get_bulk},
    {"save", "", NULL},
    {"tcp-keepalive", "300", NULL},
    {"timeout", "0", NULL},
};
enum { PARAMETERS = sizeof parameters / sizeof parameters[0] };

static bool asked_for(const char *name, const struct bytes *patterns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char lower[64];
        size_t size = patterns[i].size;

        if (size > sizeof lower)
            continue; // no name is so long
        for (size_t j = 0; j < size; j++)
            lower[j] = (char)tolower(((const unsigned char *)patterns[i].data)[j]);
        if (glob_match((struct bytes){lower, size}, (struct bytes){name, strlen(name)}))
            return true;
    }
    return false;
}

static bool is_parameter(const char *name)
{
    for (int i = 0; i < PARAMETERS; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return true;
    return false;
}

static uint64_t pair_add(struct buffer *pairs, const char *name, const char *value)
{
    resp_bulk_text(pairs, name);
    resp_bulk_text(pairs, value);
    return 2;
}

// Redis' names first, then raftkv's own flags.
static void config_get(const struct server *server, const struct bytes *words,
                       uint32_t count, struct buffer *reply)
{
    struct buffer pairs = {0};
    char text[VALUE_MAX];
    const char *name;
    uint64_t added = 0;

    for (int i = 0; i < PARAMETERS; i++) {
        if (!asked_for(parameters[i].name, words + 2, count - 2))
            continue;
        if (parameters[i].text == NULL)
            parameters[i].get(server, text);
        added += pair_add(&pairs, parameters[i].name,
                          parameters[i].text != NULL ? parameters[i].text : text);
    }
    for (uint32_t i = 0; (name = options_setting(server->options, i, text)) != NULL;
         i++)
        if (!is_parameter(name) && asked_for(name, words + 2, count - 2))
            added += pair_add(&pairs, name, text);
    resp_array(reply, added);
    buffer_append(reply, pairs.data, pairs.size);
    buffer_free(&pairs);
}

static void config_help(struct buffer *reply)
{
    static const char *const lines[] = {
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern>",
        "    Return parameters matching the glob-like <pattern>.",
        "RESETSTAT",
        "    Reset the counters that INFO stats tells.",
        "HELP",
        "    Print this help."};
    enum { LINES = sizeof lines / sizeof lines[0] };

    resp_array(reply, LINES);
    for (int i = 0; i < LINES; i++)
        resp_simple(reply, lines[i]);
}

static void config_arity(const char *subcommand, struct buffer *reply)
{
    resp_error_format(reply, "ERR wrong number of arguments for 'config|%s' command",
                      subcommand);
}

void resp_config_reply(struct connection *connection, const struct bytes *words,
                       uint32_t count)
{
    struct server *server = connection->server;
    struct buffer *reply = connection_reply(connection);

    if (command_word_is(words[1], "GET")) {
        if (count < 3)
            config_arity("get", reply);
        else
            config_get(server, words, count, reply);
    } else if (command_word_is(words[1], "SET")) {
        if (count < 4)
            config_arity("set", reply);
        else
            resp_error(reply, "ERR settings are given at the start: see raftkv --help");
    } else if (command_word_is(words[1], "RESETSTAT")) {
        server->counters = (struct server_counters){0};
        resp_simple(reply, "OK");
    } else if (command_word_is(words[1], "HELP")) {
        config_help(reply);
    } else {
        resp_client_unknown(words, "CONFIG", reply);
    }
}
