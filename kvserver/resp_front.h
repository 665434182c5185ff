// resp_front.h: the Redis protocol, version 2, on a client connection.
//
// Commands over the keys go to the node: writes to the log, reads to a confirmation.
// What concerns one connection or one node (PING, CLIENT, INFO...) is answered here,
// and never logged. RAFT.SESSION <session> <sequence> <command...> makes a write
// exactly-once (service.h); RAFT.STATUS and RAFT.HASH tell of this replica.
#ifndef KVSERVER_RESP_FRONT_H
#define KVSERVER_RESP_FRONT_H

#include "kvserver/connection.h"

extern const struct front resp_front;

#endif
