// install_snapshot.c before lab 4: no snapshot is sent, taken in or used to shorten the
// log.
#include "raft/install_snapshot.h"

#include "raft/state.h"

enum raft_status install_snapshot_receive(struct raft *raft,
                                          const struct raft_message *message,
                                          struct raft_output *output)
{
    (void)raft;
    (void)message;
    (void)output;
    return RAFT_INVALID;
}

enum raft_status install_snapshot_received(struct raft *raft,
                                           const struct raft_snapshot_meta *meta,
                                           bool failed, struct raft_output *output)
{
    (void)raft;
    (void)meta;
    (void)failed;
    (void)output;
    return RAFT_INVALID;
}

enum raft_status install_snapshot_receive_reply(struct raft *raft,
                                                const struct raft_message *message)
{
    (void)raft;
    (void)message;
    return RAFT_OK;
}

void install_snapshot_send(struct raft *raft, struct raft_output *output)
{
    (void)raft;
    (void)output;
}

enum raft_status install_snapshot_taken(struct raft *raft, raft_index index,
                                        raft_index keep_from)
{
    (void)raft;
    (void)index;
    (void)keep_from;
    return RAFT_OK;
}
