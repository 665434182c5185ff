#include "sim/rest.h"

#include <inttypes.h>
#include <stdio.h>

// ---- all are done, and alike ----------------------------------------------------

static bool is_stable(const struct raft_member *member, char *missing, size_t size)
{
    if (member->role == RAFT_JOINING)
        snprintf(missing, size, "node %" PRIu32 " is still joining", member->id);
    else if (member->role != RAFT_VOTER && member->role != RAFT_LEARNER)
        snprintf(missing, size, "the configuration is still joint");
    else
        return true;
    return false;
}

static bool is_like_leader(const struct node *node, const struct node *leader,
                           raft_index committed, char *missing, size_t size)
{
    raft_index last = node->view.last_index;
    raft_index applied;

    if (!node_is_live(node)) {
        snprintf(missing, size, "node %" PRIu32 " does not run", node->id);
        return false;
    }
    applied = service_applied_index(node->service);
    if (last > committed)
        snprintf(missing, size,
                 "entry %" PRIu64 " of node %" PRIu32 " is not committed",
                 committed + 1, node->id);
    else if (last < committed)
        snprintf(missing, size,
                 "the log of node %" PRIu32 " ends at %" PRIu64 ", and %" PRIu64
                 " is committed",
                 node->id, last, committed);
    else if (applied != committed)
        snprintf(missing, size,
                 "node %" PRIu32 " has applied %" PRIu64 " of %" PRIu64 " entries",
                 node->id, applied, committed);
    else if (service_hash(node->service) != service_hash(leader->service))
        snprintf(missing, size,
                 "the state of node %" PRIu32
                 " is not that of the leader, node %" PRIu32,
                 node->id, leader->id);
    else
        return true;
    return false;
}

bool rest_is_settled(struct world *world, char *missing, size_t size)
{
    raft_index committed = checker_committed(world->checker);
    const struct node *leader = world_leader(world);
    const struct raft_configuration *members;

    if (leader == NULL) {
        snprintf(missing, size, "nobody leads");
        return false;
    }
    members = leader->view.configuration;
    for (uint32_t i = 0; i < members->count; i++)
        if (!is_stable(&members->members[i], missing, size))
            return false;
    for (uint32_t i = 0; i < members->count; i++)
        if (!is_like_leader(&world->nodes[members->members[i].id], leader, committed,
                            missing, size))
            return false;
    return true;
}

// ---- nobody waits for anything --------------------------------------------------

bool rest_has_answered(const struct world *world, char *missing, size_t size)
{
    const struct clients *clients = &world->clients;

    for (uint32_t i = 0; i < clients->count; i++)
        if (clients_waits(&clients->list[i])) {
            snprintf(missing, size, "client %" PRIu32 " has no answer",
                     clients->list[i].id);
            return false;
        }
    return true;
}

// What a node at rest still counts as under way, in words; NULL: nothing.
static const char *node_unrest(const struct node *node)
{
    const struct raft_view *view = &node->view;

    if (view->reads_pending > 0)
        return "reads_pending";
    if (view->role != RAFT_LEADER)
        return NULL;
    for (uint32_t i = 0; i < view->peer_count; i++)
        if (view->peers[i].inflight > 0 || view->peers[i].inflight_bytes > 0)
            return "inflight";
    if (view->uncommitted_bytes > 0)
        return "uncommitted_bytes";
    return view->transfer_to != 0 ? "transfer_to" : NULL;
}

const char *rest_under_way(struct world *world, raft_id *node)
{
    const char *unrest = NULL;

    for (raft_id id = 1; id <= world->config.node_count && unrest == NULL; id++)
        if (node_is_live(&world->nodes[id]) && world_is_member(world, id)) {
            unrest = node_unrest(&world->nodes[id]);
            *node = id;
        }
    return unrest;
}
