// resp_config.h: CONFIG: what clients ask for, answered in Redis' names.
#ifndef KVSERVER_RESP_CONFIG_H
#define KVSERVER_RESP_CONFIG_H

#include "kvserver/connection.h"

void resp_config_reply(struct connection *connection, const struct bytes *words,
                       uint32_t count);

#endif
