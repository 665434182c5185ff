// json_front.h: JSON-RPC 2.0 on a client connection, one message a line.
//
// Methods and error codes are described in docs/clients.md.
#ifndef KVSERVER_JSON_FRONT_H
#define KVSERVER_JSON_FRONT_H

#include "kvserver/connection.h"

extern const struct front json_front;

#endif
