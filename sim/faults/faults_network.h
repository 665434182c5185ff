// faults_network.h: what goes wrong between nodes: cuts of many shapes, and links that
// lose, repeat, delay and overtake.
//
// Partial partitions are those of "An Analysis of Network-Partitioning Failures in
// Cloud Systems" (OSDI 2018) and "Toward a Generic Fault Tolerance Technique for
// Partial Network Partitioning" (OSDI 2020). A cut of any shape ends with the next end
// of any other, as an operator's repair would.
#ifndef SIM_FAULTS_NETWORK_H
#define SIM_FAULTS_NETWORK_H

#include "sim/faults/faults.h"

// The shapes of a partial partition, over the nodes in an order that is drawn.
enum faults_shape {
    FAULTS_BRIDGE,      // two halves, and one node that speaks to both
    FAULTS_HUB,         // all speak to one node alone, which is not the leader
    FAULTS_CONSTRAINED, // the same, and the leader speaks to nobody
    FAULTS_CHAIN,       // each speaks to the ones before and behind
    FAULTS_RING,        // each speaks to a majority, and each to another one
    FAULTS_SHAPE_COUNT,
};

void faults_network_strike(struct world *world, enum fault fault);
void faults_network_undo(struct world *world, enum fault fault);

// Cuts these nodes (a bit for each) off from all others, for as long as a partition
// stays.
void faults_network_isolate(struct world *world, uint32_t group);
void faults_network_heal(struct world *world);

// Cuts all links but those of the shape; order[count - 1] is the leader where there is
// one.
void faults_network_shape(struct world *world, enum faults_shape shape,
                          const raft_id *order, uint32_t count);

#endif
