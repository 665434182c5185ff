#include "kvserver/options_cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool bad(char *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool bad(char *error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, OPTIONS_ERROR_MAX, format, arguments);
    va_end(arguments);
    return false;
}

// "id=host:peer-port/client-port"
static bool member_read(const char *text, struct options_member *member)
{
    unsigned long id;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    id = strtoul(text, &end, 10);
    if (*end != '=' || id == 0 || id > UINT32_MAX)
        return false;
    member->id = (raft_id)id;
    return place_read(end + 1, &member->place);
}

static bool ports_meet(const struct place *a, const struct place *b)
{
    return strcmp(a->host, b->host) == 0 &&
           (a->peer_port == b->peer_port || a->client_port == b->client_port ||
            a->peer_port == b->client_port || a->client_port == b->peer_port);
}

static bool member_add(struct options *options, const char *text, char *error)
{
    struct options_member *member;

    if (options->member_count == RAFT_MEMBERS_MAX)
        return bad(error, "--cluster names more than %d members", RAFT_MEMBERS_MAX);
    member = &options->members[options->member_count];
    if (!member_read(text, member))
        return bad(error,
                   "--cluster: '%.100s' is not id=host:peer-port/client-port, such as "
                   "1=127.0.0.1:7101/7001",
                   text);
    if (member->place.peer_port == member->place.client_port)
        return bad(error, "--cluster: member %u uses port %u twice", member->id,
                   member->place.peer_port);
    for (uint32_t i = 0; i < options->member_count; i++) {
        const struct options_member *other = &options->members[i];

        if (other->id == member->id)
            return bad(error, "--cluster names member %u twice", member->id);
        if (ports_meet(&other->place, &member->place))
            return bad(error, "--cluster: members %u and %u share a port of %.100s",
                       other->id, member->id, member->place.host);
    }
    options->member_count++;
    return true;
}

static char *trim(char *text)
{
    size_t size;

    text += strspn(text, " \t");
    size = strlen(text);
    while (size > 0 && strchr(" \t", text[size - 1]) != NULL)
        text[--size] = '\0';
    return text;
}

static bool cluster_read(struct options *options, char *error)
{
    char text[OPTIONS_CLUSTER_MAX];
    char *rest = text;

    strcpy(text, options->cluster);
    for (char *part; (part = strsep(&rest, ",")) != NULL;)
        if (!member_add(options, trim(part), error))
            return false;
    if (options->id == 0)
        return bad(error, "--cluster needs --id, to say which member this node is");
    if (options_member_find(options, options->id) == NULL)
        return bad(error, "--id %u is not a member of --cluster", options->id);
    if (options->port_given)
        return bad(error, "--port is for a single node; --cluster names the ports");
    if (options->join[0] != '\0' || options->peer_listen[0] != '\0')
        return bad(error, "--join and --peer-listen are for a node without --cluster");
    return true;
}

// A node that starts a cluster of its own, or that joins one.
static bool self_read(struct options *options, char *error)
{
    struct options_member *self = &options->members[0];
    struct place asked;
    uint16_t port;

    options->member_count = 1;
    strcpy(self->place.host, "127.0.0.1");
    if (options->bind[0] != '\0') {
        if (strlen(options->bind) >= PLACE_HOST_MAX)
            return bad(error, "--bind '%.100s' is too long", options->bind);
        strcpy(self->place.host, options->bind);
    }
    if (options->peer_listen[0] != '\0' &&
        !place_read_port(options->peer_listen, &self->place, &self->place.peer_port))
        return bad(error, "--peer-listen '%.100s' is not host:port",
                   options->peer_listen);
    self->place.client_port = (uint16_t)options->port;
    if (self->place.peer_port != 0 && self->place.peer_port == options->port)
        return bad(error, "--peer-listen and --port are both %u", options->port);
    if (options->join[0] == '\0') {
        options->id = options->id == 0 ? 1 : options->id;
    } else if (options->id == 0) {
        return bad(error, "--join needs --id: a number that no member has or had");
    } else if (options->peer_listen[0] == '\0') {
        return bad(error, "--join needs --peer-listen: where the members find it");
    } else if (!place_read_port(options->join, &asked, &port)) {
        return bad(error, "--join '%.100s' is not host:port", options->join);
    }
    self->id = options->id;
    return true;
}

bool options_cluster_read(struct options *options, char *error)
{
    return options->cluster[0] != '\0' ? cluster_read(options, error)
                                       : self_read(options, error);
}
