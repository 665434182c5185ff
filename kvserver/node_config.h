// node_config.h: what the options mean for the layers below the process.
#ifndef KVSERVER_NODE_CONFIG_H
#define KVSERVER_NODE_CONFIG_H

#include <uv.h>

#include "kvserver/options.h"
#include "kvserver/service/service.h"
#include "raft/host/host.h"
#include "rpc/transport.h"

// All but the start time.
void node_config_host(const struct options *options, struct host_config *config);

// Listens for the other members. NULL on failure, with one line in `error`.
struct transport *node_config_transport(uv_loop_t *loop, const struct options *options,
                                        const struct transport_callbacks *callbacks,
                                        char *error, size_t error_size);

// An empty store.
struct service *node_config_service(const struct options *options);

#endif
