#include "sim/explore/global.h"

#include <string.h>

void global_start(struct global *global, struct model *model)
{
    memset(global, 0, sizeof(*global));
    for (raft_id id = 1; id <= model->config.node_count; id++)
        global->nodes[id - 1] = model_start(model, id);
    global->book = model_first_book(model);
}

static uint8_t *put(uint8_t *at, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static const uint8_t *take(const uint8_t *at, uint32_t *value)
{
    uint32_t shift = 7;

    *value = *at & 0x7f;
    while (*at++ >= 0x80) {
        *value |= (uint32_t)(*at & 0x7f) << shift;
        shift += 7;
    }
    return at;
}

uint32_t global_pack(const struct global *global, uint32_t node_count, uint8_t *bytes)
{
    uint8_t *at = put(bytes, global->count);

    at = put(at, global->book);
    for (uint32_t i = 0; i < node_count; i++)
        at = put(at, global->nodes[i]);
    for (uint32_t i = 0; i < global->count; i++)
        at = put(at, global->messages[i]);
    return (uint32_t)(at - bytes);
}

uint32_t global_unpack(struct global *global, uint32_t node_count, const uint8_t *bytes)
{
    const uint8_t *at = take(bytes, &global->count);

    at = take(at, &global->book);
    for (uint32_t i = 0; i < node_count; i++)
        at = take(at, &global->nodes[i]);
    for (uint32_t i = 0; i < global->count; i++)
        at = take(at, &global->messages[i]);
    return (uint32_t)(at - bytes);
}

static void add(const struct interned *interned, uint32_t number, uint64_t *sums)
{
    const uint64_t *hashes = interned_hashes(interned, number);

    for (uint32_t i = 0; i < interned->hash_count; i++)
        sums[i] += hashes[i];
}

void global_sum(const struct global *global, const struct model *model, uint64_t *sums)
{
    memset(sums, 0, model->permutations.count * sizeof(*sums));
    add(&model->books, global->book, sums);
    for (uint32_t i = 0; i < model->config.node_count; i++)
        add(&model->nodes, global->nodes[i], sums);
    for (uint32_t i = 0; i < global->count; i++)
        add(&model->messages, global->messages[i], sums);
}

struct global_name global_name(const uint64_t *sums, uint32_t count)
{
    uint64_t least = sums[0];
    uint32_t same = 0;

    for (uint32_t i = 0; i < count; i++) {
        least = sums[i] < least ? sums[i] : least;
        same += sums[i] == sums[0];
    }
    // Mixed, since the least of many numbers is no number like any other.
    return (struct global_name){canon_mix(least + 0x9e3779b97f4a7c15u), count / same};
}

void global_take_away(struct global *global, uint32_t place)
{
    global->count--;
    memmove(&global->messages[place], &global->messages[place + 1],
            (global->count - place) * sizeof(*global->messages));
}
