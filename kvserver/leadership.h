// leadership.h: who leads and who the members are, as far as this node knows: what its
// operator is told of that, what clients are told, and what is left behind when
// leadership is lost.
#ifndef KVSERVER_LEADERSHIP_H
#define KVSERVER_LEADERSHIP_H

#include "kvserver/options.h"
#include "kvserver/service/buffer.h"

struct leadership {
    const struct options *options;
    struct raft_view view;                   // as of the last leadership_observe()
    struct raft_configuration configuration; // the view's
    bool configuration_changed;              // by the last leadership_observe()

    // What was proposed before lost_ms may still be committed by another leader: it is
    // worth waiting for that until the deadline. 0: there is nothing to clear up.
    uint64_t lost_ms;
    uint64_t lost_deadline_ms;

    // This node hands its leadership over, or has just done so: until it knows whether
    // that succeeded and who leads, requests are held rather than refused. 0: it is
    // not.
    uint64_t handover_deadline_ms;
};

// Looks at the core, and tells the operator where the leader has changed.
void leadership_observe(struct leadership *leadership, const struct raft *raft,
                        uint64_t now_ms);

bool leadership_ours(const struct leadership *leadership);

// True while requests are to be held because leadership is on its way to another node.
bool leadership_moves(const struct leadership *leadership);

// Where member `id` is. False where that is not known.
bool leadership_place(const struct leadership *leadership, raft_id id,
                      struct place *place);

// What a command for the leader gets here: -MOVED, or -CLUSTERDOWN where nobody leads.
void leadership_redirect(const struct leadership *leadership, struct buffer *reply);

#endif
