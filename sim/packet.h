// packet.h: a message under way: a deep copy in one block of the pool.
//
// Layout: the message, its entries, then their bytes. While it is under way the data
// pointers hold offsets into the block, so that a copy of the pool is a copy of them.
#ifndef SIM_PACKET_H
#define SIM_PACKET_H

#include "raft/raft.h"
#include "sim/pool.h"

uint64_t packet_make(struct pool *pool, const struct raft_message *message);

// Another one with the same content; while the first is still under way.
uint64_t packet_copy(struct pool *pool, uint64_t packet);

// The message, ready to be received; once for each packet. Lives as long as the packet.
const struct raft_message *packet_open(struct pool *pool, uint64_t packet);

// What a packet that was not opened yet carries: commands, or a piece of a snapshot.
uint64_t packet_bytes(const struct pool *pool, uint64_t packet);

#endif
