// members.h: what an operator asks of the configuration, and what that means for it.
//
//     ADD id host:peer-port/client-port [LEARNER] [PRIORITY n]
//     REMOVE id
//     PROMOTE id
//     CHANGE id role address|- priority|- [id role address|- priority|-]...
//
// Pure. An ask that is already fulfilled is no error: after a lost answer it is asked
// again. "-" leaves what is there.
#ifndef KVSERVER_MEMBERS_H
#define KVSERVER_MEMBERS_H

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"
#include "raft/raft.h"

enum members_verb { MEMBERS_ADD, MEMBERS_REMOVE, MEMBERS_PROMOTE, MEMBERS_CHANGE };

struct members_ask {
    enum members_verb verb;
    uint32_t count;
    struct raft_member members[RAFT_MEMBERS_MAX]; // an empty address leaves what is
    bool priority_given[RAFT_MEMBERS_MAX];
};

// Reads the words behind RAFT.MEMBER. False with one RESP error.
bool members_read(const struct bytes *words, uint32_t count, struct members_ask *ask,
                  struct buffer *error);

enum members_verdict {
    MEMBERS_REFUSED,   // one RESP error was added
    MEMBERS_FULFILLED, // nothing is to be done
    MEMBERS_TO_CHANGE,
};

struct members_delta {
    uint32_t count;
    struct raft_member members[RAFT_MEMBERS_MAX + 1];
};

// What the ask changes in this configuration, for host_change(). `self` is the leader
// that answers, with the address that it was started with: where the configuration
// tells none yet, as that of a node which began alone, it goes in with the change.
enum members_verdict members_resolve(const struct members_ask *ask,
                                     const struct raft_configuration *configuration,
                                     const struct raft_member *self,
                                     struct members_delta *delta, struct buffer *error);

bool members_joint(const struct raft_configuration *configuration);

#endif
