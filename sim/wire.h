// wire.h: messages that pass as bytes, through a codec that the world is given.
//
// The simulator knows no JSON; what runs natively hands it the codec of real nodes.
// Without damage a message arrives as it was sent, so the same seed is the same run
// with a codec and without. Damage is drawn from a stream of its own, for each copy of
// a message: bytes that are flipped, cut out, doubled or overwritten. What the receiver
// takes of that, if anything, arrives, whatever it says; the checker sees what it does.
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "kvserver/service/buffer.h"
#include "raft/raft.h"
#include "sim/random.h"

struct world;

struct wire_codec {
    void *context;
    // Writes the message as one line without its newline, borrowed until the next call.
    bool (*encode)(void *context, const struct raft_message *message, const char **line,
                   size_t *size);
    // Reads a line, strictly. What the message points at is borrowed until the next
    // call.
    bool (*decode)(void *context, const char *line, size_t size,
                   struct raft_message *message);
};

// The codec that worlds may use; said once, before there is any. NULL: there is none.
void wire_offer(const struct wire_codec *codec);
const struct wire_codec *wire_offered(void);

struct wire {
    const struct wire_codec *codec; // NULL: messages pass as they are
    struct random random;
    uint32_t damage_ppm; // so many are damaged
    struct buffer bytes; // one line, damaged
    uint64_t damaged;
    uint64_t refused; // of those: the receiver took nothing of it
};

void wire_init(struct wire *wire, const struct wire_codec *codec, uint64_t seed);
void wire_release(struct wire *wire);

// A packet of what arrives when this message is sent now, or 0 where nothing does.
uint64_t wire_packet(struct world *world, const struct raft_message *message);

#endif
