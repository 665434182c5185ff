#include "kvserver/peers.h"

#include "kvserver/node_config.h"

bool peers_open(struct peers *peers, uv_loop_t *loop, const struct options *options,
                const struct transport_callbacks *callbacks, char *error,
                size_t error_size)
{
    peers->self = options->id;
    if (options_self(options)->place.peer_port == 0)
        return true;
    peers->transport =
        node_config_transport(loop, options, callbacks, error, error_size);
    return peers->transport != NULL;
}

void peers_close(struct peers *peers)
{
    if (peers->transport != NULL)
        transport_close(peers->transport, NULL, NULL);
    peers->transport = NULL;
}

static void remember(struct peers *peers, raft_id id)
{
    for (uint32_t i = 0; i < peers->count; i++)
        if (peers->ids[i] == id)
            return;
    peers->ids[peers->count++] = id;
}

static void connect_all(struct peers *peers,
                        const struct raft_configuration *configuration)
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        struct place place;

        // Of many that came and went uncommitted, the last ones wait for room.
        if (member->id != peers->self && place_read(member->address, &place) &&
            transport_set_peer(peers->transport, member->id, place.host,
                               place.peer_port))
            remember(peers, member->id);
    }
}

static void forget_others(struct peers *peers,
                          const struct raft_configuration *configuration)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < peers->count; i++) {
        if (raft_member_find(configuration, peers->ids[i]) != NULL)
            peers->ids[kept++] = peers->ids[i];
        else
            transport_remove_peer(peers->transport, peers->ids[i]);
    }
    peers->count = kept;
}

void peers_follow(struct peers *peers, const struct raft_configuration *configuration,
                  bool changed, bool committed)
{
    if (peers->transport == NULL || configuration->count == 0)
        return;
    if (changed) {
        connect_all(peers, configuration);
        peers->settled = false;
    }
    if (!peers->settled && committed) {
        forget_others(peers, configuration);
        peers->settled = true;
    }
}

void peers_send(struct peers *peers, const struct raft_message *messages,
                uint32_t count)
{
    if (peers->transport != NULL)
        transport_send(peers->transport, messages, count);
}
