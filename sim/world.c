#include "sim/world.h"

#include "sim/churn.h"
#include "sim/node_own.h"
#include "sim/node_requests.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_BYTES = 400 };

void world_config_default(struct world_config *config)
{
    *config = (struct world_config){
        .seed = 1,
        .node_count = 3,
        .member_count = 3,
        .election_timeout_ms = 150,
        .heartbeat_ms = 50,
        .pre_vote = true,
        .check_quorum = true,
        .delay_us_min = 100,
        .delay_us_max = 2000,
        .sync_us_min = 100,
        .sync_us_max = 1500,
        .log_entries_max = 1u << 16,
        .log_bytes_max = 1u << 23,
        .clock_drift_percent = 40,
        .clock_jumps = true,
    };
}

static bool start_nodes(struct world *world, char *error, size_t size)
{
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        node_init(&world->nodes[id], world, id);
        if (id <= world->config.member_count && !node_start(&world->nodes[id])) {
            snprintf(error, size, "node %u does not start: %s", (unsigned)id,
                     world->nodes[id].stopped);
            return false;
        }
    }
    return true;
}

static void set_limits(struct world *world)
{
    const struct world_config *config = &world->config;
    struct checker_limits limits = {
        .election_timeout_ms = config->election_timeout_ms,
        .heartbeat_ms = config->heartbeat_ms,
        .message_bytes_max = config->message_bytes_max,
        .check_quorum = config->check_quorum,
        .perfect_disks = config->perfect_disks,
        .leases = config->lease_drift_percent > 0,
        .drift_unbounded = config->lease_drift_percent > 0 &&
                           config->clock_drift_percent > config->lease_drift_percent,
    };

    checker_set_limits(world->checker, &limits);
}

struct world *world_new(const struct world_config *config, char *error, size_t size)
{
    struct world *world = calloc(1, sizeof(*world));

    assert(config->node_count <= RAFT_MEMBERS_MAX);
    if (world == NULL)
        abort();
    world->config = *config;
    world->manual = config->manual;
    world->checker = checker_new(config->node_count, config->member_count);
    set_limits(world);
    if (config->unchecked)
        checker_switch_off(world->checker);
    if (config->own) {
        checker_leave_to_own(world->checker);
        world->own = node_own_new(world);
    }
    world->trace.hash = config->seed;
    world->links.delay_us_min = config->delay_us_min;
    world->links.delay_us_max = config->delay_us_max;
    world->links.ordered = config->ordered_links;
    random_seed(&world->links.random, config->seed, WORLD_STREAM_NETWORK);
    wire_init(&world->wire, config->wire, config->seed);
    random_seed(&world->faults.random, config->seed, WORLD_STREAM_FAULTS);
    clients_init(world);
    churn_init(world);
    if (!start_nodes(world, error, size)) {
        world_free(world);
        return NULL;
    }
    return world;
}

void world_free(struct world *world)
{
    if (world == NULL)
        return;
    for (raft_id id = 1; id <= world->config.node_count; id++)
        node_release(&world->nodes[id]);
    for (uint32_t i = 0; i < world->ticket_count; i++)
        buffer_free(&world->tickets[i].reply);
    free(world->tickets);
    clients_release(&world->clients);
    links_release(&world->links);
    wire_release(&world->wire);
    history_release(&world->history);
    heap_release(&world->heap);
    pool_release(&world->pool);
    checker_free(world->checker);
    node_own_free(world->own);
    buffer_free(&world->scratch);
    free(world);
}

bool world_violated(const struct world *world)
{
    return checker_violation_count(world->checker) > 0;
}

static void dispatch(struct world *world, const struct heap_event *event)
{
    switch (event->kind) {
    case WORLD_REPLY:
        clients_take_reply(world, event->arguments[0]);
        break;
    case WORLD_CLIENT:
        clients_wake(world, event);
        break;
    case WORLD_FAULT:
    case WORLD_UNDO:
        faults_event(world, event);
        break;
    default:
        node_event(&world->nodes[event->node], event);
    }
}

void world_tell(struct world *world, const struct deed *deed)
{
    if (world->watch.told != NULL)
        world->watch.told(world->watch.context, world, deed);
}

static void tell_line(struct world *world, enum deed_kind kind, raft_id node,
                      const char *format, va_list arguments)
{
    struct deed deed = {.kind = kind, .node = node};
    char line[COMMAND_BYTES];

    vsnprintf(line, sizeof(line), format, arguments);
    deed.command = line;
    world_tell(world, &deed);
}

void world_tell_command(struct world *world, raft_id node, const char *format, ...)
{
    va_list arguments;

    if (world->watch.told == NULL)
        return;
    va_start(arguments, format);
    tell_line(world, DEED_COMMAND, node, format, arguments);
    va_end(arguments);
}

void world_tell_phase(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (world->watch.told == NULL)
        return;
    va_start(arguments, format);
    tell_line(world, DEED_PHASE, 0, format, arguments);
    va_end(arguments);
}

bool world_step(struct world *world)
{
    struct heap_event event;

    if (world_violated(world) || world->halted || !heap_pop(&world->heap, &event))
        return false;
    assert(event.time_us >= world->now_us);
    world->now_us = event.time_us;
    world->event_count++;
    checker_at(world->checker, world->event_count, world->now_us);
    trace_event(&world->trace, &event);
    dispatch(world, &event);
    if (world->watch.seen != NULL)
        world->halted = !world->watch.seen(world->watch.context, world, &event);
    return !world_violated(world) && !world->halted;
}

bool world_run_until(struct world *world, uint64_t time_us)
{
    const struct heap_event *next;

    while ((next = heap_peek(&world->heap)) != NULL && next->time_us <= time_us)
        if (!world_step(world))
            return false;
    if (world->now_us < time_us)
        world->now_us = time_us;
    return !world_violated(world) && !world->halted;
}

bool world_run_before(struct world *world, uint64_t time_us)
{
    if (time_us <= world->now_us)
        return !world_violated(world) && !world->halted;
    if (!world_run_until(world, time_us - 1))
        return false;
    world->now_us = time_us;
    return true;
}

struct node *world_leader(struct world *world)
{
    struct node *leader = NULL;

    for (raft_id id = 1; id <= world->config.node_count; id++) {
        struct node *node = &world->nodes[id];

        if (node_is_live(node) && node->view.role == RAFT_LEADER &&
            (leader == NULL || node->view.current_term > leader->view.current_term))
            leader = node;
    }
    return leader;
}

const struct raft_configuration *world_configuration(struct world *world)
{
    const struct node *best = world_leader(world);

    for (raft_id id = 1; id <= world->config.node_count && best == NULL; id++) {
        const struct node *node = &world->nodes[id];

        if (node_is_live(node) && node->view.configuration->count > 0)
            best = node;
    }
    if (best == NULL)
        return NULL;
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        const struct node *node = &world->nodes[id];

        if (best->view.role != RAFT_LEADER && node_is_live(node) &&
            node->view.configuration->count > 0 &&
            node->view.commit_index > best->view.commit_index)
            best = node;
    }
    return best->view.configuration;
}

bool world_is_member(struct world *world, raft_id id)
{
    const struct raft_configuration *configuration = world_configuration(world);

    return configuration == NULL || raft_member_find(configuration, id) != NULL;
}

static struct world_ticket *add_ticket(struct world *world, raft_id node)
{
    struct world_ticket *ticket;

    // Room for twice as many, each time their number is a power of two.
    if ((world->ticket_count & (world->ticket_count - 1)) == 0) {
        size_t capacity =
            world->ticket_count == 0 ? 1 : 2 * (size_t)world->ticket_count;

        world->tickets = realloc(world->tickets, capacity * sizeof(*world->tickets));
        if (world->tickets == NULL)
            abort();
    }
    ticket = &world->tickets[world->ticket_count++];
    memset(ticket, 0, sizeof(*ticket));
    ticket->node = node;
    return ticket;
}

int64_t world_propose(struct world *world, raft_id id, const struct bytes *words,
                      uint32_t count, enum raft_status *status)
{
    struct request head = {
        .client = REQUEST_TICKET,
        .word_count = count,
        .operation = world->ticket_count,
    };
    uint64_t request = request_make(&world->pool, &head, words);
    struct world_ticket *ticket = add_ticket(world, id);

    *status = node_requests_propose(&world->nodes[id], request, &ticket->index,
                                    &ticket->term);
    if (*status == RAFT_OK)
        return world->ticket_count - 1;
    pool_give(&world->pool, request);
    world->ticket_count--;
    return -1;
}

int64_t world_change(struct world *world, raft_id id,
                     const struct raft_configuration *changes, enum raft_status *status)
{
    struct request head = {.client = REQUEST_TICKET, .operation = world->ticket_count};
    uint64_t request = request_make(&world->pool, &head, NULL);
    struct world_ticket *ticket = add_ticket(world, id);

    *status = node_requests_change(&world->nodes[id], request, changes, &ticket->index,
                                   &ticket->term);
    if (*status == RAFT_OK)
        return world->ticket_count - 1;
    pool_give(&world->pool, request);
    world->ticket_count--;
    return -1;
}

uint32_t world_read(struct world *world, raft_id id, const struct bytes *words,
                    uint32_t count)
{
    struct request head = {
        .client = REQUEST_TICKET,
        .read = true,
        .word_count = count,
        .operation = world->ticket_count,
    };
    uint64_t request = request_make(&world->pool, &head, words);

    add_ticket(world, id);
    node_requests_read(&world->nodes[id], request);
    return world->ticket_count - 1;
}

void world_end_ticket(struct world *world, const struct reply *reply, const void *data)
{
    struct world_ticket *ticket = &world->tickets[reply->operation];

    assert(reply->operation < world->ticket_count);
    ticket->ended = true;
    ticket->status = reply->status;
    buffer_append(&ticket->reply, data, reply->size);
}
