// batching.h: throughput and latency against batch size and window.
//
// A batch is the most entries in one AppendEntries; the window is how many of these may
// be under way to one follower. The model: a message costs its sender time, and so does
// each byte; a sync takes a while whatever is in it, and longer for more bytes. So many
// commands are kept outstanding at the leader, each replaced once it is answered.
#ifndef SIM_EXPERIMENT_BATCHING_H
#define SIM_EXPERIMENT_BATCHING_H

#include "sim/experiment/experiment.h"

void batching_run(struct experiment_run *run);

#endif
