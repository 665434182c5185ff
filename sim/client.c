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

bool clients_are_idle(const struct clients *clients)
{
    for (uint32_t i = 0; i < clients->count; i++)
        if (clients->list[i].state == CLIENT_REGISTERING ||
            clients->list[i].state == CLIENT_WAITING)
            return false;
    return true;
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
    bool duplicated = random_chance(&links->random, links->duplicate_ppm);

    if (!lost)
        push_request(world, node, head, words);
    if (!lost && duplicated)
        push_request(world, node, head, words);
}

static void attempt(struct world *world, struct client *client)
{
    struct clients *clients = &world->clients;
    const struct request *operation = pool_at(&world->pool, client->words);
    struct request head = *operation;

    if (client->attempts++ > 0)
        clients->retries++;
    client->answered = false;
    head.client = client->id;
    if (!head.read && client->session == 0) {
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
        head.sequence = head.read ? 0 : client->sequence;
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
    begin(world, console, words, count, read);
}

// ---- the workload ---------------------------------------------------------------

enum { DRAFT_WORDS_MAX = 5 };

struct draft {
    char text[DRAFT_WORDS_MAX][40];
    uint32_t count;
    bool read;
    bool recorded;
    enum history_kind kind;
    int64_t by;
};

static void add_word(struct draft *draft, const char *format, uint64_t first,
                     uint64_t second)
{
    snprintf(draft->text[draft->count++], sizeof(draft->text[0]), format, first,
             second);
}

static void draft_counter(struct draft *draft, uint64_t dice, struct random *random)
{
    if (dice < 35) {
        draft->kind = HISTORY_READ;
        strcpy(draft->text[0], "GET");
    } else if (dice < 88) {
        draft->kind = HISTORY_INCR;
        draft->by = (int64_t)random_between(random, 1, 9);
        strcpy(draft->text[0], "INCRBY");
        add_word(draft, "%" PRIu64, (uint64_t)draft->by, 0);
    } else {
        draft->kind = HISTORY_DELETE;
        strcpy(draft->text[0], "DEL");
    }
}

static void draft_register(struct draft *draft, uint64_t dice, struct client *client)
{
    if (dice < 35) {
        draft->kind = HISTORY_READ;
        strcpy(draft->text[0], "GET");
    } else if (dice < 60) {
        draft->kind = HISTORY_WRITE;
        strcpy(draft->text[0], "SET");
    } else if (dice < 80) {
        draft->kind = HISTORY_APPEND;
        strcpy(draft->text[0], "APPEND");
    } else if (dice < 90) {
        draft->kind = HISTORY_CAS;
        strcpy(draft->text[0], "SET");
    } else {
        draft->kind = HISTORY_DELETE;
        strcpy(draft->text[0], "DEL");
    }
    if (dice >= 35 && dice < 90)
        add_word(draft, "%" PRIu64 ".%" PRIu64 ";", client->id, ++client->values);
    if (draft->kind == HISTORY_CAS)
        add_word(draft, "NX", 0, 0);
}

// A key that expires: not for the history, which knows no time to live.
static void draft_expiring(struct draft *draft, uint64_t key, struct random *random)
{
    uint64_t ms = random_between(random, 5, 2000);

    draft->recorded = false;
    draft->count = 1;
    strcpy(draft->text[0], "SET");
    add_word(draft, "e%" PRIu64, key, 0);
    add_word(draft, "%" PRIu64, ms, 0);
    add_word(draft, "PX", 0, 0);
    add_word(draft, "%" PRIu64, ms, 0);
}

static void record(struct world *world, struct client *client,
                   const struct draft *draft)
{
    struct history *history = &world->history;
    struct history_operation asked = {.client = client->id, .kind = draft->kind};

    asked.key = history_intern(history, draft->text[1], strlen(draft->text[1]));
    asked.expected = HISTORY_ABSENT;
    if (draft->kind == HISTORY_INCR)
        asked.argument = draft->by;
    else if (draft->count > 2)
        asked.argument =
            history_intern(history, draft->text[2], strlen(draft->text[2]));
    client->kind = draft->kind;
    client->operation = history_call(history, &asked, world->now_us);
}

static uint64_t draw_patience(struct random *random)
{
    bool hasty = random_chance(random, HASTY_PPM);
    uint64_t soon = random_between(random, HASTY_US_MIN, HASTY_US_MAX);

    return hasty ? soon : PATIENCE_US;
}

static void start_operation(struct world *world, struct client *client)
{
    struct clients *clients = &world->clients;
    struct random *random = &clients->random;
    uint64_t key = random_below(random, clients->keys);
    uint64_t dice = random_below(random, 100);
    bool expiring = random_chance(random, 40000);
    struct draft draft = {.count = 2, .recorded = true};
    struct bytes words[DRAFT_WORDS_MAX];

    if (expiring) {
        draft_expiring(&draft, key, random);
    } else if (key % 3 == 2) {
        snprintf(draft.text[1], sizeof(draft.text[1]), "c%" PRIu64, key);
        draft_counter(&draft, dice, random);
    } else {
        snprintf(draft.text[1], sizeof(draft.text[1]), "k%" PRIu64, key);
        draft_register(&draft, dice, client);
    }
    draft.read = draft.recorded && draft.kind == HISTORY_READ;
    client->patient_until_us = world->now_us + draw_patience(random);
    client->recorded = draft.recorded;
    if (draft.recorded)
        record(world, client, &draft);
    clients->operations++;
    for (uint32_t i = 0; i < draft.count; i++)
        words[i] = (struct bytes){draft.text[i], strlen(draft.text[i])};
    begin(world, client, words, draft.count, draft.read);
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
    pool_give(&world->pool, client->words);
    client->words = 0;
    client->number++; // late answers are for nobody
    client->generation++;
    if (client->id == 0)
        world->clients.console_done = true;
    think(world, client);
}

// Nothing is known of the outcome; the session may be in any state.
static void give_up(struct world *world, struct client *client)
{
    const struct request *operation = pool_at(&world->pool, client->words);

    world->clients.unknown += client->sent;
    if (client->recorded)
        history_return(&world->history, client->operation,
                       client->sent && !operation->read ? HISTORY_PENDING
                                                        : HISTORY_FAILED,
                       0, world->now_us);
    if (!operation->read)
        client->session = 0;
    if (client->id == 0)
        world->clients.console_failed = true;
    finish(world, client);
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

static int64_t read_result(struct history *history, const char *data, uint32_t size)
{
    int64_t length = reply_number(data, size);
    const char *body = memchr(data, '\n', size);

    if (data[0] != '$' || length < 0 || body == NULL)
        return HISTORY_ABSENT;
    return history_intern(history, body + 1, (size_t)length);
}

static void return_operation(struct world *world, struct client *client,
                             const char *data, uint32_t size)
{
    int64_t result = HISTORY_UNTOLD; // a write has none
    enum history_outcome outcome = HISTORY_OK;

    if (size == 0 || data[0] == '-')
        outcome = HISTORY_FAILED;
    else if (client->kind == HISTORY_READ)
        result = read_result(&world->history, data, size);
    else if (client->kind == HISTORY_CAS)
        result = data[0] == '+';
    else if (client->kind != HISTORY_WRITE)
        result = reply_number(data, size);
    history_return(&world->history, client->operation, outcome, result, world->now_us);
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
        return_operation(world, client, data, reply->size);
    if (client->id == 0)
        buffer_append(&world->clients.console_reply, data, reply->size);
    finish(world, client);
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
            client->leader = reply->leader_hint;
            client->answered = true;
            if (!world->manual)
                wake_after(
                    world, client,
                    random_between(&clients->random, BACKOFF_US_MIN, BACKOFF_US_MAX));
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
        if (client->id != 0 && world->now_us >= client->patient_until_us) {
            give_up(world, client);
            return;
        }
        // Silence: that node may be down or cut off.
        if (!client->answered)
            client->leader = 0;
        attempt(world, client);
    }
}
