// info.h: INFO and RAFT.STATUS.
#ifndef KVSERVER_INFO_H
#define KVSERVER_INFO_H

#include "kvserver/server.h"

// INFO [section ...]: server, clients, memory, stats, replication, raft, keyspace.
void info_reply(struct server *server, const struct bytes *words, uint32_t count,
                struct buffer *reply);

// RAFT.STATUS: names and values in turn, as status.h tells them; "peers" and "members"
// come last, each with an array of such arrays.
void info_status(struct server *server, struct buffer *reply);

// RAFT.MEMBER LIST: that last array alone.
void info_members(struct server *server, struct buffer *reply);

#endif
