// peers.h: the transport follows the configuration: a member is connected to as soon as
// the log names it, and forgotten once the configuration without it is committed; until
// then it may have to learn that.
#ifndef KVSERVER_PEERS_H
#define KVSERVER_PEERS_H

#include <uv.h>

#include "kvserver/options.h"
#include "rpc/transport.h"

struct peers {
    struct transport *transport; // NULL: a single node without a port for peers
    raft_id self;
    bool settled; // none is connected to that is no member
    uint32_t count;
    raft_id ids[TRANSPORT_PEERS_MAX];
};

// Listens, where there is a port for peers. False with one line in `error`.
bool peers_open(struct peers *peers, uv_loop_t *loop, const struct options *options,
                const struct transport_callbacks *callbacks, char *error,
                size_t error_size);
void peers_close(struct peers *peers);

// Connects to every member with an address. `changed`: it may differ from the last one;
// `committed`: it is certain.
void peers_follow(struct peers *peers, const struct raft_configuration *configuration,
                  bool changed, bool committed);

void peers_send(struct peers *peers, const struct raft_message *messages,
                uint32_t count);

#endif
