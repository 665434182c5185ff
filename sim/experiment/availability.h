// availability.h: what partial partitions leave of a service.
//
// Nobody is down, and every node can be reached by the client; only links between nodes
// are cut, in the three patterns that the Omni-Paxos paper (EuroSys 2023) tells apart.
// One client writes all the time, and looks for a leader where it is refused or not
// answered. A stretch of time counts as available if a write was acknowledged in it.
#ifndef SIM_EXPERIMENT_AVAILABILITY_H
#define SIM_EXPERIMENT_AVAILABILITY_H

#include "sim/experiment/experiment.h"

void availability_run(struct experiment_run *run);

#endif
