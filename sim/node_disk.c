#include "sim/node_disk.h"

#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

static void push(const struct node *node, uint64_t time_us, enum world_event kind,
                 uint64_t argument)
{
    struct heap_event event = {
        .time_us = time_us, .kind = kind, .node = node->id, .arguments = {argument}};

    heap_push(&node->world->heap, &event);
}

static void keep(struct node *node, uint64_t sync)
{
    if (node->sync_count == node->sync_capacity) {
        node->sync_capacity = node->sync_capacity == 0 ? 8 : 2 * node->sync_capacity;
        node->syncs = realloc(node->syncs, node->sync_capacity * sizeof(*node->syncs));
        if (node->syncs == NULL)
            abort();
    }
    node->syncs[node->sync_count++] = sync;
}

// In a manual world a sync ends at once, or waits.
static void start_manual_sync(struct node *node, uint64_t sync)
{
    if (node->sync_manual)
        keep(node, sync);
    else
        push(node, node->world->now_us, WORLD_SYNCED, sync);
}

void node_disk_start_sync(void *context, uint64_t sync, uint64_t bytes)
{
    struct node *node = context;
    struct world *world = node->world;
    uint64_t takes =
        random_between(&node->disk_random, node->sync_us_min, node->sync_us_max);

    if (node_is_cut_off(node))
        return; // that disk is thrown away
    world->counters.values[COUNTER_SYNCS]++;
    takes += bytes * world->config.sync_ns_per_kib / 1024 / 1000;
    if (world->config.perfect_disks) {
        takes = 0;
        keep(node, sync);
    } else if (world->manual) {
        start_manual_sync(node, sync);
    } else {
        push(node, world->now_us + takes, WORLD_SYNCED, sync);
    }
    if (node->crash_at_write) {
        uint64_t after = random_below(&node->disk_random, takes + 1);

        node->crash_at_write = false;
        node->crash_is_set = true;
        push(node, world->now_us + after, WORLD_CRASH, node->incarnation);
    }
}

// Tells the host; false where a crash came first, or nobody is there to be told.
static bool end_sync(struct node *node, uint64_t sync)
{
    uint64_t token;
    int status;

    if (!sim_disk_complete(node->disk, sync, &token, &status) || !node_is_live(node))
        return false;
    if (!node->world->config.perfect_disks)
        world_tell(node->world, &(struct deed){DEED_SYNC, node->id});
    host_synced(node->host, &node->io, node_now_ms(node), token, status);
    return true;
}

void node_disk_synced(struct node *node, const struct heap_event *event)
{
    if (end_sync(node, event->arguments[0]))
        node_settle(node);
}

void node_disk_settle(struct node *node)
{
    if (!node->world->config.perfect_disks)
        return;
    for (uint32_t i = 0; i < node->sync_count; i++) // each may begin another
        end_sync(node, node->syncs[i]);
    node->sync_count = 0;
}
