// options_cluster.h: who and where this node is, and who the others are: --cluster, or
// --port and --peer-listen of a node that starts alone or joins.
#ifndef KVSERVER_OPTIONS_CLUSTER_H
#define KVSERVER_OPTIONS_CLUSTER_H

#include "kvserver/options.h"

// Fills in options->members. False with one line in `error` (OPTIONS_ERROR_MAX).
bool options_cluster_read(struct options *options, char *error);

#endif
