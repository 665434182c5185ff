#include "sim/faults/faults.h"

#include "sim/churn.h"
#include "sim/faults/faults_disks.h"
#include "sim/faults/faults_network.h"
#include "sim/faults/faults_nodes.h"
#include "sim/node_crash.h"
#include "sim/world.h"

#include <string.h>

enum {
    FIXED_PAUSE_US_MEAN = 400000,
    // The swarm's pause is this, or twice, four times... as long.
    SWARM_PAUSE_US_MIN = 20000,
    SWARM_PAUSE_DOUBLINGS = 6,
    SWARM_WEIGHT_MAX = 4,
    SPREAD_PPM = 500000, // so many clusters with bad clocks begin with them
    FEW = 4,             // who asks for so few kinds gets all of them
    DISK_US_MEAN = 500000,
    AGAIN_US_MEAN = 8000, // until an operator asks for the next change
    AGAIN_PPM = 800000,
    LATE_ORDER_PPM = 300000,
    BUSY_PPM = 500000,
    ALONE_PPM = 500000,
    LED_PPM = 500000, // so many of these stay with their leader
    TURN_US_MEAN = 150000,
    LED_US_MEAN = 1000000, // longer than the cut
    BUSY_US_MIN =
        20000, // between faults, where there is to be an election at all times
    BUSY_US_MAX = 200000,
    REBOOT_PPM = 300000, // so many are switched off soon after there is space again
};

static const char *const fault_texts[FAULT_COUNT] = {
    [FAULT_PARTITION] = "partition", [FAULT_ONEWAY] = "oneway",
    [FAULT_PARTIAL] = "partial",     [FAULT_FLAP] = "flap",
    [FAULT_SWIZZLE] = "swizzle",     [FAULT_LOSS] = "loss",
    [FAULT_DUPLICATE] = "duplicate", [FAULT_DELAY] = "delay",
    [FAULT_REORDER] = "reorder",     [FAULT_LINK] = "link",
    [FAULT_CRASH] = "crash",         [FAULT_INSIDE] = "inside",
    [FAULT_PAUSE] = "pause",         [FAULT_SLOW] = "slow",
    [FAULT_DISK] = "disk",           [FAULT_DAMAGE] = "damage",
    [FAULT_CLOCK] = "clock",         [FAULT_MEMBERS] = "members",
    [FAULT_TRANSFER] = "transfer",   [FAULT_SNAPSHOT] = "snapshot",
    [FAULT_SETTINGS] = "settings",   [FAULT_CORRUPT] = "corrupt",
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

void faults_undo_later(struct world *world, enum fault fault, raft_id node,
                       uint64_t mean_us)
{
    push(world, WORLD_UNDO, fault, node, mean_us);
}

void faults_linger(struct world *world, enum fault fault, raft_id node,
                   uint64_t mean_us)
{
    push(world, WORLD_UNDO, fault, node, mean_us * world->faults.linger_percent / 100);
}

// ---- the mix --------------------------------------------------------------------

static void fix_mix(struct faults *faults)
{
    for (uint32_t kind = 0; kind < FAULT_COUNT; kind++)
        faults->weights[kind] = 1;
    faults->pause_us_mean = FIXED_PAUSE_US_MEAN;
    faults->linger_percent = 100;
    faults->aim_ppm = 300000;
}

static uint32_t draw_weight(struct random *random, uint32_t share_ppm)
{
    bool chosen = random_chance(random, share_ppm);
    uint32_t weight = (uint32_t)random_between(random, 1, SWARM_WEIGHT_MAX);

    return chosen ? weight : 0;
}

static uint32_t kinds_of(uint32_t enabled)
{
    uint32_t count = 0;

    for (; enabled != 0; enabled &= enabled - 1)
        count++;
    return count;
}

static void draw_mix(struct world *world)
{
    struct faults *faults = &world->faults;
    static const uint32_t shares_ppm[4] = {120000, 250000, 500000, 900000};
    static const uint32_t aims_ppm[3] = {50000, 300000, 700000};
    static const uint32_t lingers_percent[3] = {30, 100, 300};
    struct random *random = &faults->random;
    uint32_t share_ppm = shares_ppm[random_below(random, 4)];
    uint64_t pause_us;

    if (kinds_of(faults->enabled & ~(1u << FAULT_CORRUPT)) <= FEW)
        share_ppm = RANDOM_CERTAIN_PPM;
    for (uint32_t kind = 0; kind < FAULT_CORRUPT; kind++)
        faults->weights[kind] = draw_weight(random, share_ppm);
    // With bytes, a run without this kind is the same as without bytes.
    faults->weights[FAULT_CORRUPT] = draw_weight(&world->wire.random, share_ppm);
    pause_us = SWARM_PAUSE_US_MIN;
    pause_us <<= random_below(random, SWARM_PAUSE_DOUBLINGS);
    faults->pause_us_mean = random_between(random, pause_us, 2 * pause_us);
    faults->linger_percent = lingers_percent[random_below(random, 3)];
    faults->aim_ppm = aims_ppm[random_below(random, 3)];
}

// A few kinds that matter to each other, and seldom come together by chance.
static void draw_theme(struct faults *faults, enum world_theme theme)
{
    static const uint32_t weights[WORLD_THEME_COUNT][FAULT_COUNT] = {
        [WORLD_FULL_DISKS] = {[FAULT_PARTITION] = 1,
                              [FAULT_ONEWAY] = 1,
                              [FAULT_CRASH] = 1,
                              [FAULT_SNAPSHOT] = 1,
                              [FAULT_DISK] = 3},
        [WORLD_CATCHING_UP] = {[FAULT_PARTITION] = 1,
                               [FAULT_SWIZZLE] = 1,
                               [FAULT_PAUSE] = 2,
                               [FAULT_DELAY] = 1,
                               [FAULT_CRASH] = 1,
                               [FAULT_INSIDE] = 1,
                               [FAULT_DISK] = 2,
                               [FAULT_DAMAGE] = 2},
        [WORLD_ELECTIONS] = {[FAULT_DUPLICATE] = 3,
                             [FAULT_DELAY] = 1,
                             [FAULT_PARTITION] = 1,
                             [FAULT_CRASH] = 3,
                             [FAULT_INSIDE] = 3},
    };

    memcpy(faults->weights, weights[theme], sizeof(faults->weights));
    if (theme == WORLD_ELECTIONS) {
        faults->pause_us_mean =
            random_between(&faults->random, BUSY_US_MIN, BUSY_US_MAX);
        faults->linger_percent = 30;
    }
}

void faults_start(struct world *world, uint32_t enabled)
{
    struct faults *faults = &world->faults;

    if (world->wire.codec == NULL)
        enabled &= ~(1u << FAULT_CORRUPT);
    if (world->config.perfect_disks)
        enabled &= ~(1u << FAULT_DISK | 1u << FAULT_DAMAGE | 1u << FAULT_INSIDE);
    faults->active = true;
    faults->enabled = enabled;
    faults->generation++;
    faults->weight_sum = 0;
    if (faults->fixed)
        fix_mix(faults);
    else
        draw_mix(world);
    if (world->config.theme != WORLD_NO_THEME && !faults->fixed)
        draw_theme(faults, world->config.theme);
    enabled &= ~(1u << FAULT_SETTINGS);
    for (uint32_t kind = 0; kind < FAULT_COUNT; kind++) {
        if ((enabled >> kind & 1) == 0)
            faults->weights[kind] = 0;
        faults->weight_sum += faults->weights[kind];
    }
    // A mix without any has one all the same.
    for (uint32_t kind = 0; kind < FAULT_COUNT && faults->weight_sum == 0; kind++)
        if ((enabled >> kind & 1) != 0)
            faults->weights[kind] = faults->weight_sum = 1;
    if (faults_has(faults, FAULT_CLOCK) && random_chance(&faults->random, SPREAD_PPM))
        faults_nodes_spread_clocks(world);
    if (faults->weight_sum > 0)
        push(world, WORLD_FAULT, FAULT_COUNT, 0, faults->pause_us_mean);
}

raft_id faults_draw_node(struct world *world)
{
    struct random *random = &world->faults.random;
    raft_id node = 1 + (raft_id)random_below(random, world->config.node_count);
    bool aim = random_chance(random, world->faults.aim_ppm);
    struct node *leader = world_leader(world);

    return aim && leader != NULL ? leader->id : node;
}

// ---- strikes --------------------------------------------------------------------

// Who sends a snapshot, or gets one; any node where there is none.
static raft_id draw_busy_disk(struct world *world)
{
    struct random *random = &world->faults.random;
    raft_id id = faults_draw_node(world);
    uint64_t at = random_below(random, RAFT_MEMBERS_MAX);
    bool sender = random_chance(random, 500000);
    const struct node *leader = world_leader(world);

    for (uint32_t i = 0; leader != NULL && i < leader->view.peer_count; i++) {
        const struct raft_peer_view *peer =
            &leader->view.peers[(i + at) % leader->view.peer_count];

        if (peer->state == RAFT_SNAPSHOT)
            return sender ? leader->id : peer->id;
    }
    return id;
}

// What a node cannot write while it is alone, or with its leader alone, is what the
// others will replace.
static void strike_minority(struct world *world, bool led)
{
    struct random *random = &world->faults.random;
    raft_id id = faults_draw_node(world);
    struct node *leader = world_leader(world);

    if (leader != NULL && !led)
        id = leader->id;
    if (led)
        faults_disks_fill_now(&world->nodes[id], random);
    else
        faults_disks_strike(&world->nodes[id], random);
    faults_linger(world, FAULT_DISK, id, led ? LED_US_MEAN : DISK_US_MEAN);
    faults_network_isolate(world,
                           1u << id | (led && leader != NULL ? 1u << leader->id : 0));
}

static void strike_disk(struct world *world, enum fault fault)
{
    struct random *random = &world->faults.random;
    bool busy = random_chance(random, BUSY_PPM);
    bool alone = random_chance(random, ALONE_PPM);
    bool led = random_chance(random, LED_PPM);
    raft_id id = busy ? draw_busy_disk(world) : faults_draw_node(world);

    if (fault == FAULT_DISK && alone && world->config.theme == WORLD_FULL_DISKS) {
        strike_minority(world, led);
        return;
    }
    if (fault == FAULT_DISK)
        faults_disks_strike(&world->nodes[id], random);
    else
        faults_disks_damage(&world->nodes[id], random);
    faults_linger(world, fault, id, DISK_US_MEAN);
}

// One change, and more before anybody can know what became of it.
static void strike_members(struct world *world)
{
    bool again = random_chance(&world->faults.random, AGAIN_PPM);

    churn_members(world);
    if (again)
        faults_undo_later(world, FAULT_MEMBERS, 0, AGAIN_US_MEAN);
}

// With a change at once; or the order to take over arrives when it has been given up,
// and who gets it has lost its vote meanwhile.
static void strike_transfer(struct world *world)
{
    uint64_t timeout_us = (uint64_t)world->config.election_timeout_ms * 1000;
    bool late = random_chance(&world->faults.random, LATE_ORDER_PPM);
    uint64_t late_us = random_between(&world->faults.random, 1, 3) * timeout_us;
    bool members = faults_has(&world->faults, FAULT_MEMBERS);
    raft_id to;

    if (late && members)
        world->links.order_late_us = timeout_us / 2 + late_us;
    to = churn_transfer(world);
    if (late && members)
        push(world, WORLD_UNDO, FAULT_TRANSFER, to, timeout_us + timeout_us / 2);
    else if (members)
        strike_members(world);
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
    case FAULT_CRASH:
    case FAULT_INSIDE:
    case FAULT_PAUSE:
    case FAULT_SLOW:
    case FAULT_CLOCK:
        faults_nodes_strike(world, fault);
        break;
    case FAULT_DISK:
    case FAULT_DAMAGE:
        strike_disk(world, fault);
        break;
    case FAULT_MEMBERS:
        strike_members(world);
        break;
    case FAULT_TRANSFER:
        strike_transfer(world);
        break;
    case FAULT_SNAPSHOT:
        churn_snapshot(world);
        break;
    default:
        faults_network_strike(world, fault);
    }
    push(world, WORLD_FAULT, FAULT_COUNT, 0, world->faults.pause_us_mean);
}

void faults_crash_now(struct world *world, raft_id id)
{
    if (!node_crash_as_planned(&world->nodes[id]))
        faults_nodes_crash(world, id);
}

// ---- healing --------------------------------------------------------------------

static void heal_disk(struct world *world, struct node *node)
{
    bool reboots = random_chance(&world->faults.random, REBOOT_PPM);
    bool full = node->disk_full;

    if (faults_disks_turn(node, &world->faults.random))
        faults_linger(world, FAULT_DISK, node->id, TURN_US_MEAN);
    else
        faults_disks_heal(node);
    if (full && reboots && node->up)
        node->crash_at_write = true;
}

static void undo(struct world *world, enum fault fault, raft_id id,
                 uint64_t incarnation)
{
    switch (fault) {
    case FAULT_CRASH:
    case FAULT_INSIDE:
    case FAULT_PAUSE:
    case FAULT_SLOW:
        if (world->nodes[id].incarnation == incarnation)
            faults_nodes_undo(world, fault, id);
        break;
    case FAULT_DISK:
    case FAULT_DAMAGE:
        heal_disk(world, &world->nodes[id]);
        break;
    case FAULT_MEMBERS:
        strike_members(world);
        break;
    case FAULT_TRANSFER:
        world->links.order_late_us = 0;
        churn_demote(world, id);
        break;
    default:
        faults_network_undo(world, fault);
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
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        struct node *node = &world->nodes[id];

        // Who did not start is down, and may have to stay so.
        if (node->up && node->stopped[0] != '\0' && node->disk_faulty)
            faults_disks_heal(node);
    }
}

void faults_stop_for(struct world *world, uint32_t nodes)
{
    world->faults.active = false;
    world->faults.generation++;
    faults_network_heal(world);
    for (raft_id id = 1; id <= world->config.node_count; id++)
        if ((nodes >> id & 1) != 0) {
            faults_nodes_heal(&world->nodes[id]);
            faults_disks_heal(&world->nodes[id]);
        }
}

void faults_stop(struct world *world, bool heal)
{
    world->faults.active = false;
    world->faults.generation++;
    if (!heal)
        return;
    trace_note(&world->trace, world->now_us, "faults end, all is healed");
    faults_stop_for(world, UINT32_MAX);
}
