#include "sim/shrink/timeline_record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 400 };

static uint32_t add(struct timeline_record *record, const struct world *world,
                    const char *format, ...) __attribute__((format(printf, 3, 4)));

static uint32_t add(struct timeline_record *record, const struct world *world,
                    const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    uint32_t at;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    at = timeline_add(record->timeline, world->now_us, line);
    if (at != UINT32_MAX)
        record->timeline->lines[at].after = world->now_us == record->seen_us;
    return at;
}

// ---- links ----------------------------------------------------------------------

static bool any_set(const bool matrix[LINKS_NODES][LINKS_NODES])
{
    for (raft_id from = 1; from < LINKS_NODES; from++)
        for (raft_id to = 1; to < LINKS_NODES; to++)
            if (from != to && matrix[from][to])
                return true;
    return false;
}

// Gives each node a group; true where exactly the links between groups are cut.
static bool find_groups(const struct world *world, uint32_t groups[LINKS_NODES])
{
    const struct links *links = &world->links;
    uint32_t count = 0;

    for (raft_id a = 1; a <= world->config.node_count; a++) {
        groups[a] = 0;
        for (raft_id b = 1; b < a && groups[a] == 0; b++)
            if (!links->cut[a][b])
                groups[a] = groups[b];
        if (groups[a] == 0)
            groups[a] = ++count;
    }
    for (raft_id a = 1; a <= world->config.node_count; a++)
        for (raft_id b = 1; b <= world->config.node_count; b++)
            if (a != b && links->cut[a][b] != (groups[a] != groups[b]))
                return false;
    return true;
}

static void add_partition(struct timeline_record *record, const struct world *world,
                          const uint32_t groups[LINKS_NODES])
{
    struct buffer line = {0};
    bool more = true;

    for (uint32_t group = 1; more; group++) {
        more = false;
        for (raft_id id = 1; id <= world->config.node_count; id++)
            more |= groups[id] == group;
        if (more && group > 1)
            buffer_append_text(&line, " |");
        for (raft_id id = 1; id <= world->config.node_count; id++)
            if (groups[id] == group)
                buffer_format(&line, " %u", (unsigned)id);
    }
    add(record, world, "partition%.*s", (int)line.size, line.data);
    buffer_free(&line);
}

// The node that all the links that differ have in common; 0: there is none.
static raft_id find_hub(const struct world *world,
                        const bool was[LINKS_NODES][LINKS_NODES],
                        const bool is[LINKS_NODES][LINKS_NODES])
{
    uint32_t hubs = UINT32_MAX;

    for (raft_id a = 1; a <= world->config.node_count; a++)
        for (raft_id b = 1; b <= world->config.node_count; b++)
            if (was[a][b] != is[a][b])
                hubs &= 1u << a | 1u << b;
    for (raft_id id = 1; id <= world->config.node_count; id++)
        if ((hubs >> id & 1) != 0)
            return id;
    return 0;
}

// What differs link by link, both directions at once where they are alike.
static void add_pairs(struct timeline_record *record, const struct world *world,
                      const bool was[LINKS_NODES][LINKS_NODES],
                      const bool is[LINKS_NODES][LINKS_NODES],
                      const char *const words[2])
{
    raft_id hub = find_hub(world, was, is);

    for (raft_id a = 1; a <= world->config.node_count; a++)
        for (raft_id b = a + 1; b <= world->config.node_count; b++) {
            bool there = was[a][b] != is[a][b], back = was[b][a] != is[b][a];

            if (there && back && is[a][b] == is[b][a]) {
                add(record, world, "%s %u %u", words[is[a][b]],
                    (unsigned)(b == hub ? b : a), (unsigned)(b == hub ? a : b));
                continue;
            }
            if (there)
                add(record, world, "%s %u > %u", words[is[a][b]], (unsigned)a,
                    (unsigned)b);
            if (back)
                add(record, world, "%s %u > %u", words[is[b][a]], (unsigned)b,
                    (unsigned)a);
        }
}

static void see_cuts(struct timeline_record *record, const struct world *world)
{
    static const char *const cuts[2] = {"heal", "cut"};
    static const char *const holds[2] = {"release", "hold"};
    const struct links *links = &world->links;
    struct timeline_knobs *knobs = &record->knobs;
    uint32_t groups[LINKS_NODES];

    if (memcmp(knobs->cut, links->cut, sizeof(knobs->cut)) != 0) {
        if (!any_set(links->cut) && !any_set(knobs->hold) && any_set(knobs->cut))
            add(record, world, "heal");
        else if (any_set(links->cut) && find_groups(world, groups))
            add_partition(record, world, groups);
        else
            add_pairs(record, world, knobs->cut, links->cut, cuts);
        memcpy(knobs->cut, links->cut, sizeof(knobs->cut));
    }
    if (memcmp(knobs->hold, links->hold, sizeof(knobs->hold)) != 0) {
        add_pairs(record, world, knobs->hold, links->hold, holds);
        memcpy(knobs->hold, links->hold, sizeof(knobs->hold));
    }
}

static void add_own(struct timeline_record *record, const struct world *world,
                    raft_id from, raft_id to)
{
    const struct links_own *own = &world->links.own[from][to];
    struct buffer line = {0};

    buffer_format(&line, "link %u > %u delay=%" PRIu64 "us..%" PRIu64 "us",
                  (unsigned)from, (unsigned)to, own->delay_us_min, own->delay_us_max);
    if (own->slow_ppm > 0)
        buffer_format(&line, " slow=%u.%04u mean=%" PRIu64 "us", own->slow_ppm / 10000,
                      own->slow_ppm % 10000, own->slow_us_mean);
    if (own->loss_ppm > 0)
        buffer_format(&line, " loss=%u.%04u", own->loss_ppm / 10000,
                      own->loss_ppm % 10000);
    if (own->duplicate_ppm > 0)
        buffer_format(&line, " duplicate=%u.%04u", own->duplicate_ppm / 10000,
                      own->duplicate_ppm % 10000);
    add(record, world, "%.*s", (int)line.size, line.data);
    buffer_free(&line);
}

static void see_odd_links(struct timeline_record *record, const struct world *world)
{
    struct timeline_knobs *knobs = &record->knobs;
    const struct links *links = &world->links;

    if (any_set(knobs->odd) && !any_set(links->odd)) {
        add(record, world, "link off");
        memset(knobs->odd, 0, sizeof(knobs->odd));
        return;
    }
    for (raft_id from = 1; from <= world->config.node_count; from++)
        for (raft_id to = 1; to <= world->config.node_count; to++) {
            if (from == to || !links->odd[from][to] ||
                (knobs->odd[from][to] &&
                 memcmp(&knobs->own[from][to], &links->own[from][to],
                        sizeof(links->own[from][to])) == 0))
                continue;
            add_own(record, world, from, to);
            knobs->odd[from][to] = true;
            knobs->own[from][to] = links->own[from][to];
        }
}

static void see_percent(struct timeline_record *record, const struct world *world,
                        const char *word, uint32_t *was, uint32_t is)
{
    if (*was == is)
        return;
    *was = is;
    add(record, world, "%s %u.%04u", word, is / 10000, is % 10000);
}

static void see_chances(struct timeline_record *record, const struct world *world)
{
    struct timeline_knobs *knobs = &record->knobs;
    const struct links *links = &world->links;

    see_percent(record, world, "loss", &knobs->loss_ppm, links->loss_ppm);
    see_percent(record, world, "duplicate", &knobs->duplicate_ppm,
                links->duplicate_ppm);
    see_percent(record, world, "reorder", &knobs->reorder_ppm, links->reorder_ppm);
    see_percent(record, world, "corrupt", &knobs->damage_ppm, world->wire.damage_ppm);
    if (knobs->order_late_us != links->order_late_us) {
        knobs->order_late_us = links->order_late_us;
        add(record, world, "late %" PRIu64 "us", links->order_late_us);
    }
    if (knobs->delay_us_min == links->delay_us_min &&
        knobs->delay_us_max == links->delay_us_max &&
        knobs->slow_ppm == links->slow_ppm &&
        (links->slow_ppm == 0 || knobs->slow_us_mean == links->slow_us_mean))
        return;
    knobs->delay_us_min = links->delay_us_min;
    knobs->delay_us_max = links->delay_us_max;
    knobs->slow_ppm = links->slow_ppm;
    knobs->slow_us_mean = links->slow_us_mean;
    if (links->slow_ppm == 0)
        add(record, world, "delay %" PRIu64 "us..%" PRIu64 "us", links->delay_us_min,
            links->delay_us_max);
    else
        add(record, world,
            "delay %" PRIu64 "us..%" PRIu64 "us slow %u.%04u %" PRIu64 "us",
            links->delay_us_min, links->delay_us_max, links->slow_ppm / 10000,
            links->slow_ppm % 10000, links->slow_us_mean);
}

// ---- nodes ----------------------------------------------------------------------

static void see_clock(struct timeline_record *record, const struct world *world,
                      raft_id id)
{
    const struct node *node = &world->nodes[id];
    struct node_clock *was = &record->knobs.nodes[id].clock;
    uint64_t shown_us = node_clock_us(&node->clock, world->now_us);
    uint64_t expected_us = node_clock_us(was, world->now_us);
    int64_t drift = (int64_t)node->clock.rate_ppm - NODE_CLOCK_TRUE_PPM;

    if (shown_us > expected_us)
        add(record, world, "clock %u jump=%" PRIu64 "us", (unsigned)id,
            shown_us - expected_us);
    if (was->rate_ppm != node->clock.rate_ppm)
        add(record, world, "clock %u drift=%s%" PRId64 ".%04" PRId64, (unsigned)id,
            drift < 0 ? "-" : "", (drift < 0 ? -drift : drift) / 10000,
            (drift < 0 ? -drift : drift) % 10000);
    *was = node->clock;
}

// A crash that will come by itself; how it goes is written once it has come.
static void see_planned_crash(struct timeline_record *record, const struct world *world,
                              raft_id id)
{
    const struct node *node = &world->nodes[id];

    // Who is asked to do something, meanwhile, does it.
    if (node->effects_left > 0 && (record->quiet || record->planned[id] == 0) &&
        node->effects_left != record->knobs.nodes[id].effects_left) {
        record->knobs.nodes[id].effects_left = node->effects_left;
        record->planned[id] = 1 + add(record, world, "crash %u inside %u", (unsigned)id,
                                      (unsigned)node->effects_left);
    }
    if (node->crash_at_write && !record->knobs.nodes[id].crash_at_write) {
        record->knobs.nodes[id].crash_at_write = true;
        record->planned[id] = 1 + add(record, world, "crash %u at write", (unsigned)id);
    }
}

static void see_node(struct timeline_record *record, const struct world *world,
                     raft_id id)
{
    const struct node *node = &world->nodes[id];
    struct timeline_knobs *knobs = &record->knobs;

    if (knobs->nodes[id].paused != node->paused)
        add(record, world, "%s %u", node->paused ? "pause" : "resume", (unsigned)id);
    knobs->nodes[id].paused = node->paused;
    if (knobs->nodes[id].skew_ms != node->skew_ms)
        add(record, world, "clock %u skew=%" PRId64 "ms", (unsigned)id, node->skew_ms);
    knobs->nodes[id].skew_ms = node->skew_ms;
    if (knobs->nodes[id].sync_us_min != node->sync_us_min ||
        knobs->nodes[id].sync_us_max != node->sync_us_max)
        add(record, world, "disk %u sync=%" PRIu64 "us..%" PRIu64 "us", (unsigned)id,
            node->sync_us_min, node->sync_us_max);
    knobs->nodes[id].sync_us_min = node->sync_us_min;
    knobs->nodes[id].sync_us_max = node->sync_us_max;
    see_clock(record, world, id);
    see_planned_crash(record, world, id);
}

static void see_all(struct timeline_record *record, const struct world *world)
{
    see_cuts(record, world);
    see_odd_links(record, world);
    see_chances(record, world);
    for (raft_id id = 1; id <= world->config.node_count; id++)
        see_node(record, world, id);
}

// ---- deeds ----------------------------------------------------------------------

// The crash that was planned has come: how it went stands behind the plan.
static bool fulfil_plan(struct timeline_record *record, const struct world *world,
                        const struct deed *deed)
{
    const struct node *node = &world->nodes[deed->node];
    uint32_t planned = record->planned[deed->node];
    const char *how = strstr(deed->command, " lose");
    struct timeline *timeline = record->timeline;
    char line[LINE_BYTES];

    if (planned == 0 || how == NULL || (!node_is_cut_off(node) && !node->crash_is_set))
        return false;
    snprintf(line, sizeof(line), "%s%s",
             timeline->texts + timeline->lines[planned - 1].text, how);
    timeline->lines[planned - 1].text = timeline_text(timeline, line);
    return true;
}

static void take_command(struct timeline_record *record, const struct world *world,
                         const struct deed *deed)
{
    const char *text = deed->command;
    const char *at = strstr(text, " at ");
    raft_id id = deed->node;

    if (strncmp(text, "propose", 7) == 0)
        return;                 // a key's time has come: that happens by itself
    see_chances(record, world); // what was set before it, in the same strike
    if (strncmp(text, "restart", 7) == 0)
        see_planned_crash(record, world, id);
    if (strncmp(text, "crash", 5) == 0) {
        bool planned = fulfil_plan(record, world, deed);

        record->planned[id] = 0;
        record->knobs.nodes[id].paused = false;
        record->knobs.nodes[id].crash_at_write = false;
        if (planned)
            return;
    }
    if (strncmp(text, "disk", 4) == 0 && strstr(text, " ok") != NULL) {
        record->knobs.nodes[id].sync_us_min = world->config.sync_us_min;
        record->knobs.nodes[id].sync_us_max = world->config.sync_us_max;
    }
    // Whoever leads is asked, which is that node now.
    if (at != NULL)
        add(record, world, "%.*s", (int)(at - text), text);
    else
        add(record, world, "%s", text);
}

void timeline_record_told(struct timeline_record *record, struct world *world,
                          const struct deed *deed)
{
    if (deed->kind == DEED_PHASE) {
        timeline_add(record->timeline, record->over ? TIMELINE_NEXT : world->now_us,
                     deed->command);
        record->over = true;
    } else if (deed->kind == DEED_COMMAND && !record->over) {
        take_command(record, world, deed);
    }
    record->quiet = false;
}

void timeline_record_seen(struct timeline_record *record, struct world *world,
                          const struct heap_event *event)
{
    if (!record->over)
        record->timeline->end_us = world->now_us;
    if (!record->over && (event->kind == WORLD_FAULT || event->kind == WORLD_UNDO))
        see_all(record, world);
    record->quiet = true;
    record->seen_us = world->now_us;
    for (raft_id id = 1; id <= world->config.node_count; id++)
        record->knobs.nodes[id].effects_left = world->nodes[id].effects_left;
}

void timeline_record_begin(struct timeline_record *record, struct world *world,
                           struct timeline *timeline)
{
    const struct world_config *config = &world->config;
    struct timeline_knobs *knobs = &record->knobs;
    struct world_config usual;

    memset(record, 0, sizeof(*record));
    record->seen_us = UINT64_MAX;
    record->timeline = timeline;
    timeline_begin(timeline, NULL);
    timeline->config = *config;
    world_config_default(&usual);
    timeline->config.log_bytes_max = usual.log_bytes_max;
    if (config->lease_drift_percent == 0)
        timeline->config.clock_drift_percent = usual.clock_drift_percent;
    timeline->clients = world->clients.count - 1;
    timeline->keys = world->clients.keys;
    knobs->delay_us_min = config->delay_us_min;
    knobs->delay_us_max = config->delay_us_max;
    for (raft_id id = 1; id <= config->node_count; id++) {
        uint64_t start_ms = config->clock_start_ms + config->clock_ahead_ms[id];

        knobs->nodes[id].sync_us_min = config->sync_us_min;
        knobs->nodes[id].sync_us_max = config->sync_us_max;
        knobs->nodes[id].clock =
            (struct node_clock){0, start_ms * 1000, NODE_CLOCK_TRUE_PPM};
    }
    see_all(record, world);
}
