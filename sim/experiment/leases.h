// leases.h: how much clock drift breaks a read by a lease (dissertation 6.4.1).
//
// The worst case: a leader is cut off, and its clock is slower than those of the others
// by so many percent. They elect somebody, a write is acknowledged there, and from then
// on every answer of the old leader is an old value.
#ifndef SIM_EXPERIMENT_LEASES_H
#define SIM_EXPERIMENT_LEASES_H

#include "sim/experiment/experiment.h"

void leases_run(struct experiment_run *run);

#endif
