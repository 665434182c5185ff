#include "sim/shrink/record.h"

#include "sim/manual.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

// How far the node's clock went since it was last acted on.
static uint32_t elapsed(struct record *record, const struct world *world, raft_id id)
{
    uint64_t now_ms = node_now_ms(&world->nodes[id]);
    uint64_t since_ms = now_ms - record->clocks_ms[id];

    record->clocks_ms[id] = now_ms;
    return since_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)since_ms;
}

static void add_quoted(struct buffer *out, const struct bytes *word)
{
    const unsigned char *bytes = word->data;
    bool plain = word->size > 0;

    for (size_t i = 0; i < word->size; i++)
        plain &= isgraph(bytes[i]) && bytes[i] != '"' && bytes[i] != '#';
    if (plain) {
        buffer_append(out, word->data, word->size);
        return;
    }
    buffer_append_text(out, "\"");
    for (size_t i = 0; i < word->size; i++)
        if (isprint(bytes[i]) && bytes[i] != '"' && bytes[i] != '\\')
            buffer_append(out, &bytes[i], 1);
        else
            buffer_format(out, "\\x%02x", bytes[i]);
    buffer_append_text(out, "\"");
}

static void quote_words(const struct bytes *words, uint32_t count, struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_text(out, i > 0 ? " " : "");
        add_quoted(out, &words[i]);
    }
}

// One that comes after its client has gone on: nobody waits for it, but it is done.
static void add_late(struct record *record, const struct request *request,
                     const struct bytes *words, struct act *act)
{
    struct buffer line = {0};

    if (request->read) {
        buffer_append_text(&line, "get ");
        add_quoted(&line, &words[request->word_count > 1]);
        buffer_format(&line, " at %u", act->node);
    } else {
        buffer_format(&line, "propose at %u ", act->node);
        quote_words(words, request->word_count, &line);
    }
    buffer_append(&line, "", 1);
    act->kind = ACT_COMMAND;
    act->text = tape_text(record->tape, line.data);
    tape_add(record->tape, act);
    buffer_free(&line);
}

static void add_request(struct record *record, const struct request *request,
                        struct act *act)
{
    struct bytes words[REQUEST_WORDS_MAX];
    struct buffer line = {0};
    uint64_t *newest;

    request_words(request, words);
    if (request->client >= RECORD_CLIENTS || request->client == 0 ||
        request->operation < record->operations[request->client]) {
        add_late(record, request, words, act);
        return;
    }
    newest = &record->operations[request->client];
    act->kind = ACT_CLIENT;
    act->client = request->client;
    if (request->operation == *newest) {
        act->ask = ACT_REPEAT;
    } else if (words[0].size == 13 && memcmp(words[0].data, "RAFT.REGISTER", 13) == 0) {
        act->ask = ACT_REGISTER;
    } else {
        act->ask = ACT_ASK;
        quote_words(words, request->word_count, &line);
        buffer_append(&line, "", 1);
        act->text = tape_text(record->tape, line.data);
    }
    *newest = request->operation;
    tape_add(record->tape, act);
    buffer_free(&line);
}

// A crash inside the node's newest act is written before it: behind so many writes and
// sends from there on.
static bool add_cut(struct record *record, const struct world *world,
                    const struct deed *deed)
{
    struct tape *tape = record->tape;
    const char *how = strstr(deed->command, "lose");
    struct act *last = tape->count > 0 ? &tape->acts[tape->count - 1] : NULL;
    struct act act = {.kind = ACT_COMMAND, .node = (uint8_t)deed->node};
    char line[80];

    if (!node_is_cut_off(&world->nodes[deed->node]) || how == NULL || last == NULL ||
        last->node != deed->node || record->effects[deed->node] == 0)
        return false;
    snprintf(line, sizeof(line), "crash %" PRIu32 " inside %" PRIu32 " %s", deed->node,
             record->effects[deed->node], how);
    act.text = tape_text(tape, line);
    tape_add(tape, last);
    *last = act;
    return true;
}

static void write_down(void *context, struct world *world, const struct deed *deed)
{
    struct record *record = context;
    struct tape *tape = record->tape;
    struct act act = {.node = (uint8_t)deed->node};

    if (deed->kind == DEED_COMMAND && add_cut(record, world, deed))
        return;
    record->effects[deed->node] = world->nodes[deed->node].effects_left;
    if (deed->node != 0)
        act.elapsed_ms = elapsed(record, world, deed->node);
    switch (deed->kind) {
    case DEED_TICK:
        if (record->lives[deed->node] != world->nodes[deed->node].incarnation) {
            record->lives[deed->node] = world->nodes[deed->node].incarnation;
            return;
        }
        act.kind = ACT_TIMEOUT;
        break;
    case DEED_DELIVER:
        act.kind = ACT_DELIVER;
        act.from = (uint8_t)deed->message->from; // 0 where it is a stray copy
        act.stray = deed->message->from == 0;
        act.letter = manual_kind(deed->message);
        act.print = tape_print(deed->message);
        break;
    case DEED_SYNC:
        act.kind = ACT_SYNC;
        break;
    case DEED_REQUEST:
        add_request(record, deed->request, &act);
        return;
    case DEED_COMMAND:
        act.kind = ACT_COMMAND;
        act.text = tape_text(tape, deed->command);
        break;
    case DEED_PHASE:
        return; // what it does is told, too
    }
    tape_add(tape, &act);
}

void record_begin(struct record *record, struct world *world, struct tape *tape)
{
    memset(record, 0, sizeof(*record));
    record->tape = tape;
    tape_begin(tape, &world->config, NULL);
    for (raft_id id = 1; id <= world->config.node_count; id++)
        record->clocks_ms[id] = node_now_ms(&world->nodes[id]);
    world->watch.context = record;
    world->watch.told = write_down;
}
