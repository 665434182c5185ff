#include "sim/faults/faults_network.h"

#include "sim/world.h"

#include <inttypes.h>
#include <string.h>

enum {
    PARTITION_US_MEAN = 700000,
    CHANCE_US_MEAN = 1000000, // how long loss, duplication and delay stay
    FLAP_PERIOD_US_MIN = 5000,
    FLAP_PERIOD_US_MAX = 400000,
    FLAP_TURNS_MAX = 40,
    SWIZZLE_PAUSE_US_MAX = 300000,
    CHANCE_PPM_MIN = 10000,
    CHANCE_PPM_MAX = 300000,
    LINK_DELAY_US_MAX = 60000, // so much further away at the most
    LINK_SLOW_US_MAX = 200000,
};

// ---- cuts -----------------------------------------------------------------------

static void split(struct world *world, uint32_t group)
{
    uint32_t count = world->config.node_count;

    for (raft_id a = 1; a <= count; a++)
        for (raft_id b = 1; b <= count; b++)
            links_cut(&world->links, a, b, (group >> a & 1) != (group >> b & 1));
}

// The worst that clocks can do to a lease: the leader that is cut off is slow, and all
// who may follow it are fast.
static raft_id conspire(struct world *world)
{
    const struct node *leader = world_leader(world);
    raft_id slow = leader == NULL ? 1 : leader->id;
    uint32_t fast_ppm = world->config.clock_drift_percent * 10000;

    for (raft_id id = 1; id <= world->config.node_count; id++)
        node_set_clock_rate(&world->nodes[id],
                            NODE_CLOCK_TRUE_PPM + (id == slow ? 0 : fast_ppm));
    return slow;
}

static void strike_partition(struct world *world)
{
    struct random *random = &world->faults.random;
    uint64_t how = random_below(random, world->config.clocks_conspire ? 1 : 3);
    uint32_t group;

    if (how == 0) {
        raft_id alone = faults_draw_node(world);

        if (world->config.clocks_conspire)
            alone = conspire(world);
        group = 1u << alone;
        split(world, group);
    } else if (how == 1) {
        group = (uint32_t)random_u64(random);
        split(world, group);
    } else {
        // A single link, so that two nodes see different neighbours.
        raft_id a = faults_draw_node(world);
        raft_id b = faults_draw_node(world);

        group = 1u << a | 1u << b;
        links_cut(&world->links, a, b, true);
        links_cut(&world->links, b, a, true);
    }
    trace_note(&world->trace, world->now_us, "partition %" PRIu64 " %" PRIx32, how,
               group);
    faults_linger(world, FAULT_PARTITION, 0, PARTITION_US_MEAN);
}

void faults_network_isolate(struct world *world, uint32_t group)
{
    split(world, group);
    trace_note(&world->trace, world->now_us, "nodes %" PRIx32 " are alone", group);
    faults_linger(world, FAULT_PARTITION, 0, PARTITION_US_MEAN);
}

static void strike_oneway(struct world *world)
{
    raft_id victim = faults_draw_node(world);
    bool outgoing = random_chance(&world->faults.random, 500000);
    bool all = random_chance(&world->faults.random, 500000);

    for (raft_id id = 1; id <= world->config.node_count; id++) {
        bool also = random_chance(&world->faults.random, 400000);

        if (all || also)
            links_cut(&world->links, outgoing ? victim : id, outgoing ? id : victim,
                      true);
    }
    trace_note(&world->trace, world->now_us, "one-way cut n%" PRIu32 " %s", victim,
               outgoing ? "out" : "in");
    faults_linger(world, FAULT_ONEWAY, 0, PARTITION_US_MEAN);
}

// ---- partial partitions ---------------------------------------------------------

// All nodes in an order that is drawn, the leader last where there is one.
static void draw_order(struct world *world, raft_id *order)
{
    uint32_t count = world->config.node_count;
    const struct node *leader = world_leader(world);

    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = random_below(&world->faults.random, i + 1);

        order[i] = order[at];
        order[at] = i + 1;
    }
    for (uint32_t i = 0; i < count && leader != NULL; i++)
        if (order[i] == leader->id) {
            order[i] = order[count - 1];
            order[count - 1] = leader->id;
        }
}

// Whether the nodes at places `a` < `b` of `count` may speak to each other.
static bool may_speak(enum faults_shape shape, uint32_t a, uint32_t b, uint32_t count)
{
    uint32_t apart = b - a;
    uint32_t around = apart < count - apart ? apart : count - apart;

    switch (shape) {
    case FAULTS_BRIDGE:
        return a == 0 || a % 2 == b % 2;
    case FAULTS_HUB:
        return a == 0;
    case FAULTS_CONSTRAINED:
        return a == 0 && b != count - 1;
    case FAULTS_CHAIN:
        return apart == 1;
    default:
        return around <= (count / 2 + 1) / 2;
    }
}

void faults_network_shape(struct world *world, enum faults_shape shape,
                          const raft_id *order, uint32_t count)
{
    for (uint32_t a = 0; a < count; a++)
        for (uint32_t b = a + 1; b < count; b++) {
            bool cut = !may_speak(shape, a, b, count);

            links_cut(&world->links, order[a], order[b], cut);
            links_cut(&world->links, order[b], order[a], cut);
        }
}

static void strike_partial(struct world *world)
{
    raft_id order[RAFT_MEMBERS_MAX];
    enum faults_shape shape =
        (enum faults_shape)random_below(&world->faults.random, FAULTS_SHAPE_COUNT);

    draw_order(world, order);
    faults_network_shape(world, shape, order, world->config.node_count);
    trace_note(&world->trace, world->now_us, "partial partition %d from n%" PRIu32,
               (int)shape, order[0]);
    faults_linger(world, FAULT_PARTIAL, 0, PARTITION_US_MEAN);
}

// ---- cuts that come and go ------------------------------------------------------

// The next turn, also the first: odd numbers of turns left mean that it is cut.
static void flap(struct world *world)
{
    struct faults_flap *flap = &world->faults.flap;

    if (flap->left == 0)
        return;
    flap->left--;
    if (flap->left % 2 == 0) {
        links_mend(&world->links);
    } else if (flap->group != 0) {
        split(world, flap->group);
    } else {
        links_cut(&world->links, flap->from, flap->to, true);
        links_cut(&world->links, flap->to, flap->from, true);
    }
    if (flap->left > 0)
        faults_undo_later(world, FAULT_FLAP, 0, flap->period_us);
}

static void strike_flap(struct world *world)
{
    struct random *random = &world->faults.random;
    struct faults_flap *flapping = &world->faults.flap;
    bool underway = flapping->left > 0;
    uint64_t how = random_below(random, 3);

    flapping->from = faults_draw_node(world);
    flapping->to = faults_draw_node(world);
    flapping->group = how == 0 ? 1u << flapping->from : 0;
    if (how == 1)
        flapping->group = (uint32_t)random_u64(random);
    flapping->period_us =
        random_between(random, FLAP_PERIOD_US_MIN, FLAP_PERIOD_US_MAX);
    flapping->left = 2 * (uint32_t)random_between(random, 1, FLAP_TURNS_MAX / 2);
    trace_note(&world->trace, world->now_us,
               "a cut comes and goes %" PRIu32 " times, n%" PRIu32, flapping->left,
               flapping->from);
    if (!underway)
        flap(world);
}

// ---- swizzle --------------------------------------------------------------------

static void shuffle(struct world *world, raft_id *order, uint32_t count)
{
    for (uint32_t i = count; i-- > 1;) {
        uint64_t at = random_below(&world->faults.random, i + 1);
        raft_id other = order[at];

        order[at] = order[i];
        order[i] = other;
    }
}

static void clog_node(struct world *world, raft_id id)
{
    struct faults_swizzle *swizzle = &world->faults.swizzle;

    swizzle->clogged |= 1u << id;
    for (raft_id other = 1; other <= world->config.node_count; other++) {
        if (other == id)
            continue;
        if (swizzle->holds) {
            links_hold(&world->links, id, other);
            links_hold(&world->links, other, id);
        } else {
            links_cut(&world->links, id, other, true);
            links_cut(&world->links, other, id, true);
        }
    }
}

static void unclog_node(struct world *world, raft_id id)
{
    struct faults_swizzle *swizzle = &world->faults.swizzle;

    swizzle->clogged &= ~(1u << id);
    for (raft_id other = 1; other <= world->config.node_count; other++) {
        if (other == id || (swizzle->clogged >> other & 1) != 0)
            continue;
        if (swizzle->holds) {
            links_let_go(world, id, other, true);
            links_let_go(world, other, id, true);
        } else {
            links_cut(&world->links, id, other, false);
            links_cut(&world->links, other, id, false);
        }
    }
}

static void swizzle(struct world *world)
{
    struct faults_swizzle *swizzle = &world->faults.swizzle;

    if (swizzle->count == 0)
        return;
    if (swizzle->ends)
        unclog_node(world, swizzle->order[swizzle->at]);
    else
        clog_node(world, swizzle->order[swizzle->at]);
    if (++swizzle->at == swizzle->count) {
        swizzle->at = 0;
        if (swizzle->ends)
            swizzle->count = 0;
        swizzle->ends = true;
        shuffle(world, swizzle->order, swizzle->count);
    }
    if (swizzle->count > 0)
        faults_undo_later(world, FAULT_SWIZZLE, 0, swizzle->pause_us_mean);
}

static void strike_swizzle(struct world *world)
{
    struct random *random = &world->faults.random;
    struct faults_swizzle *new = &world->faults.swizzle;
    uint32_t count = (uint32_t)random_between(random, 1, world->config.node_count);
    bool holds = random_chance(random, 500000);
    uint64_t pause_us = random_between(random, 1000, SWIZZLE_PAUSE_US_MAX);

    if (new->count > 0)
        return; // one at a time
    *new = (struct faults_swizzle){
        .count = count, .holds = holds, .pause_us_mean = pause_us};
    draw_order(world, new->order);
    shuffle(world, new->order, world->config.node_count);
    trace_note(&world->trace, world->now_us, "swizzle of %" PRIu32 " nodes", count);
    swizzle(world);
}

// ---- what happens to single messages --------------------------------------------

static uint32_t draw_chance_ppm(struct random *random)
{
    return (uint32_t)random_between(random, CHANCE_PPM_MIN, CHANCE_PPM_MAX);
}

static void strike_all_links(struct world *world, enum fault fault)
{
    struct random *random = &world->faults.random;
    struct links *links = &world->links;

    if (fault == FAULT_LOSS)
        links->loss_ppm = draw_chance_ppm(random);
    if (fault == FAULT_DUPLICATE)
        links->duplicate_ppm = draw_chance_ppm(random);
    if (fault == FAULT_REORDER)
        links->reorder_ppm = draw_chance_ppm(random);
    if (fault == FAULT_CORRUPT)
        world->wire.damage_ppm = draw_chance_ppm(random);
    if (fault == FAULT_DELAY) {
        // Sometimes all messages take about as long as an election timeout: votes and
        // acknowledgements then come in terms that have passed.
        bool far = random_chance(random, 300000);
        uint64_t farthest_us = random_between(random, 50000, 500000);

        if (far)
            links->delay_us_max = farthest_us;
        links->slow_ppm = draw_chance_ppm(random);
        links->slow_us_mean = random_between(random, 5000, 300000);
    }
    trace_note(&world->trace, world->now_us, "%s", faults_text(fault));
    faults_linger(world, fault, 0, CHANCE_US_MEAN);
}

// Far away, of uncertain length, lossy, or doubling: any of these.
static struct links_own draw_own(struct random *random)
{
    bool far = random_chance(random, 500000);
    bool uncertain = random_chance(random, 500000);
    bool lossy = random_chance(random, 300000);
    bool doubles = random_chance(random, 300000);
    uint64_t delay_us = random_between(random, 0, LINK_DELAY_US_MAX);
    uint64_t spread_us = random_between(random, 0, LINK_DELAY_US_MAX);
    uint64_t slow_us = random_between(random, 1000, LINK_SLOW_US_MAX);
    uint32_t slow_ppm = draw_chance_ppm(random);
    uint32_t loss_ppm = 3 * draw_chance_ppm(random);
    uint32_t duplicate_ppm = draw_chance_ppm(random);

    return (struct links_own){
        .delay_us_min = far ? delay_us : 0,
        .delay_us_max = (far ? delay_us : 0) + (uncertain ? spread_us : 0),
        .slow_ppm = uncertain ? slow_ppm : 0,
        .slow_us_mean = slow_us,
        .loss_ppm = lossy ? loss_ppm : 0,
        .duplicate_ppm = doubles ? duplicate_ppm : 0,
    };
}

// One link, all links of a node, those between two rooms, or each another way.
static void strike_link(struct world *world)
{
    struct random *random = &world->faults.random;
    uint64_t how = random_below(random, 4);
    raft_id a = faults_draw_node(world);
    raft_id b = faults_draw_node(world);
    uint32_t room = (uint32_t)random_u64(random);
    struct links_own own = draw_own(random);

    for (raft_id from = 1; from <= world->config.node_count; from++)
        for (raft_id to = 1; to <= world->config.node_count; to++) {
            bool between = (room >> from & 1) != (room >> to & 1);

            if (how == 3)
                own = draw_own(random);
            if ((how == 0 && from == a && to == b) ||
                (how == 1 && (from == a || to == a)) || (how == 2 && between) ||
                how == 3)
                links_make_odd(&world->links, from, to, &own);
        }
    trace_note(&world->trace, world->now_us, "odd links %" PRIu64 " n%" PRIu32, how, a);
    faults_linger(world, FAULT_LINK, 0, CHANCE_US_MEAN);
}

// ---- the calls ------------------------------------------------------------------

void faults_network_strike(struct world *world, enum fault fault)
{
    switch (fault) {
    case FAULT_PARTITION:
        strike_partition(world);
        break;
    case FAULT_ONEWAY:
        strike_oneway(world);
        break;
    case FAULT_PARTIAL:
        strike_partial(world);
        break;
    case FAULT_FLAP:
        strike_flap(world);
        break;
    case FAULT_SWIZZLE:
        strike_swizzle(world);
        break;
    case FAULT_LINK:
        strike_link(world);
        break;
    default:
        strike_all_links(world, fault);
    }
}

static void restore_delay(struct world *world)
{
    world->links.slow_ppm = 0;
    world->links.delay_us_min = world->config.delay_us_min;
    world->links.delay_us_max = world->config.delay_us_max;
}

void faults_network_undo(struct world *world, enum fault fault)
{
    struct links *links = &world->links;

    switch (fault) {
    case FAULT_PARTITION:
    case FAULT_ONEWAY:
    case FAULT_PARTIAL:
        trace_note(&world->trace, world->now_us, "heal");
        links_mend(links);
        break;
    case FAULT_FLAP:
        flap(world);
        break;
    case FAULT_SWIZZLE:
        swizzle(world);
        break;
    case FAULT_LOSS:
        links->loss_ppm = 0;
        break;
    case FAULT_DUPLICATE:
        links->duplicate_ppm = 0;
        break;
    case FAULT_CORRUPT:
        world->wire.damage_ppm = 0;
        break;
    case FAULT_DELAY:
        restore_delay(world);
        break;
    case FAULT_REORDER:
        links->reorder_ppm = 0;
        break;
    case FAULT_LINK:
        memset(links->odd, 0, sizeof(links->odd));
        break;
    default:
        break;
    }
}

void faults_network_heal(struct world *world)
{
    struct links *links = &world->links;

    links->loss_ppm = links->duplicate_ppm = links->reorder_ppm = 0;
    world->wire.damage_ppm = 0;
    memset(links->odd, 0, sizeof(links->odd));
    restore_delay(world);
    world->faults.flap.left = 0;
    world->faults.swizzle.count = 0;
    links_heal(world);
    world->links.order_late_us = 0;
}
