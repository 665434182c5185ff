// election_timeouts.h: how long a cluster is without a leader (figure 16).
//
// As in section 9.3 of the paper: the followers' logs have different lengths, so that
// two of the four cannot win; a heartbeat goes to all at once, so that their timers
// start together; and within the next heartbeat interval, at a moment drawn evenly, the
// leader crashes. A trial ends when a new leader is known to all that are left.
#ifndef SIM_EXPERIMENT_ELECTION_TIMEOUTS_H
#define SIM_EXPERIMENT_ELECTION_TIMEOUTS_H

#include "sim/experiment/experiment.h"

void election_timeouts_run(struct experiment_run *run);

#endif
