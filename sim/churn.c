#include "sim/churn.h"

#include "sim/checker/electorate.h"
#include "sim/world.h"

#include <inttypes.h>

enum { VOTERS_MIN = 3 };

void churn_init(struct world *world)
{
    random_seed(&world->churn, world->config.seed, WORLD_STREAM_CHURN);
}

static uint32_t count(uint32_t nodes)
{
    uint32_t sum = 0;

    for (; nodes != 0; nodes &= nodes - 1)
        sum++;
    return sum;
}

static uint32_t lost_nodes(const struct world *world)
{
    uint32_t lost = 0;

    for (raft_id id = 1; id <= world->config.node_count; id++)
        if (world->nodes[id].disk_lost)
            lost |= 1u << id;
    return lost;
}

static uint32_t voters_min(const struct world *world)
{
    uint32_t first = world->config.member_count;

    return first < VOTERS_MIN ? first : VOTERS_MIN;
}

// One of these nodes, each equally likely; 0 where there is none.
static raft_id draw(struct world *world, uint32_t nodes)
{
    uint64_t left;

    if (nodes == 0)
        return 0;
    left = random_below(&world->churn, count(nodes));
    for (raft_id id = 1;; id++)
        if ((nodes >> id & 1) != 0 && left-- == 0)
            return id;
}

static uint32_t all_nodes(const struct world *world)
{
    return (1u << (world->config.node_count + 1)) - 2;
}

// ---- members --------------------------------------------------------------------

struct plan {
    struct node *leader;
    struct electorate now;
    uint32_t lost; // members without a disk
    struct raft_configuration changes;
};

static void plan_member(struct plan *plan, raft_id id, enum raft_member_role role)
{
    if (id != 0)
        plan->changes.members[plan->changes.count++] = (struct raft_member){id, role};
}

// Whether the voters that remain are enough.
static bool may_lose(const struct world *world, const struct plan *plan, raft_id id)
{
    return id != 0 && count(plan->now.voters & ~(1u << id)) >= voters_min(world);
}

static uint32_t outsiders(const struct world *world, const struct plan *plan)
{
    return all_nodes(world) & ~plan->now.voters & ~plan->now.old_voters &
           ~plan->now.learners & ~lost_nodes(world);
}

static enum raft_member_role draw_newcomer(struct world *world)
{
    return random_chance(&world->churn, 700000) ? RAFT_JOINING : RAFT_LEARNER;
}

// Some voters become learners or go, some learners become voters, some nodes join, all
// in one change.
static void plan_shuffle(struct world *world, struct plan *plan)
{
    uint32_t voters = count(plan->now.voters);

    for (raft_id id = 1; id <= world->config.node_count; id++) {
        bool chosen = random_chance(&world->churn, 300000);
        bool stays = random_chance(&world->churn, 400000);

        if (!chosen || world->nodes[id].disk_lost)
            continue;
        if ((plan->now.voters >> id & 1) != 0) {
            if (voters <= voters_min(world))
                continue;
            voters--;
            plan_member(plan, id, stays ? RAFT_LEARNER : RAFT_REMOVED);
        } else if ((plan->now.learners >> id & 1) != 0) {
            plan_member(plan, id, stays ? RAFT_VOTER : RAFT_REMOVED);
        } else {
            plan_member(plan, id, stays ? RAFT_LEARNER : RAFT_JOINING);
        }
    }
}

static void plan_change(struct world *world, struct plan *plan)
{
    uint64_t how = random_below(&world->churn, 14);
    raft_id voter = draw(world, plan->now.voters);
    raft_id learner = draw(world, plan->now.learners);
    raft_id outsider = draw(world, outsiders(world, plan));
    enum raft_member_role newcomer = draw_newcomer(world);

    if (plan->lost != 0)
        plan_member(plan, draw(world, plan->lost), RAFT_REMOVED);
    else if (how < 3)
        plan_member(plan, outsider, newcomer);
    else if (how < 5 && may_lose(world, plan, voter))
        plan_member(plan, voter, RAFT_REMOVED);
    else if (how == 5 && may_lose(world, plan, voter))
        plan_member(plan, voter, RAFT_LEARNER);
    else if (how == 6)
        plan_member(plan, learner, RAFT_VOTER);
    else if (how == 7)
        plan_member(plan, learner, RAFT_REMOVED);
    else
        plan_shuffle(world, plan);
}

static void start_members(struct world *world, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->changes.count; i++) {
        struct node *node = &world->nodes[plan->changes.members[i].id];

        if (plan->changes.members[i].role != RAFT_REMOVED && !node->up &&
            node->incarnation == 0)
            node_start(node);
    }
}

static void make_plan(struct world *world, struct node *leader, struct plan *plan)
{
    *plan = (struct plan){.leader = leader};
    plan->now = electorate_of(leader->view.configuration);
    plan->lost = lost_nodes(world) &
                 (plan->now.voters | plan->now.old_voters | plan->now.learners);
}

static void tell_change(struct world *world, const struct plan *plan)
{
    struct buffer line = {0};

    if (world->watch.told == NULL)
        return;
    for (uint32_t i = 0; i < plan->changes.count; i++) {
        const struct raft_member *member = &plan->changes.members[i];

        buffer_format(&line, " %s %" PRIu32,
                      member->role == RAFT_VOTER     ? "voter"
                      : member->role == RAFT_LEARNER ? "learner"
                      : member->role == RAFT_JOINING ? "joining"
                                                     : "remove",
                      member->id);
    }
    world_tell_command(world, plan->leader->id, "change%.*s at %" PRIu32,
                       (int)line.size, line.data, plan->leader->id);
    buffer_free(&line);
}

static void carry_out(struct world *world, const struct plan *plan)
{
    enum raft_status status;
    int64_t ticket;

    if (plan->changes.count == 0)
        return;
    tell_change(world, plan);
    start_members(world, plan);
    ticket = world_change(world, plan->leader->id, &plan->changes, &status);
    trace_note(&world->trace, world->now_us,
               "change of %" PRIu32 " members at n%" PRIu32 ": %s", plan->changes.count,
               plan->leader->id, ticket < 0 ? raft_status_text(status) : "taken");
}

// A machine burns down, at a time when the others can do without.
static void lose_one(struct world *world, const struct plan *plan)
{
    const struct raft_view *view = &plan->leader->view;
    raft_id voter = draw(world, plan->now.voters);

    if (plan->lost != 0 || plan->now.old_voters != 0 ||
        view->configuration_index > view->commit_index ||
        count(plan->now.voters) < VOTERS_MIN || outsiders(world, plan) == 0)
        return;
    trace_note(&world->trace, world->now_us, "n%" PRIu32 " is lost with its disk",
               voter);
    node_lose_disk(&world->nodes[voter]);
}

void churn_members(struct world *world)
{
    struct node *leader = world_leader(world);
    bool burns = random_chance(&world->churn, 100000);
    struct plan plan;

    if (leader == NULL)
        return;
    make_plan(world, leader, &plan);
    if (burns) {
        lose_one(world, &plan);
        return;
    }
    plan_change(world, &plan);
    carry_out(world, &plan);
}

void churn_demote(struct world *world, raft_id id)
{
    struct node *leader = world_leader(world);
    bool stays = random_chance(&world->churn, 700000);
    struct plan plan;

    if (leader == NULL || id == 0)
        return;
    make_plan(world, leader, &plan);
    if (plan.lost != 0 || (plan.now.voters >> id & 1) == 0 ||
        !may_lose(world, &plan, id))
        return;
    plan_member(&plan, id, stays ? RAFT_LEARNER : RAFT_REMOVED);
    carry_out(world, &plan);
}

void churn_settle(struct world *world)
{
    struct node *leader = world_leader(world);
    struct plan plan;

    if (leader == NULL)
        return;
    make_plan(world, leader, &plan);
    plan_member(&plan, draw(world, plan.lost), RAFT_REMOVED);
    carry_out(world, &plan);
}

// ---- leadership ----------------------------------------------------------------

raft_id churn_transfer(struct world *world)
{
    struct node *leader = world_leader(world);
    bool anybody = random_chance(&world->churn, 300000);
    raft_id to;
    enum raft_status status;

    if (leader == NULL)
        return 0;
    to = draw(world, electorate_of(leader->view.configuration).voters);
    to = anybody ? 0 : to;
    if (to == 0)
        world_tell_command(world, leader->id, "transfer at %" PRIu32, leader->id);
    else
        world_tell_command(world, leader->id, "transfer %" PRIu32 " at %" PRIu32, to,
                           leader->id);
    status = host_transfer(leader->host, &leader->io, node_now_ms(leader), to);
    trace_note(&world->trace, world->now_us,
               "transfer n%" PRIu32 " to n%" PRIu32 ": %s", leader->id, to,
               raft_status_text(status));
    node_settle(leader);
    return status == RAFT_OK ? to : 0;
}

void churn_snapshot(struct world *world)
{
    raft_id id = draw(world, all_nodes(world));
    struct node *node = &world->nodes[id];

    if (!node_is_live(node))
        return;
    trace_note(&world->trace, world->now_us, "snapshot n%" PRIu32, id);
    world_tell_command(world, id, "snapshot %" PRIu32, id);
    host_snapshot(node->host, &node->io, node_now_ms(node));
    node_settle(node);
}
