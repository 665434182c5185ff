#include "sim/wire.h"

#include "sim/packet.h"
#include "sim/world.h"

#include <inttypes.h>
#include <string.h>

enum {
    FLIPS_MAX = 4,
    RANGE_MAX = 64, // bytes that are cut, doubled or overwritten
};

enum damage { DAMAGE_FLIP, DAMAGE_CUT, DAMAGE_DOUBLE, DAMAGE_OVERWRITE, DAMAGE_COUNT };

static const struct wire_codec *offered;

void wire_offer(const struct wire_codec *codec)
{
    offered = codec;
}

const struct wire_codec *wire_offered(void)
{
    return offered;
}

void wire_init(struct wire *wire, const struct wire_codec *codec, uint64_t seed)
{
    *wire = (struct wire){.codec = codec};
    random_seed(&wire->random, seed, WORLD_STREAM_WIRE);
}

void wire_release(struct wire *wire)
{
    buffer_free(&wire->bytes);
}

// ---- damage ---------------------------------------------------------------------

static void flip(struct random *random, struct buffer *bytes)
{
    uint64_t count = random_between(random, 1, FLIPS_MAX);

    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = random_below(random, bytes->size);
        uint64_t bit = random_below(random, 8);
        bool digit = random_chance(random, 500000);

        // A digit that becomes another is what no parser can see.
        if (digit)
            bit = random_below(random, 3);
        bytes->data[at] = (char)(bytes->data[at] ^ 1 << bit);
    }
}

static void injure(struct random *random, struct buffer *bytes)
{
    enum damage damage = (enum damage)random_below(random, DAMAGE_COUNT);
    size_t at = random_below(random, bytes->size);
    size_t most = bytes->size - at < RANGE_MAX ? bytes->size - at : RANGE_MAX;
    size_t count = random_between(random, 1, most);

    switch (damage) {
    case DAMAGE_FLIP:
        flip(random, bytes);
        break;
    case DAMAGE_CUT:
        memmove(bytes->data + at, bytes->data + at + count, bytes->size - at - count);
        bytes->size -= count;
        break;
    case DAMAGE_DOUBLE: {
        char range[RANGE_MAX];

        memcpy(range, bytes->data + at, count);
        buffer_append(bytes, range, count); // makes the room
        memmove(bytes->data + at + count, bytes->data + at, bytes->size - at - count);
        break;
    }
    default:
        for (size_t i = 0; i < count; i++)
            bytes->data[at + i] = (char)random_u64(random);
    }
}

// ---- the way --------------------------------------------------------------------

// A newline among the bytes makes two lines of one; the first that is taken counts.
static bool decode(const struct wire_codec *codec, const char *line, size_t size,
                   const struct raft_message *sent, struct raft_message *arrived)
{
    const char *end = line + size;

    while (true) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((newline == NULL ? end : newline) - line);

        // A connection belongs to one sender, and nobody else is believed on it.
        if (codec->decode(codec->context, line, length, arrived) &&
            arrived->from == sent->from) {
            arrived->to = sent->to;
            return true;
        }
        if (newline == NULL)
            return false;
        line = newline + 1;
    }
}

static bool arrives_damaged(struct world *world, const char *line, size_t size,
                            const struct raft_message *sent,
                            struct raft_message *arrived)
{
    struct wire *wire = &world->wire;
    bool taken;

    wire->damaged++;
    buffer_clear(&wire->bytes);
    buffer_append(&wire->bytes, line, size);
    injure(&wire->random, &wire->bytes);
    if (wire->bytes.size == size && memcmp(wire->bytes.data, line, size) == 0)
        wire->bytes.data[0] ^= 1; // two injuries have undone each other
    taken = decode(wire->codec, wire->bytes.data, wire->bytes.size, sent, arrived);
    wire->refused += !taken;
    trace_note(&world->trace, world->now_us, "n%" PRIu32 " > n%" PRIu32 " damaged, %s",
               sent->from, sent->to, taken ? "and taken" : "refused");
    return taken;
}

uint64_t wire_packet(struct world *world, const struct raft_message *message)
{
    struct wire *wire = &world->wire;
    struct raft_message arrived;
    const char *line;
    size_t size;
    bool damaged, taken;

    // A message from nobody is no line that a node could write; it goes on as it is, so
    // that the run stays the same.
    if (wire->codec == NULL || message->from == 0)
        return packet_make(&world->pool, message);
    damaged = wire->damage_ppm > 0 && random_chance(&wire->random, wire->damage_ppm);
    if (!wire->codec->encode(wire->codec->context, message, &line, &size))
        return 0;
    taken = damaged ? arrives_damaged(world, line, size, message, &arrived)
                    : decode(wire->codec, line, size, message, &arrived);
    return taken ? packet_make(&world->pool, &arrived) : 0;
}
