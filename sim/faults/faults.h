// faults.h: what goes wrong by itself, drawn from the seed.
//
// Each run draws a weight for every enabled kind (some become 0: a run that leaves
// kinds out finds other bugs than one that has them all), then strikes again and again.
// A strike aims at the leader more often than chance would. Crashes come at any event,
// and also between a write and the end of its sync.
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdbool.h>

#include "raft/raft.h"
#include "sim/heap.h"
#include "sim/random.h"

struct world;

enum fault {
    FAULT_PARTITION = 0, // groups, or one node, that cannot speak to the others
    FAULT_ONEWAY,        // links that are cut in one direction
    FAULT_LOSS,
    FAULT_DUPLICATE,
    FAULT_DELAY, // some messages take much longer, so that order is lost
    FAULT_CRASH,
    FAULT_PAUSE,
    FAULT_DISK,     // slow syncs, failing syncs, full disks, damaged snapshots
    FAULT_CLOCK,    // clocks that differ, run fast, jump ahead
    FAULT_MEMBERS,  // members come and go, machines are lost
    FAULT_TRANSFER, // leadership is handed over
    FAULT_SNAPSHOT, // snapshots at odd times
    FAULT_COUNT,
};

struct faults {
    struct random random;
    bool active;
    uint32_t enabled; // bits
    uint32_t weights[FAULT_COUNT];
    uint32_t weight_sum;
    uint64_t pause_us_mean; // between two strikes
    uint64_t generation;
    uint64_t strikes[FAULT_COUNT];
};

const char *faults_text(enum fault fault);

// Reads "all", "none" or a list with commas; false where a word is unknown.
bool faults_parse(const char *text, uint32_t *enabled);

void faults_start(struct world *world, uint32_t enabled);

// No more strikes; and where `heal` is set, everything is as new: links, disks, speeds,
// all nodes up and running.
void faults_stop(struct world *world, bool heal);

// Restarts nodes that stopped after all was healed: a sync that was to fail may have
// been under way then.
void faults_mend(struct world *world);

void faults_event(struct world *world, const struct heap_event *event);

// Crashes a node now in a mode that is drawn. While faults are active it will restart.
void faults_crash_now(struct world *world, raft_id id);

#endif
