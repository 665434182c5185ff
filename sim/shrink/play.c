#include "sim/shrink/play.h"

#include "sim/language/language.h"
#include "sim/manual.h"
#include "sim/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_ACTS = 1000, JUDGE_STEPS = 100000 };

struct play {
    const struct play_options *options;
    struct tape *played;
    struct language language;
    struct world *world;
    bool fast;   // it is long: what stands first in flight does not matter yet
    bool *later; // exact: for each act, whether its message is delivered again
    uint32_t owed_ms[LINKS_NODES]; // passed before what did not apply
    struct buffer line;
    struct buffer answer;
};

// ---- messages -------------------------------------------------------------------

// The messages of a kind in flight on a link, oldest first.
struct candidates {
    uint32_t count;
    uint32_t alike;  // with the print that is looked for
    uint32_t chosen; // a place in flight
    uint32_t nth;    // of the kind, from 1; 0: not known
    uint32_t rank;   // newer ones of the kind
};

static bool is_candidate(const struct world *world, uint32_t place,
                         const struct act *act)
{
    const struct links_held *held = &world->links.held[place];

    return held->from == act->from && held->to == act->node &&
           strcmp(manual_kind(manual_message(world, place)), act->letter) == 0;
}

// The same, from the newest on and no further than needed, where much is in flight:
// what `nth` it is, is then not known.
static void choose_fast(const struct world *world, const struct act *act,
                        struct candidates *found)
{
    *found = (struct candidates){0};
    for (uint32_t place = world->links.held_count; place-- > 0;) {
        if (!is_candidate(world, place, act))
            continue;
        if (act->print != 0 && tape_print(manual_message(world, place)) == act->print) {
            found->alike = 1;
            found->chosen = place;
            found->rank = found->count++;
            return;
        }
        if (act->rank >= found->count) {
            found->chosen = place;
            found->rank = found->count;
        }
        found->count++;
    }
}

// Chooses the message with this print, or the one as far from the newest as it was.
static void choose(const struct world *world, const struct act *act,
                   struct candidates *found)
{
    *found = (struct candidates){0};
    for (uint32_t place = 0; place < world->links.held_count; place++) {
        if (!is_candidate(world, place, act))
            continue;
        found->count++;
        if (act->print == 0 || tape_print(manual_message(world, place)) != act->print)
            continue;
        if (found->alike++ > 0)
            continue;
        found->chosen = place;
        found->nth = found->count;
    }
    found->rank = found->count - found->nth;
    if (found->alike > 0 || found->count == 0)
        return;
    found->nth = act->rank < found->count ? found->count - act->rank : 1;
    found->rank = found->count - found->nth;
    found->chosen = manual_find(world, act->from, act->node, act->letter, found->nth);
}

static void pass(struct play *play, const struct act *act)
{
    if (act->elapsed_ms > 0)
        node_jump_clock(&play->world->nodes[act->node],
                        (uint64_t)act->elapsed_ms * 1000);
}

// Finds out on which link the message is that a stray copy is of.
static void find_link(const struct world *world, struct act *act)
{
    for (uint32_t place = 0; place < world->links.held_count; place++) {
        const struct links_held *held = &world->links.held[place];

        if (held->to == act->node &&
            tape_print(manual_message(world, place)) == act->print) {
            act->from = (uint8_t)held->from;
            return;
        }
    }
}

static bool deliver(struct play *play, struct act *act, bool later)
{
    struct world *world = play->world;
    struct candidates found;

    if (act->from == 0)
        find_link(world, act);
    if (play->fast)
        choose_fast(world, act, &found);
    else
        choose(world, act, &found);
    if (found.count == 0)
        return false;
    pass(play, act);
    act->rank = found.rank;
    act->nth = found.nth;
    act->print = tape_print(manual_message(world, found.chosen));
    if (play->later != NULL)
        act->again = later && found.alike == 1;
    if (act->stray)
        manual_stray(world, found.chosen);
    else if (act->again)
        manual_again(world, found.chosen);
    else
        manual_deliver(world, found.chosen);
    return true;
}

// ---- acts -----------------------------------------------------------------------

// Runs the act as the line that it is written as; whether it applied.
static bool say(struct play *play, const struct act *act)
{
    buffer_clear(&play->line);
    buffer_clear(&play->answer);
    tape_line(play->played, act, &play->line);
    return language_execute(&play->language, play->line.data, play->line.size,
                            &play->answer) ||
           world_violated(play->world);
}

static bool applies(const struct play *play, const struct act *act)
{
    const struct world *world = play->world;

    if (act->node == 0)
        return true;
    if (act->node > world->config.node_count)
        return false;
    if (act->kind == ACT_COMMAND)
        return true;
    if (!node_is_live(&world->nodes[act->node]))
        return false;
    return act->kind != ACT_SYNC || world->nodes[act->node].sync_count > 0;
}

// How many snapshots the node has begun in this life.
static uint64_t count_snapshots(const struct node *node)
{
    struct host_counters counters;

    if (node->id == 0 || !node->up)
        return 0;
    host_count(node->host, &counters);
    return counters.snapshots_taken + counters.snapshots_failed +
           counters.snapshot_underway;
}

static bool perform(struct play *play, struct act *act, bool later)
{
    struct world *world = play->world;
    struct node *node = &world->nodes[act->node];

    world->event_count++;
    checker_at(world->checker, world->event_count, world->now_us);
    if (act->kind == ACT_DELIVER) {
        if (!deliver(play, act, later))
            return false;
        manual_drain(world);
        return true;
    }
    pass(play, act);
    switch ((enum act_kind)act->kind) {
    case ACT_TIMEOUT:
        node_timeout(node);
        break;
    case ACT_SYNC:
        manual_sync(node, 1);
        break;
    case ACT_DELIVER: // above
    case ACT_CLIENT:
    case ACT_COMMAND:
        return say(play, act);
    }
    manual_drain(world);
    return true;
}

// ---- the story ------------------------------------------------------------------

// What the node that was acted on did, from the trace's first line.
static void add_comment(struct buffer *story, const struct act *act, const char *trace,
                        size_t line_size)
{
    const char *text = strstr(trace, "] ");
    char node[8];
    size_t size;

    if (text == NULL)
        return;
    text += 2;
    size = strcspn(text, "\n");
    snprintf(node, sizeof(node), "n%u ", act->node);
    if (strncmp(text, "-- ", 3) == 0 && size < strcspn(text, ""))
        text += size + 1; // the command itself, as noted
    if (strncmp(text, "[", 1) == 0 && strstr(text, "] ") != NULL)
        text = strstr(text, "] ") + 2;
    if (strncmp(text, node, strlen(node)) == 0)
        text += strlen(node);
    if (strncmp(text, "< ", 2) == 0)
        text += 2;
    size = strcspn(text, "\n");
    for (size_t i = 0; i + 3 < size; i++)
        if (memcmp(text + i, " | ", 3) == 0)
            size = i;
    if (size == 0 || strncmp(text, "-- ", 3) == 0)
        return;
    buffer_format(story, "%*s# %.*s", line_size < 27 ? (int)(27 - line_size) : 1, "",
                  (int)size, text);
}

// Performs an act, and writes it down with what came of it.
static bool tell(struct play *play, struct act *act, bool later)
{
    struct buffer *story = play->options->story;
    struct buffer line = {0};
    char *trace = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&trace, &size);
    bool applied;

    if (file == NULL)
        abort();
    play->world->trace.file = file;
    applied = perform(play, act, later);
    fclose(file);
    play->world->trace.file = NULL;
    if (applied) {
        if (act->elapsed_ms > 0)
            buffer_format(story, "clock %u jump=%" PRIu32 "ms\n", act->node,
                          act->elapsed_ms);
        tape_line(play->played, act, &line);
        buffer_append(story, line.data, line.size);
        add_comment(story, act, trace, line.size);
        buffer_append_text(story, "\n");
    }
    free(trace);
    buffer_free(&line);
    return applied;
}

static void tell_world(const struct play *play, const struct tape *tape)
{
    struct buffer *story = play->options->story;

    tape_cluster(tape, story);
    buffer_append_text(story, "\n");
    for (raft_id id = 1; id < LINKS_NODES; id++)
        if ((tape->sync_manual >> id & 1) != 0)
            buffer_format(story, "disk %u sync=manual\n", (unsigned)id);
}

// ---- equal messages -------------------------------------------------------------

struct seen {
    uint64_t print;
    uint32_t act;
};

static int compare_seen(const void *left, const void *right)
{
    const struct seen *a = left, *b = right;

    if (a->print != b->print)
        return a->print < b->print ? -1 : 1;
    return a->act < b->act ? -1 : 1;
}

// For each act whether a message with its print is delivered once more later.
static bool *find_later(const struct tape *tape)
{
    struct seen *seen = calloc(tape->count + 1, sizeof(*seen));
    bool *later = calloc(tape->count + 1, sizeof(*later));
    uint32_t count = 0;

    if (seen == NULL || later == NULL)
        abort();
    for (uint32_t i = 0; i < tape->count; i++)
        if (tape->acts[i].kind == ACT_DELIVER)
            seen[count++] = (struct seen){tape->acts[i].print, i};
    qsort(seen, count, sizeof(*seen), compare_seen);
    for (uint32_t i = 0; i + 1 < count; i++)
        later[seen[i].act] = seen[i].print == seen[i + 1].print;
    free(seen);
    return later;
}

// ---- playing --------------------------------------------------------------------

// The act stands in `played` while it is performed, so that it is there if that ends
// the process.
static void take(struct play *play, const struct act *act, bool later)
{
    struct tape *played = play->played;
    uint32_t at = played->count;
    const struct node *node = &play->world->nodes[act->node];
    uint64_t snapshots = count_snapshots(node);
    bool applied;

    if (!applies(play, act))
        return;
    tape_add(played, act);
    if (played->full)
        return;
    if (play->options->story != NULL)
        applied = tell(play, &played->acts[at], later);
    else
        applied = perform(play, &played->acts[at], later);
    if (applied) {
        played->acts[at].snapshot = count_snapshots(node) > snapshots;
        played->acts[at].elapsed_ms += play->owed_ms[act->node];
        play->owed_ms[act->node] = 0;
        return;
    }
    played->count = at;
    if (act->kind != ACT_DELIVER)
        play->owed_ms[act->node] += act->elapsed_ms;
}

static void run(struct play *play, const struct tape *tape)
{
    struct world *world = play->world;

    manual_drain(world);
    for (raft_id id = 1; id <= world->config.node_count; id++)
        world->nodes[id].sync_manual = (tape->sync_manual >> id & 1) != 0;
    for (uint32_t i = 0; i < tape->count && !world_violated(world); i++)
        take(play, &tape->acts[i], play->later != NULL && play->later[i]);
    if (play->options->linearize && !world_violated(world)) {
        run_linearize(world);
        if (play->options->story != NULL)
            buffer_append_text(play->options->story, "check\n");
    }
}

bool play_tape(const struct tape *tape, const struct play_options *options,
               struct tape *played, struct violation *violation)
{
    struct play play = {.options = options, .played = played};
    char error[200];
    bool violated;

    tape_begin(played, &tape->config, tape);
    // A verdict that takes long is none: there are other candidates.
    played->config.judge_steps_max = JUDGE_STEPS;
    play.world = world_new(&played->config, error, sizeof(error));
    if (play.world == NULL)
        return false;
    play.fast = options->story == NULL && tape->count > LONG_ACTS;
    language_init(&play.language);
    play.language.world = play.world;
    if (options->exact)
        play.later = find_later(tape);
    if (options->story != NULL)
        tell_world(&play, tape);
    run(&play, tape);
    violated = world_violated(play.world);
    if (violated)
        *violation = *checker_violation(play.world->checker, 0);
    language_release(&play.language); // and the world
    free(play.later);
    buffer_free(&play.line);
    buffer_free(&play.answer);
    return violated;
}
