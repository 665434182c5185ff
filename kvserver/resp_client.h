// resp_client.h: commands over a connection itself: CLIENT, HELLO, AUTH, RESET.
#ifndef KVSERVER_RESP_CLIENT_H
#define KVSERVER_RESP_CLIENT_H

#include "kvserver/connection.h"

void resp_client_reply(struct connection *connection, const struct bytes *words,
                       uint32_t count);
void resp_client_hello(struct connection *connection, const struct bytes *words,
                       uint32_t count);
void resp_client_auth(struct connection *connection, const struct bytes *words,
                      uint32_t count);
void resp_client_reset(struct connection *connection, const struct bytes *words,
                       uint32_t count);

// "unknown subcommand", of any command that has some.
void resp_client_unknown(const struct bytes *words, const char *command,
                         struct buffer *reply);

#endif
