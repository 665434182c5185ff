#include "sim/node.h"

#include "sim/diagram.h"
#include "sim/faults/faults_disks.h"
#include "sim/node_config.h"
#include "sim/node_crash.h"
#include "sim/node_disk.h"
#include "sim/node_machine.h"
#include "sim/node_own.h"
#include "sim/node_requests.h"
#include "sim/packet.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLOCK_RETRY_US = 100000, // a clock entry that got lost is proposed again
    FORGET_BYTES = 65536,    // overwritten when memory is lost
};

bool node_is_live(const struct node *node)
{
    return node->up && !node->paused && node->stopped[0] == '\0';
}

uint64_t node_now_ms(const struct node *node)
{
    return node_clock_us(&node->clock, node->world->now_us) / 1000;
}

uint64_t node_wall_ms(const struct node *node)
{
    return (uint64_t)((int64_t)(WORLD_EPOCH_MS + world_now_ms(node->world)) +
                      node->skew_ms);
}

static void push(const struct node *node, uint64_t time_us, enum world_event kind,
                 uint64_t argument)
{
    struct heap_event event = {
        .time_us = time_us, .kind = kind, .node = node->id, .arguments = {argument}};

    heap_push(&node->world->heap, &event);
}

// ---- the host's doors -----------------------------------------------------------

bool node_is_cut_off(const struct node *node)
{
    return node->cut_disk != NULL;
}

// A write to the disk, or a message, is done.
static void count_effect(void *context)
{
    struct node *node = context;
    struct sim_disk_hooks hooks = {node, node_disk_start_sync, count_effect};

    if (node->damage_waits)
        faults_disks_damage_received(node);
    if (node->fill_waits > 0)
        faults_disks_fill_received(node);
    if (node->effects_left == 0 || --node->effects_left > 0)
        return;
    trace_note(&node->world->trace, node->world->now_us, "n%" PRIu32 " is cut off",
               node->id);
    node->cut_disk = sim_disk_clone(node->disk, &hooks);
}

static void send_messages(void *context, const struct raft_message *messages,
                          uint32_t count)
{
    struct node *node = context;

    for (uint32_t i = 0; i < count && !node_is_cut_off(node); i++) {
        links_send(node->world, &messages[i], 1);
        count_effect(node);
    }
}

static void observe_step(void *context, const struct raft *raft,
                         const struct raft_event *event,
                         const struct raft_output *output)
{
    struct node *node = context;
    struct world *world = node->world;
    struct checker_step step = {&node->view, event, output, NULL};
    struct counters_before was = {node->view.role, node->view.current_term,
                                  node->view.last_index};

    if (checker_is_on(world->checker))
        step.broken = raft_check(raft);
    node->snapshots_taken += event->type == RAFT_EVENT_SNAPSHOT_TAKEN &&
                             event->snapshot_taken.index > node->view.snapshot_index;
    if (world->ndjson.file != NULL) {
        struct raft_view before = node->view;

        raft_observe(raft, &node->view);
        ndjson_step(world, &before, &node->view, event, output);
    }
    raft_observe(raft, &node->view);
    counters_step(&world->counters, &was, &node->view, output);
    for (int i = 0; i < RAFT_REACHED_WORDS; i++)
        world->reached[i] |= output->reached[i];
    trace_step(&world->trace, raft, &node->view, event, output);
    diagram_step(world->trace.diagram, world->now_us, raft, event, output);
    if (checker_violation_count(world->checker) == 0)
        checker_step(world->checker, node->id, &step);
    node_own_step(world->own, node, raft);
    if (!standstill_step(&world->standstill, world->now_us))
        standstill_end(world->now_us, raft, event, output);
    if (event->type == RAFT_EVENT_MESSAGE &&
        world->heap.count > STANDSTILL_UNDER_WAY_MAX)
        standstill_flood(world->now_us, raft, event, output);
}

// ---- life cycle -----------------------------------------------------------------

void node_init(struct node *node, struct world *world, raft_id id)
{
    struct sim_disk_hooks hooks = {node, node_disk_start_sync, count_effect};
    uint64_t start_ms = world->config.clock_start_ms + world->config.clock_ahead_ms[id];
    struct host_config config;

    memset(node, 0, sizeof(*node));
    node->id = id;
    node->world = world;
    node->tick_us = UINT64_MAX;
    node->clock = (struct node_clock){0, start_ms * 1000, NODE_CLOCK_TRUE_PPM};
    node->sync_us_min = world->config.sync_us_min;
    node->sync_us_max = world->config.sync_us_max;
    random_seed(&node->disk_random, world->config.seed, WORLD_STREAM_DISKS + id);
    random_seed(&node->seeds, world->config.seed, WORLD_STREAM_SEEDS + id);
    node->disk = sim_disk_new(&hooks);
    sim_disk_door(node->disk, &node->io.disk);
    node->io.network = (struct network){node, send_messages};
    node_machine_door(node, &node->io.machine);
    node->io.observer = (struct host_observer){node, observe_step};
    node_config_make(node, &config);
    node->memory_size = (host_size(&config) + 15) / 16 * 16;
    node->memory = aligned_alloc(16, node->memory_size);
    if (node->memory == NULL)
        abort();
}

void node_release(struct node *node)
{
    node_machine_stop(node);
    if (node->disk != NULL)
        sim_disk_free(node->disk);
    if (node->cut_disk != NULL)
        sim_disk_free(node->cut_disk);
    free(node->memory);
    free(node->proposals);
    free(node->waiting);
    free(node->syncs);
}

static void set_tick(struct node *node)
{
    uint64_t deadline_ms = host_deadline_ms(node->host);
    uint64_t now_ms = node_now_ms(node);
    uint64_t time_us;

    if (node->world->manual)
        return; // somebody says when
    if (deadline_ms <= now_ms)
        deadline_ms = now_ms + 1;
    time_us = deadline_ms >= UINT64_MAX / 1000
                  ? UINT64_MAX
                  : node_clock_world_us(&node->clock, deadline_ms * 1000);
    // A later deadline is seen when the earlier event comes.
    if (time_us < node->tick_us) {
        node->tick_us = time_us;
        push(node, time_us, WORLD_TICK, 0);
    }
}

// A leader sees to it that keys vanish in time.
static void set_clock(struct node *node)
{
    uint64_t deadline_ms, now_ms;

    if (node->world->manual || node->clock_set || node->view.role != RAFT_LEADER)
        return;
    deadline_ms = service_next_deadline_ms(node->service);
    if (deadline_ms == UINT64_MAX)
        return;
    now_ms = node_wall_ms(node);
    node->clock_set = true;
    push(node,
         node->world->now_us + (deadline_ms > now_ms ? deadline_ms - now_ms : 0) * 1000,
         WORLD_CLOCK, node->incarnation);
}

void node_settle(struct node *node)
{
    const char *stopped;

    node_disk_settle(node);
    stopped = host_stopped(node->host);
    if (node_is_cut_off(node)) {
        faults_crash_now(node->world, node->id);
        return;
    }
    if (stopped != NULL) {
        snprintf(node->stopped, sizeof(node->stopped), "%s", stopped);
        trace_note(&node->world->trace, node->world->now_us, "n%" PRIu32 " stops",
                   node->id);
        trace_reason(&node->world->trace, stopped);
        if (!node->disk_faulty)
            checker_violate(node->world->checker, PROPERTY_NODE_STOPPED, node->id, 0,
                            "%s", stopped);
        return;
    }
    set_tick(node);
    set_clock(node);
}

// The checker sees the log that came back before the node does anything with it.
static void show_log(struct node *node)
{
    const struct raft *raft = host_raft(node->host);

    raft_observe(raft, &node->view);
    if (node->view.first_index > 1) {
        raft_term term = 0;

        raft_term_at(raft, node->view.first_index - 1, &term);
        checker_base(node->world->checker, node->id, node->view.first_index - 1, term);
    }
    for (raft_index i = node->view.first_index; i <= node->view.last_index; i++) {
        struct raft_entry entry;

        if (raft_entry_at(raft, i, &entry))
            checker_load(node->world->checker, node->id, &entry);
    }
    checker_open(node->world->checker, node->id, &node->view);
    node_own_step(node->world->own, node, raft);
}

// The host finds something that nobody has done to its disk.
static void refuse_start(struct node *node)
{
    struct world *world = node->world;

    node_machine_stop(node);
    trace_note(&world->trace, world->now_us, "n%" PRIu32 " does not start", node->id);
    trace_reason(&world->trace, node->stopped);
    if (!node->disk_faulty && !node->disk_full)
        checker_violate(world->checker, PROPERTY_NODE_STOPPED, node->id, 0, "%s",
                        node->stopped);
}

bool node_start(struct node *node)
{
    struct world *world = node->world;
    struct host_config config;

    assert(!node->up);
    node->stopped[0] = '\0';
    if (node->disk_lost) {
        snprintf(node->stopped, sizeof(node->stopped),
                 "its disk is lost; a new node takes a new number");
        return false;
    }
    if (node->incarnation > 0)
        world_tell_command(node->world, node->id, "restart %" PRIu32, node->id);
    node_config_make(node, &config);
    memset(node->memory, 0xa5,
           node->memory_size < FORGET_BYTES ? node->memory_size : FORGET_BYTES);
    node->incarnation++;
    node_machine_start(node);
    node->host = host_open(node->memory, &config, &node->io, node_now_ms(node),
                           node->stopped, sizeof(node->stopped));
    if (node_is_cut_off(node)) {
        node_crash_starting(node);
        return false;
    }
    if (node->host == NULL) {
        refuse_start(node);
        return false;
    }
    node->up = true;
    node->clock_set = false;
    show_log(node);
    ndjson_start(world, &node->view);
    // Whether the log reaches back behind this one is not known here.
    node->restored_index = node->view.snapshot_index;
    node->tick_us = world->now_us;
    push(node, world->now_us, WORLD_TICK, 0);
    return true;
}

void node_lose_disk(struct node *node)
{
    world_tell_command(node->world, node->id, "disk %" PRIu32 " lost", node->id);
    node_crash(node, SIM_DISK_LOSE_ALL);
    node->disk_lost = true;
}

void node_pause(struct node *node)
{
    node->paused = node->up;
}

void node_resume(struct node *node)
{
    if (!node->paused)
        return;
    node->paused = false;
    for (uint32_t i = 0; i < node->waiting_count; i++) {
        struct heap_event event = node->waiting[i];

        event.time_us = node->world->now_us;
        if (event.kind == WORLD_TICK)
            node->tick_us = event.time_us;
        heap_push(&node->world->heap, &event);
    }
    node->waiting_count = 0;
}

// ---- events ---------------------------------------------------------------------

void node_drop(struct node *node, const struct heap_event *event)
{
    switch (event->kind) {
    case WORLD_DELIVER:
        links_lose(node->world, event->arguments[0]);
        pool_give(&node->world->pool, event->arguments[0]);
        break;
    case WORLD_REQUEST:
        pool_give(&node->world->pool, event->arguments[0]);
        break;
    default:
        break;
    }
}

static void wait_until_resumed(struct node *node, const struct heap_event *event)
{
    if (node->waiting_count == node->waiting_capacity) {
        node->waiting_capacity =
            node->waiting_capacity == 0 ? 64 : 2 * node->waiting_capacity;
        node->waiting =
            realloc(node->waiting, node->waiting_capacity * sizeof(*node->waiting));
        if (node->waiting == NULL)
            abort();
    }
    node->waiting[node->waiting_count++] = *event;
}

static void tick(struct node *node, const struct heap_event *event)
{
    uint64_t now_ms = node_now_ms(node);

    if (event->time_us != node->tick_us)
        return; // an earlier one was set since
    node->tick_us = UINT64_MAX;
    if (host_deadline_ms(node->host) <= now_ms) {
        world_tell(node->world, &(struct deed){DEED_TICK, node->id});
        host_tick(node->host, &node->io, now_ms);
    }
    node_settle(node);
}

static void deliver(struct node *node, const struct heap_event *event)
{
    struct world *world = node->world;

    if (links_arrives(&world->links, (raft_id)event->arguments[1], node->id)) {
        const struct raft_message *message =
            packet_open(&world->pool, event->arguments[0]);

        diagram_receive(world->trace.diagram, world->now_us, event->arguments[0]);
        world_tell(world, &(struct deed){DEED_DELIVER, node->id, {message}});
        host_receive(node->host, &node->io, node_now_ms(node), message);
        node_settle(node);
    } else {
        diagram_lose(world->trace.diagram, world->now_us, event->arguments[0]);
    }
    pool_give(&world->pool, event->arguments[0]);
}

static void propose_clock(struct node *node)
{
    struct buffer *command = &node->world->scratch;
    raft_index index;
    raft_term term;

    node->clock_set = false;
    if (node->view.role != RAFT_LEADER)
        return;
    if (service_next_deadline_ms(node->service) <= node_wall_ms(node)) {
        struct raft_command entry;

        world_tell_command(node->world, node->id, "propose at %" PRIu32 " incr clock",
                           node->id);
        buffer_clear(command);
        service_encode(command, node_wall_ms(node), 0, 0, NULL, 0);
        entry = (struct raft_command){command->data, (uint32_t)command->size};
        host_propose(node->host, &node->io, node_now_ms(node), &entry, 1, &index,
                     &term);
        node->clock_set = true; // until it was applied, or got lost
        push(node, node->world->now_us + CLOCK_RETRY_US, WORLD_CLOCK,
             node->incarnation);
    }
    node_settle(node);
}

void node_set_clock_rate(struct node *node, uint32_t rate_ppm)
{
    node_clock_set_rate(&node->clock, node->world->now_us, rate_ppm);
    if (node_is_live(node))
        node_settle(node);
}

void node_jump_clock(struct node *node, uint64_t by_us)
{
    node_clock_jump(&node->clock, node->world->now_us, by_us);
    if (node_is_live(node))
        node_settle(node);
}

void node_timeout(struct node *node)
{
    uint64_t deadline_ms = host_deadline_ms(node->host);

    assert(node_is_live(node));
    if (deadline_ms != UINT64_MAX && deadline_ms > node_now_ms(node))
        node_clock_jump(&node->clock, node->world->now_us,
                        deadline_ms * 1000 -
                            node_clock_us(&node->clock, node->world->now_us));
    host_tick(node->host, &node->io, node_now_ms(node));
    node->tick_us = UINT64_MAX; // the one that is set comes too early or too late now
    node_settle(node);
}

void node_event(struct node *node, const struct heap_event *event)
{
    if (event->kind == WORLD_SYNCED && !node->paused) {
        node_disk_synced(node, event);
        return;
    }
    if (node->paused && event->kind != WORLD_CRASH) {
        wait_until_resumed(node, event);
        return;
    }
    if (!node->up || node->stopped[0] != '\0') {
        node_drop(node, event);
        return;
    }
    switch (event->kind) {
    case WORLD_TICK:
        tick(node, event);
        break;
    case WORLD_DELIVER:
        deliver(node, event);
        break;
    case WORLD_CLOCK:
        if (event->arguments[0] == node->incarnation)
            propose_clock(node);
        break;
    case WORLD_REQUEST:
        world_tell(node->world,
                   &(struct deed){
                       .kind = DEED_REQUEST,
                       .node = node->id,
                       .request = pool_at(&node->world->pool, event->arguments[0])});
        node_requests_take(node, event->arguments[0]);
        break;
    case WORLD_CRASH:
        if (event->arguments[0] == node->incarnation && node->crash_is_set)
            faults_crash_now(node->world, node->id);
        break;
    default:
        assert(false);
    }
}
