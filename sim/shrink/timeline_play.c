#include "sim/shrink/timeline_play.h"

#include "sim/language/language.h"
#include "sim/shrink/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { JUDGE_STEPS = 100000, COMMENT_COLUMN = 31 };

struct play {
    const struct timeline_play_options *options;
    struct timeline *played;
    struct language language;
    struct world *world;
    bool ended; // by the last line itself
    struct record record;
    void (*told)(void *context, struct world *world, const struct deed *deed);
    struct buffer answer;
};

static bool stop_late(void *context, struct world *world,
                      const struct heap_event *event)
{
    struct play *play = context;

    (void)event;
    return play->options->events_max == 0 ||
           world->event_count < play->options->events_max;
}

// The recorder gets the deeds, with its own context.
static void pass_on(void *context, struct world *world, const struct deed *deed)
{
    struct play *play = context;

    play->told(&play->record, world, deed);
}

static void watch(struct play *play)
{
    struct world *world = play->world;

    if (play->options->tape != NULL) {
        record_begin(&play->record, world, play->options->tape);
        play->told = world->watch.told;
    }
    world->watch = (struct world_watch){play, stop_late, NULL};
    if (play->options->tape != NULL)
        world->watch.told = pass_on;
}

// ---- what is asked of whom ------------------------------------------------------

// What the language does itself is told as if faults had done it.
static void tell(const struct play *play, const char *text)
{
    static const char *const told[] = {"change",  "transfer", "snapshot", "disk",
                                       "propose", "add",      "remove",   "promote"};
    struct world *world = play->world;
    const struct node *leader = world_leader(world);
    const char *space = strchr(text, ' ');
    size_t size = space == NULL ? strlen(text) : (size_t)(space - text);

    if (strstr(text, "sync=") != NULL || strcmp(text, "disk lost") == 0)
        return;
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        if (strlen(told[i]) != size || strncmp(text, told[i], size) != 0)
            continue;
        if (strcmp(told[i], "disk") == 0 || strcmp(told[i], "snapshot") == 0)
            world_tell_command(world, (raft_id)strtoul(space, NULL, 10), "%s", text);
        else if (leader != NULL && strcmp(told[i], "propose") == 0)
            world_tell_command(world, leader->id, "propose at %u%s",
                               (unsigned)leader->id, space);
        else if (leader != NULL)
            world_tell_command(world, leader->id, "%s at %u", text,
                               (unsigned)leader->id);
    }
}

// Whether those that have a disk can decide: no cluster comes to rest without.
static bool can_rest(const struct world *world)
{
    uint32_t nodes = 0;

    for (raft_id id = 1; id <= world->config.node_count; id++)
        if (!world->nodes[id].disk_lost)
            nodes |= 1u << id;
    return checker_is_quorum(world->checker, nodes);
}

// ---- the story ------------------------------------------------------------------

// Who leads, where that is worth saying.
static void write_line(struct play *play, const struct timeline_line *line)
{
    struct buffer *story = play->options->story;
    const struct node *leader = world_leader(play->world);
    size_t size = story->size;

    timeline_write(play->played, line, story);
    size = story->size - size;
    buffer_format(story, "%*s# ",
                  size < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - size) : 1, "");
    if (leader == NULL)
        buffer_append_text(story, "nobody leads");
    else
        buffer_format(story, "n%u leads in term %" PRIu64, (unsigned)leader->id,
                      leader->view.current_term);
    buffer_format(story, ", %" PRIu64 " committed\n",
                  checker_committed(play->world->checker));
}

// ---- playing --------------------------------------------------------------------

// Executes a line's command; true where it applied, or broke a rule.
static bool execute(struct play *play, const char *text)
{
    if (timeline_is_phase(text) && strncmp(text, "core", 4) != 0 &&
        !can_rest(play->world))
        return false;
    tell(play, text);
    buffer_clear(&play->answer);
    return language_execute(&play->language, text, strlen(text), &play->answer) ||
           world_violated(play->world);
}

// Lets time pass up to there; false where the world stands still before.
static bool wait(struct play *play, const struct timeline_line *line)
{
    if (line->at_us == TIMELINE_NEXT)
        return true;
    return line->after ? world_run_until(play->world, line->at_us)
                       : world_run_before(play->world, line->at_us);
}

// Takes a line; false where that was the last one.
static bool take(struct play *play, const struct timeline *timeline,
                 const struct timeline_line *line)
{
    struct timeline *played = play->played;
    uint32_t at = played->count;

    if (!wait(play, line))
        return false;
    // It stands there while it is executed, in case that ends the process.
    played->lines[played->count++] = *line;
    if (!execute(play, timeline->texts + line->text))
        played->count = at;
    else if (play->options->story != NULL)
        write_line(play, line);
    play->ended = world_violated(play->world);
    return !world_violated(play->world) && !play->world->halted;
}

static void run(struct play *play, const struct timeline *timeline)
{
    struct world *world = play->world;

    for (uint32_t i = 0; i < timeline->count; i++)
        if (!take(play, timeline, &timeline->lines[i]))
            break;
    if (!world_violated(world) && !world->halted && !timeline_ends_itself(timeline))
        world_run_until(world, timeline->end_us);
    play->played->end_us = play->ended ? 0 : world->now_us;
    if (play->options->story != NULL && !timeline_ends_itself(play->played)) {
        struct timeline_line end = {world->now_us, timeline_text(play->played, ""),
                                    false};

        write_line(play, &end);
    }
}

bool timeline_play(const struct timeline *timeline,
                   const struct timeline_play_options *options, struct timeline *played,
                   struct violation *violation, uint64_t *events)
{
    struct play play = {.options = options, .played = played};
    char error[200];
    bool violated;

    timeline_begin(played, timeline);
    // A verdict that takes long is none: there are other candidates.
    played->config.judge_steps_max = JUDGE_STEPS;
    play.world = world_new(&played->config, error, sizeof(error));
    if (play.world == NULL)
        return false;
    language_init(&play.language);
    play.language.world = play.world;
    if (options->story != NULL) {
        timeline_cluster(played, options->story);
        buffer_append_text(options->story, "\n");
    }
    if (played->clients > 0)
        clients_start(play.world, played->clients, played->keys);
    watch(&play);
    run(&play, timeline);
    *events = play.world->event_count;
    violated = world_violated(play.world);
    if (violated)
        *violation = *checker_violation(play.world->checker, 0);
    language_release(&play.language); // and the world
    buffer_free(&play.answer);
    return violated;
}
