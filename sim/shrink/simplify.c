#include "sim/shrink/simplify.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void copy_acts(const struct tape *from, struct tape *to)
{
    for (uint32_t i = 0; i < from->count; i++)
        tape_add(to, &from->acts[i]);
}

static bool is_command(const struct tape *tape, const struct act *act, const char *name)
{
    const char *text = tape->texts + act->text;
    size_t size = strlen(name);

    return act->kind == ACT_COMMAND && strncmp(text, name, size) == 0 &&
           (text[size] == ' ' || text[size] == '\0');
}

// ---- leaving out all of a kind --------------------------------------------------

// All disks, then one after another.
static bool sync_at_once(uint32_t which, const struct tape *from, struct tape *to)
{
    if (which >= LINKS_NODES)
        return false;
    copy_acts(from, to);
    to->sync_manual = which == 0 ? 0 : from->sync_manual & ~(1u << which);
    return true;
}

// No time passes: at all; for timeouts; for a node.
static bool stop_clocks(uint32_t which, const struct tape *from, struct tape *to)
{
    if (which >= LINKS_NODES + 2)
        return false;
    copy_acts(from, to);
    for (uint32_t i = 0; i < to->count; i++) {
        struct act *act = &to->acts[i];

        if (which == 0 || (which == 1 && act->kind == ACT_TIMEOUT) ||
            (which >= 2 && act->node == which - 1))
            act->elapsed_ms = 0;
    }
    return true;
}

static bool without_node(uint32_t which, const struct tape *from, struct tape *to)
{
    if (++which >= LINKS_NODES)
        return false;
    for (uint32_t i = 0; i < from->count; i++)
        if (from->acts[i].node != which && from->acts[i].from != which)
            tape_add(to, &from->acts[i]);
    return true;
}

static bool without_client(uint32_t which, const struct tape *from, struct tape *to)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < from->count; i++)
        if (from->acts[i].client > last)
            last = from->acts[i].client;
    if (++which > last)
        return false;
    for (uint32_t i = 0; i < from->count; i++)
        if (from->acts[i].client != which)
            tape_add(to, &from->acts[i]);
    return true;
}

static bool without_kind(uint32_t which, const struct tape *from, struct tape *to)
{
    static const char *const names[] = {"disk",    "snapshot", "transfer", "change",
                                        "propose", "get",      "crash",    "restart"};
    enum { NAMES = sizeof(names) / sizeof(names[0]) };

    if (which >= NAMES + 2)
        return false;
    for (uint32_t i = 0; i < from->count; i++) {
        const struct act *act = &from->acts[i];
        bool leave = which < NAMES
                         ? is_command(from, act, names[which])
                         : act->kind == ACT_CLIENT &&
                               act->ask == (which == NAMES ? ACT_REGISTER : ACT_REPEAT);

        if (!leave)
            tape_add(to, act);
    }
    return true;
}

// ---- single acts made simpler ---------------------------------------------------

static bool stop_one_clock(uint32_t which, const struct tape *from, struct tape *to)
{
    if (which >= from->count)
        return false;
    copy_acts(from, to);
    to->acts[which].elapsed_ms = 0;
    return true;
}

static bool deliver_once(uint32_t which, const struct tape *from, struct tape *to)
{
    if (which >= from->count)
        return false;
    copy_acts(from, to);
    to->acts[which].again = to->acts[which].stray = 0;
    return true;
}

// The oldest message of its kind.
static bool deliver_first(uint32_t which, const struct tape *from, struct tape *to)
{
    if (which >= from->count)
        return false;
    copy_acts(from, to);
    to->acts[which].print = 0;
    to->acts[which].rank = UINT32_MAX;
    return true;
}

// A crash that loses all that was not synced, or nothing; one inside a step stays
// there, unless it may as well come before the step.
static bool crash_plainly(uint32_t which, const struct tape *from, struct tape *to)
{
    uint32_t at = which / 4;
    struct act *act;
    char line[80];

    if (at >= from->count)
        return false;
    copy_acts(from, to);
    act = &to->acts[at];
    if (is_command(from, act, "crash")) {
        const char *text = from->texts + act->text;
        const char *lose = strstr(text, " lose ");
        int head = lose == NULL || which % 4 < 2 ? 0 : (int)(lose - text);

        if (head > 0)
            snprintf(line, sizeof(line), "%.*s lose ", head, text);
        else
            snprintf(line, sizeof(line), "crash %u lose ", act->node);
        strcat(line, which % 2 == 0 ? "all" : "nothing");
        act->text = tape_text(to, line);
    }
    return true;
}

// ---- the cluster ----------------------------------------------------------------

// One node fewer; those behind it move up.
static bool fewer_nodes(uint32_t which, const struct tape *from, struct tape *to)
{
    raft_id names[LINKS_NODES] = {0};

    if (++which > from->config.node_count)
        return false;
    if (which <= from->config.member_count && from->config.member_count == 1) {
        copy_acts(from, to);
        return true;
    }
    without_node(which - 1, from, to);
    to->sync_manual &= ~(1u << which);
    for (raft_id id = 1; id < LINKS_NODES; id++)
        names[id] = id > which ? id - 1 : id;
    tape_rename(to, names);
    to->config.node_count--;
    to->config.member_count -= which <= from->config.member_count;
    return true;
}

// Nodes in the order in which they act first; members stay members.
static bool in_order(uint32_t which, const struct tape *from, struct tape *to)
{
    raft_id names[LINKS_NODES] = {0};
    raft_id member = 1, spare = from->config.member_count + 1;

    if (which > 0)
        return false;
    copy_acts(from, to);
    for (uint32_t i = 0; i <= from->count; i++)
        for (raft_id id = 1; id < LINKS_NODES; id++) {
            bool now = i == from->count || from->acts[i].node == id ||
                       from->acts[i].from == id;

            if (!now || names[id] != 0 || id > from->config.node_count)
                continue;
            if (i < from->count && from->acts[i].node != id &&
                names[from->acts[i].node] == 0 && from->acts[i].node != 0)
                continue;
            names[id] = id <= from->config.member_count ? member++ : spare++;
        }
    tape_rename(to, names);
    return true;
}

static bool usual_setting(uint32_t which, const struct tape *from, struct tape *to)
{
    struct world_config *config = &to->config;
    struct world_config usual;

    world_config_default(&usual);
    copy_acts(from, to);
    switch (which) {
    case 0:
        config->lease_drift_percent = 0;
        return true;
    case 1:
        config->clock_start_ms = 0;
        return true;
    case 2:
        config->log_entries_max = usual.log_entries_max;
        config->log_bytes_max = usual.log_bytes_max;
        return true;
    case 3:
        config->message_entries_max = 0;
        config->message_bytes_max = 0;
        config->inflight_max = 0;
        config->inflight_bytes_max = 0;
        config->uncommitted_bytes_max = 0;
        config->command_bytes_max = 0;
        return true;
    case 4:
        config->snapshot_entries = 0;
        config->snapshot_tail_entries = 0;
        config->snapshot_chunk_bytes = 0;
        return true;
    case 5:
        config->snapshot_chunk_bytes = 0;
        return true;
    case 6:
        config->segment_bytes_max = 0;
        return true;
    case 7:
        config->seed = usual.seed;
        return true;
    case 8:
        config->pre_vote = false;
        return true;
    case 9:
        config->message_bytes_max = 0;
        config->uncommitted_bytes_max = 0;
        return true;
    case 10:
        config->snapshot_tail_entries = 0;
        return true;
    case 11:
        config->election_timeout_ms = usual.election_timeout_ms;
        config->election_spread_ms = usual.election_spread_ms;
        config->heartbeat_ms = usual.heartbeat_ms;
        return true;
    case 12:
        config->inflight_max = 0;
        config->inflight_bytes_max = 0;
        return true;
    case 13:
        config->message_entries_max = 0;
        return true;
    case 14:
        config->check_quorum = true;
        return true;
    default:
        return false;
    }
}

// ---- words ----------------------------------------------------------------------

static bool is_read(const char *words)
{
    return strncmp(words, "GET", 3) == 0 || strncmp(words, "get", 3) == 0 ||
           strncmp(words, "MGET", 4) == 0;
}

// Writes of small numbers to one key, and reads of it; then writes as proposals.
static bool ask_simply(uint32_t which, const struct tape *from, struct tape *to)
{
    uint32_t number = 0;
    char line[40];

    if (which > 1)
        return false;
    copy_acts(from, to);
    for (uint32_t i = 0; i < to->count; i++) {
        struct act *act = &to->acts[i];
        bool asks = act->kind == ACT_CLIENT && act->ask == ACT_ASK;
        bool proposes = is_command(from, act, "propose");

        if (asks && is_read(from->texts + act->text)) {
            act->text = tape_text(to, "get x");
        } else if (proposes || (asks && which == 1)) {
            snprintf(line, sizeof(line), "propose at %u set x %u", act->node,
                     (unsigned)++number);
            act->kind = ACT_COMMAND;
            act->client = 0;
            act->text = tape_text(to, line);
        } else if (asks) {
            snprintf(line, sizeof(line), "set x %u", (unsigned)++number);
            act->text = tape_text(to, line);
        }
    }
    return true;
}

static bool (*const ways[])(uint32_t, const struct tape *, struct tape *) = {
    sync_at_once,  stop_clocks,   without_node, without_client, without_kind,
    fewer_nodes,   usual_setting, ask_simply,   stop_one_clock, deliver_once,
    deliver_first, crash_plainly, in_order,
};

uint32_t simplify_ways(void)
{
    return sizeof(ways) / sizeof(ways[0]);
}

bool simplify_make(uint32_t way, uint32_t which, const struct tape *from,
                   struct tape *to)
{
    return ways[way](which, from, to);
}

bool simplify_say_snapshots(const struct tape *from, struct tape *to)
{
    bool any = false;

    to->config.snapshot_entries = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        struct act act = {.kind = ACT_COMMAND, .node = from->acts[i].node};
        char line[24];

        tape_add(to, &from->acts[i]);
        if (!from->acts[i].snapshot)
            continue;
        snprintf(line, sizeof(line), "snapshot %u", act.node);
        act.text = tape_text(to, line);
        tape_add(to, &act);
        any = true;
    }
    return any;
}
