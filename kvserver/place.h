// place.h: where a member is, for its peers and for its clients, in one text:
//
//     "host:peer-port/client-port"        an IPv6 host stands in brackets
//
// So --cluster writes it, and so it stands as the address of a member in the replicated
// configuration: whoever knows the configuration knows where to send a client.
#ifndef KVSERVER_PLACE_H
#define KVSERVER_PLACE_H

#include "raft/raft.h"

enum { PLACE_HOST_MAX = 104 }; // with its NUL
static_assert(PLACE_HOST_MAX + (int)sizeof "[]:65535/65535" <= RAFT_ADDRESS_BYTES,
              "a place fits into a member's address");

struct place {
    char host[PLACE_HOST_MAX];
    uint16_t peer_port; // 0: a single node, which has no peers
    uint16_t client_port;
};

// False where the text is no place with two ports.
bool place_read(const char *text, struct place *place);

// "host:port", as --join and --peer-listen take it. False where it is none.
bool place_read_port(const char *text, struct place *place, uint16_t *port);

// `text` has RAFT_ADDRESS_BYTES. Empty where the place has no port for peers.
void place_write(const struct place *place, char *text);

// The place of member `id`. False where it is no member or has no address.
bool place_of_member(const struct raft_configuration *configuration, raft_id id,
                     struct place *place);

#endif
