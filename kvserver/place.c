#include "kvserver/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A port from 1 to 65535 that ends at `end`.
static bool port_read(const char *text, char end, uint16_t *port, const char **rest)
{
    unsigned long value;
    char *stop;

    if (*text < '0' || *text > '9')
        return false;
    value = strtoul(text, &stop, 10);
    if (*stop != end || value == 0 || value > 65535)
        return false;
    *port = (uint16_t)value;
    *rest = stop + (end != '\0');
    return true;
}

// What stands before the last colon; *ports is what stands behind it.
static bool host_read(const char *text, char *host, const char **ports)
{
    const char *colon = strrchr(text, ':');
    size_t size;

    if (colon == NULL)
        return false;
    size = (size_t)(colon - text);
    if (*text == '[') {
        if (size < 3 || colon[-1] != ']')
            return false;
        text++;
        size -= 2;
    }
    if (size == 0 || size >= PLACE_HOST_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    memcpy(host, text, size);
    host[size] = '\0';
    *ports = colon + 1;
    return true;
}

bool place_read(const char *text, struct place *place)
{
    const char *rest;

    memset(place, 0, sizeof *place);
    return host_read(text, place->host, &rest) &&
           port_read(rest, '/', &place->peer_port, &rest) &&
           port_read(rest, '\0', &place->client_port, &rest);
}

bool place_read_port(const char *text, struct place *place, uint16_t *port)
{
    const char *rest;

    return host_read(text, place->host, &rest) && port_read(rest, '\0', port, &rest);
}

void place_write(const struct place *place, char *text)
{
    bool brackets = strchr(place->host, ':') != NULL;

    text[0] = '\0';
    if (place->peer_port != 0)
        snprintf(text, RAFT_ADDRESS_BYTES, "%s%s%s:%u/%u", brackets ? "[" : "",
                 place->host, brackets ? "]" : "", place->peer_port,
                 place->client_port);
}

bool place_of_member(const struct raft_configuration *configuration, raft_id id,
                     struct place *place)
{
    for (uint32_t i = 0; i < configuration->count; i++)
        if (configuration->members[i].id == id)
            return place_read(configuration->members[i].address, place);
    return false;
}
