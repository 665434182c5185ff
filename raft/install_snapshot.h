// install_snapshot.h: the InstallSnapshot RPC (Figure 13; section 7).
//
// A peer that needs entries which the leader has dropped is sent its newest snapshot,
// one chunk at a time. The follower says in each answer where it wants to go on, so
// that a chunk that is lost, doubled or late costs time and nothing else, and so that a
// new leader with the same snapshot goes on where the old one ended. The host keeps the
// bytes; the core decides what becomes of them.
#ifndef RAFT_INSTALL_SNAPSHOT_H
#define RAFT_INSTALL_SNAPSHOT_H

#include "raft/raft.h"

enum raft_status install_snapshot_receive(struct raft *raft,
                                          const struct raft_message *message,
                                          struct raft_output *output);

// The host has the whole of it on stable storage, or could not have it.
enum raft_status install_snapshot_received(struct raft *raft,
                                           const struct raft_snapshot_meta *meta,
                                           bool failed, struct raft_output *output);

enum raft_status install_snapshot_receive_reply(struct raft *raft,
                                                const struct raft_message *message);

// As leader: names the chunks that are to be sent now.
void install_snapshot_send(struct raft *raft, struct raft_output *output);

// The own state up to `index` is in a durable snapshot: entries before `keep_from` and
// up to `index` are dropped.
enum raft_status install_snapshot_taken(struct raft *raft, raft_index index,
                                        raft_index keep_from);

#endif
