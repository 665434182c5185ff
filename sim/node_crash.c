#include "sim/node_crash.h"

#include "sim/node_machine.h"
#include "sim/node_requests.h"
#include "sim/world.h"

#include <inttypes.h>

// The disk goes on as it was when the node was cut off.
static void take_cut_disk(struct node *node)
{
    if (!node_is_cut_off(node))
        return;
    sim_disk_free(node->disk);
    node->disk = node->cut_disk;
    node->cut_disk = NULL;
    sim_disk_door(node->disk, &node->io.disk);
}

static void tell_crash(struct node *node, enum sim_disk_crash_mode mode, uint64_t draw)
{
    static const char *const losses[SIM_DISK_CRASH_MODE_COUNT] = {
        [SIM_DISK_LOSE_ALL] = "all",
        [SIM_DISK_LOSE_TAIL] = "tail",
        [SIM_DISK_LOSE_SECTORS] = "sectors",
        [SIM_DISK_LOSE_NOTHING] = "nothing",
    };
    bool drawn = mode == SIM_DISK_LOSE_TAIL || mode == SIM_DISK_LOSE_SECTORS;
    char by[32] = "";

    if (drawn)
        snprintf(by, sizeof(by), " draw=%" PRIu64, draw);
    world_tell_command(node->world, node->id, "crash %" PRIu32 " lose %s%s", node->id,
                       losses[mode], by);
}

void node_crash_starting(struct node *node)
{
    enum sim_disk_crash_mode mode = (enum sim_disk_crash_mode)random_below(
        &node->disk_random, SIM_DISK_CRASH_MODE_COUNT);

    uint64_t draw = random_u64(&node->disk_random);
    struct random random;

    if (node->crash_plan.set) {
        mode = node->crash_plan.mode;
        draw = node->crash_plan.draw;
        node->crash_plan.set = false;
    }
    tell_crash(node, mode, draw);
    node_machine_stop(node);
    node->host = NULL;
    node->stopped[0] = '\0';
    take_cut_disk(node);
    random_seed(&random, draw, 0);
    sim_disk_crash(node->disk, &random, mode);
}

void node_crash(struct node *node, enum sim_disk_crash_mode mode)
{
    node_crash_drawn(node, mode, random_u64(&node->disk_random));
}

bool node_crash_as_planned(struct node *node)
{
    if (node->crash_plan.set) {
        random_u64(&node->disk_random); // as for one that is drawn
        node_crash_drawn(node, node->crash_plan.mode, node->crash_plan.draw);
        return true;
    }
    return false;
}

void node_crash_drawn(struct node *node, enum sim_disk_crash_mode mode, uint64_t draw)
{
    struct random random;

    random_seed(&random, draw, 0);
    if (node->world->config.perfect_disks)
        mode = SIM_DISK_LOSE_NOTHING;
    if (node->up)
        tell_crash(node, mode, draw);
    if (node->up) {
        checker_crash(node->world->checker, node->id);
        node_machine_stop(node);
        node->host = NULL;
        node_requests_forget(node);
        for (uint32_t i = 0; i < node->waiting_count; i++)
            node_drop(node, &node->waiting[i]);
        node->waiting_count = 0;
    }
    node->sync_count = 0;
    node->up = false;
    node->paused = false;
    node->stopped[0] = '\0';
    node->crash_at_write = node->crash_is_set = false;
    node->effects_left = 0;
    node->crash_plan.set = false;
    node->stutter_us = 0;
    take_cut_disk(node);
    node->view.role = RAFT_FOLLOWER;
    node->view.leader_id = 0;
    node->view.configuration = NULL; // it lay in the core
    sim_disk_crash(node->disk, &random, mode);
}
