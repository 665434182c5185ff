// deed.h: what is done to a world from outside its nodes, one thing after another.
//
// A recorder (world_watch in world.h) is told of each deed before it is done: that a
// node's time has come, what reaches it, which of its syncs ends, and, as a line of the
// command language, whatever happens more rarely. All else follows from these.
#ifndef SIM_DEED_H
#define SIM_DEED_H

#include "raft/raft.h"
#include "sim/request.h"

enum deed_kind {
    DEED_TICK = 1, // `node` looks at its clock
    DEED_DELIVER,  // `message` reaches it
    DEED_SYNC,     // its disk ends a sync
    DEED_REQUEST,  // a client's `request` reaches it
    DEED_COMMAND,  // `command`; node 0: it concerns no single node
    DEED_PHASE,    // `command`: time passes in it, and it does many of the others
};

// Borrowed for the call.
struct deed {
    enum deed_kind kind;
    raft_id node;
    union {
        const struct raft_message *message;
        const struct request *request;
        const char *command;
    };
};

#endif
