#include "sim/faults/faults.h"

#include "sim/churn.h"
#include "sim/faults/faults_disks.h"
#include "sim/world.h"

#include <inttypes.h>
#include <string.h>

enum {
    STRIKE_US_MEAN_MIN = 100000,
    STRIKE_US_MEAN_MAX = 900000,
    PARTITION_US_MEAN = 700000,
    PAUSE_US_MEAN = 300000,
    DOWN_US_MEAN = 600000,
    DISK_US_MEAN = 500000,
    CHANCE_US_MEAN = 1000000, // how long loss, duplication and delay stay
    SKEW_MS_MAX = 500,
    JUMP_US_MAX = 3000000,
    AGAIN_US_MEAN = 8000, // until an operator asks for the next change
    AGAIN_PPM = 800000,
};

static const char *const fault_texts[FAULT_COUNT] = {
    [FAULT_PARTITION] = "partition", [FAULT_ONEWAY] = "oneway",
    [FAULT_LOSS] = "loss",           [FAULT_DUPLICATE] = "duplicate",
    [FAULT_DELAY] = "delay",         [FAULT_CRASH] = "crash",
    [FAULT_PAUSE] = "pause",         [FAULT_DISK] = "disk",
    [FAULT_CLOCK] = "clock",         [FAULT_MEMBERS] = "members",
    [FAULT_TRANSFER] = "transfer",   [FAULT_SNAPSHOT] = "snapshot",
};

const char *faults_text(enum fault fault)
{
    assert(fault < FAULT_COUNT);
    return fault_texts[fault];
}

bool faults_parse(const char *text, uint32_t *enabled)
{
    *enabled = 0;
    if (strcmp(text, "none") == 0)
        return true;
    if (strcmp(text, "all") == 0) {
        *enabled = (1u << FAULT_COUNT) - 1;
        return true;
    }
    while (true) {
        size_t length = strcspn(text, ",");
        uint32_t kind = 0;

        while (kind < FAULT_COUNT && (strlen(fault_texts[kind]) != length ||
                                      memcmp(fault_texts[kind], text, length) != 0))
            kind++;
        if (kind == FAULT_COUNT)
            return false;
        *enabled |= 1u << kind;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

// ---- the calendar ---------------------------------------------------------------

static void push(struct world *world, enum world_event kind, enum fault fault,
                 raft_id node, uint64_t mean_us)
{
    struct heap_event event = {
        .time_us = world->now_us + 1 + random_delay(&world->faults.random, mean_us),
        .kind = kind,
        .node = node,
        .arguments = {fault, world->faults.generation, 0},
    };

    if (node != 0)
        event.arguments[2] = world->nodes[node].incarnation;
    heap_push(&world->heap, &event);
}

void faults_start(struct world *world, uint32_t enabled)
{
    struct faults *faults = &world->faults;

    faults->active = true;
    faults->enabled = enabled;
    faults->generation++;
    faults->weight_sum = 0;
    for (uint32_t kind = 0; kind < FAULT_COUNT; kind++) {
        uint32_t weight = (uint32_t)random_below(&faults->random, 5);

        faults->weights[kind] = (enabled >> kind & 1) != 0 ? weight : 0;
        faults->weight_sum += faults->weights[kind];
    }
    for (uint32_t kind = 0; kind < FAULT_COUNT && faults->weight_sum == 0; kind++)
        if ((enabled >> kind & 1) != 0)
            faults->weights[kind] = faults->weight_sum = 1;
    faults->pause_us_mean =
        random_between(&faults->random, STRIKE_US_MEAN_MIN, STRIKE_US_MEAN_MAX);
    if (faults->weight_sum > 0)
        push(world, WORLD_FAULT, FAULT_COUNT, 0, faults->pause_us_mean);
}

static raft_id draw_node(struct world *world)
{
    struct random *random = &world->faults.random;
    raft_id node = 1 + (raft_id)random_below(random, world->config.node_count);
    bool aim = random_chance(random, 300000);
    struct node *leader = world_leader(world);

    return aim && leader != NULL ? leader->id : node;
}

// ---- strikes --------------------------------------------------------------------

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
        raft_id alone = draw_node(world);

        if (world->config.clocks_conspire)
            alone = conspire(world);
        group = 1u << alone;
        split(world, group);
    } else if (how == 1) {
        group = (uint32_t)random_u64(random);
        split(world, group);
    } else {
        // A single link, so that two nodes see different neighbours.
        raft_id a = draw_node(world);
        raft_id b = draw_node(world);

        group = 1u << a | 1u << b;
        links_cut(&world->links, a, b, true);
        links_cut(&world->links, b, a, true);
    }
    trace_note(&world->trace, world->now_us, "partition %" PRIu64 " %" PRIx32, how,
               group);
    push(world, WORLD_UNDO, FAULT_PARTITION, 0, PARTITION_US_MEAN);
}

static void strike_oneway(struct world *world)
{
    raft_id victim = draw_node(world);
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
    push(world, WORLD_UNDO, FAULT_ONEWAY, 0, PARTITION_US_MEAN);
}

static void strike_network(struct world *world, enum fault fault)
{
    struct random *random = &world->faults.random;
    struct links *links = &world->links;

    if (fault == FAULT_LOSS)
        links->loss_ppm = (uint32_t)random_between(random, 10000, 300000);
    if (fault == FAULT_DUPLICATE)
        links->duplicate_ppm = (uint32_t)random_between(random, 10000, 300000);
    if (fault == FAULT_DELAY) {
        // Sometimes all messages take about as long as an election timeout: votes and
        // acknowledgements then come in terms that have passed.
        bool far = random_chance(random, 300000);
        uint64_t farthest_us = random_between(random, 50000, 500000);

        if (far)
            links->delay_us_max = farthest_us;
        links->slow_ppm = (uint32_t)random_between(random, 10000, 300000);
        links->slow_us_mean = random_between(random, 5000, 300000);
    }
    trace_note(&world->trace, world->now_us, "%s", faults_text(fault));
    push(world, WORLD_UNDO, fault, 0, CHANCE_US_MEAN);
}

void faults_crash_now(struct world *world, raft_id id)
{
    struct random *random = &world->faults.random;
    enum sim_disk_crash_mode mode =
        (enum sim_disk_crash_mode)random_below(random, SIM_DISK_CRASH_MODE_COUNT);

    trace_note(&world->trace, world->now_us, "crash n%" PRIu32 " mode %d", id,
               (int)mode);
    node_crash(&world->nodes[id], mode);
    if (world->faults.active)
        push(world, WORLD_UNDO, FAULT_CRASH, id, DOWN_US_MEAN);
}

static void strike_crash(struct world *world)
{
    raft_id id = draw_node(world);
    bool at_write = random_chance(&world->faults.random, 500000);
    bool everybody = random_chance(&world->faults.random, 50000);

    for (raft_id other = 1; other <= world->config.node_count; other++) {
        struct node *node = &world->nodes[other];

        if (!node->up || (other != id && !everybody))
            continue;
        if (at_write && !node->paused)
            node->crash_at_write = true;
        else
            faults_crash_now(world, other);
    }
}

static void strike_pause(struct world *world)
{
    raft_id id = draw_node(world);

    if (!node_is_live(&world->nodes[id]))
        return;
    trace_note(&world->trace, world->now_us, "pause n%" PRIu32, id);
    node_pause(&world->nodes[id]);
    push(world, WORLD_UNDO, FAULT_PAUSE, id, PAUSE_US_MEAN);
}

static void strike_disk(struct world *world)
{
    raft_id id = draw_node(world);
    bool snapshots = (world->faults.enabled >> FAULT_SNAPSHOT & 1) != 0;

    if (faults_disks_strike(&world->nodes[id], &world->faults.random, snapshots))
        faults_crash_now(world, id);
    push(world, WORLD_UNDO, FAULT_DISK, id, DISK_US_MEAN);
}

static void strike_clock(struct world *world)
{
    struct random *random = &world->faults.random;
    const struct world_config *config = &world->config;
    raft_id id = draw_node(world);
    struct node *node = &world->nodes[id];
    uint64_t how = random_below(random, config->clock_jumps ? 3 : 2);
    uint64_t skew = random_below(random, 2 * SKEW_MS_MAX + 1);
    uint64_t drift_ppm = random_below(random, config->clock_drift_percent * 10000 + 1);
    uint64_t extreme = random_below(random, 4);
    uint64_t jump_us = random_below(random, JUMP_US_MAX);

    if (extreme < 2)
        drift_ppm = extreme * config->clock_drift_percent * 10000;
    trace_note(&world->trace, world->now_us, "clock n%" PRIu32 " fault %" PRIu64, id,
               how);
    if (how == 0)
        node->skew_ms = (int64_t)skew - SKEW_MS_MAX;
    else if (how == 1)
        node_set_clock_rate(node, NODE_CLOCK_TRUE_PPM + (uint32_t)drift_ppm);
    else
        node_jump_clock(node, jump_us);
}

// One change, and more before anybody can know what became of it.
static void strike_members(struct world *world)
{
    bool again = random_chance(&world->faults.random, AGAIN_PPM);

    churn_members(world);
    if (again)
        push(world, WORLD_UNDO, FAULT_MEMBERS, 0, AGAIN_US_MEAN);
}

static enum fault draw_fault(struct faults *faults)
{
    uint64_t at = random_below(&faults->random, faults->weight_sum);
    uint32_t kind = 0;

    while (at >= faults->weights[kind])
        at -= faults->weights[kind++];
    return (enum fault)kind;
}

static void strike(struct world *world)
{
    enum fault fault = draw_fault(&world->faults);

    world->faults.strikes[fault]++;
    switch (fault) {
    case FAULT_PARTITION:
        strike_partition(world);
        break;
    case FAULT_ONEWAY:
        strike_oneway(world);
        break;
    case FAULT_CRASH:
        strike_crash(world);
        break;
    case FAULT_PAUSE:
        strike_pause(world);
        break;
    case FAULT_DISK:
        strike_disk(world);
        break;
    case FAULT_CLOCK:
        strike_clock(world);
        break;
    case FAULT_MEMBERS:
        strike_members(world);
        break;
    case FAULT_TRANSFER:
        churn_transfer(world);
        if ((world->faults.enabled >> FAULT_MEMBERS & 1) != 0)
            strike_members(world);
        break;
    case FAULT_SNAPSHOT:
        churn_snapshot(world);
        break;
    default:
        strike_network(world, fault);
    }
    push(world, WORLD_FAULT, FAULT_COUNT, 0, world->faults.pause_us_mean);
}

// ---- healing --------------------------------------------------------------------

static void restart(struct node *node)
{
    if (node->up || node->disk_lost)
        return;
    trace_note(&node->world->trace, node->world->now_us, "restart n%" PRIu32, node->id);
    node_start(node);
}

static void undo(struct world *world, enum fault fault, raft_id id,
                 uint64_t incarnation)
{
    struct links *links = &world->links;

    switch (fault) {
    case FAULT_PARTITION:
    case FAULT_ONEWAY:
        trace_note(&world->trace, world->now_us, "heal");
        links_heal(world);
        break;
    case FAULT_LOSS:
        links->loss_ppm = 0;
        break;
    case FAULT_DUPLICATE:
        links->duplicate_ppm = 0;
        break;
    case FAULT_DELAY:
        links->slow_ppm = 0;
        links->delay_us_min = world->config.delay_us_min;
        links->delay_us_max = world->config.delay_us_max;
        break;
    case FAULT_CRASH:
        if (world->nodes[id].incarnation == incarnation)
            restart(&world->nodes[id]);
        break;
    case FAULT_PAUSE:
        if (world->nodes[id].incarnation == incarnation)
            node_resume(&world->nodes[id]);
        break;
    case FAULT_DISK:
        faults_disks_heal(&world->nodes[id]);
        break;
    case FAULT_MEMBERS:
        strike_members(world);
        break;
    default:
        break;
    }
}

void faults_event(struct world *world, const struct heap_event *event)
{
    if (!world->faults.active || event->arguments[1] != world->faults.generation)
        return;
    if (event->kind == WORLD_FAULT)
        strike(world);
    else
        undo(world, (enum fault)event->arguments[0], event->node, event->arguments[2]);
}

void faults_mend(struct world *world)
{
    for (raft_id id = 1; id <= world->config.node_count; id++)
        if (world->nodes[id].stopped[0] != '\0' && world->nodes[id].disk_faulty)
            faults_disks_heal(&world->nodes[id]);
}

void faults_stop(struct world *world, bool heal)
{
    struct links *links = &world->links;

    world->faults.active = false;
    world->faults.generation++;
    if (!heal)
        return;
    trace_note(&world->trace, world->now_us, "faults end, all is healed");
    links->loss_ppm = links->duplicate_ppm = links->slow_ppm = 0;
    links->delay_us_min = world->config.delay_us_min;
    links->delay_us_max = world->config.delay_us_max;
    links_heal(world);
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        struct node *node = &world->nodes[id];

        node->crash_at_write = node->crash_is_set = false;
        node_resume(node);
        faults_disks_heal(node);
    }
}
