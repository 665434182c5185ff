#include "sim/links.h"

#include "sim/packet.h"
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

void links_release(struct links *links)
{
    free(links->held);
    links->held = NULL;
    links->held_count = links->held_capacity = 0;
}

uint64_t links_delay_us(struct links *links)
{
    struct random *random = &links->random;
    uint64_t delay = random_between(random, links->delay_us_min, links->delay_us_max);

    if (random_chance(random, links->slow_ppm))
        delay += random_delay(random, links->slow_us_mean);
    return delay;
}

// How long a message takes to leave its node, behind those that went before.
static uint64_t departure_us(struct world *world, raft_id from, uint64_t packet)
{
    const struct world_config *config = &world->config;
    uint64_t *busy_ns = &world->links.busy_ns[from];
    uint64_t now_ns = world->now_us * 1000;

    if (config->send_ns_per_message == 0 && config->send_ns_per_kib == 0)
        return 0;
    if (*busy_ns < now_ns)
        *busy_ns = now_ns;
    *busy_ns += config->send_ns_per_message;
    *busy_ns += packet_bytes(&world->pool, packet) * config->send_ns_per_kib / 1024;
    return (*busy_ns - now_ns) / 1000;
}

static void push_delivery(struct world *world, raft_id from, raft_id to,
                          uint64_t packet)
{
    uint64_t departure = departure_us(world, from, packet);
    struct heap_event event = {
        .time_us = world->now_us + departure + links_delay_us(&world->links),
        .kind = WORLD_DELIVER,
        .node = to,
        .arguments = {packet, from},
    };

    heap_push(&world->heap, &event);
}

static void keep_held(struct links *links, raft_id from, raft_id to, uint64_t packet)
{
    if (links->held_count == links->held_capacity) {
        links->held_capacity =
            links->held_capacity == 0 ? 16 : 2 * links->held_capacity;
        links->held = realloc(links->held, links->held_capacity * sizeof(*links->held));
        if (links->held == NULL)
            abort();
    }
    links->held[links->held_count++] = (struct links_held){packet, from, to};
}

static void send_one(struct world *world, const struct raft_message *message)
{
    struct links *links = &world->links;
    bool lost, duplicated;

    assert(message->from < LINKS_NODES && message->to < LINKS_NODES);
    links->sent++;
    if (world->manual && (links->cut[message->from][message->to] ||
                          message->to > world->config.node_count)) {
        links->lost++;
        return;
    }
    if (world->manual || links->hold[message->from][message->to]) {
        keep_held(links, message->from, message->to,
                  packet_make(&world->pool, message));
        return;
    }
    // Both are drawn always, so that a cut does not shift the draws that follow.
    lost = random_chance(&links->random, links->loss_ppm);
    duplicated = random_chance(&links->random, links->duplicate_ppm);
    if (lost || links->cut[message->from][message->to] ||
        message->to > world->config.node_count) {
        links->lost++;
        return;
    }
    push_delivery(world, message->from, message->to,
                  packet_make(&world->pool, message));
    if (duplicated) {
        links->duplicated++;
        push_delivery(world, message->from, message->to,
                      packet_make(&world->pool, message));
    }
}

void links_send(struct world *world, const struct raft_message *messages,
                uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        send_one(world, &messages[i]);
}

bool links_arrives(struct links *links, raft_id from, raft_id to)
{
    if (links->cut[from][to]) {
        links->lost++;
        return false;
    }
    links->delivered++;
    return true;
}

void links_cut(struct links *links, raft_id from, raft_id to, bool cut)
{
    assert(from < LINKS_NODES && to < LINKS_NODES);
    links->cut[from][to] = cut && from != to;
}

void links_hold(struct links *links, raft_id from, raft_id to)
{
    assert(from < LINKS_NODES && to < LINKS_NODES);
    links->hold[from][to] = true;
}

uint32_t links_let_go(struct world *world, raft_id from, raft_id to, bool deliver)
{
    struct links *links = &world->links;
    uint32_t kept = 0, gone = 0;

    links->hold[from][to] = false;
    for (uint32_t i = 0; i < links->held_count; i++) {
        struct links_held held = links->held[i];

        if (held.from != from || held.to != to) {
            links->held[kept++] = held;
        } else if (deliver) {
            push_delivery(world, from, to, held.packet);
            gone++;
        } else {
            pool_give(&world->pool, held.packet);
            links->lost++;
            gone++;
        }
    }
    links->held_count = kept;
    return gone;
}

void links_heal(struct world *world)
{
    memset(world->links.cut, 0, sizeof(world->links.cut));
    for (raft_id from = 1; from < LINKS_NODES; from++)
        for (raft_id to = 1; to < LINKS_NODES; to++)
            if (world->links.hold[from][to])
                links_let_go(world, from, to, true);
}
