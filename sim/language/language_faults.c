#include "sim/language/language_faults.h"
#include "sim/node_crash.h"

#include "sim/json.h"
#include "sim/language/language_manual.h"
#include "sim/language/options.h"

#include <inttypes.h>
#include <string.h>

// ---- links ----------------------------------------------------------------------

// Gives each node the number of its group; 0 where it stands in none.
static bool read_groups(struct language *language, uint32_t groups[LINKS_NODES])
{
    uint32_t group = 1;

    for (uint32_t at = 1; at < language->count; at++) {
        struct node *node;

        if (language_is(language, at, "|")) {
            group++;
            continue;
        }
        if (!language_node(language, at, &node))
            return false;
        if (groups[node->id] != 0)
            return language_fail(language, "node %u stands in two groups",
                                 (unsigned)node->id);
        groups[node->id] = group;
    }
    return true;
}

static void cut_between(struct world *world, const uint32_t groups[LINKS_NODES])
{
    for (raft_id a = 1; a <= world->config.node_count; a++)
        for (raft_id b = 1; b <= world->config.node_count; b++)
            links_cut(&world->links, a, b, groups[a] != groups[b]);
}

bool language_faults_partition(struct language *language)
{
    uint32_t groups[LINKS_NODES] = {0};

    if (!read_groups(language, groups))
        return false;
    language_note(language);
    cut_between(language->world, groups);
    return true;
}

// Only the hub speaks with each leaf; whoever is not named is alone. So only the hub
// can win an election.
bool language_faults_star(struct language *language)
{
    struct world *world = language->world;
    uint32_t leaves = 0;
    struct node *hub, *leaf;

    if (!language_node(language, 1, &hub))
        return false;
    for (uint32_t at = 2; at < language->count; at++) {
        if (!language_node(language, at, &leaf))
            return false;
        leaves |= 1u << leaf->id;
    }
    language_note(language);
    for (raft_id a = 1; a <= world->config.node_count; a++)
        for (raft_id b = 1; b <= world->config.node_count; b++)
            links_cut(&world->links, a, b,
                      !(a == hub->id && (leaves >> b & 1) != 0) &&
                          !(b == hub->id && (leaves >> a & 1) != 0));
    return true;
}

bool language_faults_isolate(struct language *language)
{
    struct node *node;

    if (!language_node(language, 1, &node))
        return false;
    language_note(language);
    for (raft_id id = 1; id <= language->world->config.node_count; id++) {
        links_cut(&language->world->links, node->id, id, true);
        links_cut(&language->world->links, id, node->id, true);
    }
    return true;
}

struct link {
    raft_id from;
    raft_id to;
    bool both;
};

// Reads "A B" (both ways) or "A > B" (one way) behind the command's name.
static bool read_link(struct language *language, struct link *link)
{
    bool oneway = language_is(language, 2, ">");
    struct node *from, *to;

    if (language->count != (oneway ? 4 : 3))
        return language_fail(language, "expected: %s A B | %s A > B",
                             language_word(language, 0), language_word(language, 0));
    if (!language_node(language, 1, &from) ||
        !language_node(language, oneway ? 3 : 2, &to))
        return false;
    if (from == to)
        return language_fail(language, "a node has no link to itself");
    *link = (struct link){from->id, to->id, !oneway};
    return true;
}

static bool set_cut(struct language *language, bool cut)
{
    struct links *links = &language->world->links;
    struct link link = {0};

    if (!read_link(language, &link))
        return false;
    language_note(language);
    links_cut(links, link.from, link.to, cut);
    if (link.both)
        links_cut(links, link.to, link.from, cut);
    return true;
}

bool language_faults_cut(struct language *language)
{
    return set_cut(language, true);
}

bool language_faults_heal(struct language *language)
{
    if (language->count > 1)
        return set_cut(language, false);
    language_note(language);
    links_heal(language->world);
    return true;
}

bool language_faults_hold(struct language *language)
{
    struct link link = {0};

    if (!read_link(language, &link))
        return false;
    language_note(language);
    links_hold(&language->world->links, link.from, link.to);
    if (link.both)
        links_hold(&language->world->links, link.to, link.from);
    return true;
}

static bool let_go(struct language *language, bool deliver)
{
    struct link link = {0};
    uint32_t count;

    if (!read_link(language, &link))
        return false;
    language_note(language);
    count = links_let_go(language->world, link.from, link.to, deliver);
    if (link.both)
        count += links_let_go(language->world, link.to, link.from, deliver);
    json_number(language->out, "messages", count);
    return true;
}

bool language_faults_release(struct language *language)
{
    return let_go(language, true);
}

bool language_faults_drop(struct language *language)
{
    if (language->world->manual)
        return language_manual_drop(language);
    return let_go(language, false);
}

static bool read_percent(struct language *language, uint32_t at, uint32_t *ppm)
{
    if (!options_percent(language_word(language, at), ppm))
        return language_fail(language, "\"%s\" is no percentage from 0 to 100",
                             language_word(language, at));
    return true;
}

bool language_faults_loss(struct language *language)
{
    if (!read_percent(language, 1, &language->world->links.loss_ppm))
        return false;
    language_note(language);
    return true;
}

bool language_faults_duplicate(struct language *language)
{
    if (!read_percent(language, 1, &language->world->links.duplicate_ppm))
        return false;
    language_note(language);
    return true;
}

bool language_faults_corrupt(struct language *language)
{
    struct wire *wire = &language->world->wire;

    if (wire->codec == NULL)
        return language_fail(language,
                             "only bytes can be damaged: cluster ... wire=json");
    if (!read_percent(language, 1, &wire->damage_ppm))
        return false;
    language_note(language);
    json_number(language->out, "damaged", wire->damaged);
    json_number(language->out, "refused", wire->refused);
    return true;
}

bool language_faults_delay(struct language *language)
{
    struct links *links = &language->world->links;
    uint64_t low, high, mean = 0;
    uint32_t slow = 0;

    if (!language_range(language, language_word(language, 1), &low, &high))
        return false;
    if (language->count > 2) {
        if (!language_is(language, 2, "slow") || language->count != 5)
            return language_fail(language, "usage: delay MIN..MAX [slow PERCENT MEAN]");
        if (!read_percent(language, 3, &slow) || !language_duration(language, 4, &mean))
            return false;
        if (mean > UINT32_MAX)
            return language_fail(language, "a mean delay is at most one hour");
    }
    language_note(language);
    links->delay_us_min = low;
    links->delay_us_max = high;
    links->slow_ppm = slow;
    links->slow_us_mean = mean;
    return true;
}

// ---- nodes ----------------------------------------------------------------------

// Reads "[lose MODE [draw=NUMBER]]" from this word on.
static bool read_crash_mode(struct language *language, uint32_t at,
                            enum sim_disk_crash_mode *mode, uint64_t *draw)
{
    static const struct {
        const char *word;
        enum sim_disk_crash_mode mode;
    } modes[] = {
        {"all", SIM_DISK_LOSE_ALL},         {"tail", SIM_DISK_LOSE_TAIL},
        {"torn", SIM_DISK_LOSE_TAIL},       {"sectors", SIM_DISK_LOSE_SECTORS},
        {"nothing", SIM_DISK_LOSE_NOTHING},
    };

    *mode = SIM_DISK_LOSE_ALL;
    if (language->count == at)
        return true;
    if (language->count == at + 3) {
        const char *value = language_value(language, at + 2, "draw");

        if (value == NULL || !options_number(value, 0, UINT64_MAX, draw))
            return language_fail(language, "\"%s\" is no draw=NUMBER",
                                 language_word(language, at + 2));
    }
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (!language_is(language, at, "lose") || language->count > at + 3 ||
            !language_is(language, at + 1, modes[i].word))
            continue;
        *mode = modes[i].mode;
        return true;
    }
    return language_fail(language, "expected: crash N [at write | inside K] [lose "
                                   "all|tail|torn|sectors|nothing [draw=NUMBER]]");
}

// "crash N at write" or "crash N inside K": it comes by itself, in a mode that is drawn
// where none is said. Who is down may be cut off in its next start.
static bool plan_crash(struct language *language, struct node *node)
{
    struct node_crash_plan plan = {.draw = 0};
    bool inside = language_is(language, 2, "inside");
    uint64_t effects = 0;

    if (inside && language->world->config.perfect_disks)
        return language_fail(language, "the disks of this world are perfect: a step "
                                       "is done whole, or not at all");
    if (!inside && language->world->manual)
        return language_fail(language, "in a manual world, say when: disk N "
                                       "sync=manual, and crash N before sync N");
    if (!inside && !language_is(language, 3, "write"))
        return language_fail(language, "expected: crash N at write");
    if (inside && !options_number(language_word(language, 3), 1, UINT32_MAX, &effects))
        return language_fail(language, "inside wants a number of effects from 1 on");
    plan.set = language->count > 4;
    if (plan.set && !read_crash_mode(language, 4, &plan.mode, &plan.draw))
        return false;
    language_note(language);
    node->crash_plan = plan;
    if (inside)
        node->effects_left = (uint32_t)effects;
    else
        node->crash_at_write = true;
    return true;
}

bool language_faults_crash(struct language *language)
{
    struct sim_disk_counters before, after;
    enum sim_disk_crash_mode mode;
    struct node *node;
    uint64_t draw;

    if (!language_node(language, 1, &node))
        return false;
    if (!node->up && !language_is(language, 2, "inside"))
        return language_fail(language, "node %u is down already", (unsigned)node->id);
    if (language_is(language, 2, "at") || language_is(language, 2, "inside"))
        return plan_crash(language, node);
    draw = random_u64(&node->disk_random);
    if (!read_crash_mode(language, 2, &mode, &draw))
        return false;
    language_note(language);
    sim_disk_count(node->disk, &before);
    node_crash_drawn(node, mode, draw);
    sim_disk_count(node->disk, &after);
    json_number(language->out, "unsynced_bytes", before.bytes_unsynced);
    json_number(language->out, "lost_bytes", after.bytes_lost - before.bytes_lost);
    return true;
}

bool language_faults_restart(struct language *language)
{
    struct node *node;

    if (!language_node(language, 1, &node))
        return false;
    if (node->up && node->stopped[0] == '\0')
        return language_fail(language, "node %u is up; crash it first",
                             (unsigned)node->id);
    language_note(language);
    if (node->up) // its host stopped itself: the process is gone, the machine is not
        node_crash(node, SIM_DISK_LOSE_NOTHING);
    if (!node_start(node)) {
        if (node->stopped[0] == '\0') { // it was to crash inside its start
            json_bool(language->out, "up", false);
            return true;
        }
        return language_fail(language, "node %u does not start: %s", (unsigned)node->id,
                             node->stopped);
    }
    json_number(language->out, "last_index", node->view.last_index);
    json_number(language->out, "term", node->view.current_term);
    return true;
}

bool language_faults_pause(struct language *language)
{
    struct node *node;

    if (!language_node(language, 1, &node))
        return false;
    if (!node_is_live(node))
        return language_fail(language, "node %u is not running", (unsigned)node->id);
    language_note(language);
    node_pause(node);
    return true;
}

bool language_faults_resume(struct language *language)
{
    struct node *node;

    if (!language_node(language, 1, &node))
        return false;
    if (!node->paused)
        return language_fail(language, "node %u is not paused", (unsigned)node->id);
    language_note(language);
    node_resume(node);
    return true;
}

// One word of `clock`; where `apply` is not set it is only read.
static bool set_clock(struct language *language, struct node *node, uint32_t at,
                      bool apply)
{
    const char *skew = language_value(language, at, "skew");
    const char *drift = language_value(language, at, "drift");
    const char *jump = language_value(language, at, "jump");
    const char *signed_value = skew != NULL ? skew : drift;
    bool negative = signed_value != NULL && *signed_value == '-';
    uint64_t us = 0;
    uint32_t ppm = 0;
    bool ok = false;

    if (skew != NULL)
        ok = options_duration(skew + negative, &us) && us <= 3600000000u;
    else if (drift != NULL)
        ok = options_percent(drift + negative, &ppm) && ppm <= 900000;
    else if (jump != NULL)
        ok = options_duration(jump, &us) && us <= 3600000000u;
    if (!ok)
        return language_fail(language, "expected: clock N [skew=[-]DURATION] "
                                       "[drift=[-]PERCENT] [jump=DURATION], up to 1h "
                                       "and 90 percent");
    if (!apply)
        return true;
    if (skew != NULL)
        node->skew_ms = negative ? -(int64_t)(us / 1000) : (int64_t)(us / 1000);
    else if (drift != NULL)
        node_set_clock_rate(node, negative ? NODE_CLOCK_TRUE_PPM - ppm
                                           : NODE_CLOCK_TRUE_PPM + ppm);
    else
        node_jump_clock(node, us);
    return true;
}

bool language_faults_clock(struct language *language)
{
    struct node *node;

    if (!language_node(language, 1, &node))
        return false;
    for (uint32_t at = 2; at < language->count; at++)
        if (!set_clock(language, node, at, false))
            return false;
    language_note(language);
    for (uint32_t at = 2; at < language->count; at++)
        set_clock(language, node, at, true);
    return true;
}

// ---- faults by chance -----------------------------------------------------------

bool language_faults_random(struct language *language)
{
    uint32_t enabled;

    if (language_is(language, 1, "off")) {
        language_note(language);
        faults_stop(language->world, false);
        return true;
    }
    if (!faults_parse(language_word(language, 1), &enabled))
        return language_fail(language, "expected: all, off or a list such as "
                                       "partition,loss,crash");
    language_note(language);
    faults_start(language->world, enabled);
    return true;
}
