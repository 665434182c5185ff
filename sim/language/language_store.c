#include "sim/language/language_store.h"

#include "sim/json.h"
#include "sim/manual.h"

#include <inttypes.h>
#include <string.h>

enum {
    REPLY_US_MAX = 60000000, // the console's patience
    READ_US_MAX = 10000000,
};

static void show_reply(struct language *language, const char *resp, size_t size)
{
    buffer_clear(&language->reply);
    language->replied = true;
    language_plain(resp, size, &language->reply);
    json_bytes(language->out, "reply", language->reply.data, language->reply.size);
}

// Says how these words are to be run; fails where the store does not take them.
static bool classify(struct language *language, uint32_t first, enum service_kind *kind)
{
    struct buffer error = {0};

    *kind = service_classify(&language->words[first], language->count - first, &error);
    if (*kind == SERVICE_UNKNOWN || *kind == SERVICE_REFUSED)
        language_fail(language, "the store refuses: %.*s",
                      (int)strcspn(error.data, "\r"), error.data);
    buffer_free(&error);
    return *kind == SERVICE_READ || *kind == SERVICE_WRITE;
}

// ---- proposals ------------------------------------------------------------------

bool language_store_propose(struct language *language)
{
    bool at_node = language_is(language, 1, "at");
    uint32_t first = at_node ? 3 : 1;
    struct world *world = language->world;
    struct node *node = world_leader(world);
    enum service_kind kind;
    enum raft_status status;
    int64_t ticket;

    if (at_node && !language_node(language, 2, &node))
        return false;
    if (language->count <= first)
        return language_fail(language, "nothing to propose");
    if (!classify(language, first, &kind))
        return false;
    if (kind == SERVICE_READ)
        return language_fail(language, "a read is not proposed; use: do ...");
    if (node == NULL)
        return language_fail(language, "there is no leader");
    if (!node_is_live(node))
        return language_fail(language, "node %u is not running", (unsigned)node->id);
    ticket = world_propose(world, node->id, &language->words[first],
                           language->count - first, &status);
    if (ticket < 0)
        return language_fail(language, "node %u: %s", (unsigned)node->id,
                             raft_status_text(status));
    if (world->manual)
        manual_record(world, &language->words[first], language->count - first);
    json_number(language->out, "ticket", (uint64_t)ticket);
    json_number(language->out, "node", node->id);
    json_number(language->out, "index", world->tickets[ticket].index);
    json_number(language->out, "term", world->tickets[ticket].term);
    return true;
}

bool language_store_ticket(struct language *language)
{
    const struct world_ticket *ticket;
    uint64_t number;

    if (!language_number(language, 1, &number))
        return false;
    if (number >= language->world->ticket_count)
        return language_fail(language, "there is no ticket %" PRIu64, number);
    ticket = &language->world->tickets[number];
    json_string(language->out, "state",
                !ticket->ended                 ? "open"
                : ticket->status == REPLY_DONE ? "done"
                                               : "lost");
    json_number(language->out, "node", ticket->node);
    json_number(language->out, "index", ticket->index);
    json_number(language->out, "term", ticket->term);
    if (ticket->ended && ticket->status == REPLY_DONE)
        show_reply(language, ticket->reply.data, ticket->reply.size);
    return true;
}

// ---- commands that wait for their reply -----------------------------------------

static bool console_is_done(struct language *language, void *argument)
{
    (void)argument;
    return language->world->clients.console_done;
}

// Runs language->words[first..) through the console's session.
static bool ask(struct language *language, uint32_t first)
{
    struct world *world = language->world;
    struct clients *clients = &world->clients;
    enum service_kind kind;

    if (!classify(language, first, &kind))
        return false;
    clients_ask(world, &language->words[first], language->count - first,
                kind == SERVICE_READ);
    if (!language_run(language, world->now_us + REPLY_US_MAX, console_is_done, NULL))
        return false;
    if (!clients->console_done || clients->console_failed)
        return language_fail(language, "no answer; the outcome is not known");
    show_reply(language, clients->console_reply.data, clients->console_reply.size);
    return true;
}

bool language_store_do(struct language *language)
{
    return ask(language, 1);
}

bool language_store_word(struct language *language)
{
    return ask(language, 0);
}

static bool ticket_is_done(struct language *language, void *argument)
{
    return language->world->tickets[*(const uint32_t *)argument].ended;
}

// A linearizable read at a node of one's choice. In a manual world it may have to wait:
// then the answer is its ticket.
static bool get_at(struct language *language)
{
    struct world *world = language->world;
    const struct world_ticket *ticket;
    struct node *node;
    uint32_t number;

    if (language->count != 4 || !language_is(language, 2, "at"))
        return language_fail(language, "usage: get KEY [at N | stale N]");
    if (!language_node(language, 3, &node))
        return false;
    if (!node_is_live(node))
        return language_fail(language, "node %u is not running", (unsigned)node->id);
    number = world_read(world, node->id, language->words, 2);
    if (!world->manual &&
        !language_run(language, world->now_us + READ_US_MAX, ticket_is_done, &number))
        return false;
    ticket = &world->tickets[number];
    if (world->manual)
        json_number(language->out, "ticket", number);
    if (!ticket->ended && world->manual)
        return true;
    if (!ticket->ended)
        return language_fail(language, "node %u gives no answer", (unsigned)node->id);
    if (ticket->status != REPLY_DONE)
        return language_fail(language, "node %u does not lead", (unsigned)node->id);
    show_reply(language, ticket->reply.data, ticket->reply.size);
    return true;
}

// What a node has applied, asked of nobody else: maybe old.
static bool get_stale(struct language *language)
{
    struct buffer reply = {0};
    struct node *node;

    if (language->count != 4)
        return language_fail(language, "usage: get KEY stale N");
    if (!language_node(language, 3, &node))
        return false;
    if (!node_is_live(node))
        return language_fail(language, "node %u is not running", (unsigned)node->id);
    service_read(node->service, language->words, 2, node_wall_ms(node), &reply);
    show_reply(language, reply.data, reply.size);
    buffer_free(&reply);
    return true;
}

bool language_store_get(struct language *language)
{
    if (language->count == 2 && language->world->manual)
        return language_fail(language, "in a manual world, say where: get KEY at N");
    if (language->count == 2)
        return ask(language, 0);
    return language_is(language, 2, "stale") ? get_stale(language) : get_at(language);
}
