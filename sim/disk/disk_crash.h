// disk_crash.h: what a crash leaves of a simulated disk's files.
#ifndef SIM_DISK_CRASH_H
#define SIM_DISK_CRASH_H

#include "sim/disk/disk_files.h"

// Leaves what survives, which is durable from then on. Returns how many bytes were
// lost.
uint64_t disk_crash_files(struct disk_files *files, struct random *random,
                          enum sim_disk_crash_mode mode);

#endif
