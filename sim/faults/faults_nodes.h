// faults_nodes.h: what goes wrong with nodes: crashes at any event, between a write and
// the end of its sync, and between any two writes and sends; processes that stand
// still, and clocks.
#ifndef SIM_FAULTS_NODES_H
#define SIM_FAULTS_NODES_H

#include "sim/faults/faults.h"

struct node;

void faults_nodes_strike(struct world *world, enum fault fault);
void faults_nodes_undo(struct world *world, enum fault fault, raft_id id);

// All clocks at once, each as right or as fast as it may be: what a lease has to bear.
void faults_nodes_spread_clocks(struct world *world);

// Runs as it should, but for its disk.
void faults_nodes_heal(struct node *node);

// Crashes now, in a mode that is drawn. While faults are active it will restart.
void faults_nodes_crash(struct world *world, raft_id id);

#endif
