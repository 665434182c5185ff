#include "sim/language/language_manual.h"

#include "raft/trace.h"
#include "sim/json.h"
#include "sim/language/language_answers.h"
#include "sim/language/options.h"
#include "sim/manual.h"

#include <inttypes.h>
#include <string.h>

// ---- messages -------------------------------------------------------------------

static bool read_nodes(struct language *language, struct node **from, struct node **to)
{
    if (!language_node(language, 1, from) || !language_node(language, 2, to))
        return false;
    return *from != *to || language_fail(language, "a node has no link to itself");
}

// Reads "A B [KIND] [K]" and finds that message.
static bool find(struct language *language, uint32_t *place)
{
    const struct world *world = language->world;
    const char *kind = NULL;
    uint64_t position = 1;
    uint32_t at = 3;
    struct node *from, *to;

    if (!read_nodes(language, &from, &to))
        return false;
    if (language->count > 3 && manual_is_kind(language_word(language, 3)))
        kind = language_word(language, at++);
    if (language->count > at + 1)
        return language_fail(language, "usage: %s A B [KIND] [K]",
                             language_word(language, 0));
    if (language->count > at &&
        !options_number(language_word(language, at), 1, UINT32_MAX, &position))
        return language_fail(language,
                             "\"%s\" is neither a place from 1 nor a kind of message",
                             language_word(language, at));
    *place = manual_find(world, from->id, to->id, kind, position);
    if (*place != MANUAL_NONE)
        return true;
    return language_fail(language, "no such message is in flight from %u to %u",
                         (unsigned)from->id, (unsigned)to->id);
}

static void show_message(struct language *language, uint32_t place)
{
    char text[200];

    raft_trace_message(text, sizeof(text), manual_message(language->world, place));
    json_string(language->out, "message", text);
}

static bool deliver(struct language *language,
                    void (*how)(struct world *world, uint32_t place))
{
    struct world *world = language->world;
    struct node *to;
    uint32_t place;

    if (!find(language, &place))
        return false;
    to = &world->nodes[world->links.held[place].to];
    if (!node_is_live(to))
        return language_fail(language, "node %u is not running", (unsigned)to->id);
    show_message(language, place);
    how(world, place);
    return true;
}

bool language_manual_deliver(struct language *language)
{
    return deliver(language, manual_deliver);
}

bool language_manual_again(struct language *language)
{
    return deliver(language, manual_again);
}

bool language_manual_stray(struct language *language)
{
    return deliver(language, manual_stray);
}

bool language_manual_drop(struct language *language)
{
    uint32_t place;

    if (!find(language, &place))
        return false;
    show_message(language, place);
    manual_drop(language->world, place);
    return true;
}

bool language_manual_flight(struct language *language)
{
    const struct world *world = language->world;
    struct node *from = NULL, *to = NULL;

    if (language->count == 2)
        return language_fail(language, "usage: flight [A B]");
    if (language->count == 3 && !read_nodes(language, &from, &to))
        return false;
    json_open_array(language->out, "messages");
    for (uint32_t place = 0; place < world->links.held_count; place++) {
        const struct links_held *held = &world->links.held[place];
        char text[200];

        if (from != NULL && (held->from != from->id || held->to != to->id))
            continue;
        raft_trace_message(text, sizeof(text), manual_message(world, place));
        json_item(language->out, text, strlen(text));
    }
    json_close_array(language->out);
    return true;
}

// ---- disks and time -------------------------------------------------------------

void language_manual_disk(struct node *node)
{
    node->sync_manual = true;
}

bool language_manual_sync(struct language *language)
{
    uint64_t most = UINT64_MAX;
    struct node *node;

    if (!language_node(language, 1, &node))
        return false;
    if (language->count > 2 && !language_number(language, 2, &most))
        return false;
    if (!node_is_live(node))
        return language_fail(language, "node %u is not running", (unsigned)node->id);
    if (node->sync_count == 0)
        return language_fail(language, "node %u has no sync under way",
                             (unsigned)node->id);
    json_number(language->out, "syncs", manual_sync(node, most));
    return true;
}

bool language_manual_pass(struct language *language)
{
    uint64_t us;

    if (!language_duration(language, 1, &us))
        return false;
    manual_pass(language->world, us);
    json_number(language->out, "time_us", language->world->now_us);
    return true;
}

bool language_manual_auto(struct language *language)
{
    manual_end(language->world);
    return true;
}

// ---- clients --------------------------------------------------------------------

// "client C at N WORDS...": what the client asks next.
static bool ask(struct language *language, uint32_t number, raft_id node)
{
    struct world *world = language->world;
    const struct bytes *words = &language->words[4];
    struct buffer error = {0};
    enum service_kind kind;

    if (language->count < 5)
        return language_fail(language, "the client asks for nothing");
    kind = service_classify(words, language->count - 4, &error);
    if (kind != SERVICE_READ && kind != SERVICE_WRITE)
        language_fail(language, "the store refuses: %.*s",
                      (int)strcspn(error.data, "\r"), error.data);
    buffer_free(&error);
    if (kind != SERVICE_READ && kind != SERVICE_WRITE)
        return false;
    manual_ask(world, manual_client(world, number), node, words, language->count - 4,
               kind == SERVICE_READ);
    language_answers_await(language, number);
    return true;
}

bool language_manual_client(struct language *language)
{
    struct world *world = language->world;
    bool repeat = language_is(language, 2, "again");
    bool registers = language_is(language, 2, "register");
    uint32_t at = repeat || registers ? 3 : 2;
    uint32_t number;
    struct node *node;

    if (!language_answers_client(language, 1, &number))
        return false;
    if (!language_is(language, at, "at") || (at == 3 && language->count != 5))
        return language_fail(language, "usage: client C at N WORDS... | client C again "
                                       "at N | client C register at N");
    if (!language_node(language, at + 1, &node))
        return false;
    if (!node_is_live(node))
        return language_fail(language, "node %u is not running", (unsigned)node->id);
    if (!repeat && !registers)
        return ask(language, number, node->id);
    if (registers)
        manual_register(world, manual_client(world, number), node->id);
    else if (!manual_repeat(world, manual_client(world, number), node->id))
        return language_fail(language,
                             "client %u asked nothing that may be asked twice (a "
                             "write needs a session)",
                             (unsigned)number);
    language_answers_await(language, number);
    return true;
}

// ---- after each command ---------------------------------------------------------

void language_manual_finish(struct language *language)
{
    manual_drain(language->world);
    language_answers_take(language);
}
