#include "sim/explore/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/explore/schedule.h"

void explore_options_init(struct explore_options *options)
{
    memset(options, 0, sizeof(*options));
    options->cluster.node_count = 3;
    options->cluster.member_count = 3;
    options->cluster.batch = 8;
    options->bounds.terms = 1;
    options->bounds.used[BOOK_TIMEOUT] = MOVES_ANY;
    options->bounds.reduction = true;
    options->bounds.drop_stale = true;
    options->symmetry = true;
    options->depth_max = UINT32_MAX;
    options->states_max = UINT64_MAX;
}

const char *explore_end_text(enum bfs_end end)
{
    static const char *const texts[] = {
        [BFS_EXHAUSTED] = "exhausted", [BFS_VIOLATION] = "violation",
        [BFS_GOAL] = "goal",           [BFS_DEPTH] = "depth",
        [BFS_STATES] = "states",       [BFS_STALE] = "stale",
        [BFS_STOPPED] = "stopped",
    };

    return texts[end];
}

// ---- what is asked for ----------------------------------------------------------

bool explore_read_goal(struct explore_options *options, const char *text)
{
    struct explore_goal *goal = &options->goals[options->goal_count];
    unsigned number = 0;
    char word[16] = "";
    char rest = '\0';
    int read = sscanf(text, "%15s %u %c", word, &number, &rest);

    if (options->goal_count == EXPLORE_GOALS_MAX || read < 1 || read > 2)
        return false;
    goal->number = number;
    if (strcmp(word, "leader") == 0)
        goal->claim = EXPLORE_LEADER;
    else if (strcmp(word, "term") == 0 && read == 2)
        goal->claim = EXPLORE_TERM;
    else if (strcmp(word, "committed") == 0 && read == 2)
        goal->claim = EXPLORE_COMMITTED;
    else
        return false;
    options->goal_count++;
    return true;
}

const char *explore_problem(const struct explore_options *options)
{
    const struct moves_bounds *bounds = &options->bounds;
    uint32_t nodes = options->cluster.node_count;
    uint64_t log = (uint64_t)bounds->terms + bounds->used[BOOK_ENTRY] +
                   2 * (uint64_t)bounds->used[BOOK_CHANGE];

    if (nodes < 1 || nodes > PERMUTATION_NODES_MAX || options->cluster.member_count < 1)
        return "there are 1 to 5 nodes, spares included";
    if (bounds->terms < 1 || log > SUBJECT_LOG_MAX - 2)
        return "terms, entries and twice the changes are together at most 14";
    if (options->cluster.batch < 1 || options->cluster.batch > PARCEL_ENTRIES_MAX)
        return "a message takes 1 to 16 entries";
    if (options->cluster.pre_vote && bounds->used[BOOK_TIMEOUT] == MOVES_ANY)
        return "with pre-votes a node may ask for ever: bound --timeouts";
    if (bounds->used[BOOK_HEARTBEAT] == MOVES_ANY &&
        bounds->used[BOOK_DUPLICATE] != MOVES_ANY)
        return "heartbeats without end are more and more in flight: bound them, or "
               "let --duplicates be any";
    return NULL;
}

// ---- goals ----------------------------------------------------------------------

static bool holds(const struct explore_goal *goal, const struct model *model,
                  const struct global *global)
{
    if (goal->claim == EXPLORE_COMMITTED)
        return model->pages[global->book].committed >= goal->number;
    for (uint32_t i = 0; i < model->config.node_count; i++) {
        const struct book_node *node = &model->looks[global->nodes[i]];

        if (node->role != RAFT_LEADER)
            continue;
        if (goal->claim == EXPLORE_TERM ? node->term >= goal->number
                                        : goal->number == 0 || goal->number == node->id)
            return true;
    }
    return false;
}

static bool is_goal(void *context, const struct model *model,
                    const struct global *global)
{
    return holds(context, model, global);
}

// ---- stages ---------------------------------------------------------------------

// Where a stage begins.
struct roots {
    struct schedule at[EXPLORE_ROOTS_MAX];
    uint32_t count;
};

static void release(struct roots *roots)
{
    for (uint32_t i = 0; i < roots->count; i++)
        schedule_release(&roots->at[i]);
    roots->count = 0;
}

// The commands that led to a state, and, where `action` says so, one more.
static void retrace(const struct explore_options *options, const struct bfs *search,
                    const struct roots *roots, uint32_t number, const uint16_t *action,
                    struct schedule *schedule)
{
    uint16_t *actions = malloc((search->depth + 2) * sizeof(*actions));
    struct global global;
    uint32_t root, count;

    if (actions == NULL)
        abort();
    count = bfs_path(search, number, actions, &root);
    if (action != NULL)
        actions[count++] = *action;
    schedule_copy(schedule, &roots->at[root]);
    schedule_state(schedule, &global);
    schedule_follow(schedule, &options->bounds, &global, actions, count);
    free(actions);
}

static void begin(struct bfs *search, const struct explore_options *options,
                  struct model *model, const struct roots *roots, uint32_t stage)
{
    bfs_init(search, model, &options->bounds);
    if (options->crew.both != NULL)
        search->crew = options->crew;
    search->depth_max = options->depth_max;
    search->states_max = options->states_max;
    search->go_on = options->go_on;
    search->go_on_context = options->go_on_context;
    if (stage < options->goal_count) {
        search->is_goal = is_goal;
        search->goal_context = (void *)&options->goals[stage];
    }
    for (uint32_t i = 0; i < roots->count; i++) {
        struct global global;

        schedule_state(&roots->at[i], &global);
        bfs_root(search, &global);
    }
}

static void report(const struct bfs *search, struct explore_result *result)
{
    const struct model *model = search->model;

    result->states = bfs_states(search);
    result->orbits = bfs_orbits(search);
    result->transitions = search->transitions;
    result->layer_max = search->layer_max;
    result->bytes_max = search->bytes_max;
    result->depth = search->depth;
    result->node_states = model->nodes.count;
    result->messages = model->messages.count;
    result->moves = (uint32_t)model->move_count;
    result->model_bytes = model_bytes(model);
}

static void write_scenario(const struct explore_options *options,
                           const struct bfs *search, const struct roots *roots,
                           struct explore_result *result)
{
    struct schedule schedule;

    result->finding = search->finding;
    retrace(options, search, roots, search->finding_number, &search->finding_action,
            &schedule);
    buffer_format(&schedule.text, "expect violation \"%s\"\n",
                  checker_property_text(search->finding.broken));
    result->scenario = schedule.text;
    result->length = schedule.length;
    schedule.text = (struct buffer){0};
    schedule_release(&schedule);
}

// The nearest states that reached the goal become the next stage's roots.
static void advance(const struct explore_options *options, const struct bfs *search,
                    struct roots *roots)
{
    struct roots *next = malloc(sizeof(*next));

    if (next == NULL)
        abort();
    next->count = 0;
    for (uint32_t i = 0; i < search->goal_count && i < EXPLORE_ROOTS_MAX; i++)
        retrace(options, search, roots, search->goals[i], NULL,
                &next->at[next->count++]);
    release(roots);
    *roots = *next;
    free(next);
}

static enum bfs_end take_stage(const struct explore_options *options,
                               struct model *model, struct roots *roots,
                               struct explore_result *result)
{
    struct bfs *search = malloc(sizeof(*search));
    enum bfs_end end;

    if (search == NULL)
        abort();
    begin(search, options, model, roots, result->stage);
    end = bfs_run(search);
    report(search, result);
    if (end == BFS_VIOLATION)
        write_scenario(options, search, roots, result);
    else if (end == BFS_GOAL)
        advance(options, search, roots);
    bfs_release(search);
    free(search);
    return end;
}

static bool read_start(const struct explore_options *options, struct schedule *start,
                       struct explore_result *result)
{
    const char *line = options->from;

    for (unsigned number = 1; line != NULL && *line != '\0'; number++) {
        char error[160];

        if (!schedule_read(start, line, error, sizeof(error))) {
            snprintf(result->error, sizeof(result->error), "line %u: %s", number,
                     error);
            result->failed = true;
            return false;
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return true;
}

static void run_once(const struct explore_options *options,
                     struct explore_result *result)
{
    struct model *model = malloc(sizeof(*model));
    struct roots *roots = malloc(sizeof(*roots));

    if (model == NULL || roots == NULL)
        abort();
    model_init(model, &options->cluster, options->symmetry, options->outcomes_only);
    roots->count = 1;
    schedule_init(&roots->at[0], model);
    if (read_start(options, &roots->at[0], result)) {
        do
            result->end = take_stage(options, model, roots, result);
        while (result->end == BFS_GOAL && ++result->stage <= options->goal_count);
    }
    release(roots);
    model_release(model);
    free(roots);
    free(model);
}

void explore_run(const struct explore_options *options, struct explore_result *result)
{
    memset(result, 0, sizeof(*result));
    run_once(options, result);
    if (result->failed || result->end != BFS_STALE)
        return;
    struct explore_options careful = *options;

    careful.bounds.drop_stale = false;
    memset(result, 0, sizeof(*result));
    result->stale_kept = true;
    run_once(&careful, result);
}
