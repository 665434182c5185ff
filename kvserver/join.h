// join.h: `raftkv --join HOST:PORT`: a new node asks a member to be added (dissertation
// 4.1) before it opens its log, and learns who the others are.
//
// It asks in JSON-RPC, as any client may: raft.status for the cluster's number, its
// members and its leader; then raft.add_member at that leader. Asking again after a
// crash does no harm. A node whose log knows the members already asks nobody.
#ifndef KVSERVER_JOIN_H
#define KVSERVER_JOIN_H

#include "kvserver/options.h"

// What stands in options->dir: no log at all, or a log of cluster *cluster_id.
bool join_is_new(const char *dir, uint64_t *cluster_id);

// Becomes a member, waiting while the cluster has no leader. `is_new`: nothing is in
// the directory, so that a member with this id must not have voted yet. Fills in
// options->known and options->cluster_id. False with one line in `error`
// (OPTIONS_ERROR_MAX).
bool join_cluster(struct options *options, bool is_new, char *error);

#endif
