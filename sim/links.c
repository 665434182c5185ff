#include "sim/links.h"

#include "sim/diagram.h"
#include "sim/packet.h"
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

enum { LATE_DELAYS_MAX = 6, NAMELESS_PPM = 30000 };

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

// How long this link takes beyond what all take.
static uint64_t own_delay_us(struct links *links, const struct links_own *own)
{
    struct random *random = &links->random;
    uint64_t delay = random_between(random, own->delay_us_min, own->delay_us_max);

    if (random_chance(random, own->slow_ppm))
        delay += random_delay(random, own->slow_us_mean);
    return delay;
}

// When a message that leaves now arrives.
static uint64_t arrival_us(struct world *world, raft_id from, raft_id to,
                           uint64_t packet)
{
    struct links *links = &world->links;
    uint64_t *due_us = &links->due_us[from][to];
    uint64_t time_us = world->now_us + departure_us(world, from, packet);

    time_us += links_delay_us(links);
    if (links->odd[from][to])
        time_us += own_delay_us(links, &links->own[from][to]);
    if (links->reorder_ppm > 0 && random_chance(&links->random, links->reorder_ppm)) {
        links->overtaken++;
        return time_us + random_between(&links->random, 1,
                                        LATE_DELAYS_MAX * (links->delay_us_max + 1));
    }
    if (links->ordered && time_us < *due_us)
        time_us = *due_us;
    *due_us = time_us;
    return time_us;
}

static void lose_at_once(struct world *world, const struct raft_message *message)
{
    world->links.lost++;
    diagram_send(world->trace.diagram, world->now_us, 0, message);
}

void links_lose(struct world *world, uint64_t packet)
{
    world->links.lost++;
    diagram_lose(world->trace.diagram, world->now_us, packet);
}

static void push_delivery(struct world *world, raft_id from, raft_id to,
                          uint64_t packet, uint64_t late_us)
{
    struct heap_event event = {
        .time_us = arrival_us(world, from, to, packet) + late_us,
        .kind = WORLD_DELIVER,
        .node = to,
        .arguments = {packet, from},
    };

    heap_push(&world->heap, &event);
}

static void send_copy(struct world *world, const struct raft_message *message)
{
    uint64_t packet = wire_packet(world, message);

    if (packet == 0) {
        lose_at_once(world, message);
        return;
    }
    diagram_send(world->trace.diagram, world->now_us, packet, message);
    push_delivery(world, message->from, message->to, packet,
                  message->type == RAFT_TIMEOUT_NOW ? world->links.order_late_us : 0);
}

// Now and then a double comes from nobody: a node that does not know who it is.
static void send_double(struct world *world, const struct raft_message *message)
{
    struct raft_message copy = *message;

    world->links.duplicated++;
    if (random_chance(&world->links.random, NAMELESS_PPM))
        copy.from = 0;
    send_copy(world, &copy);
}

static void keep_held(struct world *world, const struct raft_message *message)
{
    struct links *links = &world->links;
    uint64_t packet = wire_packet(world, message);

    if (packet == 0) {
        lose_at_once(world, message);
        return;
    }
    diagram_send(world->trace.diagram, world->now_us, packet, message);
    if (links->held_count == links->held_capacity) {
        links->held_capacity =
            links->held_capacity == 0 ? 16 : 2 * links->held_capacity;
        links->held = realloc(links->held, links->held_capacity * sizeof(*links->held));
        if (links->held == NULL)
            abort();
    }
    links->held[links->held_count++] =
        (struct links_held){packet, message->from, message->to};
}

static void send_one(struct world *world, const struct raft_message *message)
{
    struct links *links = &world->links;
    bool lost, duplicated;

    assert(message->from < LINKS_NODES && message->to < LINKS_NODES);
    links->sent++;
    counters_sent(&world->counters, message);
    if (world->manual && (links->cut[message->from][message->to] ||
                          message->to > world->config.node_count)) {
        lose_at_once(world, message);
        return;
    }
    if (world->manual || links->hold[message->from][message->to]) {
        keep_held(world, message);
        return;
    }
    // Both are drawn always, so that a cut does not shift the draws that follow.
    lost = random_chance(&links->random, links->loss_ppm);
    duplicated = random_chance(&links->random, links->duplicate_ppm);
    if (links->odd[message->from][message->to]) {
        const struct links_own *own = &links->own[message->from][message->to];

        lost |= random_chance(&links->random, own->loss_ppm);
        duplicated |= random_chance(&links->random, own->duplicate_ppm);
    }
    if (lost || links->cut[message->from][message->to] || message->to == 0 ||
        message->to > world->config.node_count) {
        lose_at_once(world, message);
        return;
    }
    send_copy(world, message);
    if (duplicated)
        send_double(world, message);
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
            push_delivery(world, from, to, held.packet, 0);
            gone++;
        } else {
            links_lose(world, held.packet);
            pool_give(&world->pool, held.packet);
            gone++;
        }
    }
    links->held_count = kept;
    return gone;
}

void links_make_odd(struct links *links, raft_id from, raft_id to,
                    const struct links_own *own)
{
    assert(from < LINKS_NODES && to < LINKS_NODES);
    links->odd[from][to] = own != NULL;
    if (own != NULL)
        links->own[from][to] = *own;
}

void links_mend(struct links *links)
{
    memset(links->cut, 0, sizeof(links->cut));
}

void links_heal(struct world *world)
{
    links_mend(&world->links);
    for (raft_id from = 1; from < LINKS_NODES; from++)
        for (raft_id to = 1; to < LINKS_NODES; to++)
            if (world->links.hold[from][to])
                links_let_go(world, from, to, true);
}
