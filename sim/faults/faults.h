// faults.h: what goes wrong by itself, drawn from the seed.
//
// Swarm testing: each run draws which of the enabled kinds it has, how much of each,
// how often they strike, how long they stay and how often they aim at the leader. A run
// that leaves kinds out finds other bugs than one that has them all. A fixed mix has
// all kinds alike, at middle intensities. A strike comes at any event and is undone
// later; docs/faults.md tells what each kind models.
//
// This file keeps the calendar; faults_network, faults_nodes and faults_disks and
// sim/churn do what it says.
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
    FAULT_PARTIAL,       // some can speak to both of two that cannot to each other
    FAULT_FLAP,          // a cut that comes and goes
    FAULT_SWIZZLE,       // nodes are cut off one by one, and come back in another order
    FAULT_LOSS,
    FAULT_DUPLICATE,
    FAULT_DELAY,   // some messages take much longer, so that order is lost
    FAULT_REORDER, // some are overtaken on their link
    FAULT_LINK,    // some links are slower, lossier or less sure than the others
    FAULT_CRASH,
    FAULT_INSIDE, // a crash between two writes or sends of one step, or of a start
    FAULT_PAUSE,
    FAULT_SLOW,     // a node that works in bursts
    FAULT_DISK,     // slow syncs, failing syncs, full disks
    FAULT_DAMAGE,   // sectors and snapshots that cannot be read, or read wrongly
    FAULT_CLOCK,    // clocks that differ, run fast, jump ahead
    FAULT_MEMBERS,  // members come and go, machines are lost
    FAULT_TRANSFER, // leadership is handed over
    FAULT_SNAPSHOT, // snapshots at odd times
    FAULT_SETTINGS, // small capacities, pre-vote or check-quorum off; strikes never
    FAULT_CORRUPT,  // damaged bytes, where messages pass as such
    FAULT_COUNT,
};

// A cut that comes and goes.
struct faults_flap {
    uint32_t group; // against the others; 0: the link below
    raft_id from, to;
    uint64_t period_us;
    uint32_t left; // turns
};

// Nodes whose links are clogged one by one.
struct faults_swizzle {
    raft_id order[RAFT_MEMBERS_MAX];
    uint32_t count;
    uint32_t at;
    bool holds; // messages wait; else they are lost
    bool ends;  // they are let go
    uint32_t clogged;
    uint64_t pause_us_mean;
};

struct faults {
    struct random random;
    bool fixed; // the mix; set before the start
    bool active;
    uint32_t enabled; // bits
    uint32_t weights[FAULT_COUNT];
    uint32_t weight_sum;
    uint64_t pause_us_mean;  // between two strikes
    uint32_t linger_percent; // how long they stay
    uint32_t aim_ppm;        // so many aim at the leader
    uint64_t generation;
    uint64_t strikes[FAULT_COUNT];
    struct faults_flap flap;
    struct faults_swizzle swizzle;
};

const char *faults_text(enum fault fault);

// Reads "all", "none" or a list with commas; false where a word is unknown.
bool faults_parse(const char *text, uint32_t *enabled);

void faults_start(struct world *world, uint32_t enabled);

// No more strikes; and where `heal` is set, everything is as new: links, disks, speeds,
// all nodes up and running.
void faults_stop(struct world *world, bool heal);

// The same, but only these nodes (as bits) and what lies between them are as new.
void faults_stop_for(struct world *world, uint32_t nodes);

// Restarts nodes that stopped after all was healed: a sync that was to fail may have
// been under way then.
void faults_mend(struct world *world);

void faults_event(struct world *world, const struct heap_event *event);

// Crashes a node now in a mode that is drawn. While faults are active it will restart.
void faults_crash_now(struct world *world, raft_id id);

// ---- for the files next door ----------------------------------------------------

static inline bool faults_has(const struct faults *faults, enum fault fault)
{
    return (faults->enabled >> fault & 1) != 0;
}

// Any node, or the leader.
raft_id faults_draw_node(struct world *world);

// The end of a strike, or its next turn, comes after about this long. A node's is
// forgotten where it has crashed by then, but that of a crash.
void faults_undo_later(struct world *world, enum fault fault, raft_id node,
                       uint64_t mean_us);

// The same, and it stays as long as strikes do in this run.
void faults_linger(struct world *world, enum fault fault, raft_id node,
                   uint64_t mean_us);

#endif
