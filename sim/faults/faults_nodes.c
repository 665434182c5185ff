#include "sim/faults/faults_nodes.h"

#include "sim/node_crash.h"
#include "sim/world.h"

#include <inttypes.h>

enum {
    PAUSE_US_MEAN = 300000,
    DOWN_US_MEAN = 600000,
    BRIEFLY_US_MEAN = 20000, // a process that is started again at once
    STUTTER_US_MIN = 1000,
    STUTTER_US_MAX = 120000,
    STUTTERS_MAX = 60,
    SKEW_MS_MAX = 500,
    JUMP_US_MAX = 3000000,
    EVERYBODY_PPM = 50000,
    EFFECTS_START_MAX = 12, // a start makes few writes
    START_PPM = 300000,     // so many starts are cut off, where crashes come inside
};

// ---- crashes --------------------------------------------------------------------

void faults_nodes_crash(struct world *world, raft_id id)
{
    struct random *random = &world->faults.random;
    enum sim_disk_crash_mode mode =
        (enum sim_disk_crash_mode)random_below(random, SIM_DISK_CRASH_MODE_COUNT);
    bool briefly = random_chance(random, 500000);

    trace_note(&world->trace, world->now_us, "crash n%" PRIu32 " mode %d", id,
               (int)mode);
    node_crash(&world->nodes[id], mode);
    if (world->faults.active)
        faults_linger(world, FAULT_CRASH, id, briefly ? BRIEFLY_US_MEAN : DOWN_US_MEAN);
}

static void strike_crash(struct world *world)
{
    raft_id id = faults_draw_node(world);
    bool at_write = random_chance(&world->faults.random, 500000);
    bool everybody = random_chance(&world->faults.random, EVERYBODY_PPM);

    for (raft_id other = 1; other <= world->config.node_count; other++) {
        struct node *node = &world->nodes[other];

        if (!node->up || (other != id && !everybody))
            continue;
        if (at_write && !node->paused)
            node->crash_at_write = true;
        else
            faults_nodes_crash(world, other);
    }
}

// Behind the next write or send, or one a little later.
static void strike_inside(struct world *world)
{
    static const uint64_t effects_max[3] = {4, 16, 64};
    struct random *random = &world->faults.random;
    uint64_t most = effects_max[random_below(random, 3)];
    uint32_t effects = (uint32_t)random_between(random, 1, most);
    struct node *node = &world->nodes[faults_draw_node(world)];

    if (!node->up)
        return;
    trace_note(&world->trace, world->now_us,
               "n%" PRIu32 " has %" PRIu32 " effects left", node->id, effects);
    node->effects_left = effects;
}

static void restart(struct world *world, struct node *node)
{
    struct random *random = &world->faults.random;

    if (node->up || node->disk_lost)
        return;
    trace_note(&world->trace, world->now_us, "restart n%" PRIu32, node->id);
    if (faults_has(&world->faults, FAULT_INSIDE) && random_chance(random, START_PPM))
        node->effects_left = (uint32_t)random_between(random, 1, EFFECTS_START_MAX);
    if (!node_start(node) && node->stopped[0] == '\0')
        faults_linger(world, FAULT_CRASH, node->id, DOWN_US_MEAN);
}

// ---- processes that stand still -------------------------------------------------

static void strike_pause(struct world *world)
{
    raft_id id = faults_draw_node(world);

    if (!node_is_live(&world->nodes[id]))
        return;
    trace_note(&world->trace, world->now_us, "pause n%" PRIu32, id);
    node_pause(&world->nodes[id]);
    faults_linger(world, FAULT_PAUSE, id, PAUSE_US_MEAN);
}

// Stands still for a moment, does all that has come meanwhile, and again.
static void stutter(struct world *world, struct node *node)
{
    if (node->stutter_us == 0)
        return;
    if (node->paused) {
        node_resume(node);
        // What has come is done at this very time; then the node pauses again.
        faults_undo_later(world, FAULT_SLOW, node->id, 0);
    } else if (node->stutters_left == 0) {
        node->stutter_us = 0;
    } else {
        node->stutters_left--;
        node_pause(node);
        faults_undo_later(world, FAULT_SLOW, node->id, node->stutter_us);
    }
}

static void strike_slow(struct world *world)
{
    struct random *random = &world->faults.random;
    struct node *node = &world->nodes[faults_draw_node(world)];
    uint64_t mean_us = random_between(random, STUTTER_US_MIN, STUTTER_US_MAX);
    uint32_t times = (uint32_t)random_between(random, 1, STUTTERS_MAX);

    if (!node_is_live(node) || node->stutter_us > 0)
        return;
    trace_note(&world->trace, world->now_us, "slow n%" PRIu32, node->id);
    node->stutter_us = mean_us;
    node->stutters_left = times;
    node_pause(node);
    faults_undo_later(world, FAULT_SLOW, node->id, mean_us);
}

// ---- clocks ---------------------------------------------------------------------

void faults_nodes_spread_clocks(struct world *world)
{
    uint32_t fast_ppm = world->config.clock_drift_percent * 10000;

    for (raft_id id = 1; id <= world->config.node_count; id++) {
        bool fast = random_chance(&world->faults.random, 500000);

        node_set_clock_rate(&world->nodes[id],
                            NODE_CLOCK_TRUE_PPM + (fast ? fast_ppm : 0));
    }
}

static void strike_clock(struct world *world)
{
    struct random *random = &world->faults.random;
    const struct world_config *config = &world->config;
    raft_id id = faults_draw_node(world);
    struct node *node = &world->nodes[id];
    uint64_t how = random_below(random, config->clock_jumps ? 4 : 3);
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
    else if (how == 2)
        faults_nodes_spread_clocks(world);
    else
        node_jump_clock(node, jump_us);
}

// ---- the calls ------------------------------------------------------------------

void faults_nodes_strike(struct world *world, enum fault fault)
{
    switch (fault) {
    case FAULT_CRASH:
        strike_crash(world);
        break;
    case FAULT_INSIDE:
        strike_inside(world);
        break;
    case FAULT_PAUSE:
        strike_pause(world);
        break;
    case FAULT_SLOW:
        strike_slow(world);
        break;
    default:
        strike_clock(world);
    }
}

void faults_nodes_undo(struct world *world, enum fault fault, raft_id id)
{
    struct node *node = &world->nodes[id];

    switch (fault) {
    case FAULT_CRASH:
        restart(world, node);
        break;
    case FAULT_PAUSE:
        node_resume(node);
        break;
    case FAULT_SLOW:
        stutter(world, node);
        break;
    default:
        break;
    }
}

void faults_nodes_heal(struct node *node)
{
    node->crash_at_write = node->crash_is_set = false;
    node->effects_left = 0;
    node->stutter_us = 0;
    node_resume(node);
}
