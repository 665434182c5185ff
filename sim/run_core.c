#include "sim/run_core.h"
#include "sim/node_crash.h"

#include <inttypes.h>

enum {
    CORE_TIMEOUTS = 10, // maximal ones: each twice the shortest
    CORE_STEP_US = 5000,
};

// ---- who ------------------------------------------------------------------------

// Whether they are a majority also where just those joiners become voters that they do
// not hear: a leader promotes who has caught up, and may not know yet who is gone.
static bool outlasts_joining(const struct raft_configuration *members, uint32_t nodes)
{
    uint32_t voters = 0, heard = 0;

    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        bool is_heard = (nodes >> member->id & 1) != 0;

        if (member->role == RAFT_LEARNER || member->role == RAFT_LEAVING ||
            (member->role == RAFT_JOINING && is_heard))
            continue;
        voters++;
        heard += is_heard;
    }
    return 2 * heard > voters || voters == 0;
}

// Whether these nodes can decide on their own, whatever configuration counts.
static bool can_decide(const struct world *world, uint32_t nodes)
{
    for (raft_id id = 1; id <= world->config.node_count; id++)
        if (world->nodes[id].view.configuration != NULL &&
            !outlasts_joining(world->nodes[id].view.configuration, nodes))
            return false;
    return checker_is_quorum(world->checker, nodes);
}

// A random set that can, and no more than it needs; 0: there is none.
static uint32_t draw_core(struct world *world, struct random *random)
{
    raft_id order[RAFT_MEMBERS_MAX];
    uint32_t count = 0, nodes = 0;

    for (raft_id id = 1; id <= world->config.node_count; id++) {
        uint64_t at = random_below(random, count + 1);

        if (world->nodes[id].disk_lost || world->nodes[id].incarnation == 0)
            continue;
        order[count] = order[at];
        order[at] = id;
        count++;
    }
    for (uint32_t i = 0; i < count && !can_decide(world, nodes); i++)
        nodes |= 1u << order[i];
    return can_decide(world, nodes) ? nodes : 0;
}

// ---- what becomes of the rest ---------------------------------------------------

static const char *const fates[RUN_CORE_FATE_COUNT] = {
    [RUN_CORE_DOWN] = "down",
    [RUN_CORE_CUT_OFF] = "off",
    [RUN_CORE_MUTE] = "mute",
    [RUN_CORE_DEAF] = "deaf",
};

const char *run_core_fate_text(enum run_core_fate fate)
{
    return fates[fate];
}

static void break_links(struct world *world, raft_id id, uint32_t core,
                        enum run_core_fate fate)
{
    for (raft_id other = 1; other <= world->config.node_count; other++) {
        if ((core >> other & 1) == 0)
            continue;
        links_cut(&world->links, id, other, fate != RUN_CORE_DEAF);
        links_cut(&world->links, other, id, fate != RUN_CORE_MUTE);
    }
}

static void draw_fates(const struct world *world, struct random *random,
                       struct run_core_plan *plan)
{
    // Without both of these a node that hears nobody is known to disturb all others.
    bool sticky = world->config.pre_vote && world->config.check_quorum;

    for (raft_id id = 1; id <= world->config.node_count; id++)
        plan->fates[id] = (enum run_core_fate)random_below(
            random, sticky ? RUN_CORE_FATE_COUNT : RUN_CORE_DEAF);
}

static void break_rest(struct world *world, const struct run_core_plan *plan)
{
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        enum run_core_fate fate = plan->fates[id];

        if ((plan->nodes >> id & 1) != 0)
            continue;
        trace_note(&world->trace, world->now_us, "n%" PRIu32 " stays broken, fate %d",
                   id, (int)fate);
        if (fate != RUN_CORE_DOWN)
            break_links(world, id, plan->nodes, fate);
        else if (world->nodes[id].up)
            node_crash(&world->nodes[id], SIM_DISK_LOSE_NOTHING);
    }
}

// ---- what it has to do ----------------------------------------------------------

static struct node *leader_in(struct world *world, uint32_t core)
{
    struct node *leader = world_leader(world);

    return leader != NULL && (core >> leader->id & 1) != 0 ? leader : NULL;
}

// Whether the leader's members in the core hold the same log and state.
static bool are_equal(struct world *world, uint32_t core, const struct node *leader)
{
    const struct raft_configuration *members = leader->view.configuration;

    for (uint32_t i = 0; i < members->count; i++) {
        const struct node *node = &world->nodes[members->members[i].id];

        if ((core >> node->id & 1) == 0)
            continue;
        if (!node_is_live(node) || node->view.last_index != leader->view.last_index ||
            node->view.last_term != leader->view.last_term ||
            service_applied_index(node->service) != leader->view.commit_index ||
            service_hash(node->service) != service_hash(leader->service))
            return false;
    }
    return leader->view.commit_index == leader->view.last_index;
}

// A new write, asked of whoever leads; true once one was answered.
static bool write_is_done(struct world *world, const struct node *leader,
                          int64_t *ticket)
{
    static const struct bytes words[3] = {{"SET", 3}, {"core", 4}, {"1", 1}};
    enum raft_status status;

    if (*ticket >= 0 && world->tickets[*ticket].ended) {
        if (world->tickets[*ticket].status == REPLY_DONE)
            return true;
        *ticket = -1;
    }
    // Who leads no more may never learn what became of it, if it was removed.
    if (*ticket >= 0 && leader != NULL && world->tickets[*ticket].node != leader->id)
        *ticket = -1;
    if (*ticket < 0 && leader != NULL)
        *ticket = world_propose(world, leader->id, words, 3, &status);
    return false;
}

static void wait_for(struct world *world, uint32_t core, uint64_t end_us)
{
    int64_t ticket = -1;
    bool done = false;
    const struct node *leader = NULL;

    while (world->now_us < end_us) {
        faults_mend(world);
        leader = leader_in(world, core);
        done = done || write_is_done(world, leader, &ticket);
        if (done && leader != NULL && are_equal(world, core, leader))
            return;
        if (!world_run_until(world, world->now_us + CORE_STEP_US))
            return;
    }
    checker_violate(world->checker, PROPERTY_LIVENESS, leader == NULL ? 0 : leader->id,
                    0,
                    "%d maximal election timeouts after a majority (nodes %" PRIx32
                    " as bits) was healed it has %s",
                    CORE_TIMEOUTS, core >> 1,
                    leader == NULL ? "no leader"
                    : done         ? "logs that differ"
                                   : "taken no write");
}

// As a line of the language: who is healed, and what becomes of the others.
static void tell_plan(struct world *world, const struct run_core_plan *plan)
{
    struct buffer line = {0};

    for (raft_id id = 1; id <= world->config.node_count; id++)
        if ((plan->nodes >> id & 1) != 0)
            buffer_format(&line, " %" PRIu32, id);
    for (raft_id id = 1; id <= world->config.node_count; id++)
        if ((plan->nodes >> id & 1) == 0 && world->nodes[id].incarnation > 0)
            buffer_format(&line, " %s %" PRIu32, fates[plan->fates[id]], id);
    world_tell_phase(world, "core%.*s", (int)line.size, line.data);
    buffer_free(&line);
}

bool run_core_can(const struct world *world, const struct run_core_plan *plan)
{
    return can_decide(world, plan->nodes);
}

uint64_t run_core_carry_out(struct world *world, const struct run_core_plan *plan)
{
    uint64_t from_us = world->now_us;
    uint64_t timeout_us = (uint64_t)world->config.election_timeout_ms * 2000;

    tell_plan(world, plan);
    trace_note(&world->trace, world->now_us, "a core of nodes %" PRIx32 " is healed",
               plan->nodes >> 1);
    clients_stop(world);
    faults_stop_for(world, plan->nodes);
    break_rest(world, plan);
    wait_for(world, plan->nodes, from_us + CORE_TIMEOUTS * timeout_us);
    return (world->now_us - from_us) / 1000;
}

uint64_t run_core(struct world *world)
{
    struct run_core_plan plan = {.nodes = 0};
    struct random random;

    random_seed(&random, world->config.seed, WORLD_STREAM_CORE);
    plan.nodes = draw_core(world, &random);
    if (plan.nodes == 0)
        return 0;
    draw_fates(world, &random, &plan);
    return run_core_carry_out(world, &plan);
}
