#include "sim/shrink/timeline_shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SEEDS = 4,             // that each candidate is tried with
    WORLD_WORK = 2000,     // what making a world costs, in events
    POLISH_WORK = 3000000, // spent in vain on leaving out lines
    STRANGERS = 40,        // other seeds that are tried...
    LUCK = 30,             // ...and one in so many has to fail
    SPANS_MAX = 32,        // of the time, the smallest that are left out
    PROPOSALS_MAX = 4,
};

static const char *text_of(const struct timeline *timeline, uint32_t line)
{
    return timeline->texts + timeline->lines[line].text;
}

static void copy_lines(const struct timeline *from, struct timeline *to)
{
    to->count = from->count;
    memcpy(to->lines, from->lines, from->count * sizeof(from->lines[0]));
}

// When it ends, or its first phase begins.
static uint64_t length_us(const struct timeline *timeline)
{
    for (uint32_t i = 0; i < timeline->count; i++)
        if (timeline_is_phase(text_of(timeline, i)) &&
            timeline->lines[i].at_us != TIMELINE_NEXT)
            return timeline->lines[i].at_us;
    if (timeline->end_us == 0 && timeline->count > 0)
        return timeline->lines[timeline->count - 1].at_us;
    return timeline->end_us;
}

// The number-th piece of a whole that is halved, quartered... down to `pieces_max`.
static bool find_piece(uint32_t number, uint64_t whole, uint64_t pieces_max,
                       uint64_t *from, uint64_t *to)
{
    for (uint64_t pieces = 2;; pieces *= 2) {
        if (pieces > pieces_max)
            pieces = pieces_max;
        if (number < pieces) {
            *from = whole * number / pieces;
            *to = whole * (number + 1) / pieces;
            return true;
        }
        if (pieces >= pieces_max)
            return false;
        number -= (uint32_t)pieces;
    }
}

// ---- ways -----------------------------------------------------------------------

// A stretch of time less; what was done in it is left out, or done at once.
static bool cut_time(uint32_t which, const struct timeline *from, struct timeline *to)
{
    uint64_t start, end;

    if (!find_piece(which / 2, length_us(from), SPANS_MAX, &start, &end))
        return false;
    for (uint32_t i = 0; i < from->count; i++) {
        struct timeline_line line = from->lines[i];
        bool inside = line.at_us > start && line.at_us < end;

        if (inside && which % 2 == 0 && !timeline_is_phase(text_of(from, i)))
            continue;
        if (inside)
            line.at_us = start;
        else if (line.at_us != TIMELINE_NEXT && line.at_us >= end)
            line.at_us -= end - start;
        to->lines[to->count++] = line;
    }
    if (to->end_us > end)
        to->end_us -= end - start;
    return true;
}

static bool leave_out(uint32_t which, const struct timeline *from, struct timeline *to)
{
    uint64_t start, end;

    if (from->count == 0 || !find_piece(which, from->count, from->count, &start, &end))
        return false;
    for (uint32_t i = 0; i < from->count; i++)
        if (i < start || i >= end)
            to->lines[to->count++] = from->lines[i];
    return true;
}

// All lines of a kind, as told by their first words.
static bool without_kind(uint32_t which, const struct timeline *from,
                         struct timeline *to)
{
    static const char *const kinds[] = {
        "partition", "cut",    "heal",     "hold",     "release", "link",    "loss",
        "duplicate", "delay",  "reorder",  "late",     "pause",   "resume",  "clock",
        "disk",      "change", "transfer", "snapshot", "crash",   "restart", "core"};

    if (which >= sizeof(kinds) / sizeof(kinds[0]))
        return false;
    for (uint32_t i = 0; i < from->count; i++)
        if (strncmp(text_of(from, i), kinds[which], strlen(kinds[which])) != 0)
            to->lines[to->count++] = from->lines[i];
    return true;
}

// The last nodes go; what names them is refused.
static bool fewer_nodes(uint32_t which, const struct timeline *from,
                        struct timeline *to)
{
    struct world_config *config = &to->config;
    uint32_t spares = config->node_count - config->member_count;

    copy_lines(from, to);
    switch (which) {
    case 0:
        config->node_count = config->member_count;
        return true;
    case 1:
        config->node_count -= spares > 0;
        return true;
    default:
        if (which - 1 >= config->member_count)
            return false;
        config->member_count = which - 1;
        config->node_count = which - 1 + spares;
        return true;
    }
}

static bool fewer_clients(uint32_t which, const struct timeline *from,
                          struct timeline *to)
{
    copy_lines(from, to);
    switch (which) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (which < to->clients)
            to->clients = which;
        return true;
    case 4:
        to->keys = 1;
        return true;
    default:
        return false;
    }
}

// Instead of clients a few proposals, to whoever leads then.
static bool propose(uint32_t which, const struct timeline *from, struct timeline *to)
{
    uint64_t end_us = length_us(from);
    uint32_t left = which + 1;
    char line[40];

    if (which >= PROPOSALS_MAX || from->clients == 0)
        return false;
    to->clients = 0;
    for (uint32_t i = 0; i <= from->count; i++) {
        while (left > 0) {
            uint32_t number = which + 2 - left;
            uint64_t at_us = end_us * (which + 2 - left) / (which + 2);

            if (i < from->count && from->lines[i].at_us <= at_us &&
                !timeline_is_phase(text_of(from, i)))
                break;
            snprintf(line, sizeof(line), "propose set x %" PRIu32, number);
            timeline_add(to, at_us, line);
            left--;
        }
        if (i < from->count)
            to->lines[to->count++] = from->lines[i];
    }
    return true;
}

// Less depends on chance where all takes as long.
static bool steady(uint32_t which, const struct timeline *from, struct timeline *to)
{
    struct world_config *config = &to->config;

    copy_lines(from, to);
    if (which != 2)
        config->delay_us_min = config->delay_us_max = 1000;
    if (which != 1)
        config->sync_us_min = config->sync_us_max = 1000;
    return which < 3;
}

// One bound alone.
static bool usual_bound(uint32_t which, struct timeline *to)
{
    struct world_config *config = &to->config;
    struct world_config usual;

    world_config_default(&usual);
    switch (which) {
    case 0:
        config->message_bytes_max = config->uncommitted_bytes_max = 0;
        return true;
    case 1:
        config->inflight_max = 0;
        config->inflight_bytes_max = 0;
        return true;
    case 2:
        config->message_entries_max = 0;
        return true;
    case 3:
        config->snapshot_tail_entries = 0;
        return true;
    case 4:
        config->snapshot_chunk_bytes = 0;
        return true;
    case 5:
        config->log_entries_max = usual.log_entries_max;
        return true;
    default:
        return false;
    }
}

static bool usual_setting(uint32_t which, const struct timeline *from,
                          struct timeline *to)
{
    struct world_config *config = &to->config;
    struct world_config usual;

    copy_lines(from, to);
    world_config_default(&usual);
    switch (which) {
    case 0:
        config->snapshot_entries = config->snapshot_tail_entries = 0;
        config->snapshot_chunk_bytes = 0;
        config->log_entries_max = usual.log_entries_max; // or it would fill
        return true;
    case 1:
        config->message_entries_max = config->inflight_max = 0;
        config->message_bytes_max = config->inflight_bytes_max = 0;
        config->uncommitted_bytes_max = config->command_bytes_max = 0;
        return true;
    case 2:
        config->lease_drift_percent = 0;
        config->clock_drift_percent = usual.clock_drift_percent;
        return true;
    case 3:
        config->clock_start_ms = 0;
        return true;
    case 4:
        memset(config->clock_ahead_ms, 0, sizeof(config->clock_ahead_ms));
        return true;
    case 5:
        config->election_timeout_ms = usual.election_timeout_ms;
        config->election_spread_ms = usual.election_spread_ms;
        config->heartbeat_ms = usual.heartbeat_ms;
        return true;
    case 6:
        config->delay_us_min = usual.delay_us_min;
        config->delay_us_max = usual.delay_us_max;
        return true;
    case 7:
        config->sync_us_min = usual.sync_us_min;
        config->sync_us_max = usual.sync_us_max;
        return true;
    case 8:
        config->segment_bytes_max = 0;
        return true;
    case 9:
        config->pre_vote = config->check_quorum = true;
        return true;
    case 10:
        config->ordered_links = config->equal_seeds = false;
        return true;
    case 11:
        config->value_digits = 0;
        return true;
    default:
        return usual_bound(which - 12, to);
    }
}

// Times that are easier to read: of all lines, then of each.
static bool round_times(uint32_t which, const struct timeline *from,
                        struct timeline *to)
{
    static const uint64_t units_us[] = {1000000, 100000, 10000, 1000};
    uint64_t unit_us = units_us[which % 4];
    uint32_t one = which / 4; // 0: all
    uint64_t last_us = 0;

    if (one > from->count + 1)
        return false;
    copy_lines(from, to);
    for (uint32_t i = 0; i < to->count; i++) {
        struct timeline_line *line = &to->lines[i];

        if (line->at_us == TIMELINE_NEXT)
            continue;
        if (one == 0 || one == i + 1)
            line->after = false;
        if (one == 0 || one == i + 1)
            line->at_us = (line->at_us + unit_us / 2) / unit_us * unit_us;
        if (line->at_us < last_us)
            line->at_us = last_us;
        last_us = line->at_us;
    }
    if (to->end_us > 0 && (one == 0 || one == from->count + 1))
        to->end_us = (to->end_us + unit_us) / unit_us * unit_us;
    return true;
}

// The plainest form of a line's command.
static bool plain_text(uint32_t which, const struct timeline *from, struct timeline *to)
{
    uint32_t at = which / 2;
    char line[400];
    const char *cut;

    if (at >= from->count)
        return false;
    copy_lines(from, to);
    snprintf(line, sizeof(line), "%s", text_of(from, at));
    if (strncmp(line, "crash", 5) == 0 && which % 2 == 0)
        line[strcspn(line + 6, " ") + 6] = '\0'; // crash N
    else if ((cut = strstr(line, " lose ")) != NULL)
        line[cut - line] = '\0';
    else if (strncmp(line, "transfer", 8) == 0)
        line[8] = '\0';
    else
        return true; // nothing differs
    to->lines[at].text = timeline_text(to, line);
    return true;
}

static bool (*const ways[])(uint32_t, const struct timeline *, struct timeline *) = {
    steady,    fewer_nodes,   fewer_clients, cut_time,    without_kind,
    leave_out, usual_setting, propose,       round_times, plain_text,
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

// ---- the search -----------------------------------------------------------------

void timeline_shrink_begin(struct timeline_shrink *shrink, struct timeline *best,
                           struct timeline *candidate, uint64_t work_max)
{
    *shrink = (struct timeline_shrink){
        .best = best, .candidate = candidate, .work_max = work_max};
}

bool timeline_shrink_next(struct timeline_shrink *shrink)
{
    shrink->over |= shrink->work >= shrink->shorter_at + POLISH_WORK;
    while (!shrink->over && shrink->work < shrink->work_max) {
        struct timeline *candidate = shrink->candidate;

        timeline_begin(candidate, shrink->best);
        if (ways[shrink->way](shrink->which, shrink->best, candidate)) {
            if (shrink->attempt > 0)
                candidate->config.seed = shrink->attempt;
            if (timeline_cost(candidate) < timeline_cost(shrink->best))
                return true;
            shrink->which++;
            shrink->attempt = 0;
            continue;
        }
        shrink->which = shrink->attempt = 0;
        if (++shrink->way < WAYS)
            continue;
        shrink->over = !shrink->any;
        shrink->way = 0;
        shrink->any = false;
    }
    return false;
}

bool timeline_shrink_is_better(const struct timeline_shrink *shrink,
                               const struct timeline *played)
{
    return timeline_cost(played) < timeline_cost(shrink->best);
}

// Whether other seeds hardly ever fail.
static bool is_rare(const struct timeline_shrink *shrink)
{
    return shrink->strangers >= STRANGERS && shrink->luck * LUCK < shrink->strangers;
}

void timeline_shrink_take(struct timeline_shrink *shrink, const struct timeline *played,
                          uint64_t events)
{
    bool better = played != NULL && timeline_shrink_is_better(shrink, played);

    shrink->tests++;
    shrink->work += events + WORLD_WORK;
    shrink->strangers += shrink->attempt > 0;
    shrink->luck += shrink->attempt > 0 && better;
    if (better) {
        if (timeline_commands(played) < timeline_commands(shrink->best))
            shrink->shorter_at = shrink->work;
        timeline_copy(shrink->best, played);
        shrink->any = true;
    }
    // What was left out has gone: the next piece stands at the same place.
    shrink->attempt = better ? 0 : shrink->attempt + 1;
    if (shrink->attempt > 0 && shrink->attempt < SEEDS && !is_rare(shrink))
        return;
    if (better)
        return;
    shrink->attempt = 0;
    shrink->which++;
}
