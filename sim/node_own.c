#include "sim/node_own.h"

#include "sim/own/own.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

struct node_own {
    struct own_node nodes[LINKS_NODES];
    void *memory;
};

struct node_own *node_own_new(const struct world *world)
{
    struct node_own *own = calloc(1, sizeof(*own));
    size_t size = own_memory_size();

    if (own == NULL)
        abort();
    own->memory = calloc(1, size > 0 ? size : 1);
    if (own->memory == NULL) {
        fprintf(stderr, "own_memory_size() asks for %zu bytes: too many\n", size);
        abort();
    }
    for (raft_id id = 1; id <= world->config.node_count; id++)
        own->nodes[id].view = &world->nodes[id].view;
    return own;
}

void node_own_free(struct node_own *own)
{
    if (own == NULL)
        return;
    free(own->memory);
    free(own);
}

void node_own_step(struct node_own *own, struct node *node, const struct raft *raft)
{
    struct world *world = node->world;
    struct own_look look;
    char words[OWN_WORDS] = "a rule without a name";

    if (own == NULL || world_violated(world))
        return;
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        const struct node *other = &world->nodes[id];

        own->nodes[id].starts = (uint32_t)other->incarnation;
        own->nodes[id].raft = other->up ? host_raft(other->host) : NULL;
    }
    own->nodes[node->id].raft = raft; // a node that starts is not up yet
    look = (struct own_look){node->id, world->config.node_count, own->nodes};
    if (!own_check(&look, own->memory, words)) {
        words[OWN_WORDS - 1] = '\0';
        checker_violate(world->checker, PROPERTY_OWN, node->id, 0, "%s", words);
    }
}
