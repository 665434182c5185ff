#include "sim/manual.h"

#include "sim/diagram.h"
#include "sim/packet.h"
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PROPOSERS = 1 << 20 }; // no client has such a number

// ---- messages -------------------------------------------------------------------

static const char *const kinds[RAFT_MESSAGE_TYPE_END] = {
    [RAFT_REQUEST_VOTE] = "vote",
    [RAFT_REQUEST_VOTE_REPLY] = "vote-reply",
    [RAFT_APPEND_ENTRIES] = "append",
    [RAFT_APPEND_ENTRIES_REPLY] = "append-reply",
    [RAFT_INSTALL_SNAPSHOT] = "snapshot",
    [RAFT_INSTALL_SNAPSHOT_REPLY] = "snapshot-reply",
    [RAFT_TIMEOUT_NOW] = "timeout-now",
    [RAFT_READ_INDEX] = "read-index",
    [RAFT_READ_INDEX_REPLY] = "read-index-reply",
};

const char *manual_kind(const struct raft_message *message)
{
    if (message->type == RAFT_REQUEST_VOTE && message->request_vote.pre_vote)
        return "pre-vote";
    if (message->type == RAFT_REQUEST_VOTE_REPLY &&
        message->request_vote_reply.pre_vote)
        return "pre-vote-reply";
    assert(message->type >= RAFT_REQUEST_VOTE && message->type < RAFT_MESSAGE_TYPE_END);
    return kinds[message->type];
}

bool manual_is_kind(const char *word)
{
    for (int type = RAFT_REQUEST_VOTE; type < RAFT_MESSAGE_TYPE_END; type++)
        if (strcmp(word, kinds[type]) == 0)
            return true;
    return strcmp(word, "pre-vote") == 0 || strcmp(word, "pre-vote-reply") == 0;
}

const struct raft_message *manual_message(const struct world *world, uint32_t place)
{
    assert(place < world->links.held_count);
    return pool_at(&world->pool, world->links.held[place].packet);
}

uint32_t manual_find(const struct world *world, raft_id from, raft_id to,
                     const char *kind, uint64_t position)
{
    for (uint32_t place = 0; place < world->links.held_count; place++) {
        const struct links_held *held = &world->links.held[place];

        if (held->from != from || held->to != to)
            continue;
        if (kind != NULL &&
            strcmp(kind, manual_kind(manual_message(world, place))) != 0)
            continue;
        if (--position == 0)
            return place;
    }
    return MANUAL_NONE;
}

static void push_now(struct world *world, enum world_event kind, uint32_t node,
                     uint64_t argument, uint64_t second)
{
    struct heap_event event = {.time_us = world->now_us, .kind = kind, .node = node};

    event.arguments[0] = argument;
    event.arguments[1] = second;
    heap_push(&world->heap, &event);
}

static struct links_held take(struct world *world, uint32_t place)
{
    struct links *links = &world->links;
    struct links_held held;

    assert(place < links->held_count);
    held = links->held[place];
    links->held_count--;
    memmove(&links->held[place], &links->held[place + 1],
            (links->held_count - place) * sizeof(held));
    return held;
}

void manual_deliver(struct world *world, uint32_t place)
{
    struct links_held held = take(world, place);

    push_now(world, WORLD_DELIVER, held.to, held.packet, held.from);
}

void manual_again(struct world *world, uint32_t place)
{
    struct links_held held = world->links.held[place];
    uint64_t packet = packet_copy(&world->pool, held.packet);

    world->links.duplicated++;
    diagram_send(world->trace.diagram, world->now_us, packet,
                 pool_at(&world->pool, packet));
    push_now(world, WORLD_DELIVER, held.to, packet, held.from);
}

void manual_stray(struct world *world, uint32_t place)
{
    struct links_held held = world->links.held[place];
    uint64_t packet = packet_copy(&world->pool, held.packet);
    struct raft_message *message = pool_at(&world->pool, packet);

    diagram_send(world->trace.diagram, world->now_us, packet, message);
    message->from = 0;
    world->links.duplicated++;
    push_now(world, WORLD_DELIVER, held.to, packet, held.from);
}

void manual_drop(struct world *world, uint32_t place)
{
    struct links_held held = take(world, place);

    links_lose(world, held.packet);
    pool_give(&world->pool, held.packet);
}

// ---- syncs and time -------------------------------------------------------------

uint64_t manual_sync(struct node *node, uint64_t most)
{
    uint64_t count = 0;

    while (count < most && node->sync_count > 0 && !world_violated(node->world)) {
        uint64_t sync = node->syncs[0];

        node->sync_count--;
        memmove(&node->syncs[0], &node->syncs[1],
                node->sync_count * sizeof(node->syncs[0]));
        push_now(node->world, WORLD_SYNCED, node->id, sync, 0);
        manual_drain(node->world);
        count++;
    }
    return count;
}

void manual_pass(struct world *world, uint64_t us)
{
    assert(heap_peek(&world->heap) == NULL);
    world->now_us += us;
}

bool manual_drain(struct world *world)
{
    return world_run_until(world, world->now_us);
}

void manual_end(struct world *world)
{
    assert(world->manual);
    world->manual = false;
    for (raft_id from = 1; from <= world->config.node_count; from++)
        for (raft_id to = 1; to <= world->config.node_count; to++)
            links_let_go(world, from, to, true);
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        struct node *node = &world->nodes[id];

        for (uint32_t i = 0; i < node->sync_count; i++)
            push_now(world, WORLD_SYNCED, id, node->syncs[i], 0);
        node->sync_count = 0;
        node->sync_manual = false;
        if (node_is_live(node))
            node_settle(node);
    }
}

// ---- clients --------------------------------------------------------------------

struct client *manual_client(struct world *world, uint32_t number)
{
    struct clients *clients = &world->clients;
    uint32_t old = clients->count;

    if (number >= old) {
        clients->list = realloc(clients->list, (number + 1) * sizeof(*clients->list));
        if (clients->list == NULL)
            abort();
        memset(&clients->list[old], 0, (number + 1 - old) * sizeof(*clients->list));
        clients->count = number + 1;
        for (uint32_t i = old; i <= number; i++)
            clients->list[i].id = i;
    }
    return &clients->list[number];
}

// Sends what the client asked last.
static void send(struct world *world, const struct client *client, raft_id node)
{
    const struct request *last = pool_at(&world->pool, client->last);
    struct request head = *last;
    struct bytes words[REQUEST_WORDS_MAX];

    request_words(last, words);
    push_now(world, WORLD_REQUEST, node, request_make(&world->pool, &head, words), 0);
}

// Keeps what the client asks, so that it can be sent once more.
static void keep_last(struct world *world, struct client *client)
{
    const struct request *operation = pool_at(&world->pool, client->words);
    struct request head = *operation;
    struct bytes words[REQUEST_WORDS_MAX];

    if (client->last != 0)
        pool_give(&world->pool, client->last);
    request_words(operation, words);
    head.operation = client->number;
    if (!head.read && client->state == CLIENT_WAITING && client->session != 0) {
        head.session = client->session;
        head.sequence = client->sequence;
    }
    client->last = request_make(&world->pool, &head, words);
}

static void begin(struct world *world, struct client *client, enum client_state state,
                  const struct bytes *words, uint32_t count)
{
    struct request head = {
        .client = client->id, .read = client->reads, .word_count = count};

    clients_abandon(world, client);
    client->words = request_make(&world->pool, &head, words);
    client->state = state;
    client->sent = true;
    client->recorded = false;
    client->number++;
}

void manual_ask(struct world *world, struct client *client, raft_id node,
                const struct bytes *words, uint32_t count, bool read)
{
    client->reads = read;
    client->registers = false;
    begin(world, client, CLIENT_WAITING, words, count);
    client->sequence += !read && client->session != 0;
    client->recorded = workload_call(&world->history, client->id, words, count,
                                     world->now_us, &client->operation);
    world->clients.operations++;
    keep_last(world, client);
    send(world, client, node);
}

void manual_register(struct world *world, struct client *client, raft_id node)
{
    static const struct bytes word = {"RAFT.REGISTER", 13};

    client->reads = false;
    client->registers = true;
    begin(world, client, CLIENT_REGISTERING, &word, 1);
    client->session = 0;
    keep_last(world, client);
    send(world, client, node);
}

void manual_record(struct world *world, const struct bytes *words, uint32_t count)
{
    uint32_t operation;

    // Each is by a client of its own, whom nobody answers.
    workload_call(&world->history, PROPOSERS + world->ticket_count, words, count,
                  world->now_us, &operation);
}

bool manual_repeat(struct world *world, struct client *client, raft_id node)
{
    const struct request *last =
        client->last == 0 ? NULL : pool_at(&world->pool, client->last);

    if (last == NULL)
        return false;
    if (!last->read && last->session == 0 && !client->registers)
        return false;
    world->clients.retries++;
    send(world, client, node);
    return true;
}
