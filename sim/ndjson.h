// ndjson.h: what the nodes do, in the schema that etcd-io/raft's TLA+ trace spec reads.
//
// One JSON object a line: an event of that specification, the node, its term, vote,
// commit index, role, last index and configuration, and the message where it is about
// one. Our step does several of its actions at once, so a step becomes several lines,
// each with the state as it is by then. docs/outside-judges.md has the mapping, and
// what of ours has no counterpart.
#ifndef SIM_NDJSON_H
#define SIM_NDJSON_H

#include <stdbool.h>
#include <stdio.h>

#include "raft/raft.h"

enum { NDJSON_NODES = RAFT_MEMBERS_MAX + 1, NDJSON_CONF_BYTES = RAFT_MEMBERS_MAX * 8 };

struct world;

// A node as the next line is to show it.
struct ndjson_node {
    raft_term term;
    raft_id vote;
    raft_index commit;
    enum raft_role role;
    raft_index last_index;
    char conf[2][NDJSON_CONF_BYTES]; // voters, and the old ones of a joint change
    bool vote_due;                   // its vote for itself is not yet durable
    raft_index led_from;             // as leader: the last index when it became one
};

struct ndjson {
    FILE *file; // NULL: none; the owner closes it
    struct ndjson_node nodes[NDJSON_NODES];
};

// From now on lines go there; begins with one for each node that is up.
void ndjson_begin(struct world *world, FILE *file);

// A node has started on what its disk held.
void ndjson_start(struct world *world, const struct raft_view *view);

// A step, with the node before and after it.
void ndjson_step(struct world *world, const struct raft_view *before,
                 const struct raft_view *after, const struct raft_event *event,
                 const struct raft_output *output);

#endif
