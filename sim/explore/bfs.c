#include "sim/explore/bfs.h"

#include <stdlib.h>
#include <string.h>

#define ROOT UINT32_MAX

// What a part found: this, and the packed state.
struct candidate {
    uint64_t name;
    uint32_t parent;
    uint32_t orbit;
    uint16_t action;
    uint16_t size;
};

enum { AHEAD = 8 }; // names to ask the memory for

// ---- life cycle -----------------------------------------------------------------

static bool found(void *context, const struct moves_next *next);
static void missed(void *context, uint32_t node, uint32_t event, bool page,
                   uint32_t use);

static void one_after_another(void *context,
                              void (*work)(void *argument, uint32_t part),
                              void *argument)
{
    (void)context;
    for (uint32_t part = 0; part < BFS_PARTS; part++)
        work(argument, part);
}

void bfs_init(struct bfs *search, struct model *model,
              const struct moves_bounds *bounds)
{
    memset(search, 0, sizeof(*search));
    search->model = model;
    search->bounds = bounds;
    search->crew.both = one_after_another;
    search->depth_max = UINT32_MAX;
    search->states_max = UINT64_MAX;
    for (uint32_t i = 0; i < BFS_PARTS; i++) {
        struct bfs_part *part = &search->parts[i];

        visited_init(&search->shards[i].visited);
        part->search = search;
        part->moves.model = model;
        part->moves.bounds = bounds;
        part->moves.found = found;
        part->moves.missed = missed;
        part->moves.context = part;
    }
}

void bfs_release(struct bfs *search)
{
    for (uint32_t i = 0; i < BFS_PARTS; i++) {
        struct bfs_shard *shard = &search->shards[i];
        struct bfs_part *part = &search->parts[i];

        visited_release(&shard->visited);
        free(shard->links.parents);
        free(shard->links.actions);
        layer_release(&shard->layers[0]);
        layer_release(&shard->layers[1]);
        buffer_free(&part->found[0]);
        buffer_free(&part->found[1]);
        free(part->misses);
    }
    free(search->goals);
}

uint64_t bfs_states(const struct bfs *search)
{
    return search->shards[0].visited.count + search->shards[1].visited.count;
}

uint64_t bfs_orbits(const struct bfs *search)
{
    return search->shards[0].orbits + search->shards[1].orbits;
}

uint64_t bfs_bytes(const struct bfs *search)
{
    uint64_t bytes = model_bytes(search->model) + sizeof(*search);

    for (uint32_t i = 0; i < BFS_PARTS; i++) {
        const struct bfs_shard *shard = &search->shards[i];

        bytes += visited_bytes(&shard->visited) + shard->links.capacity * 6 +
                 shard->layers[0].bytes + shard->layers[1].bytes +
                 search->parts[i].found[0].capacity +
                 search->parts[i].found[1].capacity;
    }
    return bytes;
}

// ---- one part of a chunk --------------------------------------------------------

static void missed(void *context, uint32_t node, uint32_t event, bool page,
                   uint32_t use)
{
    struct bfs_part *part = context;

    if (part->miss_count == part->miss_capacity) {
        part->miss_capacity = part->miss_capacity == 0 ? 64 : 2 * part->miss_capacity;
        part->misses =
            realloc(part->misses, part->miss_capacity * sizeof(*part->misses));
        if (part->misses == NULL)
            abort();
    }
    part->misses[part->miss_count++] = (struct bfs_miss){node, event, use, page};
}

static bool found(void *context, const struct moves_next *next)
{
    struct bfs_part *part = context;
    struct candidate candidate = {.name = next->name.name,
                                  .parent = part->number,
                                  .orbit = next->name.orbit,
                                  .action = next->action};
    struct buffer *to = &part->found[candidate.name & 1];
    uint8_t packed[GLOBAL_BYTES_MAX];

    if (part->missed)
        return true;
    part->transitions++;
    if (next->finding.broken != PROPERTY_COUNT) {
        if (part->finding.broken == PROPERTY_COUNT) {
            part->finding = next->finding;
            part->finding_number = part->number;
            part->finding_action = next->action;
        }
        return false;
    }
    candidate.size = (uint16_t)global_pack(
        next->global, part->search->model->config.node_count, packed);
    buffer_append(to, &candidate, sizeof(candidate));
    buffer_append(to, packed, candidate.size);
    return true;
}

// Takes back what was found of a state that could not be finished.
static void take_back(struct bfs_part *part)
{
    part->found[0].size = part->kept[0];
    part->found[1].size = part->kept[1];
    part->transitions = part->kept_transitions;
    part->finding.broken = PROPERTY_COUNT;
}

static void expand(void *argument, uint32_t index)
{
    struct bfs *search = argument;
    struct bfs_part *part = &search->parts[index];
    struct global global;

    part->moves.may_compute = !search->crew.at_once;
    part->missed = false;
    for (uint32_t at = part->done; at < part->count; at++) {
        if (part->finding.broken != PROPERTY_COUNT)
            return;
        part->number = part->numbers[at];
        part->kept[0] = part->found[0].size;
        part->kept[1] = part->found[1].size;
        part->kept_transitions = part->transitions;
        global_unpack(&global, search->model->config.node_count, part->packed[at]);
        if (moves_list(&part->moves, &global)) {
            part->done += !part->missed;
        } else if (!part->missed) {
            take_back(part);
            part->missed = true;
        }
    }
}

// One thread computes what the halves have missed. False where they missed nothing.
static bool compute_misses(struct bfs *search)
{
    bool any = false;

    for (uint32_t i = 0; i < BFS_PARTS; i++) {
        struct bfs_part *part = &search->parts[i];

        any = any || part->miss_count > 0;
        for (uint32_t at = 0; at < part->miss_count; at++) {
            const struct bfs_miss *miss = &part->misses[at];

            if (miss->page)
                model_compute_page(search->model, miss->node, miss->event,
                                   (enum book_use)miss->use);
            else
                model_compute(search->model, miss->node, miss->event);
        }
        part->miss_count = 0;
    }
    return any;
}

// ---- what is new ----------------------------------------------------------------

static void link_add(struct bfs_links *links, uint32_t parent, uint16_t action)
{
    if (links->count == links->capacity) {
        links->capacity += links->capacity < 4096 ? 4096 : links->capacity / 8;
        links->parents =
            realloc(links->parents, links->capacity * sizeof(*links->parents));
        links->actions =
            realloc(links->actions, links->capacity * sizeof(*links->actions));
        if (links->parents == NULL || links->actions == NULL)
            abort();
    }
    links->parents[links->count] = parent;
    links->actions[links->count++] = action;
}

static void take(struct bfs *search, uint32_t index, const struct candidate *candidate,
                 const char *packed)
{
    struct bfs_shard *shard = &search->shards[index];

    if (!visited_add(&shard->visited, candidate->name))
        return;
    shard->orbits += candidate->orbit;
    link_add(&shard->links, candidate->parent, candidate->action);
    layer_push(&shard->layers[1 - search->layer], (const uint8_t *)packed,
               candidate->size);
}

// Names are asked for some candidates ahead of their turn.
static void insert(void *argument, uint32_t index)
{
    struct bfs *search = argument;

    for (uint32_t i = 0; i < BFS_PARTS; i++) {
        const struct buffer *from = &search->parts[i].found[index];
        struct candidate candidate;
        size_t ahead = 0;
        uint32_t lead = 0;

        for (size_t at = 0; at < from->size; at += sizeof(candidate) + candidate.size) {
            for (; lead < AHEAD && ahead < from->size; lead++) {
                memcpy(&candidate, from->data + ahead, sizeof(candidate));
                visited_expect(&search->shards[index].visited, candidate.name);
                ahead += sizeof(candidate) + candidate.size;
            }
            memcpy(&candidate, from->data + at, sizeof(candidate));
            take(search, index, &candidate, from->data + at + sizeof(candidate));
            lead--;
        }
    }
}

// ---- chunks and layers ----------------------------------------------------------

static void note_goal(struct bfs *search, uint32_t number)
{
    if (search->goal_count == search->goal_capacity) {
        search->goal_capacity =
            search->goal_capacity == 0 ? 64 : 2 * search->goal_capacity;
        search->goals =
            realloc(search->goals, search->goal_capacity * sizeof(*search->goals));
        if (search->goals == NULL)
            abort();
    }
    search->goals[search->goal_count++] = number;
}

// The next state of this layer; false where it is done.
static bool next_state(struct bfs *search, const uint8_t **packed, uint32_t *number)
{
    for (uint32_t i = 0; i < BFS_PARTS; i++) {
        uint32_t size;

        if (!layer_read(&search->shards[i].layers[search->layer], packed, &size))
            continue;
        *number = search->first[i]++ * BFS_PARTS + i;
        return true;
    }
    return false;
}

static bool is_goal(const struct bfs *search, const uint8_t *packed)
{
    struct global global;

    if (search->is_goal == NULL)
        return false;
    global_unpack(&global, search->model->config.node_count, packed);
    return search->is_goal(search->goal_context, search->model, &global);
}

static uint32_t read_chunk(struct bfs *search)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < BFS_PARTS; i++) {
        struct bfs_part *part = &search->parts[i];
        const uint8_t *packed;

        part->count = 0;
        part->done = 0;
        part->finding.broken = PROPERTY_COUNT;
        buffer_clear(&part->found[0]);
        buffer_clear(&part->found[1]);
        while (part->count < BFS_HALF &&
               next_state(search, &packed, &part->numbers[part->count])) {
            total++;
            if (is_goal(search, packed))
                note_goal(search, part->numbers[part->count]);
            else
                part->packed[part->count++] = packed;
        }
    }
    return total;
}

static void note_memory(struct bfs *search)
{
    uint64_t bytes = bfs_bytes(search);

    if (bytes > search->bytes_max)
        search->bytes_max = bytes;
}

// False where the layer has no more states.
static bool take_chunk(struct bfs *search)
{
    if (read_chunk(search) == 0)
        return false;
    do
        search->crew.both(search->crew.context, expand, search);
    while (compute_misses(search));
    search->crew.both(search->crew.context, insert, search);
    for (uint32_t i = 0; i < BFS_PARTS; i++) {
        struct bfs_part *part = &search->parts[i];

        search->transitions += part->transitions;
        part->transitions = 0;
        layer_drop_read(&search->shards[i].layers[search->layer]);
        if (part->finding.broken == PROPERTY_COUNT ||
            search->finding.broken != PROPERTY_COUNT)
            continue;
        search->finding = part->finding;
        search->finding_number = part->finding_number;
        search->finding_action = part->finding_action;
    }
    return true;
}

static uint64_t waiting(const struct bfs *search, uint32_t layer)
{
    return search->shards[0].layers[layer].count +
           search->shards[1].layers[layer].count;
}

// One layer. BFS_EXHAUSTED: nothing has ended the search.
static enum bfs_end take_layer(struct bfs *search)
{
    while (take_chunk(search)) {
        if (search->finding.broken != PROPERTY_COUNT)
            return BFS_VIOLATION;
        note_memory(search);
        if (bfs_states(search) >= search->states_max)
            return BFS_STATES;
        if (search->go_on != NULL && !search->go_on(search->go_on_context, search))
            return BFS_STOPPED;
    }
    return search->goal_count > 0 ? BFS_GOAL : BFS_EXHAUSTED;
}

void bfs_root(struct bfs *search, const struct global *global)
{
    uint64_t sums[PERMUTATION_COUNT_MAX];
    uint8_t packed[GLOBAL_BYTES_MAX];
    struct candidate candidate = {.parent = ROOT};
    struct global_name name;

    global_sum(global, search->model, sums);
    name = global_name(sums, search->model->permutations.count);
    candidate.name = name.name;
    candidate.orbit = name.orbit;
    candidate.action = (uint16_t)search->root_count++;
    candidate.size =
        (uint16_t)global_pack(global, search->model->config.node_count, packed);
    take(search, name.name & 1, &candidate, (const char *)packed);
}

enum bfs_end bfs_run(struct bfs *search)
{
    enum bfs_end end = BFS_EXHAUSTED;

    search->finding.broken = PROPERTY_COUNT;
    search->layer = 1;
    for (search->depth = 0;; search->depth++) {
        uint64_t width = waiting(search, search->layer);

        if (width == 0)
            return BFS_EXHAUSTED;
        if (width > search->layer_max)
            search->layer_max = width;
        if (search->depth >= search->depth_max)
            return BFS_DEPTH;
        end = take_layer(search);
        if (search->bounds->drop_stale)
            model_check_stale(search->model);
        if (end != BFS_EXHAUSTED)
            return end;
        if (search->model->stale_acts && search->bounds->drop_stale)
            return BFS_STALE;
        search->layer = 1 - search->layer;
    }
}

uint32_t bfs_path(const struct bfs *search, uint32_t number, uint16_t *actions,
                  uint32_t *root)
{
    uint32_t count = 0;

    for (;;) {
        const struct bfs_links *links = &search->shards[number % BFS_PARTS].links;
        uint32_t parent = links->parents[number / BFS_PARTS];
        uint16_t action = links->actions[number / BFS_PARTS];

        if (parent == ROOT) {
            *root = action;
            break;
        }
        actions[count++] = action;
        number = parent;
    }
    for (uint32_t low = 0, high = count; low + 1 < high; low++, high--) {
        uint16_t action = actions[low];

        actions[low] = actions[high - 1];
        actions[high - 1] = action;
    }
    return count;
}
