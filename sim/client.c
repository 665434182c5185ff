#include "sim/client.h"

#include "sim/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ATTEMPT_US_MIN = 200000, // an unanswered attempt is repeated after this
    ATTEMPT_US_MAX = 600000,
    BACKOFF_US_MIN = 2000, // after "not the leader"
    BACKOFF_US_MAX = 40000,
    PATIENCE_US = 15000000, // then a client gives up; the console's is its own
    HASTY_PPM = 100000,     // so many operations are given up much sooner
    HASTY_US_MIN = 50000,
    HASTY_US_MAX = 1500000,
    LONE_US_MAX = 2000000, // who does not retry waits no longer
    THINK_US_MEAN = 8000,
    ROAMS_PPM = 350000,
    ROAMS_US_MIN = 5000, // and who roams does not wait for long
    ROAMS_US_MAX = 80000,
};

void clients_init(struct world *world)
{
    struct clients *clients = &world->clients;

    random_seed(&clients->random, world->config.seed, WORLD_STREAM_CLIENTS);
    clients->list = calloc(1, sizeof(*clients->list));
    if (clients->list == NULL)
        abort();
    clients->count = 1;
    clients->think_us_mean = THINK_US_MEAN;
}

void clients_release(struct clients *clients)
{
    free(clients->list);
    buffer_free(&clients->console_reply);
    buffer_free(&clients->told);
}

bool clients_waits(const struct client *client)
{
    return client->state == CLIENT_REGISTERING || client->state == CLIENT_WAITING;
}

static void wake_after(struct world *world, struct client *client, uint64_t delay_us)
{
    struct heap_event event = {
        .time_us = world->now_us + delay_us,
        .kind = WORLD_CLIENT,
        .node = client->id,
        .arguments = {++client->generation},
    };

    heap_push(&world->heap, &event);
}

static void think(struct world *world, struct client *client)
{
    struct clients *clients = &world->clients;

    if (client->id == 0 || !clients->active) {
        client->state = CLIENT_IDLE;
        return;
    }
    client->state = CLIENT_THINKING;
    wake_after(world, client, random_delay(&clients->random, clients->think_us_mean));
}

// ---- sending --------------------------------------------------------------------

static void push_request(struct world *world, raft_id node, const struct request *head,
                         const struct bytes *words)
{
    struct heap_event event = {.kind = WORLD_REQUEST, .node = node};

    event.time_us = world->now_us + links_delay_us(&world->links);
    event.arguments[0] = request_make(&world->pool, head, words);
    heap_push(&world->heap, &event);
}

// Any node that was ever started: a client has heard of no other.
static raft_id draw_node(struct world *world)
{
    uint64_t started = 0, left;

    for (raft_id id = 1; id <= world->config.node_count; id++)
        started += world->nodes[id].incarnation > 0;
    left = random_below(&world->clients.random, started);
    for (raft_id id = 1;; id++)
        if (world->nodes[id].incarnation > 0 && left-- == 0)
            return id;
}

static raft_id choose_node(struct world *world, struct client *client, bool read)
{
    if (client->roams && read)
        return draw_node(world);
    if (client->leader == 0 || client->leader > world->config.node_count)
        client->leader = draw_node(world);
    return client->leader;
}

static void send_request(struct world *world, struct client *client,
                         const struct request *head, const struct bytes *words)
{
    struct links *links = &world->links;
    raft_id node = choose_node(world, client, head->read);
    bool lost = random_chance(&links->random, links->loss_ppm);
    bool duplicated = random_chance(&links->random, links->duplicate_ppm) &&
                      !world->config.no_retries;

    if (!lost)
        push_request(world, node, head, words);
    if (!lost && duplicated)
        push_request(world, node, head, words);
}

// At each attempt and at the end, so that who is never answered counts as well.
static void note_wait(struct world *world, const struct client *client)
{
    uint64_t since_us = client->begun_us;

    if (client->id == 0) // for which somebody waits, as long as they like
        return;
    if (since_us < world->counters.since_us)
        since_us = world->counters.since_us;
    counters_waited(&world->counters, world->now_us - since_us);
}

static void attempt(struct world *world, struct client *client)
{
    struct clients *clients = &world->clients;
    const struct request *operation = pool_at(&world->pool, client->words);
    struct request head = *operation;

    if (client->attempts++ > 0)
        clients->retries++;
    note_wait(world, client);
    client->answered = false;
    head.client = client->id;
    if (!head.read && client->session == 0 && !world->config.no_retries) {
        static const struct bytes word = {"RAFT.REGISTER", 13};

        client->state = CLIENT_REGISTERING;
        head.word_count = 1;
        head.operation = client->number;
        send_request(world, client, &head, &word);
    } else {
        struct bytes words[REQUEST_WORDS_MAX];

        if (client->state != CLIENT_WAITING) {
            client->state = CLIENT_WAITING;
            client->number++;
            client->sequence += !head.read;
        }
        client->sent = true;
        head.operation = client->number;
        head.session = head.read ? 0 : client->session;
        head.sequence = head.session == 0 ? 0 : client->sequence;
        request_words(operation, words);
        send_request(world, client, &head, words);
    }
    wake_after(world, client,
               client->roams
                   ? random_between(&clients->random, ROAMS_US_MIN, ROAMS_US_MAX)
                   : random_between(&clients->random, ATTEMPT_US_MIN, ATTEMPT_US_MAX));
}

// Starts an operation; its words are copied.
static void begin(struct world *world, struct client *client, const struct bytes *words,
                  uint32_t count, bool read)
{
    struct request head = {.client = client->id, .read = read, .word_count = count};

    assert(client->words == 0);
    client->words = request_make(&world->pool, &head, words);
    client->attempts = 0;
    client->begun_us = world->now_us;
    client->sent = false;
    client->state = CLIENT_IDLE;
    client->number++;
    attempt(world, client);
}

void clients_ask(struct world *world, const struct bytes *words, uint32_t count,
                 bool read)
{
    struct clients *clients = &world->clients;
    struct client *console = &clients->list[0];

    if (console->words != 0) {
        pool_give(&world->pool, console->words);
        console->session = 0; // who knows what became of its last write
    }
    console->words = 0;
    clients->console_done = clients->console_failed = false;
    buffer_clear(&clients->console_reply);
    console->recorded = false;
    console->patient_until_us = world->now_us + LONE_US_MAX;
    begin(world, console, words, count, read);
}

// ---- the workload ---------------------------------------------------------------

static uint64_t draw_patience(struct random *random)
{
    bool hasty = random_chance(random, HASTY_PPM);
    uint64_t soon = random_between(random, HASTY_US_MIN, HASTY_US_MAX);

    return hasty ? soon : PATIENCE_US;
}

static void start_operation(struct world *world, struct client *client)
{
    struct clients *clients = &world->clients;
    struct workload_command command;
    struct bytes words[WORKLOAD_WORDS_MAX];
    uint64_t patience_us;

    workload_draw(&command, &clients->random, &client->workload, clients->keys);
    workload_words(&command, words);
    patience_us = draw_patience(&clients->random);
    if (world->config.no_retries && patience_us > LONE_US_MAX)
        patience_us = LONE_US_MAX;
    client->patient_until_us = world->now_us + patience_us;
    client->recorded = command.recorded &&
                       workload_call(&world->history, client->id, words, command.count,
                                     world->now_us, &client->operation);
    clients->operations++;
    begin(world, client, words, command.count, command.read);
}

void clients_start(struct world *world, uint32_t count, uint32_t keys)
{
    struct clients *clients = &world->clients;
    uint32_t old = clients->count;

    clients->list = realloc(clients->list, (old + count) * sizeof(*clients->list));
    if (clients->list == NULL)
        abort();
    memset(&clients->list[old], 0, count * sizeof(*clients->list));
    clients->count = old + count;
    clients->keys = keys;
    clients->active = true;
    for (uint32_t i = 1; i < clients->count; i++) {
        clients->list[i].id = i;
        clients->list[i].workload.id = i;
        clients->list[i].workload.digits = world->config.value_digits;
        if (i >= old)
            clients->list[i].roams = random_chance(&clients->random, ROAMS_PPM);
        if (clients->list[i].state == CLIENT_IDLE)
            think(world, &clients->list[i]);
    }
}

void clients_stop(struct world *world)
{
    struct clients *clients = &world->clients;

    clients->active = false;
    for (uint32_t i = 1; i < clients->count; i++)
        if (clients->list[i].state == CLIENT_THINKING)
            clients->list[i].state = CLIENT_IDLE;
}

// ---- answers --------------------------------------------------------------------

static void finish(struct world *world, struct client *client)
{
    note_wait(world, client);
    pool_give(&world->pool, client->words);
    client->words = 0;
    client->number++; // late answers are for nobody
    client->generation++;
    if (client->id == 0)
        world->clients.console_done = true;
    think(world, client);
}

static void end_unanswered(struct world *world, struct client *client, bool may_run)
{
    if (client->recorded)
        history_return(&world->history, client->operation,
                       may_run ? HISTORY_PENDING : HISTORY_FAILED, 0, world->now_us);
    if (client->id == 0)
        world->clients.console_failed = true;
    finish(world, client);
}

// Nothing is known of the outcome; the session may be in any state.
static void give_up(struct world *world, struct client *client)
{
    const struct request *operation = pool_at(&world->pool, client->words);
    bool read = operation->read;

    world->clients.unknown += client->sent;
    if (!read)
        client->session = 0;
    end_unanswered(world, client, client->sent && !read);
}

void clients_abandon(struct world *world, struct client *client)
{
    if (client->words != 0)
        give_up(world, client);
}

// The number behind the first byte of a RESP integer or length.
static int64_t reply_number(const char *data, uint32_t size)
{
    char text[24] = {0};
    uint32_t length = size < sizeof(text) ? size : sizeof(text) - 1;

    memcpy(text, data, length);
    return strtoll(text + 1, NULL, 10);
}

static void take_answer(struct world *world, struct client *client,
                        const struct reply *reply)
{
    const char *data = request_reply_data(reply);

    if (client->state == CLIENT_REGISTERING) {
        if (reply->size == 0 || data[0] != ':') {
            give_up(world, client);
            return;
        }
        client->session = (uint64_t)reply_number(data, reply->size);
        client->sequence = 0;
        if (world->manual)
            finish(world, client);
        else
            attempt(world, client);
        return;
    }
    if (reply->size >= 8 && memcmp(data, "-SESSION", 8) == 0) {
        give_up(world, client);
        return;
    }
    if (client->recorded)
        workload_return(&world->history, client->operation, data, reply->size,
                        world->now_us);
    if (client->id == 0)
        buffer_append(&world->clients.console_reply, data, reply->size);
    finish(world, client);
}

// The node has not done what it was asked for. Who does not retry has its answer where
// it never will be done; only the console, whose words somebody waits for, asks others.
static void take_refusal(struct world *world, struct client *client,
                         const struct reply *reply)
{
    struct clients *clients = &world->clients;
    bool never = reply->status == REPLY_NOT_LEADER || reply->status == REPLY_REFUSED;

    client->leader = reply->leader_hint;
    client->answered = true;
    if (world->manual)
        return;
    if (world->config.no_retries && !never)
        give_up(world, client);
    else if (world->config.no_retries && client->id != 0)
        end_unanswered(world, client, false);
    else
        wake_after(world, client,
                   random_between(&clients->random, BACKOFF_US_MIN, BACKOFF_US_MAX));
}

void clients_take_reply(struct world *world, uint64_t handle)
{
    struct clients *clients = &world->clients;
    const struct reply *reply = pool_at(&world->pool, handle);
    struct client *client;

    assert(reply->client < clients->count);
    client = &clients->list[reply->client];
    if (reply->operation == client->number && client->words != 0) {
        if (world->manual) {
            buffer_append(&clients->told, reply, sizeof(*reply));
            buffer_append(&clients->told, request_reply_data(reply), reply->size);
        }
        if (reply->status == REPLY_DONE) {
            take_answer(world, client, reply);
        } else {
            take_refusal(world, client, reply);
        }
    }
    pool_give(&world->pool, handle);
}

void clients_send_reply(struct world *world, const struct reply *head, const void *data)
{
    struct links *links = &world->links;
    struct heap_event event = {.kind = WORLD_REPLY, .node = head->client};

    if (random_chance(&links->random, links->loss_ppm))
        return;
    event.time_us = world->now_us + (world->manual ? 0 : links_delay_us(links));
    event.arguments[0] = request_reply_make(&world->pool, head, data);
    heap_push(&world->heap, &event);
}

void clients_wake(struct world *world, const struct heap_event *event)
{
    struct client *client;

    assert(event->node < world->clients.count);
    client = &world->clients.list[event->node];
    if (event->arguments[0] != client->generation)
        return;
    if (client->state == CLIENT_THINKING) {
        start_operation(world, client);
    } else if (client->words != 0) {
        bool lone = world->config.no_retries && !client->answered;

        if ((client->id != 0 || lone) && world->now_us >= client->patient_until_us) {
            client->leader = lone ? 0 : client->leader;
            give_up(world, client);
            return;
        }
        if (lone) {
            wake_after(world, client, client->patient_until_us - world->now_us);
            return;
        }
        // Silence: that node may be down or cut off.
        if (!client->answered)
            client->leader = 0;
        attempt(world, client);
    }
}
